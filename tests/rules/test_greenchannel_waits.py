"""Honoured or not, by hand and by property: the window's word, the others' median, the target; medians, percentiles and small groups."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.greenchannel.honour import to_observation, to_use, use_id
from healthsvc.greenchannel.rules import Cadre, Decision, GreenChannelPolicy, Reason, ReviewReason, Right, months_between, review
from healthsvc.greenchannel.waits import Told, Use, WaitPolicy, judge, percentile, waits
from healthsvc.policy import load

ON = date(2026, 11, 22)
LATER = date(2027, 1, 1)
AT = datetime(2026, 11, 20, 2, tzinfo=UTC)
POLICY = load(Path("absent")).fill(WaitPolicy, "greenchannel", ON)
CHANNELS = load(Path("absent")).fill(GreenChannelPolicy, "greenchannel", ON)


def wait(minutes: int | None, *, entitled: bool = True, hospital: str = "h1", honoured: bool | None = None, why: str = "") -> Use:
    told = Told.WINDOW if honoured is not None else Told.EVENTS
    return Use("p", Right.CONSULTATION, AT, hospital, honoured, minutes, told, entitled, why=why)


OTHERS = [wait(minutes, entitled=False) for minutes in (10, 20, 30, 40, 90)]


@pytest.mark.parametrize(
    ("use", "others", "honoured", "why"),
    [
        (wait(90, honoured=True), OTHERS, True, ""),
        (wait(5, honoured=False, why="refused"), OTHERS, False, "refused"),
        (wait(5, honoured=False), OTHERS, False, "window"),
        (wait(30), OTHERS, True, ""),
        (wait(31), OTHERS, False, "longer-than-others"),
        (wait(30), OTHERS[:4], True, ""),
        (wait(31), OTHERS[:4], False, "over-target"),
        (wait(31, hospital="h2"), OTHERS, False, "over-target"),
        (wait(None), OTHERS, None, "no-clock"),
    ],
)
def test_every_way_to_judge(use: Use, others: list[Use], honoured: bool | None, why: str) -> None:
    (one,) = judge([use, *others], POLICY)
    assert (one.honoured, one.why) == (honoured, why)


def test_without_a_target_and_without_others_nothing_is_judged() -> None:
    (one,) = judge([wait(3)], WaitPolicy(5, {}))
    assert (one.honoured, one.why) == (None, "no-comparison")


def test_waits_side_by_side_and_small_groups_are_not_shown() -> None:
    mine = [wait(minutes) for minutes in (5, 7, 9)]
    (found,) = waits([*mine, *OTHERS], POLICY)
    assert (found.entitled, found.median, found.p90) == (3, None, None)
    assert (found.others, found.others_median, found.others_p90) == (5, 30.0, 90.0)
    (found,) = waits([*mine, *mine, *OTHERS], POLICY)
    assert (found.entitled, found.median, found.p90) == (6, 7.0, 9.0)


@pytest.mark.parametrize(("values", "share", "expected"), [([1], 0.9, 1), (list(range(1, 11)), 0.9, 9), ([3, 1, 2], 0.5, 2)])
def test_percentiles_by_nearest_rank(values: list[int], share: float, expected: int) -> None:
    assert percentile(values, share) == expected


USES = st.builds(
    Use,
    st.sampled_from("abc"),
    st.sampled_from(Right),
    st.just(AT),
    st.sampled_from(["h1", "h2"]),
    st.none(),
    st.none() | st.integers(0, 200),
    st.just(Told.EVENTS),
    st.booleans(),
    st.none() | st.sampled_from(["v1", "v2"]),
)


@given(st.lists(USES, max_size=20))
def test_each_entitled_use_is_judged_once_and_order_does_not_matter(uses: list[Use]) -> None:
    found = judge(uses, POLICY)
    assert [one.use for one in found] == [one for one in uses if one.entitled]
    backwards = judge(uses[::-1], POLICY)
    assert {(id(one.use), one.honoured, one.why) for one in found} == {(id(one.use), one.honoured, one.why) for one in backwards}
    assert all((one.why == "") == (one.honoured is True) for one in found)


@given(USES)
def test_a_use_survives_fhir(use: Use) -> None:
    observation = to_observation(use)
    assert to_use(observation) == use
    assert validate(observation, Registry.load()) == []


def test_the_window_s_word_survives_fhir_and_a_visit_counts_once() -> None:
    use = wait(5, honoured=False, why="busy")
    assert to_use(to_observation(use)) == use
    first = Use("p", Right.DISPENSING, AT, "h1", None, 5, Told.EVENTS, encounter="v1")
    again = Use("p", Right.DISPENSING, AT.replace(hour=5), "h1", None, 9, Told.EVENTS, encounter="v1")
    assert use_id(first) == use_id(again)
    with pytest.raises(Invalid):
        to_use({**to_observation(use), "valueBoolean": None} | {"code": {}})


@pytest.mark.parametrize(
    ("decision", "by_hand", "cadre", "expected"),
    [
        (Decision(frozenset(Right), (Reason.LIXIU,), date(2024, 1, 1), date(2028, 12, 31)), False, Cadre("lixiu"), None),
        (Decision(frozenset(Right), (Reason.LIXIU,), date(2024, 1, 1), date(2026, 11, 21)), False, Cadre("lixiu"), ReviewReason.ENDED),
        (Decision(frozenset(Right), (Reason.LIXIU,), date(2024, 1, 1), date(2026, 12, 1)), False, Cadre("lixiu"), ReviewReason.ENDS_SOON),
        (Decision(frozenset(Right), (Reason.LIXIU,), date(2024, 1, 1), date(2028, 1, 1)), False, Cadre("tuixiu"), ReviewReason.NO_LONGER),
        (
            Decision(frozenset(Right), (Reason.OTHER,), date(2025, 11, 22), date(2027, 1, 1)),
            True,
            Cadre(None),
            ReviewReason.APPROVED_LONG_AGO,
        ),
        (Decision(frozenset(Right), (Reason.OTHER,), date(2025, 11, 23), date(2027, 1, 1)), True, Cadre(None), None),
    ],
)
def test_what_is_to_be_looked_at(decision: Decision, by_hand: bool, cadre: Cadre, expected: ReviewReason | None) -> None:
    assert review(decision, by_hand, cadre, ON, CHANNELS) is expected


def test_months_between() -> None:
    assert months_between(date(2025, 11, 23), date(2026, 11, 22)) == 11
    assert months_between(date(2025, 11, 22), date(2026, 11, 22)) == 12
