"""Home beds: who fits, how long, which rounds, what blocks a discharge; and that FHIR says the same."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.consent import SignedConsent, is_consent, to_consent, to_signed
from healthsvc.homebed.resources import conditions_of, is_bed, to_assessment, to_bed, to_episode, to_impression, with_history
from healthsvc.homebed.rules.bed import (
    Bed,
    BedKind,
    Diagnosis,
    Discharge,
    Loose,
    Status,
    blockers,
    check_step,
    days_left,
    last_day,
    must_be_free,
)
from healthsvc.homebed.rules.eligibility import Agreement, Assessment, assess, check_agreement, must_fit
from healthsvc.homebed.rules.parameters import HomeBedPolicy
from healthsvc.homebed.rules.rounds import first_round, interval, rounds
from healthsvc.policy import load

ON = date(2026, 11, 22)
ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 22, 10, 0, tzinfo=ZONE)
POLICY = load(Path("absent")).fill(HomeBedPolicy, "homebed", ON)
STROKE = Diagnosis("I69.300", "脑梗死后遗症")
GOOD = Assessment("p1", "dr-1", ON, STROKE, frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "偏瘫恢复期,行动不便,同意建床")


def test_a_good_assessment_fits() -> None:
    assert assess(GOOD, ON, POLICY).fits
    must_fit(assess(GOOD, ON, POLICY))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"diagnosis": None}, "homebed-no-diagnosis"),
        ({"criteria": frozenset()}, "homebed-no-criterion"),
        ({"criteria": frozenset({"hemiplegia", "rich"})}, "homebed-unknown-criterion"),
        ({"exclusions": frozenset({"critical"})}, "homebed-excluded"),
        ({"stable": None}, "homebed-stability-unknown"),
        ({"stable": False}, "homebed-unstable"),
        ({"self_care": None}, "homebed-self-care-unknown"),
        ({"self_care": 8}, "homebed-self-care-independent"),
        ({"home_suitable": None}, "homebed-home-unknown"),
        ({"home_suitable": False}, "homebed-home-unsuitable"),
        ({"carer": None}, "homebed-carer-unknown"),
        ({"carer": False}, "homebed-no-carer"),
        ({"indication": " "}, "homebed-no-indication"),
        ({"on": ON - timedelta(days=8)}, "homebed-assessment-too-old"),
        ({"on": ON + timedelta(days=1)}, "homebed-assessment-too-old"),
    ],
)
def test_everything_that_speaks_against_a_bed_has_its_code(change: dict[str, Any], code: str) -> None:
    found = assess(replace(GOOD, **change), ON, POLICY)
    assert [one for one, _ in found.issues] == [code]
    with pytest.raises(RuleViolation) as refused:
        must_fit(found)
    assert refused.value.reason == code


def test_a_refusal_names_everything_at_once() -> None:
    bad = replace(GOOD, diagnosis=None, stable=False, carer=False)
    with pytest.raises(RuleViolation) as refused:
        must_fit(assess(bad, ON, POLICY))
    assert len(refused.value.issues) == 3


AGREED = Agreement(ON, "patient", "", True, True, 3)


@pytest.mark.parametrize(
    ("agreement", "reason"),
    [
        (None, "homebed-no-consent"),
        (replace(AGREED, signed=ON + timedelta(days=1)), "homebed-consent-not-signed-yet"),
        (replace(AGREED, withdrawn=ON), "homebed-consent-withdrawn"),
        (replace(AGREED, risks_told=False), "homebed-risks-not-told"),
        (replace(AGREED, fees_told=False), "homebed-fees-not-told"),
        (replace(AGREED, copies=2), "homebed-copies"),
        (replace(AGREED, signer="family"), "homebed-proxy-relation"),
    ],
)
def test_the_agreement_must_be_proper(agreement: Agreement | None, reason: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        check_agreement(agreement, ON, POLICY)
    assert refused.value.reason == reason


def test_a_proxy_with_relation_may_sign() -> None:
    check_agreement(AGREED, ON, POLICY)
    check_agreement(replace(AGREED, signer="family", relation="女儿", withdrawn=ON + timedelta(days=1)), ON, POLICY)


def test_the_first_round_is_due_within_a_day() -> None:
    first = first_round(AT, POLICY, ZONE)
    assert (first.start, first.end, first.first) == (AT, AT + timedelta(hours=24), True)


def test_rounds_come_every_week_until_the_last_day() -> None:
    laid = rounds(ON, AT, last_day(ON, POLICY), 7, POLICY, ZONE)
    assert len(laid) == 12
    assert laid[0].end == datetime(2026, 11, 29, 18, 0, tzinfo=ZONE)
    assert laid[0].start == datetime(2026, 11, 27, 8, 0, tzinfo=ZONE)
    assert laid[-1].due == date(2027, 2, 14)


def test_infusions_bring_the_doctor_more_often_and_stability_less() -> None:
    assert interval(False, False, POLICY) == 7
    assert interval(True, False, POLICY) == 14
    assert interval(True, True, POLICY) == 3


@given(st.integers(1, 14), st.dates(date(2026, 1, 1), date(2027, 1, 1)), st.integers(-30, 30))
def test_rounds_never_leave_a_longer_gap_and_never_pass_the_last_day(every: int, start: date, offset: int) -> None:
    now = datetime(start.year, start.month, start.day, 9, 0, tzinfo=ZONE) + timedelta(days=offset)
    end = last_day(start, POLICY)
    laid = rounds(start, now, end, every, POLICY, ZONE)
    for one in laid:
        assert now <= one.start <= one.end
        assert one.due <= end
    for sooner, later in pairwise(laid):
        assert (later.due - sooner.due).days == every
    if laid and offset <= 0:
        assert (laid[0].due - start).days == every


def test_ninety_days_and_the_first_counts() -> None:
    bed = BED
    assert last_day(ON, POLICY) == date(2027, 2, 19)
    assert days_left(bed, ON) == 90
    assert days_left(bed, date(2027, 2, 19)) == 1
    assert days_left(bed, date(2027, 2, 20)) == 0


BED = Bed("b1", "p1", Status.ACTIVE, BedKind.TREATMENT, ON, last_day(ON, POLICY), "dr-1", "nu-1", STROKE, "a1", "c1")
WELL = Discharge(date(2026, 12, 22), "better", "improved", STROKE, "好转出床")


@pytest.mark.parametrize(
    ("bed", "loose", "how", "code"),
    [
        (BED, Loose(open_courses=1), WELL, "homebed-open-infusion-course"),
        (BED, Loose(unconfirmed_returns=1), WELL, "homebed-unconfirmed-returns"),
        (replace(BED, diagnosis=None), Loose(), WELL, "homebed-no-diagnosis"),
        (BED, Loose(), replace(WELL, diagnosis=None), "homebed-no-discharge-diagnosis"),
        (BED, Loose(), replace(WELL, outcome="fine"), "homebed-unknown-outcome"),
        (BED, Loose(), replace(WELL, reason="why"), "homebed-unknown-reason"),
        (BED, Loose(), replace(WELL, outcome="death"), "homebed-outcome-contradicts"),
        (BED, Loose(), replace(WELL, on=ON - timedelta(days=1)), "homebed-discharge-before-start"),
        (replace(BED, status=Status.FINISHED), Loose(), WELL, "homebed-not-open"),
    ],
)
def test_what_blocks_a_discharge(bed: Bed, loose: Loose, how: Discharge, code: str) -> None:
    found = blockers(bed, loose, how, POLICY)
    assert [one for one, _ in found] == [code]
    with pytest.raises(RuleViolation) as refused:
        must_be_free(found)
    assert refused.value.reason == code


def test_death_is_not_blocked_by_papers() -> None:
    assert blockers(replace(BED, diagnosis=None), Loose(1, 1), Discharge(ON, "death", "death"), POLICY) == ()
    assert blockers(BED, Loose(), WELL, POLICY) == ()


@pytest.mark.parametrize("old", [None, *Status])
@pytest.mark.parametrize("new", list(Status))
def test_only_the_steps_of_the_table(old: Status | None, new: Status) -> None:
    steps = {
        (None, "active"),
        ("active", "onhold"),
        ("onhold", "active"),
        ("active", "finished"),
        ("onhold", "finished"),
        ("active", "cancelled"),
    }
    if old is new or (old, new) in steps or (new is Status.ENTERED_IN_ERROR and old is not None):
        check_step(old, new)
    else:
        with pytest.raises(RuleViolation):
            check_step(old, new)


words = st.text("偏瘫恢复期abc ", min_size=1, max_size=12).map(str.strip).filter(bool)
diagnoses = st.builds(Diagnosis, st.from_regex(r"[A-Z][0-9]{2}\.[0-9]{3}", fullmatch=True), words)
days = st.dates(date(2020, 1, 1), date(2040, 1, 1))
assessments = st.builds(
    Assessment,
    st.just("p1"),
    st.just("dr-1"),
    days,
    st.none() | diagnoses,
    st.frozensets(st.sampled_from(POLICY.criteria)),
    st.frozensets(st.sampled_from(POLICY.exclusions)),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 37),
    st.none() | st.booleans(),
    st.none() | st.booleans(),
    st.just("") | words,
)
discharges = st.builds(
    Discharge, days, st.sampled_from(POLICY.discharge_reasons), st.sampled_from(POLICY.outcomes), st.none() | diagnoses, st.just("") | words
)
beds = st.builds(
    Bed,
    st.just("b1"),
    st.just("p1"),
    st.sampled_from(Status),
    st.sampled_from(BedKind),
    days,
    days,
    st.just("dr-1"),
    st.just("nu-1"),
    st.none() | diagnoses,
    st.just("a1"),
    st.just("c1"),
    st.booleans(),
    st.integers(1, 14),
    st.none() | st.just("admitted"),
    st.none() | st.just("b0"),
    st.none() | discharges,
)


@given(assessments)
def test_an_assessment_survives_fhir(assessment: Assessment) -> None:
    assert to_assessment(to_impression(assessment, "x")) == assessment


@given(beds)
def test_a_bed_survives_fhir(bed: Bed) -> None:
    episode = to_episode(bed)
    assert is_bed(episode)
    assert to_bed(episode, {one["id"]: one for one in conditions_of(bed)}) == bed


moments = st.integers(0, 10**9).map(lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@given(
    st.builds(
        SignedConsent,
        st.just("c1"),
        st.just("p1"),
        st.sampled_from(["home-bed", "infusion"]),
        moments,
        st.sampled_from(["patient", "family"]),
        st.just("") | words,
        st.sampled_from(["wet-scan", "drawn", "certified"]),
        st.none() | st.just("nu-1"),
        st.none() | st.just("MedicationRequest/m1"),
        st.booleans(),
        st.booleans(),
        st.integers(1, 3),
        st.none() | moments,
    )
)
def test_a_consent_survives_fhir(signed: SignedConsent) -> None:
    written = to_consent(signed)
    assert is_consent(written, signed.kind)
    assert to_signed(written) == signed


def test_the_status_history_says_which_status_held_when() -> None:
    first = with_history(to_episode(BED), None, ON)
    held = with_history(to_episode(replace(BED, status=Status.ONHOLD), first), first, date(2026, 12, 1))
    assert held["statusHistory"] == [
        {"status": "active", "period": {"start": "2026-11-22", "end": "2026-12-01"}},
        {"status": "onhold", "period": {"start": "2026-12-01"}},
    ]
    assert with_history(held, held, ON)["statusHistory"] == held["statusHistory"]


@pytest.mark.parametrize("without", ["patient", "careManager", "period", "extension", "type", "status"])
def test_a_bed_that_lacks_something_is_refused_with_its_place(without: str) -> None:
    episode = {key: value for key, value in to_episode(BED).items() if key != without}
    with pytest.raises(Invalid) as refused:
        to_bed(episode)
    assert (refused.value.issues[0].path or "").startswith("EpisodeOfCare")
