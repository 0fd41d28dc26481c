"""Sealing of secrets at rest: AES-256-GCM under keys that lie outside the database, with a kid so that they can be rotated.

Crypto stands behind this one interface, so that a site which must use SM4 (密评) puts another maker of :class:`Seal` in its place.
"""

import base64
import binascii
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from healthsvc import keyfile
from healthsvc.errors import KeysLost, Unavailable

KID_BYTES: Final = 8
_KEY_BYTES: Final = 32
_FIXED_BYTES: Final = 8
_COUNTER_BYTES: Final = 4
_COUNTER: Final = struct.Struct(">I")
_NONCE_BYTES: Final = _FIXED_BYTES + _COUNTER_BYTES
"""NIST SP 800-38D 8.2.1: a fixed field, drawn at random by each process and each 2^32 values anew, and a counter behind it."""
_FIRST: Final = "first.json"
_LOOKUP: Final = "lookup.key"
RETIRED: Final = "retired"
"""Folder beside the keys for those that nothing is sealed with any more."""
REMEDY: Final = "put the folder of sealing keys (HEALTHSVC_SEALING_KEYS, else DATA/sealing-keys) back from its backup"


class Seal:
    """The keys of one folder: the newest closes, every one opens."""

    def __init__(self, keys: dict[bytes, bytes], newest: bytes) -> None:
        self.kids = frozenset(keys)
        self.newest = newest
        self._ciphers = {kid: AESGCM(key) for kid, key in keys.items()}
        self._encrypt = self._ciphers[newest].encrypt
        self._nonces: Iterator[bytes] = iter(())
        self._process = 0

    @classmethod
    def of(cls, folder: Path) -> "Seal":
        """The keys of a folder; the first is made where there is none yet.

        Raises:
            Unavailable: the folder or a key in it cannot be read.
        """
        try:
            if not (folder / _FIRST).exists():
                _make(folder, _FIRST)
        except OSError as error:
            raise _unreadable(error) from None
        return cls.there(folder)

    @classmethod
    def there(cls, folder: Path) -> "Seal":
        """The keys of a folder that has some; none is ever made.

        Raises:
            Unavailable: there are none, or they cannot be read.
        """
        try:
            found = _read(folder, folder.stat().st_mtime_ns)
        except FileNotFoundError:
            found = None
        except OSError as error:
            raise _unreadable(error) from None
        if found is None:
            raise KeysLost(f"the keys that opened this database are not there; {REMEDY}")
        return found

    def close(self, plain: bytes, what: str, mark: bytes = b"") -> bytes:
        """Seal some bytes; ``what`` (a table and column and row) is bound to it, so that a sealed value cannot be moved elsewhere.

        ``mark`` is put before it.
        """
        nonce = self._nonce()
        return b"".join((mark, self.newest, nonce, self._encrypt(nonce, plain, what.encode())))

    def open(self, sealed: bytes, what: str) -> bytes:
        """What was sealed.

        Raises:
            Unavailable: its key is not there any more, or it was changed or moved.
        """
        kid = sealed[:KID_BYTES]
        cipher = self._ciphers.get(kid)
        if cipher is None:
            raise Unavailable(f"a sealed value has key {kid.hex()}, which is not in the folder of sealing keys; {REMEDY}")
        try:
            return cipher.decrypt(sealed[KID_BYTES : KID_BYTES + _NONCE_BYTES], sealed[KID_BYTES + _NONCE_BYTES :], what.encode())
        except InvalidTag:
            raise Unavailable("a sealed value was changed or moved; restore it from a backup") from None

    def _nonce(self) -> bytes:
        if self._process != os.getpid():  # a forked process draws its own fixed field
            self._process, self._nonces = os.getpid(), _nonces()
        try:
            return next(self._nonces)
        except StopIteration:
            self._nonces = _nonces()
            return next(self._nonces)


def _nonces() -> Iterator[bytes]:
    # maps, not a generator: many threads may ask at once
    return map(secrets.token_bytes(_FIXED_BYTES).__add__, map(_COUNTER.pack, range(1 << 8 * _COUNTER_BYTES)))


def rotate(folder: Path) -> str:
    """Make a new key that closes from now on; the old ones still open. Gives its kid."""
    Seal.of(folder)
    return _make(folder, None)


def retire(folder: Path, kid: str) -> Path:
    """Take a key out of use and keep its file under ``retired/``; gives where.

    Raises:
        Unavailable: there is no such key, or it is the one that closes.
    """
    if Seal.there(folder).newest.hex() == kid:
        raise Unavailable("this is the key that closes now; make a new one first: healthsvc keys rotate")
    for path in sorted(folder.glob("*.json")):
        if _told(path)[0].hex() == kid:
            (folder / RETIRED).mkdir(exist_ok=True, mode=0o700)
            return path.rename(folder / RETIRED / f"{kid}.json")
    raise Unavailable(f"there is no key {kid[:32]!r} in the folder of sealing keys")


def lookup_key(folder: Path, *, make: bool) -> bytes:
    """The key of the look-up hashes; made where there is none yet and ``make`` allows it.

    Raises:
        Unavailable: it is not there, or is none of ours.
    """
    path = folder / _LOOKUP
    try:
        if make and not path.exists():
            keyfile.keep(path, base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
        key = base64.b64decode(path.read_text(encoding="ascii"), validate=True)
    except FileNotFoundError:
        raise KeysLost(f"the look-up key {_LOOKUP} is not there; {REMEDY}") from None
    except OSError as error:
        raise _unreadable(error) from None
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != _KEY_BYTES:
        raise KeysLost(f"the look-up key {_LOOKUP} is none of ours; {REMEDY}")
    return key


def fingerprint(key: bytes) -> str:
    """What may stand in the database of a key: enough to know it again, nothing to make it from."""
    return hashlib.blake2b(b"fingerprint", key=key, digest_size=16).hexdigest()


def _make(folder: Path, name: str | None) -> str:
    kid = secrets.token_bytes(KID_BYTES)
    order = 1 + max((_told(path)[2] for path in folder.glob("*.json")), default=-1)
    told = {"kid": kid.hex(), "order": order, "key": base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}
    return kid.hex() if keyfile.keep(folder / (name or f"{kid.hex()}.json"), json.dumps(told)) else ""


def _told(path: Path) -> tuple[bytes, bytes, int]:
    """Kid, key and order of one file."""
    try:
        told = json.loads(path.read_text(encoding="ascii"))
        kid, key, order = bytes.fromhex(told["kid"]), base64.b64decode(told["key"], validate=True), int(told["order"])
        if len(kid) != KID_BYTES or len(key) != _KEY_BYTES:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise KeysLost(f"the sealing key {path.name} is none of ours; put it back from the backup") from None
    return kid, key, order


@lru_cache(maxsize=8)
def _read(folder: Path, _changed: int) -> Seal | None:
    told = [_told(path) for path in sorted(folder.glob("*.json"))]
    if not told:
        return None
    return Seal({kid: key for kid, key, _ in told}, max((order, kid) for kid, _, order in told)[1])


def _unreadable(error: OSError) -> Unavailable:
    return Unavailable(f"the sealing keys cannot be read: {error.strerror}; look after HEALTHSVC_SEALING_KEYS")
