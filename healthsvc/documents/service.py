"""Freeze a document, replace it by a later one, and say whether it is still what was sealed."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from healthsvc.documents.keys import Keyring
from healthsvc.documents.paper import Document
from healthsvc.documents.render import typeset
from healthsvc.documents.resources import (
    PDF,
    binary_of,
    digest,
    is_frozen,
    seal_of,
    sealed,
    sha256_of,
    to_binary,
    to_bytes,
    to_reference,
)
from healthsvc.errors import Invalid, KeysLost, NotFound, Unavailable
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import DOCUMENT_SHA256
from healthsvc.store import Database, Store

SEALER: Final = "healthsvc"
_SCANS: Final = ((b"%PDF-", PDF), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
"""How the files begin that may be a scan."""
_ANY_SEALED: Final = text(
    "SELECT 1 FROM ix_token WHERE param = (SELECT id FROM term WHERE text = :param) "
    "AND system = (SELECT id FROM term WHERE text = :system) LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A document that has been frozen."""

    reference: Resource
    """The DocumentReference as stored."""
    content: bytes
    sha256: str
    lacking: tuple[str, ...]
    """Characters that the fonts lack and that stand there as their code."""

    @property
    def id(self) -> str:
        """Id of the DocumentReference."""
        return str(self.reference["id"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a frozen document has found; no finding: it is what was sealed, to the byte."""

    id: str
    findings: tuple[str, ...]
    sha256: str
    kid: str = ""
    sealed: int | None = None
    """When it was sealed, seconds since 1970."""

    @property
    def intact(self) -> bool:
        """Whether nothing has been changed since it was sealed."""
        return not self.findings


def keyring(store: Store) -> Keyring:
    """The keys of this installation; the first one is made where nothing has been sealed yet.

    Raises:
        KeysLost: something has, and no key is there.
        Unavailable: the database was opened without a folder for them, or they cannot be read.
    """
    folder = _folder(store.database)
    found = Keyring.there(folder)
    if not found:
        _must_be_first(store.connection, folder)
    return found or Keyring.of(folder, store.at)


def must_have_keys(database: Database) -> None:
    """Refuse to go on where documents have been sealed and every key is gone: a new one in their place would verify none of them.

    Raises:
        KeysLost: so it is. Unavailable: the folder cannot be read.
    """
    folder = _folder(database)
    if not Keyring.there(folder):
        with database.engine.connect() as connection:
            _must_be_first(connection, folder)


def _folder(database: Database) -> Path:
    if database.signing_keys is None:
        raise Unavailable("documents cannot be sealed: no folder of signing keys; set HEALTHSVC_SIGNING_KEYS or HEALTHSVC_DATA")
    return database.signing_keys


def _must_be_first(connection: Connection, folder: Path) -> None:
    if connection.execute(_ANY_SEALED, {"param": "DocumentReference.identifier", "system": DOCUMENT_SHA256}).first() is not None:
        raise KeysLost(
            f"the signing keys of the sealed documents are not in {folder}: put it (HEALTHSVC_SIGNING_KEYS, else DATA/signing-keys) "
            "back from its backup; if they are lost for ever, `healthsvc documents rotate` makes a new one, and nobody can verify what was "
            "sealed before"
        )


def freeze(
    store: Store,
    document: Document,
    *,
    kind: str,
    patient: str,
    about: str | None = None,
    author: str | None = None,
    replaces: str | None = None,
    identifiers: Sequence[tuple[str, str]] = (),
    id: str | None = None,
) -> Frozen:
    """Set a document as PDF/A, seal it and store it; from now on no door changes or deletes it.

    Args:
        store: an open writing transaction.
        document: what stands in it.
        kind: code of CodeSystem document-kind, for example ``contract``.
        patient: Patient id.
        about: what it documents, for example ``Contract/x``; :func:`frozen_of` finds it by that.
        author: ``Practitioner/x`` or ``Organization/x``.
        replaces: id of the document whose place it takes; that one becomes superseded.
        identifiers: further identifiers of the document, system and value.
        id: id of its DocumentReference; a new one unless told.

    Raises:
        Unavailable: the fonts or the signing keys are missing.
    """
    content, lacking = typeset(document)
    return _seal(
        store, content, PDF, document.title, document.made, kind=kind, patient=patient, about=about, author=author, replaces=replaces,
        identifiers=identifiers, id=id, lacking=lacking,
    )  # fmt: skip


def freeze_scan(
    store: Store, content: bytes, title: str, *, kind: str, patient: str, about: str | None = None, author: str | None = None
) -> Frozen:
    """Seal and store what was scanned (PDF, JPEG or PNG), as it is; from now on no door changes or deletes it.

    Raises:
        Invalid: the bytes are none of the three.
    """
    found = next((type for start, type in _SCANS if content.startswith(start)), None)
    if found is None:
        raise Invalid("a scan is a PDF, JPEG or PNG file; save it as one of them", reason="scan-format")
    return _seal(store, content, found, title, store.at, kind=kind, patient=patient, about=about, author=author)


def _seal(
    store: Store,
    content: bytes,
    content_type: str,
    title: str,
    made: datetime,
    *,
    kind: str,
    patient: str,
    about: str | None,
    author: str | None,
    replaces: str | None = None,
    identifiers: Sequence[tuple[str, str]] = (),
    id: str | None = None,
    lacking: tuple[str, ...] = (),
) -> Frozen:
    id = id or str(uuid.uuid4())
    binary = f"{id}-pdf" if content_type == PDF else f"{id}-scan"
    entry = to_reference(
        title, made, content_type=content_type, id=id, kind=kind, patient=patient, about=about, author=author, binary=binary,
        content=content, replaces=replaces, lacking=lacking, identifiers=identifiers,
    )  # fmt: skip
    claims = {"iat": int(store.at.timestamp()), "jti": f"DocumentReference/{id}", "entry": digest(entry)}
    signature = keyring(store).sign(content, claims)
    store.put(to_binary(binary, patient, content, content_type))
    reference = store.put(sealed(entry, signature, store.at, SEALER))
    if replaces is not None:
        supersede(store, replaces)
    return Frozen(reference, content, sha256_of(entry), lacking)


def supersede(store: Store, id: str) -> Resource:
    """Mark a document as replaced by a later one; its bytes stay."""
    entry = _entry(store, id)
    return entry if entry["status"] == "superseded" else store.put(entry | {"status": "superseded"})


def frozen_of(store: Store, about: str, kind: str | None = None) -> list[Resource]:
    """The frozen documents of a resource (``Contract/x``), newest first; only those of a kind where one is named."""
    found = [one for one in store.select("DocumentReference", related=about) if is_frozen(one)]
    ours = [one for one in found if kind is None or kind in {c.get("code") for c in one.get("type", {}).get("coding", [])}]
    return sorted(ours, key=lambda one: (datetime.fromisoformat(one["date"]), one["id"]), reverse=True)


def pdf_of(store: Store, id: str) -> tuple[bytes, Resource]:
    """The bytes of a frozen document and its entry; that it was read is noted."""
    entry = _entry(store, id)
    content = to_bytes(_bytes_of(store, entry))
    if content is None:
        raise NotFound("the bytes of this document are not there")
    store.audit("print", f"DocumentReference/{id}", patient=str(entry["subject"]["reference"]).rpartition("/")[2])
    return content, entry


def verify(store: Store, id: str) -> Verdict:
    """Say whether a frozen document is still what was sealed: its bytes, its SHA-256, its seal, and what the file says of it."""
    entry = _entry(store, id)
    return judge(store, entry, _bytes_of(store, entry))


def judge(store: Store, entry: Resource, binary: Resource | None) -> Verdict:
    """Check an entry against its bytes and its seal, stored or not."""
    told, findings = sha256_of(entry), []
    content = to_bytes(binary)
    if content is None:
        return Verdict(entry["id"], ("the bytes are not there",), told)
    actual = hashlib.sha256(content).hexdigest()
    if actual != told:
        findings.append("the bytes are not those whose SHA-256 stands in the file")
    claims: dict[str, Any] | None = keyring(store).claims(seal_of(entry), content)
    if claims is None:
        return Verdict(entry["id"], (*findings, "the seal is not one of our keys over these bytes"), actual)
    if claims.get("jti") != f"DocumentReference/{entry['id']}":
        findings.append("the seal belongs to another document")
    if claims.get("entry") != digest(entry):
        findings.append("what the file says of the document has been changed since it was sealed")
    return Verdict(entry["id"], tuple(findings), actual, str(claims.get("kid", "")), claims.get("iat"))


def verify_all(store: Store) -> list[Verdict]:
    """Check every frozen document of the installation."""
    return [judge(store, one, _bytes_of(store, one)) for one in store.select("DocumentReference") if is_frozen(one)]


def known_as(store: Store, content: bytes) -> Verdict | None:
    """The frozen document whose bytes these are (a file that somebody brings along); None where it is none of ours."""
    sha256 = hashlib.sha256(content).hexdigest()
    found = next((one for one in store.select("DocumentReference", identifier=f"{DOCUMENT_SHA256}|{sha256}") if is_frozen(one)), None)
    return None if found is None else verify(store, found["id"])


def _bytes_of(store: Store, entry: Resource) -> Resource | None:
    """The Binary of a document that may be seen; by itself a Binary belongs to nobody, so that it is only reached from here."""
    with store.wholly():
        return store.find("Binary", binary_of(entry))


def _entry(store: Store, id: str) -> Resource:
    entry = store.read("DocumentReference", id)
    if not is_frozen(entry):
        raise NotFound("this DocumentReference is not a frozen document")
    return entry
