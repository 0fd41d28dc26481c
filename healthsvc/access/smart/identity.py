"""Identity tokens of OpenID Connect: signed with a key beside those that seal secrets, outside the database."""

import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from healthsvc import keyfile
from healthsvc.errors import Unavailable

_FILE: Final = "identity.jwk"
_ALGORITHM: Final = "ES256"


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
            keyfile.keep(path, json.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
        return ECKey.import_key(json.loads(path.read_text(encoding="ascii")))
    except OSError as error:
        raise Unavailable(f"the key of identity tokens cannot be read: {error.strerror}; look after HEALTHSVC_SEALING_KEYS") from None
    except (ValueError, JoseError):
        raise Unavailable(f"{_FILE} is no JWK of ours; put it back from the backup") from None
