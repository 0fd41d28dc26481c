"""A contract's life is its table, its term is counted in months, and it survives FHIR."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.contract.fulfilment import Delivered, Fulfilment, Given, count, together
from healthsvc.contract.resources import is_family_doctor, to_agreement, to_care_team, to_contract
from healthsvc.contract.rules import (
    FIRST,
    OVER,
    TRANSITIONS,
    Act,
    Agreement,
    ContractPolicy,
    EndReason,
    Promise,
    Side,
    SignatureKind,
    Signed,
    State,
    check_active,
    check_start,
    check_step,
    step,
    term_end,
)
from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import dumps, loads
from healthsvc.policy import load

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
POLICY = load(Path("absent")).fill(ContractPolicy, "contract", AT.date())
CERTIFIED = Signed(Side.DOCTOR, SignatureKind.CERTIFIED, AT, data=b"proof", format="application/jose")
BOTH = (Signed(Side.RESIDENT, SignatureKind.DRAWN, AT), CERTIFIED)


def signatures() -> Any:
    proxy = st.builds(Signed, st.just(Side.PROXY), st.sampled_from(SignatureKind), st.just(AT), st.just("某女"), st.just("女儿"))
    own = st.builds(Signed, st.sampled_from([Side.RESIDENT, Side.DOCTOR]), st.sampled_from(SignatureKind), st.just(AT))
    return st.lists(proxy | own, max_size=3).map(tuple)


@st.composite
def agreements(draw: Any) -> Agreement:
    start = draw(st.dates(date(2020, 1, 1), date(2030, 1, 1)))
    return Agreement(
        id="contract-p1-20261122",
        person="p1",
        doctor="Practitioner/d1",
        nurse=draw(st.none() | st.just("Practitioner/n1")),
        start=start,
        end=start + timedelta(days=draw(st.integers(0, 900))),
        state=draw(st.sampled_from(State)),
        centre=draw(st.none() | st.just("Organization/c1")),
        number=draw(st.sampled_from(["", "QY-0001"])),
        package=draw(st.sampled_from(["basic", "chronic"])),
        promises=tuple(
            draw(st.lists(st.builds(Promise, st.sampled_from(["quarterly-checkup", "follow-up"]), st.integers(1, 12)), max_size=2))
        ),
        signatures=draw(signatures()),
        predecessor=draw(st.none() | st.just("Contract/c0")),
        end_reason=draw(st.none() | st.sampled_from(EndReason)),
        ended=draw(st.none() | st.just(start)),
    )


@given(agreements())
def test_an_agreement_survives_fhir(agreement: Agreement) -> None:
    contract = loads(dumps(to_contract(agreement)))
    assert is_family_doctor(contract)
    assert to_agreement(contract) == agreement


@given(agreements(), agreements())
def test_writing_an_agreement_over_its_contract_keeps_what_is_not_ours(agreement: Agreement, other: Agreement) -> None:
    base = to_contract(other) | {"friendly": [{"contentReference": {"reference": "Binary/1"}}]}
    again = to_contract(agreement, base)
    assert again["friendly"] == base["friendly"]
    if agreement.number or not other.number:
        assert to_agreement(again) == agreement


@given(st.lists(st.sampled_from(Act), max_size=8), st.sampled_from(sorted(FIRST)))
def test_no_sequence_of_acts_leaves_the_table_and_what_is_over_stays_over(acts: list[Act], state: State) -> None:
    for act in acts:
        if (state, act) in TRANSITIONS:
            after = step(state, act)
            check_step(state, after)
            state = after
        else:
            with pytest.raises(RuleViolation):
                step(state, act)
    assert not any(before in OVER for before, _ in TRANSITIONS)


def test_a_client_may_change_the_status_alone() -> None:
    contract = to_contract(Agreement("c", "p1", "Practitioner/d1", None, AT.date(), term_end(AT.date(), 12), State.ACTIVE))
    assert to_agreement(contract | {"status": "terminated"}).state is State.TERMINATED
    assert to_agreement(contract | {"status": "revoked"}).state is State.TERMINATED
    with pytest.raises(Invalid):
        to_agreement(contract | {"status": "disputed"})


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2026, 11, 22), 12, date(2027, 11, 21)),
        (date(2026, 1, 1), 12, date(2026, 12, 31)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2027, 3, 1), 12, date(2028, 2, 29)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 11, 22), 36, date(2029, 11, 21)),
    ],
)
def test_a_term_ends_on_the_day_before(start: date, months: int, end: date) -> None:
    assert term_end(start, months) == end


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"end": date(2027, 11, 20)}, "contract-term"),
        ({"signatures": BOTH[:1]}, "contract-not-signed"),
        ({"signatures": BOTH[1:]}, "contract-not-signed"),
        ({"signatures": (Signed(Side.PROXY, SignatureKind.DRAWN, AT, "某女"), BOTH[1])}, "contract-proxy"),
        ({"signatures": (Signed(Side.PROXY, SignatureKind.WET_SCAN, AT, "某女", "女儿"), BOTH[1])}, None),
    ],
)
def test_what_a_contract_in_force_needs(change: dict[str, Any], reason: str | None) -> None:
    values = {"signatures": BOTH, "end": date(2027, 11, 21)} | change
    agreement = Agreement("c", "p1", "Practitioner/d1", None, date(2026, 11, 22), **values)
    if reason is None:
        check_active(agreement, POLICY)
    else:
        with pytest.raises(RuleViolation) as refused:
            check_active(agreement, POLICY)
        assert refused.value.reason == reason


def test_the_pair_is_a_care_team() -> None:
    team = to_care_team(Agreement("c", "p1", "Practitioner/d1", "Practitioner/n1", AT.date(), AT.date(), State.ACTIVE), active=True)
    assert [one["member"]["reference"] for one in team["participant"]] == ["Practitioner/d1", "Practitioner/n1"]


def test_more_of_one_service_does_not_make_up_for_less_of_another() -> None:
    counted = Fulfilment((Delivered("quarterly-checkup", 4, 6, 6), Delivered("follow-up", 4, 0, 2)))
    assert (counted.promised, counted.delivered, counted.rate) == (8, 4, 0.5)
    assert (counted.due, counted.missing) == (6, 2)
    assert counted.rate_so_far == pytest.approx(4 / 6)
    assert Fulfilment(()).rate == 1.0


def test_a_contract_does_not_begin_years_ahead() -> None:
    check_start(date(2027, 11, 20), date(2026, 11, 22), POLICY)
    with pytest.raises(RuleViolation) as refused:
        check_start(date(2050, 1, 1), date(2026, 11, 22), POLICY)
    assert refused.value.reason == "contract-start-far"


def test_a_certified_signature_carries_its_proof() -> None:
    bare = (Signed(Side.RESIDENT, SignatureKind.DRAWN, AT), Signed(Side.DOCTOR, SignatureKind.CERTIFIED, AT))
    with pytest.raises(RuleViolation) as refused:
        check_active(Agreement("c", "p", "Practitioner/d", None, date(2026, 1, 1), date(2026, 12, 31), signatures=bare), POLICY)
    assert refused.value.reason == "contract-certified-proof"


FOUR = (Promise("quarterly-checkup", 4), Promise("follow-up", 4))
YEAR = Agreement("c", "p", "Practitioner/d", None, date(2026, 1, 1), date(2026, 12, 31), promises=FOUR)
OURS, OTHERS = ("Contract/c",), ("Contract/x",)
LAID_OUT = tuple(Given("quarterly-checkup", None, datetime(2026, 3 * n, 28, 23, 59, 59, tzinfo=UTC), asked_by=OURS) for n in (1, 2, 3, 4))
LATE = Given("quarterly-checkup", date(2027, 1, 3), datetime(2026, 12, 20, tzinfo=UTC), asked_by=OURS)


@pytest.mark.parametrize(
    ("given", "on", "delivered", "due"),
    [
        ((), date(2025, 12, 31), (0, 0), (0, 0)),
        ((), date(2026, 3, 31), (0, 0), (0, 0)),
        ((), date(2026, 7, 2), (0, 0), (2, 2)),
        ((), date(2026, 12, 31), (0, 0), (4, 4)),
        ((), date(2027, 6, 1), (0, 0), (4, 4)),
        ((Given("follow-up", date(2026, 5, 1)),), date(2026, 5, 1), (0, 1), (1, 1)),
        ((Given("follow-up", date(2026, 5, 1)),), date(2026, 4, 30), (0, 0), (1, 1)),
        ((Given("follow-up", date(2025, 12, 31)),), date(2026, 5, 1), (0, 0), (1, 1)),
        ((Given("follow-up", date(2026, 5, 1), asked_by=OTHERS),), date(2026, 5, 1), (0, 0), (1, 1)),
        ((Given("follow-up", date(2026, 5, 1), asked_by=("Encounter/e",)),), date(2026, 5, 1), (0, 1), (1, 1)),
        (LAID_OUT, date(2026, 3, 28), (0, 0), (0, 0)),
        (LAID_OUT, date(2026, 3, 29), (0, 0), (1, 0)),
        ((LATE,), date(2027, 1, 3), (1, 0), (4, 4)),
        ((Given("quarterly-checkup", None, None, asked_by=OURS),) * 4, date(2026, 12, 31), (0, 0), (0, 4)),
        ((Given("quarterly-checkup", None, datetime(2026, 12, 1, tzinfo=UTC), True, OURS),) * 4, date(2026, 1, 1), (0, 0), (4, 0)),
    ],
)  # fmt: skip
def test_what_counts_as_delivered_and_as_due(given: tuple[Given, ...], on: date, delivered: tuple[int, int], due: tuple[int, int]) -> None:
    counted = count(YEAR, given, datetime.combine(on, time(12), UTC))
    assert tuple(one.delivered for one in counted.items) == delivered
    assert tuple(one.due for one in counted.items) == due


def test_nothing_counts_after_a_contract_has_ended_early() -> None:
    ended = replace(YEAR, state=State.TERMINATED, ended=date(2026, 3, 31))
    counted = count(ended, [Given("follow-up", date(2026, 4, 1))], datetime(2026, 12, 31, tzinfo=UTC))
    assert (counted.delivered, counted.due) == (0, 0)


def services() -> Any:
    days = st.dates(date(2025, 12, 1), date(2027, 2, 1))
    closes = st.none() | days.map(lambda day: datetime.combine(day, time(15), UTC))
    asked = st.sampled_from([(), OURS, OTHERS])
    return st.lists(
        st.builds(Given, st.sampled_from(["quarterly-checkup", "follow-up", "x"]), st.none() | days, closes, st.booleans(), asked)
    )


@given(services(), st.dates(date(2025, 12, 1), date(2027, 2, 1)))
def test_a_rate_is_a_rate(given: list[Given], on: date) -> None:
    counted = count(YEAR, given, datetime.combine(on, time(12), UTC))
    assert 0 <= counted.rate <= 1
    assert 0 <= counted.rate_so_far <= 1
    assert counted.delivered <= counted.promised
    assert counted.missing <= counted.due <= counted.promised
    both = together([counted, counted])
    assert (both.promised, both.delivered) == (2 * counted.promised, 2 * counted.delivered)
