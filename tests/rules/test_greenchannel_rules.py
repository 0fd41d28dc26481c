"""Who is entitled to what, why, until when; and that the Flag says the same."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.greenchannel.honour import is_use, to_observation, to_use
from healthsvc.greenchannel.resources import Channel, birth_date, is_channel, to_channel, to_flag
from healthsvc.greenchannel.rules import (
    NOT_ENTITLED,
    Cadre,
    Decision,
    GreenChannelPolicy,
    Reason,
    Right,
    Standing,
    age,
    answer,
    decide,
    due_for_renewal,
    grant,
    in_force,
    years_later,
)
from healthsvc.greenchannel.waits import Use
from healthsvc.policy import load

ON = date(2026, 11, 22)
POLICY = load(Path("absent")).fill(GreenChannelPolicy, "greenchannel", ON)
ALL = frozenset(Right)


@pytest.mark.parametrize(
    ("cadre", "rights", "reasons"),
    [
        (Cadre("lixiu", date(1930, 1, 1)), ALL, (Reason.LIXIU, Reason.AGE)),
        (Cadre("lixiu"), ALL, (Reason.LIXIU,)),
        (Cadre("tuixiu", date(1946, 11, 22)), {Right.CONSULTATION}, (Reason.AGE,)),
        (Cadre("tuixiu", date(1946, 11, 23)), set(), ()),
        (Cadre("tuixiu"), set(), ()),
        (Cadre("tuixiu", disabled=True), {Right.CONSULTATION, Right.DISPENSING}, (Reason.DISABILITY,)),
        (Cadre("tuixiu", veteran=True), ALL, (Reason.VETERAN,)),
        (Cadre("tuixiu", date(1930, 1, 1), disabled=True), {Right.CONSULTATION, Right.DISPENSING}, (Reason.DISABILITY, Reason.AGE)),
        (Cadre(None, date(1930, 1, 1), veteran=True), set(), ()),
        (Cadre("lixiu", deceased=True), set(), ()),
    ],
)
def test_every_row_of_the_entitlement_table(cadre: Cadre, rights: set[Right], reasons: tuple[Reason, ...]) -> None:
    decision = decide(cadre, ON, POLICY)
    assert decision.rights == rights
    assert decision.reasons == reasons
    assert decision.reason == (reasons[0] if reasons else None)
    assert decision.entitled == bool(rights)


def test_the_strongest_reason_gives_the_validity() -> None:
    lixiu = decide(Cadre("lixiu", date(1930, 1, 1)), ON, POLICY)
    assert (lixiu.valid_from, lixiu.valid_to) == (ON, date(2031, 11, 21))
    assert decide(Cadre("tuixiu", date(1930, 1, 1)), ON, POLICY).valid_to == date(2027, 11, 21)


def test_both_ends_belong_to_the_validity() -> None:
    decision = decide(Cadre("tuixiu", date(1930, 1, 1)), ON, POLICY)
    assert decision.valid_to is not None
    assert in_force(decision, ON)
    assert in_force(decision, decision.valid_to)
    assert not in_force(decision, ON - timedelta(days=1))
    assert not in_force(decision, decision.valid_to + timedelta(days=1))
    assert due_for_renewal(decision, decision.valid_to - timedelta(days=30), POLICY)
    assert not due_for_renewal(decision, decision.valid_to - timedelta(days=31), POLICY)


def test_a_grant_without_right_or_reason_is_refused() -> None:
    with pytest.raises(RuleViolation) as refused:
        grant([], (Reason.OTHER,), ON, POLICY)
    assert refused.value.reason == "greenchannel-empty"


def test_a_policy_that_gives_a_reason_no_rights_entitles_nobody_by_it() -> None:
    bare = replace(POLICY, lixiu_rights=(), age_rights=())
    assert not decide(Cadre("lixiu", date(1930, 1, 1)), ON, bare).entitled
    assert decide(Cadre("lixiu", date(1930, 1, 1), disabled=True), ON, bare).reasons == (Reason.DISABILITY,)


@pytest.mark.parametrize("decision", [Decision(frozenset(), (Reason.AGE,), ON), Decision(frozenset(Right), (), ON), NOT_ENTITLED])
def test_a_channel_without_right_or_reason_is_not_written(decision: Decision) -> None:
    with pytest.raises(Invalid) as refused:
        to_flag(Channel("p", decision))
    assert refused.value.issues[0].path == "Flag.code"


def test_leap_days() -> None:
    assert years_later(date(2028, 2, 29), 1) == date(2029, 3, 1)
    assert age(date(1928, 2, 29), date(2027, 2, 28)) == 98
    assert age(date(1928, 2, 29), date(2027, 3, 1)) == 99


HELD = decide(Cadre("lixiu"), ON, POLICY)


@pytest.mark.parametrize(
    ("patient", "deceased", "decision", "withdrawn", "on", "standing"),
    [
        (None, False, None, False, ON, Standing.UNKNOWN),
        ("p", True, HELD, False, ON, Standing.DECEASED),
        ("p", False, None, False, ON, Standing.NOT_ENTITLED),
        ("p", False, HELD, True, ON, Standing.WITHDRAWN),
        ("p", False, HELD, False, ON - timedelta(days=1), Standing.NOT_YET),
        ("p", False, HELD, False, date(2031, 11, 22), Standing.EXPIRED),
        ("p", False, HELD, False, date(2031, 11, 21), Standing.ENTITLED),
    ],
)
def test_each_standing_is_an_answer_of_its_own(
    patient: str | None, deceased: bool, decision: Decision | None, withdrawn: bool, on: date, standing: Standing
) -> None:
    told = answer(patient, deceased, decision, withdrawn, on)
    assert told.standing is standing
    assert told.entitled == (standing is Standing.ENTITLED)
    assert bool(told.rights) == told.entitled


channels = st.builds(
    lambda patient, rights, reasons, start, days, withdrawn, by: Channel(
        patient, Decision(rights, tuple(reasons), start, None if days is None else start + timedelta(days=days)), withdrawn, by
    ),
    st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True),
    st.frozensets(st.sampled_from(Right), min_size=1),
    st.lists(st.sampled_from(Reason), min_size=1, unique=True),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.none() | st.integers(0, 5000),
    st.booleans(),
    st.none() | st.just("dr-1"),
)


@given(channels)
def test_a_channel_survives_fhir(channel: Channel) -> None:
    flag = to_flag(channel)
    assert is_channel(flag)
    assert to_channel(flag) == channel


@given(
    st.builds(
        Use,
        st.just("p1"),
        st.sampled_from(Right),
        st.integers(0, 10**8).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)),
        st.sampled_from(["h1", "示范医院"]),
        st.booleans(),
        st.none() | st.integers(0, 600),
    )
)
def test_a_use_survives_fhir(use: Use) -> None:
    written = to_observation(use)
    assert is_use(written)
    assert to_use(written) == use


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"subject": {"reference": "Group/1"}}, "Flag.subject"),
        ({"period": {}}, "Flag.period.start"),
        ({"period": {"start": "2026"}}, "Flag.period.start"),
        ({"period": {"start": "2026-11-22", "end": "2026-11-21"}}, "Flag.period"),
        ({"extension": []}, "Flag.extension"),
        (
            {"extension": [{"url": "https://healthsvc.example/fhir/StructureDefinition/green-channel-reason", "valueCode": "rich"}]},
            "Flag.extension",
        ),
        ({"code": {"coding": [{"system": "https://healthsvc.example/fhir/CodeSystem/green-channel", "code": "pay-later"}]}}, "Flag.code"),
    ],
)
def test_a_flag_that_is_not_well_formed_is_refused_with_its_place(change: dict[str, object], path: str) -> None:
    flag = to_flag(Channel("p", HELD)) | change
    with pytest.raises(Invalid) as refused:
        to_channel(flag)
    assert refused.value.issues[0].path == path


def test_the_emergency_meaning_is_not_ours() -> None:
    assert not is_channel({"resourceType": "Flag", "code": {"coding": [{"system": "urn:his", "code": "绿色通道"}]}})


def test_a_birth_year_makes_nobody_older() -> None:
    assert birth_date({"birthDate": "1946"}) == date(1946, 12, 31)
    assert birth_date({"birthDate": "1946-05-01"}) == date(1946, 5, 1)
    assert birth_date({}) is None
