"""PRT (HL7 v2.7 7.4.4): who, where and with what a result or report was made. Text to pieces of FHIR."""

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps.results import INTERPRETERS, PERFORMERS, PRT_OBSERVATION, PRT_REPORT
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.maps.take import people
from integrations.hl7v2.values import clean

_ENDS = "D"
"""PRT-2: somebody or something takes no part any more."""
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


def _role(prt: Segment) -> str:
    return clean(prt[4].component(1).text).upper()
