"""Who may call the services: software that a hospital has registered here, by its signed token; or whoever holds a bearer token.

A client's keys are a file of this site (``DATA/cds-clients.toml`` names it): nothing is fetched from where a token says (``jku``), since
nothing leaves this host.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from healthsvc import sitefile
from healthsvc.errors import Invalid, NotSignedIn
from healthsvc.store import Actor

FILE: Final = "cds-clients.toml"
ALGORITHMS: Final = ["ES384", "RS384", "ES256", "RS256"]
"""Signatures that are taken; CDS Hooks names ES384 and RS384 as those that should be used."""
LONGEST_SECONDS: Final = 300
"""Seconds that a token may live from when it was made (CDS Hooks 2.0: "no more than five minutes")."""
LEEWAY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client: its ``iss``, its hospital's code, its public keys."""

    issuer: str
    hospital: str
    name: str
    keys: KeySet


def clients(data: Path) -> dict[str, Client]:
    """The registered clients of a site, by ``iss``; none where there is no file.

    Raises:
        Invalid: the file, or a file of keys that it names, cannot be read; the text says which.
    """
    path = data / FILE
    if not path.is_file():
        return {}
    try:
        entries = sitefile.read(path).get("client", [])
        return {one["issuer"]: _client(one, data) for one in entries}
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        raise Invalid(
            f"DATA/{FILE} is wrong ({type(error).__name__}): each [[client]] has issuer, hospital, name and keys = 'FILE.json' (a JWK set)"
        ) from None


def _client(entry: dict[str, Any], data: Path) -> Client:
    import json

    keys = KeySet.import_key_set(json.loads((data / str(entry["keys"])).read_text(encoding="utf-8")))
    return Client(str(entry["issuer"]), str(entry["hospital"]), str(entry.get("name", entry["issuer"])), keys)


def verified(token: str, known: dict[str, Client], audience: str, now: Callable[[], float] = time.time) -> tuple[Client, Actor]:
    """The client who signed a token, and the actor in whose name it asks.

    Raises:
        NotSignedIn: the signature, issuer, audience, time or id of the token is not what it must be; the reason says which.
    """
    claims = _claims(token, known)
    client = known[claims["iss"]]
    wanted = claims.get("aud")
    if audience not in (wanted if isinstance(wanted, list) else [wanted]):
        raise NotSignedIn("the token is for another address (aud)", reason="cds-audience")
    made, ends, at = claims.get("iat"), claims.get("exp"), now()
    if not isinstance(made, (int, float)) or not isinstance(ends, (int, float)):
        raise NotSignedIn("the token says not when it was made and when it ends (iat, exp)", reason="cds-time")
    if not made - LEEWAY_SECONDS <= at < ends or ends - made > LONGEST_SECONDS:
        raise NotSignedIn("the token has ended, has not begun or lives too long (iat, exp; five minutes at most)", reason="cds-time")
    number = claims.get("jti")
    if not isinstance(number, str) or not number or not SEEN.first_time(f"{client.issuer}|{number}", float(ends), at):
        raise NotSignedIn("the token was used before, or has no number of its own (jti)", reason="cds-replay")
    return client, Actor(f"link/cds-{client.hospital}", client.name, frozenset({"hospital-window"}), "rest")


def _claims(token: str, known: dict[str, Client]) -> dict[str, Any]:
    """The claims of a token whose signature holds under one of its issuer's keys."""
    import base64
    import json

    try:
        body = token.split(".")[1]
        issuer = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))).get("iss")
    except (IndexError, ValueError, AttributeError):
        raise NotSignedIn("the bearer token is no signed token (JWT)", reason="cds-token") from None
    client = known.get(str(issuer))
    if client is None:
        raise NotSignedIn(f"nobody is registered under this issuer (iss); see DATA/{FILE}", reason="cds-issuer")
    try:
        return dict(jwt.decode(token, client.keys, algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError):
        raise NotSignedIn("the signature of the token does not hold", reason="cds-signature") from None


class _Seen:
    """Numbers of tokens that were used, until they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    def first_time(self, number: str, ends: float, at: float) -> bool:
        """Whether a number is used for the first time."""
        with self._lock:
            for old in [one for one, end in self._ends.items() if end <= at]:
                del self._ends[old]
            if number in self._ends:
                return False
            self._ends[number] = ends
            return True


SEEN: Final = _Seen()
