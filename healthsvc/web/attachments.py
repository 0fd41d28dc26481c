"""附件 the files that came with a hospital's report or document, each opened on its own, fenced off from the pages, and noted as read."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import APIRouter, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import NotFound
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.store import Store

router = APIRouter()
_FENCE: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_SANDBOX: Final = f"sandbox; {_FENCE}"
_STARTS: Final = (
    (b"%PDF-", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)  # fmt: skip
"""How the files begin that a browser may show; what does not begin as it says is only saved."""
_PDF: Final = "application/pdf"
_ENDINGS: Final = {
    _PDF: "pdf", "image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp", "image/tiff": "tif",
    "text/plain": "txt", "text/html": "html", "text/xml": "xml", "application/xml": "xml", "application/hl7-cda+xml": "xml",
    "application/rtf": "rtf", "text/rtf": "rtf", "application/dicom": "dcm", "application/msword": "doc",
}  # fmt: skip
WITHDRAWN: Final = frozenset({"cancelled", "entered-in-error"})
Type = Literal["DiagnosticReport", "DocumentReference"]


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a report or document, as a page names it."""

    url: str
    title: str
    """As the hospital has named it; empty where it has not."""
    kind: str
    """``PDF``, ``图片``, ``文本``, or the ending of its name in capitals."""
    size: str
    """``120 KB``; empty where it is not known."""


def attached_to(resource: Resource) -> tuple[Attached, ...]:
    """The files of a report or document that may be opened here; those that lie with others, or were taken back, are not among them."""
    if resource.get("status") in WITHDRAWN:
        return ()
    place = f"/attachments/{resource['resourceType']}/{resource['id']}"
    return tuple(
        Attached(f"{place}/{turn}", str(one.get("title", "")), _kind(str(one.get("contentType", ""))), _size(one))
        for turn, one in enumerate(_attachments(resource), start=1)
        if _is_here(one)
    )


@router.get("/attachments/{type}/{id}/{turn}")
def attachment(store: StoreReading, type: Type, id: str, turn: int) -> Response:
    """The bytes of one file: shown where a browser can do so safely, else to be saved. Its name says nothing of the person."""
    holder = store.read(type, id)
    held = list(_attachments(holder)) if holder.get("status") not in WITHDRAWN else []
    if not 1 <= turn <= len(held) or not _is_here(held[turn - 1]):
        raise NotFound("there is no such file; the hospital has taken it back, or never sent it", reason="attachment-gone")
    body, told = _bytes(store, held[turn - 1])
    store.audit("read", f"{type}/{id}", patient=reference_id(holder.get("subject"), "Patient") or None, purpose="attachment")
    shown = next((media for start, media in _STARTS if body.startswith(start)), "")
    if told == "text/plain":
        body, shown = _as_text(body), "text/plain; charset=utf-8"
    elif told.startswith("text/") or (shown != told and told in _ENDINGS):
        shown = ""
    # Chromium's viewer of PDF does not start in a sandbox; it is one itself: another process, no scripts of the file, no address of ours.
    fence = _FENCE if shown == _PDF else _SANDBOX
    ending = _ENDINGS.get(shown.partition(";")[0] or told, "bin")
    name = f"{'report' if type == 'DiagnosticReport' else 'document'}-{_day(store, holder)}-{turn}.{ending}"
    way = "inline" if shown else "attachment"
    headers = {"content-security-policy": fence, "content-disposition": f'{way}; filename="{name}"', "x-content-type-options": "nosniff"}
    return Response(body, media_type=shown or "application/octet-stream", headers=headers)


def _attachments(resource: Resource) -> Iterator[Resource]:
    if resource["resourceType"] == "DiagnosticReport":
        yield from resource.get("presentedForm", ())
    else:
        yield from (one.get("attachment", {}) for one in resource.get("content", ()))


def _is_here(attachment: Resource) -> bool:
    return "data" in attachment or str(attachment.get("url", "")).startswith("Binary/")


def _bytes(store: Store, attachment: Resource) -> tuple[bytes, str]:
    """The bytes and the bare media type; the Binary is asked for as whoever looks, by what it is seen with."""
    holder = attachment
    if "data" not in attachment:
        holder = store.read("Binary", str(attachment["url"]).split("/")[1])
    media = str(holder.get("contentType") or attachment.get("contentType") or "").partition(";")[0].strip().lower()
    try:
        return base64.b64decode(str(holder.get("data", ""))), media
    except binascii.Error:
        raise NotFound("this file cannot be unpacked; the message that brought it has it as it came", reason="attachment-gone") from None


def _as_text(body: bytes) -> bytes:
    """Text in UTF-8; hospitals write GB 18030, too. What is neither is shown with marks in place of what cannot be read."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode("gb18030", errors="replace").encode()
    return body


def _day(store: Store, holder: Resource) -> str:
    """The day of a report or document, for the name of its file."""
    return when_of(holder)[:10] or store.today.isoformat()


def when_of(resource: Resource) -> str:
    """When a report's material was taken, or what a document tells of was done; else when it was made."""
    period = resource.get("effectivePeriod") or resource.get("context", {}).get("period", {})
    made = resource.get("issued") or resource.get("date")
    return str(resource.get("effectiveDateTime") or period.get("start") or made or "")


def _kind(media: str) -> str:
    bare = media.partition(";")[0].strip().lower()
    if bare.startswith("image/"):
        return "图片"
    return "文本" if bare == "text/plain" else _ENDINGS.get(bare, "").upper() or "文件"


def _size(attachment: Resource) -> str:
    size = int(attachment.get("size", 0))
    if not size:
        return ""
    return f"{max(1, round(size / 1024))} KB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MB"
