"""Whatever happens in whatever order: never two open beds, never a round without an active bed, never an infusion in a ward."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from healthsvc.errors import Refusal
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service
from healthsvc.homebed.rules.bed import Diagnosis, Discharge, Status
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.infusion import service as infusions
from healthsvc.infusion.rules.order import FirstDose, Order
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit.service import open_visits

STROKE = Diagnosis("I69.300", "脑梗死后遗症")
WARD = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
numbers = count()
shelf: dict[str, Database] = {}


@pytest.fixture(autouse=True, scope="module")
def one_database() -> Iterator[None]:
    """One database for all examples; each example is a person of its own."""
    with TemporaryDirectory() as folder:
        shelf["db"] = Database.open(f"sqlite:///{Path(folder)}/life.sqlite", rooms=ROOMS)
        with shelf["db"].writing(SYSTEM, at=datetime(2026, 1, 1, tzinfo=UTC)) as store:
            for id, role in (("dr-1", "doctor"), ("nu-1", "nurse")):
                held = {
                    "code": {"coding": [{"system": code_system("staff-qualification"), "code": role}]},
                    "period": {"start": "2010-01-01"},
                }
                store.put({"resourceType": "Practitioner", "id": id, "qualification": [held]})
        yield
        shelf.pop("db").close()


class AtHome(RuleBasedStateMachine):
    """One person; somebody does anything at any time, and refusals are part of life."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals: list[str] = []
        self.at = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
        self.number = next(numbers)
        active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
        with shelf["db"].writing(SYSTEM, at=self.at) as store:
            self.patient = str(register(store, Person(f"测试{self.number}", category=Category.LIXIU), "urn:test").patient["id"])
            whose = {"reference": f"Patient/{self.patient}"}
            store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, "code": {"text": "无"}, "patient": whose})

    def today(self) -> date:
        return (self.at + timedelta(hours=8)).date()

    def attempt(self, act: Callable[[Store], object]) -> None:
        try:
            with shelf["db"].writing(SYSTEM, at=self.at) as store:
                act(store)
        except Refusal as refused:
            self.refusals.append(refused.text)

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.at += timedelta(days=days)
        self.attempt(lambda store: service.stop_expired(store, self.today()))

    @rule(stable=st.booleans())
    def establish(self, stable: bool) -> None:
        found = Assessment(self.patient, "dr-1", self.today(), STROKE, frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "建床")
        signed = SignedConsent(
            f"ag-{self.number}-{self.today()}",
            self.patient,
            "home-bed",
            self.at - timedelta(hours=1),
            risks_told=True,
            fees_told=True,
            copies=3,
        )
        self.attempt(lambda store: service.establish(store, self.patient, found, signed, "dr-1", "nu-1", self.today(), stable=stable))

    @rule()
    def order_infusions(self) -> None:
        start = self.today() + timedelta(days=1)
        order = Order(self.patient, "dr-1", "ambroxol", "氨溴索", "30 mg", "0.9%氯化钠", 100, 120, start, 3)
        signed = SignedConsent(f"c-{self.number}-{start}", self.patient, "infusion", self.at - timedelta(hours=1), risks_told=True)
        proof = FirstDose(self.today(), "示范医院", "ambroxol")
        self.attempt(lambda store: infusions.order_course(store, order, consent=signed, first_dose=proof))

    @rule(status=st.sampled_from(["in-progress", "finished", "cancelled"]), stay=st.integers(1, 2))
    def hospital(self, status: str, stay: int) -> None:
        body = {"resourceType": "Encounter", "id": f"stay-{self.number}-{stay}", "status": status, "class": WARD}
        self.attempt(lambda store: store.put(body | {"subject": {"reference": f"Patient/{self.patient}"}}))

    @rule()
    def away_or_back(self) -> None:
        self.attempt(lambda store: service.suspend(store, self.patient, "away"))

    @rule()
    def back(self) -> None:
        self.attempt(lambda store: service.resume(store, self.patient))

    @rule(stop_first=st.booleans())
    def discharge(self, stop_first: bool) -> None:
        def act(store: Store) -> None:
            bed = service.open_bed(store, self.patient)
            if bed is not None:
                if stop_first:
                    infusions.stop_all(store, self.patient, "order-changed")
                service.discharge(store, bed.id, Discharge(max(self.today(), bed.start), "better", "improved", STROKE))

        self.attempt(act)

    @invariant()
    def what_must_hold_holds(self) -> None:
        with shelf["db"].reading(SYSTEM, at=self.at) as store:
            beds = [bed for bed in service.home_bed_history(store, self.patient) if bed.status in (Status.ACTIVE, Status.ONHOLD)]
            assert len(beds) <= 1
            rounds = open_visits(store, self.patient, "home-bed-round")
            assert not rounds or beds[0].status is Status.ACTIVE
            assert all(visit.window.end.astimezone(store.zone).date() <= beds[0].last_day + timedelta(days=2) for visit in rounds)
            assert len({visit.window.end for visit in rounds if visit.subtype is None}) == len(
                [one for one in rounds if one.subtype is None]
            )
            courses = [one for one in service.infusion_orders(store, self.patient) if one["status"] == "active"]
            doses = open_visits(store, self.patient, "home-infusion")
            assert {source for visit in doses for source in visit.sources} <= {f"MedicationRequest/{one['id']}" for one in courses}
            in_ward = store.select("Encounter", patient=self.patient, status="in-progress")
            assert not (in_ward and courses)
            assert not (in_ward and beds and beds[0].status is Status.ACTIVE)


TestAtHome = AtHome.TestCase
TestAtHome.settings = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
