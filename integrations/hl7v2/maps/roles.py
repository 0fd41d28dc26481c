"""PRT and ROL in orders and visits: whoever takes part, by the part that they take (PRT-4 table 0912, ROL-3 table 0443)."""

from collections.abc import Collection
from typing import Final

from integrations.hl7v2.maps.row import Row
from integrations.hl7v2.maps.take import organization, people, person, place

IN_PART: Final = {"AD": "ADM", "AT": "ATND", "CP": "CON", "RP": "REF"}
"""Parts in a visit, as v3 ParticipationType."""
ROLES_OF: Final[dict[str, Collection[str]]] = {
    "requester": ("OP",),
    "recorder": ("EP",),
    "performer[]": ("AP", "PO", "POMD", "RO", "RT", "TN"),
    "performer": ("AP",),
}
"""By the element of an order, who stands in it; others (who verified it, who gets a copy) are kept verbatim."""
_ORDERED = "OP orders it; where ORC-12 and OBR-16 are empty"
_ENTERED = "EP has entered it"
_CARRIED_OUT = "AP PO POMD RO RT TN are to carry it out"
_VISIT = "AT RP CP AD right behind PV1, where PV1-7, 8, 9 and 17 are empty"

PRT_SERVICE = (
    Row(5, "requester", person, note=_ORDERED),
    Row(5, "performer[]", people, note=_CARRIED_OUT),
    Row(8, "performer[]", organization, note=_CARRIED_OUT),
    Row(9, "locationReference[]", place),
)
ROL_SERVICE = (Row(4, "requester", person, note=_ORDERED), Row(4, "performer[]", people, note=_CARRIED_OUT))
PRT_MEDICATION = (
    Row(5, "requester", person, note=_ORDERED),
    Row(5, "recorder", person, note=_ENTERED),
    Row(5, "performer", person, note="AP is to give it"),
)
ROL_MEDICATION = (
    Row(4, "requester", person, note=_ORDERED),
    Row(4, "recorder", person, note=_ENTERED),
    Row(4, "performer", person, note="AP is to give it"),
)
PRT_ENCOUNTER = (Row(5, "participant[].individual", note=_VISIT),)
ROL_ENCOUNTER = (Row(4, "participant[].individual", note=_VISIT),)
