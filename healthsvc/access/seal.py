"""Sealing of secrets at rest: AES-256-GCM under keys that lie outside the database, with a kid so that they can be rotated.

Crypto stands behind this one interface, so that a site which must use SM4 (密评) puts another maker of :class:`Seal` in its place.
"""

import base64
import json
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from healthsvc.errors import Unavailable

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
"""NIST SP 800-38D 5.2.1.1: 96 bits, random."""
_KID_BYTES: Final = 8
_PRIVATE: Final = 0o600
_FIRST: Final = "first.json"


class Seal:
    """The keys of one folder: the newest closes, every one opens."""

    def __init__(self, keys: dict[bytes, bytes], newest: bytes) -> None:
        self._keys = keys
        self._newest = newest

    @classmethod
    def of(cls, folder: Path) -> "Seal":
        """The keys of a folder; the first is made where there is none yet.

        Raises:
            Unavailable: the folder or a key in it cannot be read.
        """
        try:
            if not (folder / _FIRST).exists():
                _make(folder, _FIRST)
            return _read(folder, folder.stat().st_mtime_ns)
        except OSError as error:
            raise Unavailable(f"the sealing keys cannot be read: {error.strerror}; look after HEALTHSVC_SEALING_KEYS") from None

    def close(self, plain: bytes, what: str) -> bytes:
        """Seal some bytes; ``what`` (a table and column and row) is bound to it, so that a sealed value cannot be moved elsewhere."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._newest + nonce + AESGCM(self._keys[self._newest]).encrypt(nonce, plain, what.encode())

    def open(self, sealed: bytes, what: str) -> bytes:
        """What was sealed.

        Raises:
            Unavailable: its key is not there any more, or it was changed or moved.
        """
        kid, nonce, body = sealed[:_KID_BYTES], sealed[_KID_BYTES : _KID_BYTES + _NONCE_BYTES], sealed[_KID_BYTES + _NONCE_BYTES :]
        key = self._keys.get(kid)
        if key is None:
            raise Unavailable("a sealed value has a key that is not in the folder of sealing keys; put the key back from the backup")
        try:
            return AESGCM(key).decrypt(nonce, body, what.encode())
        except InvalidTag:
            raise Unavailable("a sealed value was changed or moved; restore it from a backup") from None


def rotate(folder: Path) -> str:
    """Make a new key that closes from now on; the old ones still open. Gives its kid."""
    Seal.of(folder)
    return _make(folder, None)


def _make(folder: Path, name: str | None) -> str:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kid = secrets.token_bytes(_KID_BYTES)
    path = folder / (name or f"{kid.hex()}.json")
    fresh = folder / f".{kid.hex()}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="ascii") as file:
        order = len(list(folder.glob("*.json")))
        json.dump({"kid": kid.hex(), "order": order, "key": base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}, file)
    try:
        os.link(fresh, path)  # of two processes that start at once, the first one's key is everybody's
    except FileExistsError:
        return ""
    finally:
        fresh.unlink()
    return kid.hex()


@lru_cache(maxsize=8)
def _read(folder: Path, _changed: int) -> Seal:
    keys: dict[bytes, bytes] = {}
    newest: tuple[int, bytes] | None = None
    for path in sorted(folder.glob("*.json")):
        try:
            told = json.loads(path.read_text(encoding="ascii"))
            kid, key, order = bytes.fromhex(told["kid"]), base64.b64decode(told["key"], validate=True), int(told["order"])
            if len(kid) != _KID_BYTES or len(key) != _KEY_BYTES:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise Unavailable(f"the sealing key {path.name} is none of ours; put it back from the backup") from None
        keys[kid] = key
        newest = max(newest or (order, kid), (order, kid))
    assert newest is not None
    return Seal(keys, newest[1])
