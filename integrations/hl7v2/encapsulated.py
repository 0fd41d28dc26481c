"""Encapsulated data (ED, HL7 v2.5 2.A.24): a file inside a message, as the hospital packed it. Text to values."""

import binascii
from base64 import b64decode
from dataclasses import dataclass

from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps import care
from integrations.hl7v2.values import coded

_BEGINS = {
    "JVBERi": ("application/pdf", b"%PDF"),
    "iVBORw": ("image/png", b"\x89PNG"),
    "/9j/": ("image/jpeg", b"\xff\xd8\xff"),
}
"""How base64 of a file begins; its media type, and how the file itself begins."""
_SHORTEST = 64
"""Characters of base64 that no file of these kinds goes below."""


@dataclass(frozen=True, slots=True)
class Content:
    """One piece of a document or report as it will be stored."""

    kind: str
    """Media type."""
    data: bytes
    title: str = ""


def encapsulated(obx: Segment, declared: str = "") -> Content | None:
    """OBX-5 of type ED: type (component 2, 3), encoding (4) and data (5); None where the data is not what it says to be.

    ``declared`` is the media type that something else in the message gives it.
    """
    main, sub, encoding, data = (obx[5].component(n).text.strip() for n in (2, 3, 4, 5))
    kind = care.MEDIA.get(sub.upper()) or (f"{main}/{sub}".lower() if "/" not in main and main.isalpha() and len(main) > 2 and sub else "")
    try:
        raw = data.encode() if encoding.upper() in ("", "A") else _decoded(data, encoding)
    except (ValueError, binascii.Error):
        return None
    title = coded(obx[3])
    return Content(kind or declared or "application/octet-stream", raw, title.text or title.code) if raw else None


def in_text(obx: Segment) -> Content | None:
    """A file that came as the text of an OBX (ST, TX, FT), as some hospitals send PDF; None where OBX-5 is words.

    It is one by what it begins with once it is decoded: nobody writes words that do.
    """
    raw = obx[5].raw
    if len(raw) < _SHORTEST or not raw.startswith(tuple(_BEGINS)):
        return None
    try:
        made = _decoded(obx[5].text, "BASE64")
    except (ValueError, binascii.Error):
        return None
    kind = next((kind for kind, start in _BEGINS.values() if made.startswith(start)), "")
    title = coded(obx[3])
    return Content(kind, made, title.text or title.code) if kind else None


def _decoded(data: str, encoding: str) -> bytes:
    packed = "".join(data.split())
    if encoding.upper() == "HEX":
        return bytes.fromhex(packed)
    return b64decode(packed + "=" * (-len(packed) % 4), validate=True)
