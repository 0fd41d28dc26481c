"""When and how much: the timings of a drug order (TQ1, or the repetitions of the old TQ), each a dosage instruction of its own."""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Part, Segment
from integrations.hl7v2.maps import drugs
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.values import clean

_PARALLEL = "A"
"""TQ1-12 and TQ.9 (table 0472): what follows is done beside this one, not after it."""
_OWN = ("timing", "text", "sequence")
"""What one timing says for itself alone; all else of the order holds for each of them."""


def each_timing(asked: Resource, timings: Sequence[Segment], old: Segment | None, position: int, view: View) -> None:
    """Put a dosage instruction behind the first for each further timing of an order (in place).

    HL7 v2.5.1 4.5.4: TQ1 repeats where an order has more than one timing, as 10 mg in the morning and 20 mg at night. A further one has the
    dose, the route and the instructions of the first where it says nothing of its own.

    Args:
        asked: the order, with its first dosage.
        timings: every TQ1 of the order.
        old: the segment whose field ``position`` is of the old type TQ, used where there is no TQ1.
        position: of that field.
        view: under what they are read.
    """
    repeated = old[position].repetitions if old is not None else ()
    further = list(_of_tq1(timings, view) if timings else _of_old(repeated, view))
    if not further or "dosageInstruction" not in asked:
        return
    first = asked["dosageInstruction"][0]
    joins = [clean(one[12].text).upper() for one in timings] or [clean(one.component(9).text).upper() for one in repeated]
    shared = {key: value for key, value in first.items() if key not in _OWN}
    made = [first, *({**deepcopy(shared), **one} for one in further)]
    sequence = 1
    for dosage, join in zip(made, joins, strict=False):
        dosage["sequence"] = sequence
        sequence += join != _PARALLEL
    asked["dosageInstruction"] = made


def _of_tq1(timings: Sequence[Segment], view: View) -> Iterator[Resource]:
    for tq1 in timings[1:]:
        told = pour({}, tq1, drugs.TQ1_MEDICATION, view)
        yield from told.get("dosageInstruction", [])[:1]


def _of_old(repetitions: Iterable[Part], view: View) -> Iterator[Resource]:
    for tq in [*repetitions][1:]:
        told = drugs.old_dosage(tq, view)
        if told:
            yield told
