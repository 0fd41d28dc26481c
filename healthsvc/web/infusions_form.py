"""上门输液 what a doctor has typed to order a course, with the evidence for its gates."""

from datetime import date, datetime, time
from typing import Any, Final

from healthsvc.errors import Invalid, Issue
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today
from healthsvc.infusion import hospital
from healthsvc.infusion.hospital import HospitalOrder
from healthsvc.infusion.rules.drugs import DrugList
from healthsvc.infusion.rules.gates import NEVER_OVERRIDDEN, Gate
from healthsvc.infusion.rules.order import Approval, FirstDose, Order, Override, SkinTest
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id
from healthsvc.web.beds_form import checked, who
from healthsvc.web.findings_form import Typed

AGAINST: Final = {
    "infusion-deceased": "档案显示已故", "infusion-file-closed": "档案已终止", "infusion-in-hospital": "住院中，出院后可办理",
    "infusion-no-active-care": "无在用的家床或签约",
}  # fmt: skip
"""What stands against a hospital's order, shown beside it for as long as it does."""
_NEEDED: Final = ("drug", "volume_ml", "rate_ml_h", "days")


def asked(store: Store, on: date) -> list[tuple[Resource, HospitalOrder, str]]:
    """Orders of hospitals that wait for an answer, each with what it says and with what stands against it today, in words."""
    found = ((one, hospital.to_wanted(one)) for one in hospital.waiting(store))
    return [(one, wanted, AGAINST.get(hospital.obstacle(store, wanted.patient, on), "")) for one, wanted in found]


def order(typed: Typed, patient: str, drugs: DrugList, store: Store) -> Order:
    """An order as typed.

    Raises:
        Invalid: something is missing or cannot be read; every field is named.
    """
    typed.wrong += [Issue("must be filled in", "required", name) for name in _NEEDED if not typed[name]]
    drug = drugs.find(typed["drug"], typed["drug"])
    made = Order(
        patient=patient,
        prescriber=who(typed, "prescriber") or None,
        drug_code=drug.code if drug else "",
        drug_name=drug.names[0] if drug else typed["drug"],
        dose=typed["dose"],
        solvent=typed["solvent"],
        volume_ml=typed.whole("volume_ml") or 0,
        rate_ml_h=typed.whole("rate_ml_h") or 0,
        start=typed.day("start") or today(store),
        days=typed.whole("days") or 0,
        times_a_day=typed.whole("times_a_day") or 1,
        indication=typed["indication"],
        batch=typed["batch"] or None,
    )
    checked(typed)
    return made


def evidence(typed: Typed, wanted: Order, store: Store) -> dict[str, Any]:
    """The evidence that was brought; what was not filled in is missing, not guessed."""
    now = store.at.astimezone(store.zone)
    given: dict[str, Any] = {"nurse": who(typed, "nurse") or None}
    if typed["consented"]:
        given["consent"] = SignedConsent(
            id=derived_id("inf-consent", f"{wanted.patient}-{now:%Y%m%d%H%M%S}"),
            patient=wanted.patient,
            kind="infusion",
            signed=store.at,
            signer=typed["signer"] or "patient",
            relation=typed["relation"],
            signature=typed["signature"] or "wet-scan",
            witness=wanted.prescriber,
            risks_told=bool(typed["risks_told"]),
        )
    if typed["approval_text"]:
        given["approval"] = Approval(who(typed, "approver"), now, typed["approval_text"])
    on = typed.day("first_on")
    if on is not None:
        reaction = bool(typed["first_reaction"])
        given["first_dose"] = FirstDose(on, typed["first_at"], wanted.drug_code, typed["first_batch"] or None, reaction)
    tested = typed.day("skin_on")
    if tested is not None:
        at = datetime.combine(tested, _time(typed, "skin_time"), store.zone)
        given["skin_test"] = SkinTest(at, wanted.drug_code, typed["skin_batch"], typed["skin_result"] == "negative")
    given["overrides"] = tuple(
        Override(gate, who(typed, f"override_{gate}_doctor"), typed[f"override_{gate}_reason"], now)
        for gate in Gate
        if gate not in NEVER_OVERRIDDEN and typed[f"override_{gate}_reason"]
    )
    checked(typed)
    return given


def _time(typed: Typed, name: str) -> time:
    try:
        return time.fromisoformat(typed[name].zfill(5)) if typed[name] else time(12)
    except ValueError:
        typed.wrong.append(Issue("a time is written 09:30", "value", name))
        return time(12)


def text_of(upload: bytes, path: str) -> str:
    """A CSV file as text: UTF-8, else GB 18030 as Chinese spreadsheets write it.

    Raises:
        Invalid: it is neither.
    """
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return upload.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid("the file is neither UTF-8 nor GB 18030 text; save it as CSV", path=path)
