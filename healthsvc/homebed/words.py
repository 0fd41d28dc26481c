"""Words of the home bed's documents: codes, names and numbers as one writes them in Chinese."""

from collections.abc import Iterator
from typing import Final

from healthsvc.circle.resources import TRAVEL_CODES
from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.visit.vital_names import DIASTOLIC, NAMES, SYSTOLIC


def _zh(table: str) -> dict[str, str]:
    return {one.code: one.zh for one in CODE_TABLES[table].codes}


OUTCOME_NAMES: Final = _zh("home-bed-outcome")
REASON_NAMES: Final = _zh("home-bed-discharge-reason")
CRITERIA: Final = _zh("home-bed-criterion") | _zh("home-bed-exclusion")
SIGNATURE_NAMES: Final = {"wet-scan": "纸质签字扫描", "drawn": "屏幕手写", "certified": "电子认证签名"}


def yes_no(value: bool | None) -> str:
    """是, 否, or nothing where nobody has looked."""
    return "" if value is None else "是" if value else "否"


def named(store: Store, practitioner: str | None) -> str:
    """The name of a member of the staff; the id where the directory gives no name."""
    found = (store.find("Practitioner", practitioner) if practitioner else None) or {}
    name: Resource = next(iter(found.get("name", ())), {})
    return str(name.get("text") or name.get("family", "") + "".join(name.get("given", ())) or practitioner or "")


def measured(observation: Resource) -> Iterator[tuple[str, str]]:
    """What was measured on the person, label and value; a blood pressure in one, 120/80."""
    parts = {code: part for part in observation.get("component", ()) for code in _codes(part)}
    if TRAVEL_CODES & set(_codes(observation)):
        return
    if SYSTOLIC in parts and DIASTOLIC in parts:
        upper, lower = (parts[code].get("valueQuantity", {}).get("value", "–") for code in (SYSTOLIC, DIASTOLIC))
        yield NAMES["85354-9"], f"{upper}/{lower} mmHg"
        return
    for one in (observation, *observation.get("component", ())):
        quantity = one.get("valueQuantity")
        if quantity:
            yield _label(one), f"{quantity.get('value')} {quantity.get('unit', '')}".strip()


def _codes(element: Resource) -> list[str]:
    return [str(one["code"]) for one in element.get("code", {}).get("coding", ()) if "code" in one]


def _label(element: Resource) -> str:
    known = next((NAMES[code] for code in _codes(element) if code in NAMES), None)
    concept = element.get("code", {})
    return known or concept.get("text") or next((str(one["display"]) for one in concept.get("coding", ()) if "display" in one), "")
