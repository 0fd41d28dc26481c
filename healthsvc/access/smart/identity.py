"""Identity tokens of OpenID Connect: signed with a key beside those that seal secrets, outside the database."""

import json
import os
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from healthsvc.errors import Unavailable

_FILE: Final = "identity.jwk"
_ALGORITHM: Final = "ES256"
_PRIVATE: Final = 0o600


def identity_token(folder: Path, claims: dict[str, Any], at: datetime, seconds: int) -> str:
    """A signed identity token that holds for so many seconds."""
    key = _key(folder)
    now = int(at.timestamp())
    return jwt.encode({"alg": _ALGORITHM, "kid": key.thumbprint()}, {**claims, "iat": now, "exp": now + seconds}, key)


def public_keys(folder: Path) -> dict[str, Any]:
    """The public key as a JWK set."""
    key = _key(folder)
    return {"keys": [key.as_dict(private=False) | {"kid": key.thumbprint(), "alg": _ALGORITHM, "use": "sig"}]}


@lru_cache(maxsize=4)
def _key(folder: Path) -> ECKey:
    path = folder / _FILE
    try:
        if not path.exists():
            _make(path)
        return ECKey.import_key(json.loads(path.read_text(encoding="ascii")))
    except OSError as error:
        raise Unavailable(f"the key of identity tokens cannot be read: {error.strerror}; look after HEALTHSVC_SEALING_KEYS") from None
    except (ValueError, JoseError):
        raise Unavailable(f"{_FILE} is no JWK of ours; put it back from the backup") from None


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "w", encoding="ascii") as file:
        json.dump(ECKey.generate_key("P-256").as_dict(private=True), file)
    try:
        os.link(fresh, path)  # of two processes that start at once, the first one's key is everybody's
    except FileExistsError:
        return
    finally:
        fresh.unlink()
