"""查床记录、护理记录、病历首页补充、交接班: what somebody wrote at the bed or about it, once, and never changed without a trace."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.homebed.rules.parameters import HomeBedPolicy


class NoteKind(StrEnum):
    """What kind of note."""

    ROUND = "round"
    NURSING = "nursing"
    FRONT = "front"
    HANDOVER = "handover"


NOTE_NAMES: Final = {
    NoteKind.ROUND: "查床记录",
    NoteKind.NURSING: "护理记录",
    NoteKind.FRONT: "病历首页补充",
    NoteKind.HANDOVER: "交接班",
}
SECTIONS: Final = {
    NoteKind.ROUND: (
        ("complaint", "主诉"),
        ("exam", "体格检查"),
        ("tests", "辅助检查"),
        ("talk", "与患者家属谈话"),
        ("orders", "医嘱与处理"),
    ),
    NoteKind.NURSING: (("measures", "护理措施"), ("observed", "病情观察")),
    NoteKind.FRONT: (
        ("other-diagnoses", "其他诊断"),
        ("psychological", "心理诊断"),
        ("social", "社会诊断"),
        ("blood-type", "血型"),
        ("quality", "病历质量等级"),
    ),
    NoteKind.HANDOVER: (("situation", "现况"), ("watch", "需观察"), ("to-do", "待办")),
}
REWRITTEN: Final = frozenset({NoteKind.FRONT})
"""Kinds of which a bed has one, filled in as things become known; all others are written once."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note about one bed."""

    id: str
    bed: str
    patient: str
    kind: NoteKind
    author: str
    """Practitioner id."""
    written: datetime
    start: datetime
    """入户时间; of a note that is about no visit, the moment of which it speaks."""
    end: datetime
    """出户时间."""
    sections: tuple[tuple[str, str], ...]
    """Code of the section and its text, in the order of ``SECTIONS``; empty ones are left out."""
    visit: str | None = None
    """Task id of the visit."""
    amended: bool = False

    def late(self, policy: HomeBedPolicy) -> bool:
        """Whether it was written later than the hours within which a record is completed."""
        if self.kind not in (NoteKind.ROUND, NoteKind.NURSING):
            return False
        return self.written - self.end > timedelta(hours=policy.record_hours)

    def text(self, section: str) -> str:
        """The text of one section."""
        return dict(self.sections).get(section, "")


def check_note(note: Note, now: datetime, ahead: timedelta) -> None:
    """Refuse a note that says nothing, speaks of the future, ends before it starts, or has a section that its kind does not have."""
    if not any(text.strip() for _, text in note.sections):
        raise RuleViolation("a note says something; fill in at least one section", reason="homebed-note-empty", path="Composition.section")
    known = {code for code, _ in SECTIONS[note.kind]}
    if unknown := sorted({code for code, _ in note.sections} - known):
        raise RuleViolation(
            f"a {note.kind} note has no section {', '.join(unknown)}", reason="homebed-note-section", path="Composition.section"
        )
    if note.end < note.start:
        raise RuleViolation("whoever leaves has come before; mend the two times", reason="homebed-note-times", path="Composition.event")
    if note.end > now + ahead:
        raise RuleViolation(
            "a note speaks of what has been done; its time lies in the future", reason="homebed-note-future", path="Composition.event"
        )


def check_change(old: Note, new: Note) -> None:
    """A note that has been written stays; a correction is marked as one, and the earlier version stays in the history."""
    same = (old.bed, old.patient, old.kind, old.author, old.visit)
    if same != (new.bed, new.patient, new.kind, new.author, new.visit):
        raise RuleViolation("a note keeps its bed, kind, author and visit", reason="homebed-note-keep", path="Composition")
    changed = (old.sections, old.start, old.end) != (new.sections, new.start, new.end)
    if changed and old.kind not in REWRITTEN and not new.amended:
        raise RuleViolation(
            "a note is corrected by an amendment (status amended), not rewritten", reason="homebed-note-keep", path="Composition.status"
        )
