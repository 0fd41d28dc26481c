"""A frozen document as DocumentReference and Binary."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from healthsvc.fhir.elements import concept, conforming, extension, extensions, reference
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.systems import DOCUMENT_SHA256, code_system

KIND: Final = code_system("document-kind")
PDF: Final = "application/pdf"
_SEAL: Final = "document-seal"
_SEALED_BY: Final = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.15", "display": "Source Signature"}
_LATER: Final = frozenset({"meta", "status"})
"""What may still change: whether another document has taken its place."""


def is_frozen(resource: Resource | None) -> bool:
    """Whether a DocumentReference is a document that we froze."""
    return bool(resource and resource.get("resourceType") == "DocumentReference" and extensions(resource, _SEAL))


def to_binary(id: str, patient: str, content: bytes, content_type: str = PDF) -> Resource:
    """The bytes."""
    return {
        "resourceType": "Binary",
        "id": id,
        "contentType": content_type,
        "securityContext": reference("Patient", patient),
        "data": base64.b64encode(content).decode(),
    }


def to_bytes(binary: Resource | None) -> bytes | None:
    """The bytes of a Binary; None where there are none or they are no base64."""
    try:
        return base64.b64decode(str((binary or {})["data"]), validate=True)
    except (KeyError, ValueError):
        return None


def to_reference(
    title: str,
    made: datetime,
    *,
    content_type: str,
    id: str,
    kind: str,
    patient: str,
    about: str | None,
    author: str | None,
    binary: str,
    content: bytes,
    replaces: str | None,
    lacking: tuple[str, ...],
    identifiers: Sequence[tuple[str, str]] = (),
) -> Resource:
    """The document's entry in the file, not yet sealed."""
    sha1 = hashlib.sha1(content, usedforsecurity=False).digest()  # R4: Attachment.hash is SHA-1
    written: Resource = {
        "resourceType": "DocumentReference",
        "id": id,
        "identifier": [{"system": DOCUMENT_SHA256, "value": hashlib.sha256(content).hexdigest()}, *_others(identifiers)],
        "status": "current",
        "docStatus": "final",
        "type": concept(KIND, kind),
        "subject": reference("Patient", patient),
        "date": made.isoformat(),
        "content": [
            {
                "attachment": {
                    "contentType": content_type,
                    "language": "zh-CN",
                    "url": f"Binary/{binary}",
                    "size": len(content),
                    "hash": base64.b64encode(sha1).decode(),
                    "title": title,
                    "creation": made.isoformat(),
                }
            }
        ],
    }
    if author:
        written["author"] = [{"reference": author}]
    if about:
        written["context"] = {"related": [{"reference": about}]}
    if replaces:
        written["relatesTo"] = [{"code": "replaces", "target": reference("DocumentReference", replaces)}]
    if lacking:
        written["description"] = "字库未收，以统一码编号代替：" + "、".join(f"U+{ord(char):04X}" for char in lacking)
    return conforming(written, "frozen-document")


def _others(identifiers: Sequence[tuple[str, str]]) -> list[Resource]:
    return [{"system": system, "value": value} for system, value in identifiers]


def digest(entry: Resource) -> str:
    """SHA-256 of what the entry says of the document, without the seal itself and what may still change."""
    kept = {key: value for key, value in entry.items() if key not in _LATER and key != "extension"}
    return hashlib.sha256(dumps(kept, sort_keys=True)).hexdigest()


def sealed(entry: Resource, signature: str, at: datetime, by: str) -> Resource:
    """The entry with its seal: a FHIR Signature whose data is the detached JWS."""
    told: dict[str, Any] = {
        "type": [_SEALED_BY],
        "when": at.isoformat(),
        "who": {"display": by},
        "targetFormat": content_type_of(entry),
        "sigFormat": "application/jose",
        "data": base64.b64encode(signature.encode()).decode(),
    }
    return entry | {"extension": [extension(_SEAL, valueSignature=told)]}


def seal_of(entry: Resource) -> str:
    """The detached JWS of a frozen document; empty where it cannot be read."""
    for one in extensions(entry, _SEAL):
        try:
            return base64.b64decode(one["valueSignature"]["data"]).decode("ascii")
        except (KeyError, TypeError, ValueError):
            return ""
    return ""


def binary_of(entry: Resource) -> str:
    """Id of the Binary that holds the bytes."""
    content: Resource = next(iter(entry.get("content", ())), {})
    return str(content.get("attachment", {}).get("url", "")).rpartition("/")[2]


def content_type_of(entry: Resource) -> str:
    """The media type of the bytes."""
    content: Resource = next(iter(entry.get("content", ())), {})
    return str(content.get("attachment", {}).get("contentType", PDF))


def sha256_of(entry: Resource) -> str:
    """The SHA-256 that the entry names, in hex."""
    return next((str(one.get("value", "")) for one in entry.get("identifier", ()) if one.get("system") == DOCUMENT_SHA256), "")
