"""PR1: what was done to somebody in hospital, operations above all. Text to values."""

from dataclasses import dataclass, replace
from datetime import timedelta

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.maps.take import codings, decimal
from integrations.hl7v2.maps.visit import PR1_MORE
from integrations.hl7v2.values import Moment, clean, coded, moment

_EXACT = frozenset({"minute", "second"})
"""Precision of a moment to which minutes can be added (HL7's PR1[Procedure] map)."""


@dataclass(frozen=True, slots=True)
class Done:
    """One PR1."""

    record: Resource
    """The Procedure without id, state, person and visit."""
    number: str = ""
    """PR1-19; empty where the sender gives none."""
    at: Moment | None = None
    """PR1-5."""
    deleted: bool = False
    """PR1-20 is D."""


def read_procedures(message: Message, view: View) -> tuple[Done, ...]:
    """Read every PR1 that says what was done (PR1-3 or PR1-4); others say nothing."""
    return tuple(found for segment in message.all("PR1") if (found := _done(segment, view)) is not None)


def _done(pr1: Segment, view: View) -> Done | None:
    code, words = coded(pr1[3], view.nothing), clean(pr1[4].text, view.nothing)
    code = replace(code, text=code.text or words, system=code.system or clean(pr1[2].text))
    if not code:
        return None
    found = codings(code, view.hospital, "procedure")
    record: Resource = {"code": {"text": code.text or code.code, **({"coding": found} if found else {})}}
    at, minutes = moment(pr1[5].component(1).text, view.zone), decimal(pr1, 7, view)
    if at is not None and minutes is not None and at.precision in _EXACT and float(minutes) > 0:
        record["performedPeriod"] = {"start": at.fhir, "end": (at.at + timedelta(minutes=float(minutes))).isoformat()}
    elif at is not None:
        record["performedDateTime"] = at.fhir
    return Done(
        pour(record, pr1, PR1_MORE, view),
        clean(pr1[19].component(1).text, view.nothing),
        at,
        clean(pr1[20].text).upper() == "D",
    )
