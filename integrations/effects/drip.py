"""A drip that a hospital orders for somebody at home: put before our doctor, who alone can make a course of it."""

import re
from datetime import date
from typing import Any

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import stays_of
from healthsvc.infusion import hospital
from healthsvc.infusion.evidence import files_of, was_in_care
from healthsvc.infusion.hospital import HospitalOrder
from integrations.effects.care import Outcome
from integrations.effects.master import hospital_organization
from integrations.effects.person import Party
from integrations.effects.scene import Scene
from integrations.hl7v2.orders import Placed
from integrations.unended import hospital_of

_ENDED = frozenset({"cancelled", "stopped", "entered-in-error"})
_MILLILITRES = frozenset({"ml", "mls", "毫升"})
_AN_HOUR = frozenset({"ml/h", "ml/hr", "ml/hour", "毫升/小时"})
_A_DAY = {"QD": 1, "BID": 2, "TID": 3, "QID": 4, "ONCE": 1, "ST": 1, "Q24H": 1, "Q12H": 2, "Q8H": 3, "Q6H": 4}
"""Words for how often a day (table 0335 and its everyday short forms)."""


_BASE = re.compile("氯化钠|葡萄糖|林格|糖盐|灭菌注射用水|乳酸钠|sodium chloride|glucose|dextrose|ringer", re.IGNORECASE)
"""Names of what other drugs are dissolved in; an order under such a name with additives is one for the additives."""


def home_infusion(scene: Scene, placed: Placed, request: Resource, party: Party, outcome: Outcome, *, inpatient: bool, told: bool) -> None:
    """Propose a drip for an outpatient of ours; what the hospital takes back ends here too.

    Who is in hospital, has died, has moved away or is under no contract any more is proposed all the same: the page says what stands
    against it for as long as it does, the gates let no course begin, and the doctor answers. ``told``: the message says whether the
    person lay in a ward; where it does not, the order of a hospital in whose ward they lie is one of that ward.
    """
    store = scene.store
    words = {placed.route.code.casefold(), placed.route.text.casefold()} - {""}
    number = (placed.placer or placed.filler)[:64]
    if request["status"] in _ENDED:
        withdrawn = hospital.withdraw(store, str(hospital_organization(scene)["id"]), number) if number else None
        if withdrawn is not None:
            outcome.wrote(withdrawn)
        return
    if request["status"] != "active" or inpatient or not words & scene.profile.infusion_routes:
        return
    files = files_of(store, party.id)
    if not was_in_care(store, files):
        return
    if not told and any(hospital_of(stay) == scene.hospital for stay in stays_of(store, files)):
        outcome.remarks.append("a drip for somebody in this hospital's ward was not proposed for home; PV1-2 may say otherwise")
        return
    if not number:
        outcome.remarks.append("a drip was not proposed for home: the order has no number (ORC-2, ORC-3) by which it could be taken back")
        return
    institution = hospital_organization(scene)
    try:
        proposed = hospital.propose(store, HospitalOrder(party.id, str(institution["id"]), number, **wanted(request)))
    except Invalid as refusal:
        outcome.remarks.append(f"the drip was not proposed for home: {refusal.text}")
        return
    outcome.wrote(institution, proposed)


def wanted(request: Resource) -> dict[str, Any]:
    """What a hospital's MedicationRequest says of a course; nothing is guessed, what it does not say the doctor adds."""
    drug = request.get("medicationCodeableConcept", {})
    dosage: Resource = next(iter(request.get("dosageInstruction", ())), {})
    measured: Resource = next(iter(dosage.get("doseAndRate", ())), {})
    timing = dosage.get("timing", {})
    bounds, often = timing.get("repeat", {}).get("boundsPeriod", {}), timing.get("code", {})
    known: dict[str, Any] = {"drug_name": drug.get("text", ""), "drug_code": next((c.get("code", "") for c in drug.get("coding", ())), "")}
    dose, rate = measured.get("doseQuantity", {}), measured.get("rateQuantity", {})
    unit = str(dose.get("unit", "")).casefold()
    if "value" in dose and unit in _MILLILITRES:
        known["volume_ml"] = round(float(dose["value"]))
    elif "value" in dose and unit:
        known["dose"] = f"{dose['value']} {dose['unit']}"
    if "value" in rate and str(rate.get("unit", "")).casefold() in _AN_HOUR:
        known["rate_ml_h"] = round(float(rate["value"]))
    start, end = (str(bounds.get(key, ""))[:10] for key in ("start", "end"))
    if len(start) == 10:
        known["start"] = date.fromisoformat(start)
        if len(end) == 10 and end >= start:
            known["days"] = (date.fromisoformat(end) - known["start"]).days + 1
    words = [str(often.get("text", "")), *(str(one.get("code", "")) for one in often.get("coding", ()))]
    if times := next((_A_DAY[word.strip().upper()] for word in words if word.strip().upper() in _A_DAY), None):
        known["times_a_day"] = times
    notes = [str(note["text"]).partition(" ") for note in request.get("note", ())]
    for kind, _, said in notes:
        if kind == "溶媒":
            known |= _solvent(said.split(" "))
    known |= _mixed(known, [said for kind, _, said in notes if kind == "加药"])
    known["doctor"] = request.get("requester", {}).get("display", "")
    known["group"] = str(request.get("groupIdentifier", {}).get("value", ""))
    known["indication"] = next((one["text"] for one in request.get("reasonCode", ()) if one.get("text")), "")
    return known


def _mixed(known: dict[str, Any], additives: list[str]) -> dict[str, Any]:
    """What is added to the ordered drug (RXC additive) is drug as well: where the order itself names the base, it is the drug.

    Nothing that would run into the vein may be missing from what the doctor is asked.
    """
    ordered = str(known["drug_name"])
    added = [one for one in additives if ordered not in (one, _measured(one)[0])]
    if not added:
        return {}
    if "solvent" in known or not _BASE.search(ordered):
        whole = f"{ordered} {known.get('dose', '')}".strip()
        return {"drug_name": " + ".join([whole, *added]), "drug_code": "", "dose": ""}
    name, dose = _measured(added[0]) if len(added) == 1 else (" + ".join(added), "")
    return {"drug_name": name, "drug_code": "", "dose": dose, "solvent": ordered}


def _measured(component: str) -> tuple[str, str]:
    """A component in words as its name and its amount with the unit; all name where no amount stands at the end."""
    words = component.split(" ")
    has_amount = len(words) >= 3 and words[-2].replace(".", "", 1).isdecimal()
    return (" ".join(words[:-2]), " ".join(words[-2:])) if has_amount else (component, "")


def _solvent(words: list[str]) -> dict[str, Any]:
    """The base of a mixture as its note says it: what, how much, unit."""
    if len(words) >= 3 and words[-1].casefold() in _MILLILITRES and words[-2].replace(".", "", 1).isdecimal():
        return {"solvent": " ".join(words[:-2]), "volume_ml": round(float(words[-2]))}
    return {"solvent": " ".join(words)}
