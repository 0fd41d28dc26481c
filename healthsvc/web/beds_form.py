"""家庭病床 what somebody has typed for a bed: application, assessment, agreement, plans, notes, discharge."""

from datetime import date, datetime, time
from typing import Final

from healthsvc.errors import Invalid, Issue
from healthsvc.fhir.consent import SignedConsent
from healthsvc.healthfile.service import today
from healthsvc.homebed.rules.application import Application, Origin, Stage
from healthsvc.homebed.rules.bed import Bed, Diagnosis, Discharge
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.rules.note import SECTIONS, Note, NoteKind
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.plan import Goal, Item, Plan, PlanKind
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id
from healthsvc.web.findings_form import Typed

SIGNERS: Final = (("patient", "本人"), ("family", "家属"), ("guardian", "监护人"))
SIGNATURES: Final = (("drawn", "屏幕手写"), ("wet-scan", "纸质签字扫描"), ("certified", "电子认证签名"))
ANSWERS: Final = (("stable", "病情稳定"), ("home_suitable", "居家环境适宜"), ("carer", "家中有人照护和呼救"))
_ANSWER: Final = {"yes": True, "no": False}


def who(typed: Typed, name: str) -> str:
    """The id of a member of the staff who was chosen."""
    return typed[name].removeprefix("Practitioner/")


def checked(typed: Typed) -> None:
    """Refuse what could not be read.

    Raises:
        Invalid: with every field.
    """
    if typed.wrong:
        raise Invalid("some fields cannot be read; mend them", issues=typed.wrong)


def diagnosis(typed: Typed) -> Diagnosis | None:
    """Code and words; both or none."""
    if bool(typed["code"]) != bool(typed["diagnosis"]):
        typed.wrong.append(Issue("a diagnosis has a code and words", "required", "code"))
    return Diagnosis(typed["code"], typed["diagnosis"]) if typed["code"] and typed["diagnosis"] else None


def application(typed: Typed, patient: str, store: Store) -> Application:
    """An application as typed."""
    origin = typed["origin"] if typed["origin"] in set(Origin) else Origin.COMMUNITY
    made = Application(
        id="",
        patient=patient,
        on=today(store),
        contact=typed["contact"],
        relation=typed["relation"],
        phone=typed["phone"],
        origin=Origin(origin),
        diagnosis=diagnosis(typed),
        summary=typed["summary"],
        opinion=typed["opinion"],
        doctor=who(typed, "doctor") or None,
        stage=Stage.DRAFT if typed["draft"] else Stage.SUBMITTED,
    )
    checked(typed)
    return made


def assessment(typed: Typed, patient: str, policy: HomeBedPolicy, store: Store) -> Assessment:
    """An assessment as typed; what nobody answered stays unknown."""
    answers = {name: _ANSWER.get(typed[name]) for name, _ in ANSWERS}
    made = Assessment(
        patient=patient,
        doctor=who(typed, "doctor"),
        on=today(store),
        diagnosis=diagnosis(typed),
        criteria=frozenset(code for code in policy.criteria if typed[f"criterion_{code}"]),
        exclusions=frozenset(code for code in policy.exclusions if typed[f"exclusion_{code}"]),
        self_care=typed.whole("self_care"),
        indication=typed["indication"],
        **answers,
    )
    checked(typed)
    return made


def consent(typed: Typed, patient: str, policy: HomeBedPolicy, store: Store) -> SignedConsent:
    """The signed agreement as typed; it was signed now unless a day is given."""
    on = typed.day("signed_on")
    signed = datetime.combine(on, time(12), store.zone) if on and on != today(store) else store.at
    checked(typed)
    return SignedConsent(
        id=derived_id("bed-agreement", f"{patient}-{today(store):%Y%m%d}"),
        patient=patient,
        kind="home-bed",
        signed=signed,
        signer=typed["signer"] if typed["signer"] in dict(SIGNERS) else "patient",
        relation=typed["relation"],
        signature=typed["signature"] if typed["signature"] in dict(SIGNATURES) else "wet-scan",
        witness=who(typed, "witness") or None,
        risks_told=bool(typed["risks_told"]),
        fees_told=bool(typed["fees_told"]),
        copies=policy.agreement_copies if typed["copies"] else 1,
    )


def plan(typed: Typed, bed: Bed, kind: PlanKind, store: Store) -> Plan:
    """A plan as typed; rows without their first field are left out."""
    items, goals = [], []
    for row in range(_rows(typed, "row_")):
        if kind is PlanKind.TREATMENT and typed[f"what_{row}"]:
            start, end = typed.day(f"start_{row}") or today(store), typed.day(f"end_{row}")
            stopped = bool(typed[f"stopped_{row}"])
            dose, frequency, route = (typed[f"{name}_{row}"] for name in ("dose", "frequency", "route"))
            items.append(Item(typed[f"what_{row}"], start, dose, frequency, route, end, stopped))
        elif kind is PlanKind.NURSING and typed[f"problem_{row}"]:
            said = typed[f"evaluation_{row}"]
            evaluated = today(store) if said else None
            goals.append(Goal(typed[f"problem_{row}"], typed[f"goal_{row}"], typed[f"measures_{row}"], said, evaluated))
    checked(typed)
    return Plan(bed.id, bed.patient, kind, who(typed, "by"), today(store), tuple(items), tuple(goals))


def note(typed: Typed, bed: Bed, id: str, store: Store) -> Note:
    """A note as typed; the times are of today unless a day is given, now unless a time is given."""
    if typed["kind"] not in set(NoteKind):
        raise Invalid("a note has a kind", path="kind")
    kind, now = NoteKind(typed["kind"]), store.at.astimezone(store.zone)
    on = typed.day("day") or now.date()
    start, end = _moment(typed, "in", on, now), _moment(typed, "out", on, now)
    checked(typed)
    sections = tuple((code, typed[f"section_{code}"]) for code, _ in SECTIONS[kind] if typed[f"section_{code}"])
    return Note(id, bed.id, bed.patient, kind, who(typed, "by"), now, min(start, end), end, sections, typed["visit"] or None)


def discharge(typed: Typed, store: Store) -> Discharge:
    """A discharge as typed."""
    made = Discharge(typed.day("on") or today(store), typed["reason"], typed["outcome"], diagnosis(typed), typed["summary"])
    checked(typed)
    return made


def _rows(typed: Typed, prefix: str) -> int:
    return min(int(typed["rows"] or 0) if typed["rows"].isdigit() else 0, 60)


def _moment(typed: Typed, name: str, on: date, now: datetime) -> datetime:
    if not typed[name]:
        return now
    try:
        return datetime.combine(on, time.fromisoformat(typed[name].zfill(5)), now.tzinfo)
    except ValueError:
        typed.wrong.append(Issue("a time is written 09:30", "value", name))
        return now
