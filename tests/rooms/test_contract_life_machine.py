"""Whatever happens to two people in whatever order: never two contracts in force, never two open checkups of a quarter."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from healthsvc.contract import cards, renewal, service
from healthsvc.contract.resources import to_agreement, to_contract
from healthsvc.contract.rules import Agreement, EndReason, Side, SignatureKind, Signed, State
from healthsvc.documents import frozen_of, verify
from healthsvc.errors import Conflict, NotFound, RuleViolation
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow, register, update_demographics
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import OPEN, Kind, Status, quarter_of

FIRST = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
DOCTORS, NURSES = ("Practitioner/d1", "Practitioner/d2"), (None, "Practitioner/n1")
people, doctors, nurses = st.integers(0, 1), st.sampled_from(DOCTORS), st.sampled_from(NURSES)


numbers = count()
shelf: dict[str, Database] = {}


@pytest.fixture(autouse=True, scope="module")
def one_database() -> Iterator[None]:
    """One database for all examples; each example has two people of its own."""
    with TemporaryDirectory() as folder:
        shelf["db"] = Database.open(f"sqlite:///{folder}/life.sqlite", rooms=ROOMS)
        with shelf["db"].writing(SYSTEM, at=FIRST) as store:
            for who in (*DOCTORS, NURSES[1]):
                store.put({"resourceType": "Practitioner", "id": str(who).partition("/")[2], "name": [{"text": "医护"}]})
        yield
        shelf.pop("db").close()


class Life(RuleBasedStateMachine):
    """Two people, two doctors, a nurse, the clock, and everything that can be tried."""

    def __init__(self) -> None:
        super().__init__()
        self.database, self.at, self.done = shelf["db"], FIRST, Counter[str]()
        with self.database.writing(SYSTEM, at=self.at) as store:
            self.ids = [str(register(store, Person(f"测试{next(numbers)}"), "urn:test").patient["id"]) for _ in range(2)]

    def attempt(self, act: Any) -> None:
        """What may not be done is refused and leaves nothing behind; anything else that goes wrong is a fault."""
        try:
            with self.database.writing(SYSTEM, at=self.at) as store:
                act(store)
            self.done["done"] += 1
        except (Conflict, RuleViolation, NotFound):
            self.done["refused"] += 1

    def contract(self, store: Store, number: int, *states: State) -> Agreement:
        found = [to_agreement(one) for one in store.select("Contract", patient=follow(store, self.ids[number])["id"])]
        chosen = [one for one in found if one.state in states]
        if not chosen:
            raise NotFound("there is no such contract")
        return chosen[-1]

    @rule(number=people, doctor=doctors, nurse=nurses, ahead=st.integers(0, 60), months=st.sampled_from([12, 24]))
    def sign(self, number: int, doctor: str, nurse: str | None, ahead: int, months: int) -> None:
        start = self.today() + timedelta(days=ahead)
        self.attempt(lambda store: service.sign(store, self.ids[number], doctor, nurse, start, months=months))

    @rule(number=people, doctor=doctors)
    def draft(self, number: int, doctor: str) -> None:
        self.attempt(lambda store: service.offer(store, service.draft(store, self.ids[number], doctor, None, self.today())))

    @rule(number=people, doctor=st.none() | doctors)
    def draft_successor(self, number: int, doctor: str | None) -> None:
        self.attempt(lambda store: service.draft_successor(store, self.contract(store, number, State.ACTIVE).id, doctor))

    @rule(number=people, side=st.sampled_from([Side.RESIDENT, Side.DOCTOR]))
    def add_signature(self, number: int, side: Side) -> None:
        def act(store: Store) -> None:
            waiting = self.contract(store, number, State.PENDING_SIGNATURE)
            service.add_signature(store, waiting.id, Signed(side, SignatureKind.WET_SCAN, store.at))

        self.attempt(act)

    @rule(number=people, doctor=doctors)
    def put_one_in_force_by_hand(self, number: int, doctor: str) -> None:
        def act(store: Store) -> None:
            both = tuple(Signed(side, SignatureKind.WET_SCAN, store.at) for side in (Side.RESIDENT, Side.DOCTOR))
            made = service.draft(store, self.ids[number], doctor, None, self.today())
            store.put(to_contract(made) | {"status": "executed"} | {"signer": to_contract(_with(made, both))["signer"]})

        self.attempt(act)

    @rule(number=people, doctor=doctors, nurse=nurses)
    def transfer(self, number: int, doctor: str, nurse: str | None) -> None:
        self.attempt(lambda store: service.transfer(store, self.contract(store, number, State.ACTIVE).id, doctor, nurse, self.today()))

    @rule(number=people)
    def renew(self, number: int) -> None:
        self.attempt(lambda store: service.renew(store, self.contract(store, number, State.ACTIVE).id))

    @rule(number=people, reason=st.sampled_from([EndReason.OWN_WISH, EndReason.MOVED_AWAY]))
    def terminate(self, number: int, reason: EndReason) -> None:
        states = (State.ACTIVE, State.PENDING_SIGNATURE)
        self.attempt(lambda store: service.terminate(store, self.contract(store, number, *states).id, reason, self.today()))

    @rule(days=st.integers(1, 200))
    def time_goes_by(self, days: int) -> None:
        self.at += timedelta(days=days)
        self.attempt(lambda store: renewal.expire_due(store, self.today()))

    @rule(number=people)
    def make_a_checkup(self, number: int) -> None:
        def act(store: Store) -> None:
            waiting = [one for one in visits.open_visits(store, self.ids[number]) if one.window.start <= store.at]
            if waiting:
                visits.complete(store, waiting[0].id, Findings(store.at, store.at, pulse=70, late_reason="not-at-home"), DOCTORS[0])

        self.attempt(act)

    @rule(number=people, act=st.sampled_from(["miss", "cancel", "reopen", "suspend", "resume", "again"]))
    def happen_to_a_visit(self, number: int, act: str) -> None:
        def do(store: Store) -> None:
            patient = follow(store, self.ids[number])["id"]
            found = [to_visit(one) for one in store.select("Task", patient=patient) if is_visit(one)]
            if act == "suspend":
                visits.suspend(store, patient, "away")
            elif act == "resume":
                visits.resume(store, patient, store.at, "away")
            elif not found:
                return
            elif act == "again":
                store.create({key: value for key, value in store.read("Task", found[0].id).items() if key not in ("meta", "id")})
            elif act == "reopen":
                visits.reopen(store, found[0].id)
            else:
                (visits.miss if act == "miss" else visits.cancel)(store, found[0].id, "refused")

        self.attempt(do)

    @rule()
    def merge_the_files(self) -> None:
        self.attempt(lambda store: merge(store, self.ids[0], self.ids[1]))

    @precondition(lambda self: self.at > FIRST + timedelta(days=300))
    @rule(number=people)
    def die(self, number: int) -> None:
        self.attempt(lambda store: update_demographics(store, self.ids[number], Person("", deceased=self.today())))

    def today(self) -> date:
        return self.at.date()

    @invariant()
    def what_must_hold_holds(self) -> None:
        with self.database.reading(SYSTEM, at=self.at) as store:
            active = [one for stored in store.select("Contract", patient=self.ids) if (one := to_agreement(stored)).state is State.ACTIVE]
            assert max(Counter(one.person for one in active).values(), default=0) <= 1
            for one in active:
                (paper,) = frozen_of(store, f"Contract/{one.id}", "contract")
                assert verify(store, paper["id"]).intact
                assert store.holder(f"contract:{one.person}") == f"Contract/{one.id}"
            signed = {one.person for one in active}
            for patient in self.ids:
                assert (cards.current_card(store, patient) is not None) == (patient in signed)
            quarters: Counter[tuple[str, str]] = Counter()
            for task in store.select("Task", patient=self.ids):
                visit = to_visit(task)
                if visit.status in OPEN and visit.kind == Kind.QUARTERLY_CHECKUP:
                    quarters[visit.person, quarter_of(visit.window.start.astimezone(store.zone).date())] += 1
                    assert not is_deceased(store.read("Patient", visit.person))
                    assert visit.status in Status
            assert max(quarters.values(), default=0) <= 1


def _with(agreement: Agreement, signatures: tuple[Signed, ...]) -> Agreement:
    return replace(agreement, signatures=signatures)


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking on a real database takes minutes
TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=12, stateful_step_count=18, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow]
)
