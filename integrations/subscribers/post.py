"""One request to a subscriber: no redirects, no proxies, no cookies, an end in time."""

import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

FHIR_JSON = "application/fhir+json"


class NotTaken(Exception):
    """The endpoint did not take it; the text names the kind of trouble and nothing of what was sent."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the records to an address that nobody has admitted."""

    def redirect_request(self, *_: Any) -> None:
        """Never."""
        return


_OPENER = urllib.request.build_opener(_Stay(), urllib.request.ProxyHandler({}))


def post(url: str, body: bytes, headers: Sequence[tuple[str, str]], seconds: float, method: str = "POST") -> None:
    """Send; a 2xx answer means that it was taken.

    Raises:
        NotTaken: any other answer, or none.
    """
    request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 - the scheme was checked on admission
    if body:
        request.add_header("Content-Type", FHIR_JSON)
    try:
        with _OPENER.open(request, timeout=seconds):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise NotTaken(f"the endpoint answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise NotTaken(f"the endpoint does not answer ({type(getattr(error, 'reason', error)).__name__})") from None
