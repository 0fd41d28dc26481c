"""PRT (HL7 v2.7 7.4.4) and ROL (15.4.7): who makes a result, gives or carries out an order, looks after a visit. Text to pieces of FHIR."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.maps.results import INTERPRETERS, PERFORMERS, PRT_OBSERVATION, PRT_REPORT
from integrations.hl7v2.maps.roles import IN_PART, ROLES_OF
from integrations.hl7v2.maps.row import Row, View, pour
from integrations.hl7v2.maps.take import people
from integrations.hl7v2.values import clean

_ENDS = "D"
"""PRT-2: somebody or something takes no part any more."""
_PLACES: Final = {"PRT": (2, 4), "ROL": (2, 3)}
"""Where a segment says what it does (table 0287) and in which part (tables 0912, 0443)."""
_ORDERED_BEFORE: Final = frozenset({"OBX", "SPM", "RXD", "RXA"})
"""From these on a segment of an order says who made a result or gave a dose."""
_PEOPLE = frozenset({5, 8})


def in_result(made: Resource, prt: Segment, view: View) -> None:
    """Write into a result (in place) what a PRT behind its OBX says."""
    if clean(prt[2].text).upper() != _ENDS:
        named = _role(prt) in PERFORMERS
        pour(made, prt, [row for row in PRT_OBSERVATION if named or row.field not in _PEOPLE], view)


def in_report(made: Resource, prt: Segment, view: View) -> None:
    """Write into a report (in place) what a PRT between its OBR and the first OBX says."""
    if clean(prt[2].text).upper() == _ENDS:
        return
    role = _role(prt)
    if role in PERFORMERS:
        pour(made, prt, PRT_REPORT, view)
    elif role in INTERPRETERS:
        made.setdefault("resultsInterpreter", []).extend(people(prt, 5, view))


def in_order(made: Resource, segments: Iterable[Segment], rows: dict[str, Sequence[Row]], view: View) -> None:
    """Write into an order (in place) who asked for it, entered it, is to carry it out, and where; what ORC and OBR say stays."""
    for segment in segments:
        if segment.name in _ORDERED_BEFORE:
            return
        if segment.name in rows and (role := _part(segment)):
            pour(made, segment, [row for row in rows[segment.name] if role in ROLES_OF.get(row.path, (role,))], view)


def in_visit(message: Message) -> Iterator[tuple[str, Segment, int]]:
    """Who takes part in the visit: the part (v3 ParticipationType), the segment, and where in it the person stands.

    Those right behind PV1 and PV2 speak of the visit; behind PID of the person, behind others of a procedure or an insurance.
    """
    behind = False
    for segment in message.segments:
        if segment.name in ("PV1", "PV2"):
            behind = True
        elif segment.name not in _PLACES:
            behind = False
        elif behind and (part := IN_PART.get(_part(segment))):
            yield part, segment, 5 if segment.name == "PRT" else 4


def _part(segment: Segment) -> str:
    """In which part somebody takes part; empty where they do no more."""
    action, role = (clean(segment[n].component(1).text).upper() for n in _PLACES[segment.name])
    return "" if action in (_ENDS, "DE") else role


def _role(prt: Segment) -> str:
    return clean(prt[4].component(1).text).upper()
