"""随身 the note of a home-bed round, written at the bed without network: its sections go along as a form, and come back with the visit."""

from datetime import datetime

from healthsvc.errors import RuleViolation
from healthsvc.fhir.elements import derived_id, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.homebed import service
from healthsvc.homebed.notes import keep_note
from healthsvc.homebed.rules.note import SECTIONS, Note, NoteKind
from healthsvc.store import Store
from healthsvc.visit.rules import Kind, Visit
from healthsvc.web.pocket_sent import Sent
from healthsvc.web.render import Page


def note_form(page: Page, visit: Visit) -> str:
    """The sections of a round's note as a form; empty for other visits."""
    return page.written("pocket_note.html", sections=SECTIONS[NoteKind.ROUND]) if _is_round(visit) else ""


def written(sent: Sent) -> list[tuple[str, str]]:
    """The sections that were written, in the order of the note: title and text."""
    texts = _texts(sent)
    return [(title, texts[code]) for code, title in SECTIONS[NoteKind.ROUND] if texts.get(code)]


def write_note(store: Store, sent: Sent, visit: Visit, task: str, span: tuple[datetime, datetime], author: str) -> Resource | None:
    """Keep the note of a round that was made; it was written when it was signed on the phone, however late the phone came back.

    Args:
        visit: the round for which it was written.
        task: the visit under which what was made is kept.
        span: in and out.
        author: Practitioner id.

    Raises:
        RuleViolation: the visit is no round of a home bed.
    """
    texts = _texts(sent)
    if not texts:
        return None
    beds = [id for one in store.read("Task", visit.id).get("basedOn", ()) if (id := reference_id(one, "EpisodeOfCare"))]
    if not _is_round(visit) or not beds:
        raise RuleViolation("a note of a round belongs to a visit of a home bed", reason="homebed-note-bed", path="note")
    bed = service.read(store, beds[0])
    sections = tuple((code, texts[code]) for code, _ in SECTIONS[NoteKind.ROUND] if code in texts)
    at = min(store.at, max(sent.signed_at(), span[1])).astimezone(store.zone)
    return keep_note(
        store, Note(derived_id("round-note", sent.key), bed.id, bed.patient, NoteKind.ROUND, author, at, *span, sections, task)
    )


def _texts(sent: Sent) -> dict[str, str]:
    return {name.removeprefix("section_"): text.strip() for name, text in sent.note if text.strip()}


def _is_round(visit: Visit) -> bool:
    return visit.kind == Kind.HOME_BED_ROUND and any(one.startswith("EpisodeOfCare/") for one in visit.sources)
