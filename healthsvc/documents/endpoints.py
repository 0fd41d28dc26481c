"""Frozen documents over HTTP: the PDF, whether it is still what was sealed, and the public keys to check it elsewhere."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, Response, UploadFile

from healthsvc import clock
from healthsvc.access.door import StoreReading
from healthsvc.documents import service
from healthsvc.documents.resources import content_type_of
from healthsvc.errors import NotFound
from healthsvc.store import SYSTEM

router = APIRouter(prefix="/api/documents", tags=["冻结文书 Frozen documents"])


@router.get("/keys")
def keys(request: Request) -> dict[str, Any]:
    """The public keys of this installation's seals as a JWK set (RFC 7517); open to everybody."""
    with request.app.state.database.reading(SYSTEM, at=clock.now()) as store:
        return service.keyring(store).public()


@router.get("/{document}/pdf")
def pdf(document: str, store: StoreReading) -> Response:
    """The document, to the byte as it was sealed: PDF/A, or what was scanned."""
    content, entry = service.pdf_of(store, document)
    return Response(content, media_type=content_type_of(entry), headers={"content-disposition": "inline"})


@router.get("/{document}/verify")
def verify(document: str, store: StoreReading) -> dict[str, Any]:
    """Whether a document is still what was sealed: bytes, SHA-256, seal, and what the file says of it; with what was found, where not."""
    verdict = service.verify(store, document)
    store.audit("verify", f"DocumentReference/{document}")
    return asdict(verdict) | {"intact": verdict.intact}


@router.post("/known")
def known(file: Annotated[UploadFile, File()], store: StoreReading) -> dict[str, Any]:
    """Whether a PDF that somebody brings along is a document of this installation, unchanged.

    Raises:
        NotFound: it is none of ours, or was changed by a byte.
    """
    verdict = service.known_as(store, file.file.read())
    if verdict is None:
        raise NotFound("this file is none of the frozen documents here, or it has been changed", reason="document-unknown")
    store.audit("verify", f"DocumentReference/{verdict.id}")
    return asdict(verdict) | {"intact": verdict.intact}
