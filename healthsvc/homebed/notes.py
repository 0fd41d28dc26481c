"""查床记录、护理记录 What was written about a bed as FHIR Composition: one note, its sections, who, when in and out, when written down."""

import uuid
from datetime import timedelta
from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.elements import codes, concept, instant, moment, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.narrative import XHTML
from healthsvc.fhir.systems import HOME_CARE, code_system
from healthsvc.healthfile.service import today
from healthsvc.healthfile.staff import standing
from healthsvc.homebed.rules.note import NOTE_NAMES, REWRITTEN, SECTIONS, Note, NoteKind, check_change, check_note
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id

SECTION: Final = code_system("home-bed-note-section")
_CODE: Final = {kind: f"home-bed-{kind}-note" for kind in NoteKind}


def is_note(resource: Resource | None) -> bool:
    """Whether a Composition is a note about a home bed."""
    return resource is not None and resource.get("resourceType") == "Composition" and _kind(resource) is not None


def note_id(bed: str, kind: NoteKind) -> str:
    """Id for a new note; of the kinds that a bed has one of, the same each time."""
    return derived_id(f"{kind}-note", bed) if kind in REWRITTEN else str(uuid.uuid4())


def keep_note(store: Store, note: Note) -> Resource:
    """Keep a note; gives the Composition."""
    return store.put(to_composition(note, store.policy.fill(HomeBedPolicy, "homebed", today(store))))


def notes_of(store: Store, bed: str, patient: str, kind: NoteKind | None = None) -> list[Note]:
    """The notes about a bed (of one kind), oldest first."""
    found = [to_note(one) for one in store.select("Composition", patient=patient) if is_note(one)]
    ours = (one for one in found if one.bed == bed and kind in (None, one.kind))
    return sorted(ours, key=lambda one: (one.start, one.id))


def admit_note(old: Resource | None, new: Resource | None, store: Store) -> None:
    """A note belongs to a bed of the person, is written by somebody of the staff about what has been, and is kept."""
    if new is None or not is_note(new):
        if is_note(old):
            raise RuleViolation("a note about a home bed is kept", reason="homebed-note-keep", path="Composition")
        return
    note = to_note(new)
    policy = store.policy.fill(HomeBedPolicy, "homebed", today(store))
    check_note(note, store.at, timedelta(minutes=int(store.policy.value("visit.clock_ahead_minutes", today(store)))))
    episode = store.find("EpisodeOfCare", note.bed)
    if episode is None or reference_id(episode.get("patient"), "Patient") != note.patient:
        raise RuleViolation("a note belongs to the person's own bed", reason="homebed-note-bed", path="Composition.event")
    if old is None:
        if standing(store, note.author, today(store)) is None:
            raise RuleViolation("whoever writes a note is in the staff directory", reason="homebed-note-author", path="Composition.author")
        if note.late(policy) and not any("late" in codes(one, SECTION) for one in new["event"][0].get("code", ())):
            raise RuleViolation(
                f"a record written more than {policy.record_hours} hours after the visit says so (event.code late)",
                reason="homebed-note-late",
                path="Composition.event.code",
            )
    elif is_note(old):
        check_change(to_note(old), note)


def to_composition(note: Note, policy: HomeBedPolicy | None = None) -> Resource:
    """Write a note; what was written later than the policy bears is marked as late, with both times kept."""
    titles = dict(SECTIONS[note.kind])
    event: Resource = {
        "period": {"start": instant(note.start), "end": instant(note.end)},
        "detail": [reference("EpisodeOfCare", note.bed), *([reference("Task", note.visit)] if note.visit else [])],
    }
    if policy is not None and note.late(policy):
        event["code"] = [concept(SECTION, "late", "补记")]
    return {
        "resourceType": "Composition",
        "id": note.id,
        "status": "amended" if note.amended else "final",
        "type": concept(HOME_CARE, _CODE[note.kind], NOTE_NAMES[note.kind]),
        "subject": reference("Patient", note.patient),
        "date": instant(note.written),
        "author": [reference("Practitioner", note.author)],
        "title": NOTE_NAMES[note.kind],
        "event": [event],
        "section": [
            {"title": titles[code], "code": concept(SECTION, code, titles[code]), "text": {"status": "additional", "div": _div(text)}}
            for code, text in note.sections
            if text.strip()
        ],
    }


def to_note(composition: Resource) -> Note:
    """Read a note.

    Raises:
        Invalid: it names no person, bed, author or times.
    """
    kind = _kind(composition)
    event: Resource = next(iter(composition.get("event", ())), {})
    period, details = event.get("period", {}), event.get("detail", ())
    bed = next((id for one in details if (id := reference_id(one, "EpisodeOfCare"))), None)
    patient = reference_id(composition.get("subject"), "Patient")
    author = next((id for one in composition.get("author", ()) if (id := reference_id(one, "Practitioner"))), None)
    if kind is None or bed is None or patient is None or author is None or not {"start", "end"} <= set(period):
        raise Invalid("a note needs subject, author, and event with its EpisodeOfCare and a period", path="Composition")
    sections = tuple(
        (code, _text(one.get("text", {}).get("div", "")))
        for one in composition.get("section", ())
        for code in codes(one.get("code"), SECTION)
    )
    return Note(
        id=str(composition.get("id", "")),
        bed=bed,
        patient=patient,
        kind=kind,
        author=author,
        written=moment(composition.get("date", ""), "Composition.date"),
        start=moment(period["start"], "Composition.event.period"),
        end=moment(period["end"], "Composition.event.period"),
        sections=sections,
        visit=next((id for one in details if (id := reference_id(one, "Task"))), None),
        amended=composition.get("status") == "amended",
    )


def _kind(composition: Resource) -> NoteKind | None:
    found = codes(composition.get("type"), HOME_CARE)
    return next((kind for kind, code in _CODE.items() if code in found), None)


def _div(text: str) -> str:
    lines = "<br/>".join(escape(line) for line in text.strip().splitlines())
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{lines}</div>'


def _text(div: str) -> str:
    """The text of a narrative; a line break stays one. Validation has refused everything else before."""
    if not div:
        return ""
    root = ElementTree.fromstring(div)  # noqa: S314 - narratives with declarations are refused when they are written
    said = [root.text or ""]
    for one in root.iter():
        if one is root:
            continue
        said.append("\n" if one.tag == f"{XHTML}br" else "")
        said += [one.text or "", one.tail or ""]
    return "".join(said)
