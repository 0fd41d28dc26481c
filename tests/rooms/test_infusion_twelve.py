"""All twelve gates at the bedside of a real course, failing and without their evidence; the drip that no order of acts starts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from test_infusion_room import AT, DOCTOR, ON, START, WELL, brought, go, note_allergy, of_the_day, order_of, person, staff

from healthsvc.errors import Refusal, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.homebed import service as homebeds
from healthsvc.infusion import bedside, service
from healthsvc.infusion.druglist import keep_list, to_csv
from healthsvc.infusion.records import OfTheDay, given_id
from healthsvc.infusion.rules.bedside import Act, Entry, Step
from healthsvc.infusion.rules.gates import REASONS, Gate
from healthsvc.infusion.rules.order import Companion, DoubleCheck
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.visit.service import open_visits

NOW = AT + timedelta(hours=1)
HEAD = Actor("user/head", "负责人", frozenset({"centre-head"}), "page")
Spoil = Callable[[Store, str, str], OfTheDay]


def evidence(**change: Any) -> Spoil:
    """Only what the bedside gives is changed."""
    return lambda store, patient, course: of_the_day(NOW, **change)


def after(act: Callable[[Store, str, str], object], **change: Any) -> Spoil:
    """Something has changed since the course was ordered."""

    def spoil(store: Store, patient: str, course: str) -> OfTheDay:
        act(store, patient, course)
        return of_the_day(NOW, **change)

    return spoil


def withdrawn(store: Store, patient: str, course: str) -> None:
    consent = store.read("Consent", "c-1")
    end = (NOW - timedelta(minutes=5)).isoformat()
    store.put(consent | {"status": "inactive", "provision": consent["provision"] | {"period": {"end": end}}})


def no_list(store: Store, patient: str, course: str, verdict: str = "", approval: bool = True) -> None:
    """The centre's head brings out another drug list: without the drug, or with another verdict for it."""
    known = service.drug_list(store)
    lines = to_csv(known).splitlines()
    kept = [line for line in lines if not line.startswith("ceftriaxone,")]
    if verdict:
        kept.append(f"ceftriaxone,头孢曲松;头孢曲松钠,{verdict},,yes")
    store.actor = HEAD  # type: ignore[misc]
    keep_list(store, "\n".join(kept), f"new-{verdict}", "药事会", None, known)
    store.actor = DOCTOR  # type: ignore[misc]


def unread(store: Store) -> None:
    """The consent turns out to be one to something else."""
    consent = store.read("Consent", "c-1")
    data = [{"meaning": "related", "reference": {"reference": "MedicationRequest/other"}}]
    store.put(consent | {"provision": consent["provision"] | {"data": data}})


def gone(store: Store, id: str) -> None:
    store.put(store.read("Practitioner", id) | {"active": False})


def forget(store: Store, patient: str, course: str) -> None:
    for one in store.select("AllergyIntolerance", patient=patient):
        store.delete("AllergyIntolerance", one["id"])


KIT = of_the_day(NOW).kit
assert KIT is not None
SHUT: list[tuple[Gate, str, Spoil]] = [
    (Gate.CARE, "missing", after(lambda s, p, c: homebeds.suspend(s, p, "away"))),
    (Gate.ORDER, "missing", after(lambda s, p, c: gone(s, "dr-1"), double_check=DoubleCheck("nu-1", "dr-2", NOW))),
    (Gate.ORDER, "failed", after(lambda s, p, c: s.put(staff("dr-1", "nurse")), double_check=DoubleCheck("nu-1", "dr-2", NOW))),
    (Gate.FORBIDDEN, "missing", after(no_list)),
    (Gate.FORBIDDEN, "failed", after(lambda s, p, c: no_list(s, p, c, "forbidden"))),
    (Gate.ALLERGY, "missing", after(forget)),
    (Gate.ALLERGY, "failed", after(lambda s, p, c: note_allergy(s, p, "头孢过敏"))),
    (Gate.CONSENT, "failed", after(withdrawn)),
    (Gate.CONSENT, "missing", after(lambda s, p, c: unread(s))),
    (Gate.COMPANION, "missing", evidence(companion=None)),
    (Gate.COMPANION, "failed", evidence(companion=Companion(True, False, "nu-1", ON))),
    (Gate.DOUBLE_CHECK, "missing", evidence(double_check=None)),
    (Gate.DOUBLE_CHECK, "failed", evidence(double_check=DoubleCheck("nu-1", "nu-1", NOW))),
    (Gate.NURSE_AND_KIT, "missing", evidence(kit=None)),
    (Gate.NURSE_AND_KIT, "missing", evidence(kit=replace(KIT, expires=None))),
    (Gate.NURSE_AND_KIT, "failed", evidence(kit=replace(KIT, expires=date(2026, 11, 22)))),
    (Gate.NURSE_AND_KIT, "failed", after(lambda s, p, c: s.put(staff("nu-1", "nurse", text="主管护师")))),
    (Gate.SLOT, "failed", after(lambda s, p, c: shorten(s, p))),
]


def shorten(store: Store, patient: str) -> None:
    """Somebody makes the visit shorter than the drip."""
    task = store.read("Task", open_visits(store, patient, "home-infusion")[0].id)
    text = {"value": 40, "unit": "min", "system": "http://unitsofmeasure.org", "code": "min"}
    inputs = [one | {"valueDuration": text} if "duration" in str(one["type"]) else one for one in task["input"]]
    store.put(task | {"input": inputs})


@pytest.mark.parametrize(("gate", "outcome", "spoil"), SHUT, ids=[f"{gate}-{outcome}-{n}" for n, (gate, outcome, _) in enumerate(SHUT)])
def test_a_gate_that_shuts_after_the_order_is_shut_at_the_bedside(database: Database, gate: Gate, outcome: str, spoil: Spoil) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        course = service.order_course(store, order_of(patient), **brought(patient)).request["id"]
        task = open_visits(store, patient, "home-infusion")[0].id
    with database.writing(DOCTOR, at=NOW + timedelta(minutes=12)) as store:
        go(store, task, NOW, *START[:2])
        day = spoil(store, patient, course)
        said = bedside.gates(store, task, "nu-1", day, Entry(Act.CLEAR, NOW + timedelta(minutes=5), "nu-1"))
        result = next(one for one in said if one.gate is gate)
        assert result.outcome == outcome
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            go(store, task, NOW, START[2], day=day)
        assert REASONS[gate] in {issue.text.partition(":")[0] for issue in refused.value.issues}
        with pytest.raises(RuleViolation), store.savepoint():
            go(store, task, NOW, (Act.PUNCTURE, 10))
        assert store.read("MedicationAdministration", given_id(task))["status"] == "on-hold"


def test_the_bedside_tries_every_gate_that_it_can() -> None:
    """First dose, skin test and approval stand on the order, which nobody changes: they are tried at the order (and through every door)."""
    assert {gate for gate, _, _ in SHUT} == set(Gate) - {Gate.RESTRICTED, Gate.FIRST_DOSE, Gate.SKIN_TEST}


def test_a_drug_that_the_new_list_restricts_needs_its_approval_at_the_bedside(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        proof = replace(brought(patient)["first_dose"], drug_code="ambroxol")
        order = order_of(patient, drug_code="ambroxol", drug_name="氨溴索", batch=None)
        service.order_course(store, order, consent=brought(patient)["consent"], first_dose=proof, nurse="nu-1")
        task = open_visits(store, patient, "home-infusion")[0].id
    with database.writing(HEAD, at=NOW) as store:
        known = service.drug_list(store)
        strict = to_csv(known).replace("ambroxol,氨溴索;盐酸氨溴索;ambroxol,allowed", "ambroxol,氨溴索,restricted")
        keep_list(store, strict, "strict", "药事会", None, known)
    with database.writing(DOCTOR, at=NOW + timedelta(minutes=12)) as store:
        go(store, task, NOW, *START[:2])
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            go(store, task, NOW, START[2])
        assert refused.value.reason == "infusion-drug-not-approved"


numbers = count()
shelf: dict[str, Any] = {}


@pytest.fixture(autouse=True, scope="module")
def one_database() -> Any:
    """One database for all examples; each example is a person of its own."""
    with TemporaryDirectory() as folder:
        shelf["db"] = Database.open(f"sqlite:///{Path(folder)}/bedside.sqlite", rooms=ROOMS)
        yield
        shelf.pop("db").close()


class AtTheStore(RuleBasedStateMachine):
    """Anybody writes anything to the record of one dose, by the service or as a FHIR client would, with good or bad evidence."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOW
        with shelf["db"].writing(DOCTOR, at=AT) as store:
            self.patient = person(store)
            consent = replace(brought(self.patient)["consent"], id=f"c-{next(numbers)}")
            service.order_course(store, order_of(self.patient, days=1), **brought(self.patient) | {"consent": consent})
            self.task = open_visits(store, self.patient, "home-infusion")[0].id

    def record(self) -> Resource | None:
        with shelf["db"].reading(SYSTEM, at=self.now) as store:
            found: Resource | None = store.find("MedicationAdministration", given_id(self.task))
            return found

    @rule(minutes=st.integers(1, 35))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(act=st.sampled_from(Act), good=st.booleans(), who=st.sampled_from(["nu-1", "nu-2", "dr-1"]), ahead=st.sampled_from([0, 0, 0, 31]))
    def press(self, act: Act, good: bool, who: str, ahead: int) -> None:
        entry = Entry(act, self.now + timedelta(minutes=ahead), who, "记录", WELL, ("name", "birth-date"))
        day = of_the_day(self.now) if good else of_the_day(self.now, double_check=None)
        self.attempt(lambda store: bedside.take(store, self.task, entry, day if act is Act.CLEAR else None))

    @rule()
    def go_on(self) -> None:
        """The next usual act, done well."""
        with shelf["db"].reading(SYSTEM, at=self.now) as store:
            step = bedside.where(store, self.task).bedside.step
        usual = {
            Step.PLANNED: Act.ARRIVE, Step.ARRIVED: Act.IDENTIFY, Step.IDENTIFIED: Act.CLEAR, Step.CLEARED: Act.MEASURE,
            Step.MEASURED: Act.PUNCTURE, Step.RUNNING: Act.CHECK, Step.REACTING: Act.STOP, Step.STOPPED: Act.ALARM,
        }.get(step)  # fmt: skip
        if usual is not None:
            self.press(usual, True, "nu-1", 0)

    @rule(act=st.sampled_from(Act), status=st.sampled_from(["in-progress", "completed", "on-hold", "stopped"]))
    def forge(self, act: Act, status: str) -> None:
        record = self.record()
        if record is None:
            return
        parts = [
            {"url": "act", "valueCode": act.value},
            {"url": "at", "valueDateTime": self.now.isoformat()},
            {"url": "by", "valueReference": {"reference": "Practitioner/nu-1"}},
        ]
        step = next(one["url"] for one in record["extension"] if one["url"].endswith("infusion-step"))
        forged = record | {"status": status, "extension": [*record["extension"], {"url": step, "extension": parts}]}
        self.attempt(lambda store: store.put(forged))

    @rule(keep=st.integers(0, 6))
    def cut_the_log(self, keep: int) -> None:
        record = self.record()
        if record is not None:
            self.attempt(lambda store: store.put(record | {"extension": record["extension"][:keep] or record["extension"][:1]}))

    @rule()
    def throw_it_away(self) -> None:
        if self.record() is not None:
            self.attempt(lambda store: store.delete("MedicationAdministration", given_id(self.task)))

    def attempt(self, act: Callable[[Store], object]) -> None:
        try:
            with shelf["db"].writing(DOCTOR, at=self.now) as store:
                act(store)
        except Refusal:
            return

    @invariant()
    def no_drip_without_all_gates_and_none_after_a_reaction(self) -> None:
        with shelf["db"].reading(SYSTEM, at=self.now) as store:
            given = bedside.where(store, self.task)
            record = store.find("MedicationAdministration", given_id(self.task))
        acts = [entry.act for entry in given.bedside.log]
        if Act.PUNCTURE in acts:
            assert acts[:3] == [Act.ARRIVE, Act.IDENTIFY, Act.CLEAR]
            assert record is not None
            said = [one for one in record["extension"] if one["url"].endswith("infusion-gate")]
            assert len(said) == 12
            assert {part["valueCode"] for one in said for part in one["extension"] if part["url"] == "outcome"} <= {"passed", "overridden"}
            assert given.evidence.double_check is not None
            cleared, punctured = given.bedside.last(Act.CLEAR), given.bedside.last(Act.PUNCTURE)
            assert cleared is not None
            assert punctured is not None
            assert cleared.by == punctured.by == "nu-1"
        if Act.REACT in acts:
            rest = acts[acts.index(Act.REACT) + 1 :]
            assert rest == [Act.STOP, Act.ALARM, Act.REFER, Act.REPORT, Act.LEAVE][: len(rest)]
        assert all(entry.at <= self.now + timedelta(minutes=2) for entry in given.bedside.log)


TestAtTheStore = AtTheStore.TestCase
TestAtTheStore.settings = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
