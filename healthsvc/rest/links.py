"""Links to further pages: the search and its position, sealed.

A page link carries what was searched (a name, a citizen id) and where the page ended (a birth date), and links end up in logs.
So it is encrypted with a key that never leaves the data directory (AES-GCM). Nothing has to be kept on the server: a link outlives a
restart and works in every process of the installation. It is bound to the actor that it was given to.
"""

import base64
import os
import zlib
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from healthsvc.errors import Gone

_NONCE = 12


class PageLinks:
    """Seals and opens page links with the key of one installation."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def of(cls, data: Path) -> "PageLinks":
        """With the key in a data directory, made on first use."""
        path = data / "page-links.key"
        if not path.exists():
            data.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.touch(mode=0o600)
            fresh.write_bytes(AESGCM.generate_key(256))
            try:
                os.link(fresh, path)  # two processes starting at once agree on the first key
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return cls(path.read_bytes())

    def seal(self, actor: str, value: object) -> str:
        """A JSON value as text for a url."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, zlib.compress(orjson.dumps(value)), actor.encode())
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def open(self, actor: str, text: str) -> object:
        """The value back.

        Raises:
            Gone: the link is not one of ours, was changed, or was given to somebody else.
        """
        try:
            raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
            return orjson.loads(zlib.decompress(self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], actor.encode())))
        except (InvalidTag, ValueError, zlib.error):
            raise Gone("this page link is not valid here; repeat the search from its first page") from None
