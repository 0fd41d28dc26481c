"""Orders, evidence and bedside records cross into FHIR and come back the same."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.errors import Invalid
from healthsvc.fhir.json import dumps, loads
from healthsvc.fhir.systems import code_system
from healthsvc.infusion.evidence import says_none, to_licence, to_substance
from healthsvc.infusion.records import Given, OfTheDay, is_given, observations, status_of, to_administration, to_given
from healthsvc.infusion.resources import (
    approval_of,
    consent_id,
    first_dose_of,
    is_course,
    nurse_id,
    overrides_of,
    skin_test_of,
    to_order,
    to_request,
)
from healthsvc.infusion.rules.bedside import TRANSITIONS, Act, Bedside, Entry, Step, Vitals
from healthsvc.infusion.rules.order import Approval, Companion, DoubleCheck, FirstDose, Licence, Order, Override, RescueKit, SkinTest
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.policy import load

POLICY = load(Path("absent")).fill(InfusionPolicy, "infusion", date(2026, 11, 23))
words = st.text("输液反应 abc,。", min_size=1, max_size=10).map(str.strip).filter(bool)
days = st.dates(date(2020, 1, 1), date(2040, 1, 1))
moments = st.integers(0, 10**8).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
who = st.sampled_from(["dr-1", "nu-1", "nu-2"])
orders = st.builds(
    Order,
    st.just("p1"),
    who,
    st.sampled_from(["ceftriaxone", "ambroxol"]),
    words,
    st.sampled_from(["2.0 g", "0.50 g", "30 mg", "一支", ""]),
    st.sampled_from(["0.9%氯化钠", "5%葡萄糖"]),
    st.integers(1, 500),
    st.integers(1, 180),
    days,
    st.integers(1, 7),
    st.integers(1, 2),
    st.just("") | words,
    st.none() | st.just("B1"),
    days,
)
overrides = st.builds(Override, st.sampled_from(["slot", "companion"]), who, words, moments)


@given(
    orders,
    st.none() | st.builds(Approval, who, moments, words),
    st.none() | st.builds(FirstDose, days, words, st.just("ceftriaxone"), st.none() | st.just("B0"), st.booleans()),
    st.none() | st.builds(SkinTest, moments, st.just("ceftriaxone"), st.just("B1"), st.booleans()),
    st.lists(overrides, max_size=2),
    st.none() | st.just("c1"),
    st.none() | who,
)
@settings(deadline=None)
def test_an_order_and_its_evidence_survive_fhir(
    order: Order,
    approval: Approval | None,
    first: FirstDose | None,
    test: SkinTest | None,
    said: list[Override],
    consent: str | None,
    nurse: str | None,
) -> None:
    written = to_request(order, "m1", approval=approval, first_dose=first, skin_test=test, overrides=said, consent=consent, nurse=nurse)
    request = loads(dumps(written))
    assert is_course(request)
    assert to_order(request) == order
    assert (approval_of(request), first_dose_of(request), skin_test_of(request)) == (approval, first, test)
    assert overrides_of(request) == tuple(said)
    assert (consent_id(request), nurse_id(request)) == (consent, nurse)


vitals = st.builds(
    Vitals,
    st.integers(60, 250),
    st.integers(30, 150),
    st.integers(30, 200),
    st.integers(340, 420).map(lambda tenth: Decimal(tenth) / 10),
    st.none() | st.integers(70, 100),
)


@st.composite
def bedsides(draw: Any) -> Bedside:
    step, log, at = Step.PLANNED, [], datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    for _ in range(draw(st.integers(1, 14))):
        possible = [act for act in Act if (step, act) in TRANSITIONS]
        if not possible:
            break
        act = draw(st.sampled_from(possible))
        at += timedelta(minutes=draw(st.integers(0, 20)))
        matched = tuple(draw(st.lists(st.sampled_from(["name", "birth-date"]), unique=True))) if act is Act.IDENTIFY else ()
        signs = draw(vitals) if act in (Act.MEASURE, Act.END) else None
        log.append(Entry(act, at, draw(who), draw(st.just("") | words), signs, matched))
        step = TRANSITIONS[step, act]
    return Bedside(step, tuple(log))


evidence = st.builds(
    OfTheDay,
    st.none() | st.builds(Companion, st.booleans(), st.booleans(), who, days),
    st.none() | st.builds(DoubleCheck, who, who, moments),
    st.none() | st.builds(RescueKit, days, who, st.frozensets(st.sampled_from(POLICY.kit_items))),
    st.lists(overrides, max_size=2).map(tuple),
)


@given(bedsides(), evidence)
@settings(deadline=None)
def test_a_bedside_record_survives_fhir(bedside: Bedside, brought: OfTheDay) -> None:
    record = Given("p1", "m1", "t1", bedside, brought)
    written = loads(dumps(to_administration(record, {"text": "氨溴索"})))
    assert is_given(written)
    assert to_given(written) == record
    assert written["status"] == status_of(bedside)
    measured = [entry for entry in bedside.log if entry.vitals]
    panels = [one for one in observations(record) if one["code"]["coding"][0]["code"] == "85354-9"]
    assert len(panels) == len(measured)


def test_a_log_that_jumps_is_refused() -> None:
    at = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    bedside = Bedside(Step.RUNNING, (Entry(Act.ARRIVE, at, "nu-1"), Entry(Act.PUNCTURE, at, "nu-1")))
    with pytest.raises(Invalid):
        to_given(to_administration(Given("p1", "m1", "t1", bedside), {"text": "x"}))


@pytest.mark.parametrize("without", ["subject", "medicationCodeableConcept", "dosageInstruction", "extension"])
def test_an_order_that_lacks_something_is_refused(without: str) -> None:
    order = Order("p1", "dr-1", "ambroxol", "氨溴索", "30 mg", "0.9%氯化钠", 100, 120, date(2026, 11, 23), 1, authored=date(2026, 11, 23))
    request = {key: value for key, value in to_request(order, "m1").items() if key != without}
    with pytest.raises(Invalid):
        to_order(request)


QUALIFIED = code_system("staff-qualification")


def qualification(code: str, text: str = "", **period: str) -> dict[str, Any]:
    return {"code": {"coding": [{"system": QUALIFIED, "code": code}], "text": text}, "period": period}


def test_licences_come_from_the_staff_directory() -> None:
    nurse = {
        "id": "nu-1",
        "qualification": [qualification("nurse", "副主任护师", start="2010-07-01", end="2030-01-01"), qualification("infusion")],
    }
    assert to_licence(nurse, POLICY) == Licence(
        "nu-1", "nurse", date(2010, 7, 1), date(2030, 1, 1), "associate-chief-nurse", may_infuse=True, may_order=False
    )
    plain = to_licence({"id": "nu-2", "qualification": [qualification("nurse", "护士")]}, POLICY)
    assert plain is not None
    assert (plain.title, plain.clinical_since, plain.may_infuse) == ("nurse", None, False)
    doctor = to_licence({"id": "dr-1", "qualification": [qualification("doctor", start="2010-07-01")]}, POLICY)
    assert doctor is not None
    assert (doctor.role, doctor.may_order) == ("doctor", True)
    assert to_licence({"id": "x", "qualification": []}, POLICY) is None


def test_no_known_allergy_is_an_answer_and_silence_is_not() -> None:
    assert says_none({"code": {"text": "否认药物过敏"}})
    assert says_none({"code": {"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}})
    assert not says_none({"code": {"text": "青霉素"}})
    found = to_substance({"code": {"coding": [{"system": code_system("drug-class"), "code": "penicillin", "display": "青霉素类"}]}})
    assert found.classes == {"penicillin"}
    assert "青霉素类" in found.name
