"""Specimens of an order or a report: SPM, and what OBR says of them."""

from healthsvc.fhir.json import Resource
from integrations.hl7v2.groups import Group
from integrations.hl7v2.maps import orders as maps
from integrations.hl7v2.maps.row import View, pour


def specimens(group: Group, view: View) -> tuple[Resource, ...]:
    """The specimens of an order or report: each SPM, else what OBR-15 says.

    Of several orders of one specimen (OUL R22, R23) the first that says something counts, so that each of them tells the same.
    """
    found = [pour({"resourceType": "Specimen"}, spm, maps.SPM_SPECIMEN, view) for spm in group.all("SPM")]
    asked = group.all("OBR")
    if not found and any(obr[15] for obr in asked):
        found = [{"resourceType": "Specimen"}]
    if len(found) == 1:
        for obr in asked:
            pour(found[0], obr, maps.OBR_SPECIMEN, view)
    for one in found:
        collection = one.get("collection", {})
        if "collectedPeriod" in collection:
            collection.pop("collectedDateTime", None)
    return tuple(found)
