"""A Binary as its own bytes: sent and fetched under the content type that it has, without the JSON around it (R4 2.36.2).

A browser never gets them to show: what says that it takes anything gets the resource, and what is given out is to be saved.
"""

import base64
import binascii
import re
from collections.abc import Iterator

from healthsvc.errors import Malformed
from healthsvc.fhir.json import Resource
from healthsvc.rest.answer import Answer

TYPE = "Binary"
_PATH = re.compile(r"/fhir/Binary(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[0-9]{1,9})?)?")
_MEDIA = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}(?:\s*;\s*[!-~ ]{1,200})?")
_FENCE = {"content-security-policy": "sandbox; default-src 'none'", "content-disposition": "attachment"}


def may_be_native(path: str) -> bool:
    """Whether what is sent to an address, or fetched there, may be the bytes of a Binary."""
    return _PATH.fullmatch(path) is not None


def wrapped(body: bytes, media: str, context: str | None) -> Resource:
    """The Binary that some bytes are; ``context`` is X-Security-Context, a reference to what it is seen with.

    Raises:
        Malformed: the content type is none.
    """
    if _MEDIA.fullmatch(media) is None:
        raise Malformed("Content-Type of a Binary must be a media type, for example application/pdf")
    made: Resource = {"resourceType": TYPE, "contentType": media}
    if context:
        made["securityContext"] = {"reference": context}
    return {**made, "data": base64.b64encode(body).decode()}


def unwrapped(binary: Resource, accept: str, headers: dict[str, str]) -> Answer | None:
    """The bytes of a Binary where they are what the client takes; None where they are not."""
    media = str(binary.get("contentType", ""))
    bare = media.partition(";")[0].strip().lower()
    if not any(one in (bare, f"{bare.partition('/')[0]}/*") for one in _wanted(accept)):
        return None
    try:
        body = base64.b64decode(str(binary.get("data", "")))
    except binascii.Error:
        return None
    return Answer(200, body, {**headers, **_FENCE}, media=media)


def _wanted(accept: str) -> Iterator[str]:
    for one in accept.split(","):
        yield one.partition(";")[0].strip().lower()
