"""The dry run: read messages as a link would, and say of each what would become of it. Nothing is stored."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from healthsvc import clock
from healthsvc.errors import NotSupported, Refusal
from integrations.hl7v2.adt import read_adt
from integrations.hl7v2.batch import split
from integrations.hl7v2.booking import read_booking
from integrations.hl7v2.charset import decode
from integrations.hl7v2.delimiters import HEADERS
from integrations.hl7v2.document import read_document
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import Family, as_standard, family_of, missing_segment
from integrations.hl7v2.files import Source, sources
from integrations.hl7v2.header import Header, check_header, read_header
from integrations.hl7v2.linked import read_linked
from integrations.hl7v2.masking import shape
from integrations.hl7v2.master import read_master
from integrations.hl7v2.money import read_money
from integrations.hl7v2.orders import read_orders
from integrations.hl7v2.oru import read_results
from integrations.hl7v2.problem import read_problems, read_referral
from integrations.hl7v2.qbp import read_query
from integrations.hl7v2.strange import strange_words
from integrations.hl7v2.times import unread_times
from integrations.hospitals.profile import Profile
from integrations.hospitals.shelf import load

Progress = Callable[[int, int | None], object]


@dataclass(frozen=True, slots=True)
class Checked:
    """One message and what a link makes of it. Carries no value of a person."""

    file: str
    index: int
    """Its place in the file, from 1; 0 where the file holds no message."""
    event: str = ""
    version: str = ""
    control_id: str = ""
    read: bool = False
    identical: bool = False
    """Cut to the last subcomponent, joined and encoded again, it is the same bytes."""
    charset: str = ""
    mapped: str = ""
    """The family that it was read as; empty where it is mapped to nothing."""
    rejected: bool = False
    to_review: bool = False
    """Accepted, and put on the review list: the link takes messages without a segment that they need."""
    reason: str = ""
    place: str = ""
    remark: str = ""
    strange: tuple[str, ...] = ()
    """Places and words that the link does not know (``PID-8 3``): taken, and read as if nothing stood there, or as a number of its own."""
    times: tuple[str, ...] = ()
    """Places where no time stands that could be read, and its shape (``OBR-7 99-99-99``): taken, and read as if nothing stood there."""


@dataclass(frozen=True, slots=True)
class Report:
    """The dry run of all files."""

    profile: str
    files: int
    messages: tuple[Checked, ...]

    def counts(self) -> dict[str, Any]:
        """How many messages were read, are byte-identical, are mapped, are rejected, and by what."""
        held = [one for one in self.messages if one.index]
        return {
            "files": self.files,
            "without_message": sum(not one.index for one in self.messages),
            "messages": len(held),
            "read": sum(one.read for one in held),
            "identical": sum(one.identical for one in held),
            "mapped": sum(bool(one.mapped) and not one.rejected and not one.to_review for one in held),
            "unmapped": sum(one.read and not one.mapped and not one.rejected for one in held),
            "rejected": sum(one.rejected for one in held),
            "to_review": sum(one.to_review for one in held),
            "charsets": dict(Counter(one.charset for one in held if one.charset).most_common()),
            "families": dict(Counter(one.mapped for one in held if one.mapped and not one.rejected and not one.to_review).most_common()),
            "events": dict(Counter(one.event for one in held if one.event).most_common()),
            "strange": dict(Counter(word for one in held for word in one.strange).most_common()),
            "times": dict(Counter(place for one in held for place in one.times).most_common()),
            "reasons": dict(Counter(one.reason for one in self.messages if one.reason).most_common()),
        }

    def as_json(self) -> dict[str, Any]:
        """Counts, and every message by itself."""
        return {"profile": self.profile, "counts": self.counts(), "messages": [asdict(one) for one in self.messages]}

    def lines(self) -> Iterator[str]:
        """The report as text: what was not taken one by one, then the counts."""
        for one in self.messages:
            if one.rejected or one.to_review or not one.index or (one.read and not one.identical):
                where = f"{one.file} #{one.index}" if one.index else one.file
                yield " ".join(part for part in (f"{where}:", one.event, one.place, one.remark or "not byte-identical") if part)
        counts = self.counts()
        yield f"profile {self.profile}: {counts['files']} files, {counts['messages']} messages"
        kinds = ("read", "identical", "mapped", "unmapped", "rejected", "to_review")
        yield ", ".join(f"{counts[key]} {key.replace('_', ' ')}" for key in kinds if counts[key] or key != "to_review")
        for key in ("charsets", "families", "events", "reasons"):
            if counts[key]:
                yield f"{key}: " + ", ".join(f"{name} {number}" for name, number in counts[key].items())
        if counts["strange"]:
            told = ", ".join(f"{name} ({number})" for name, number in counts["strange"].items())
            yield f"words that the profile does not know, in messages that are taken all the same: {told}"
        if counts["times"]:
            told = ", ".join(f"{place} ({number})" for place, number in counts["times"].items())
            yield f"times that cannot be read and count as not told, in messages that are taken all the same: {told}"


def check(paths: Iterable[Path], profile: str = "default", progress: Progress | None = None) -> Report:
    """Read every message of files and folders as a link would.

    Args:
        paths: files of one message, several, or a batch; folders and archives are searched.
        profile: name of a shipped link profile, or the path of one.
        progress: told how many files are done, and of how many where that is known.
    """
    link = load(profile)
    found: list[Checked] = []
    files = 0
    for files, source in enumerate(sources(paths), start=1):
        found += _check_file(source, link)
        if progress is not None:
            progress(files, None)
    return Report(link.name, files, tuple(found))


def _check_file(source: Source, profile: Profile) -> Iterator[Checked]:
    name = source.name
    try:
        batch = split(source.read())
    except Refusal as refusal:
        yield Checked(name, 0, reason=refusal.reason or refusal.issue_code, remark=refusal.text)
        return
    if not batch.messages:
        yield Checked(name, 0, reason="no-message", remark="there is no HL7 message (no line begins with MSH)")
    for index, raw in enumerate(batch.messages, start=1):
        yield check_message(raw, name, index, profile)


def check_message(raw: bytes, name: str, index: int, profile: Profile) -> Checked:
    """What a link makes of one message."""
    return read_under(raw, name, index, profile)[0]


def read_under(raw: bytes, name: str, index: int, profile: Profile) -> tuple[Checked, object]:
    """What a link makes of one message, and the values that it reads; None where it reads none."""
    known: dict[str, Any] = {}
    try:
        decoded = decode(raw, profile.charset or None, profile.charset_unlabelled or None)
        known["charset"] = decoded.codec
        message = Message(decoded.text, decoded.codec)
        known["identical"] = decoded.encode(rejoined(message)) == raw
        header = read_header(message)
        known |= {"read": True, "event": header.event, "version": header.version, "control_id": header.control_id}
        family = family_of(header, profile.events)
        known["mapped"] = family.value if family is not None and family is not Family.UNNEEDED else ""
        check_header(header, needs_id=profile.control_id == "required")
        if family is Family.OTHER_QUERY:
            raise NotSupported(f"{header.event} asks what we cannot answer", path="MSH-9", reason="unknown-query")
        if family and (absent := missing_segment(family, message)):
            known |= {"reason": "segment-missing", "place": absent, "remark": f"needs a {absent} segment"}
            lenient = profile.missing_segment == "review"
            return Checked(name, index, **known, rejected=not lenient, to_review=lenient), None
        values = _map(message, as_standard(header, profile.events), family, profile)
    except Refusal as refusal:
        issue = refusal.issues[0]
        reason = refusal.reason or issue.code
        return Checked(name, index, **known, rejected=True, reason=reason, place=issue.path or "", remark=refusal.text), None
    strange = dict.fromkeys(f"{place} {word}" for place, word in strange_words(message, profile))
    times = dict.fromkeys(f"{place} {shape(said)}" for place, said in unread_times(message, profile.nothing))
    return Checked(name, index, **known, strange=tuple(strange), times=tuple(times)), values


_READERS: dict[Family, Callable[[Message, Header, Profile, tzinfo], object]] = {
    Family.VISIT: read_adt,
    Family.PERSON: read_adt,
    Family.MERGE: read_adt,
    Family.LINK: read_linked,
    Family.RESULT: read_results,
    Family.ORDER: read_orders,
    Family.BOOKING: read_booking,
    Family.DOCUMENT: read_document,
    Family.PROBLEM: read_problems,
    Family.REFERRAL: read_referral,
    Family.MONEY: read_money,
    Family.MASTER: lambda message, header, profile, zone: read_master(message, header, profile),
    Family.QUERY: read_query,
}


def _map(message: Message, header: Header, family: Family | None, profile: Profile) -> object:
    return _READERS[family](message, header, profile, profile.zone_of(header, clock.zone())) if family in _READERS else None


def rejoined(message: Message) -> str:
    """The message cut down to its subcomponents and joined again: what the reader understood, not what it kept aside."""
    return "".join(_segment(segment.fields, segment.name in HEADERS, message) + segment.end for segment in message.segments)


def _segment(fields: list[str], header: bool, message: Message) -> str:
    cut = message.cut
    levels = (cut.repetition, cut.component, cut.subcomponent)
    whole = [field if header and position < 3 else _join(field, levels) for position, field in enumerate(fields)]
    if header:
        del whole[1]
    return cut.field.join(whole)


def _join(text: str, levels: tuple[str, ...]) -> str:
    if not levels:
        return text
    if not levels[0]:
        return _join(text, levels[1:])
    return levels[0].join([_join(piece, levels[1:]) for piece in text.split(levels[0])])
