"""Coded fields of which only the words are wanted."""

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps.row import View
from integrations.hl7v2.values import clean


def words(segment: Segment, n: int, view: View) -> str:
    """CE, CWE, FC: the words of each repetition, else its code. A number (the date in FC.2) is no words."""
    found = []
    for part in segment[n].repetitions:
        said = [one for k in (9, 2, 5, 1) if (one := clean(part.component(k).text, view.nothing))]
        found += [one for one in said if not one.isdecimal()][:1] or said[-1:]
    return "\n".join(found)


def remark(segment: Segment, n: int, view: View) -> Resource | None:
    """A coded note: an Annotation of its words."""
    said = words(segment, n, view)
    return {"text": said} if said else None
