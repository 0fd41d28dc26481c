"""The keys that seal documents: files outside the database, one JWK each, readable by the service alone.

The newest key that has its private part signs; every key that is there verifies. To rotate, a new one is made; an old one is kept for as
long as its documents are, its private part (``d``) may be struck out.
"""

import json
import os
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode

from healthsvc import keyfile
from healthsvc.errors import Unavailable

ALGORITHM: Final = "ES256"
_REGISTRY: Final = jws.JWSRegistry(strict_check_header=False)
_FIRST: Final = "first.json"


class Keyring:
    """The keys of one folder."""

    def __init__(self, keys: dict[str, tuple[int, ECKey]]) -> None:
        self._keys = keys

    @classmethod
    def there(cls, folder: Path) -> "Keyring":
        """The keys of a folder as they are; none is ever made, and a folder that is not there has none.

        Raises:
            Unavailable: the folder or a key in it cannot be read.
        """
        try:
            os.listdir(folder)  # glob passes a folder that may not be read over in silence
            return _read(folder, folder.stat().st_mtime_ns)
        except FileNotFoundError:
            return cls({})
        except OSError as error:
            raise _unreadable(error) from None

    @classmethod
    def of(cls, folder: Path, at: datetime) -> "Keyring":
        """The keys of a folder; the first one is made where there is none yet.

        Raises:
            Unavailable: the folder or a key in it cannot be read.
        """
        try:
            if not any(folder.glob("*.json")):
                _make(folder, _FIRST, at)
            return _read(folder, folder.stat().st_mtime_ns)
        except OSError as error:
            raise _unreadable(error) from None

    def sign(self, content: bytes, claims: dict[str, Any]) -> str:
        """A detached JWS over some bytes; ``claims`` stand in its protected header beside alg and kid."""
        able = [(created, kid) for kid, (created, key) in self._keys.items() if key.is_private]
        if not able:
            raise Unavailable("no signing key has its private part; run `healthsvc documents rotate`")
        kid = max(able)[1]
        token = jws.serialize_compact({"alg": ALGORITHM, "kid": kid, **claims}, content, self._keys[kid][1], registry=_REGISTRY)
        return str(jws.detach_content(token))

    def claims(self, signature: str, content: bytes) -> dict[str, Any] | None:
        """What a detached JWS over these bytes says; None where it was made by no key of ours, or over other bytes."""
        try:
            _, key = self._keys[kid_of(signature)]
            return dict(jws.deserialize_compact(signature, key, payload=content, registry=_REGISTRY).headers())
        except (JoseError, KeyError, ValueError, TypeError, AttributeError):
            return None

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    def public(self) -> dict[str, Any]:
        """The public parts as a JWK set (RFC 7517), newest first."""
        newest = sorted(self._keys.items(), key=lambda one: -one[1][0])
        return {"keys": [key.as_dict(private=False) | {"kid": kid, "alg": ALGORITHM, "use": "sig"} for kid, (_, key) in newest]}


def kid_of(signature: str) -> str:
    """Id of the key that a detached JWS says it was made by.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    return str(json.loads(urlsafe_b64decode(signature.partition(".")[0].encode()))["kid"])


def _unreadable(error: OSError) -> Unavailable:
    return Unavailable(f"the signing keys cannot be read: {error.strerror}; look after HEALTHSVC_SIGNING_KEYS (unset: DATA/signing-keys)")


def rotate(folder: Path, at: datetime) -> str:
    """Make a new key that signs from now on; gives its kid."""
    return _make(folder, None, at)


def _make(folder: Path, name: str | None, at: datetime) -> str:
    key = ECKey.generate_key("P-256")
    kid = str(key.thumbprint())
    keyfile.keep(folder / (name or f"{kid}.json"), json.dumps(key.as_dict(private=True) | {"kid": kid, "created": int(at.timestamp())}))
    return kid


@lru_cache(maxsize=8)
def _read(folder: Path, _changed: int) -> Keyring:
    keys = {}
    for path in sorted(folder.glob("*.json")):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            keys[str(told["kid"])] = (int(told.pop("created")), ECKey.import_key(told))
        except (ValueError, KeyError, TypeError, JoseError):
            raise Unavailable(f"the signing key {path.name} is no JWK of ours; put it back from the backup") from None
    return Keyring(keys)
