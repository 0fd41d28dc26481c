"""What happens to a record of a phone: the rules of merging, as properties."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from healthsvc.infusion.rules.bedside import TRANSITIONS, Act, Step
from healthsvc.pocket.drip import NEEDS_SERVER, offline, protocol
from healthsvc.pocket.facts import digest, of_json, to_json
from healthsvc.pocket.rules import Choice, Clash, Decision, Facts, Made, Verb, Way, choices, clashes, judge, unsent, way

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TOLERANCE = timedelta(minutes=5)
STATUSES = ("requested", "accepted", "in-progress", "on-hold", "completed", "cancelled", "failed", "entered-in-error")

moments = st.integers(-2000, 2000).map(lambda minutes: AT + timedelta(minutes=minutes))
steps = st.lists(st.sampled_from("abcde"), max_size=5).map(tuple)
facts = st.builds(
    Facts,
    status=st.sampled_from(STATUSES),
    reason=st.sampled_from(("", "admitted", "away", "deceased", "other")),
    day=st.none() | st.sampled_from((date(2026, 11, 23), date(2026, 11, 25))),
    staff=st.frozensets(st.sampled_from(("Practitioner/a", "Practitioner/b")), max_size=2),
    admitted=st.none() | moments,
    forms=st.dictionaries(st.sampled_from(("x", "y")), st.sampled_from(("1", "2")), max_size=2),
    steps=steps,
)
skews = st.integers(-600, 600).map(lambda seconds: timedelta(seconds=seconds))
made = st.builds(
    Made, start=st.none(), end=st.none() | moments, forms=st.frozensets(st.sampled_from(("x", "y"))), steps=steps, drip=st.booleans(),
    missed=st.booleans(), skew_then=skews, skew_now=skews,
)  # fmt: skip
decisions = st.none() | st.builds(Decision, choice=st.sampled_from(tuple(Choice)), seen=st.sampled_from(("now", "before")))


@given(facts, made)
def test_what_has_not_changed_is_stored_without_asking(then: Facts, one: Made) -> None:
    steady = Made(one.start, one.end, one.forms, (), one.drip, one.missed, one.skew_then, one.skew_then)
    verdict = judge(then, then, "now", steady, None, TOLERANCE)
    assert verdict.verb is Verb.STORE
    assert verdict.clashes == ()


@given(facts, facts, made)
def test_what_clashes_is_never_stored_without_a_decision(then: Facts, now: Facts, one: Made) -> None:
    found = clashes(then, now, one, TOLERANCE)
    assert (judge(then, now, "now", one, None, TOLERANCE).verb is Verb.ASK) == bool(found)


@given(facts, facts, made, decisions)
def test_a_decision_counts_only_for_the_state_on_which_it_was_made(then: Facts, now: Facts, one: Made, decision: Decision | None) -> None:
    verdict = judge(then, now, "now", one, decision, TOLERANCE)
    if decision is None:
        return
    if decision.choice is Choice.DESK:
        assert verdict.verb is Verb.DESK  # whatever has happened: the desk looks at both
    elif decision.seen != "now":
        assert verdict.verb is Verb.ASK
    elif decision.choice is Choice.MINE and verdict.verb is Verb.STORE:
        assert Choice.MINE in choices(clashes(then, now, one, TOLERANCE), now, one)
    elif decision.choice is Choice.THEIRS:
        assert verdict.verb is Verb.KEEP


@given(facts, facts, made)
def test_theirs_and_the_desk_are_always_open(then: Facts, now: Facts, one: Made) -> None:
    open_choices = choices(clashes(then, now, one, TOLERANCE), now, one)
    assert {Choice.THEIRS, Choice.DESK} <= set(open_choices)


@given(facts, facts, made)
def test_nobody_is_visited_at_home_after_the_admission(then: Facts, now: Facts, one: Made) -> None:
    found = clashes(then, now, one, TOLERANCE)
    late = now.admitted is not None and (one.end is None or one.end > now.admitted)
    if Clash.ADMITTED in found and late:
        assert Choice.MINE not in choices(found, now, one)


@given(facts, facts, made)
def test_two_logs_at_a_bed_are_never_mixed(then: Facts, now: Facts, one: Made) -> None:
    if Clash.STEPS in clashes(then, now, one, TOLERANCE):
        assert Choice.MINE not in choices((Clash.STEPS,), now, one)


@given(steps, steps, st.integers(0, 5))
def test_steps_that_arrived_before_are_known_again(base: tuple[str, ...], mine: tuple[str, ...], arrived: int) -> None:
    """However many of my steps were stored before the answer was lost, sending all of them again is no clash and leaves the rest."""
    there = min(arrived, len(mine))
    then, now = Facts("in-progress", steps=base), Facts("in-progress", steps=(*base, *mine[:there]))
    one = Made(drip=True, steps=mine)
    assert clashes(then, now, one, TOLERANCE) == ()
    assert unsent(mine, now.steps, base) == there


@given(facts)
def test_facts_come_back_from_the_phone_as_they_went(one: Facts) -> None:
    assert of_json(to_json(one)) == one
    assert digest(of_json(to_json(one))) == digest(one)


@given(facts)
def test_the_way_of_storing_is_a_step_that_the_visit_has(now: Facts) -> None:
    assert (way(now) is Way.BESIDE) == (now.status in ("completed", "failed", "entered-in-error"))
    assert (way(now) is Way.REOPEN) == (now.status == "cancelled")


def test_a_clock_within_the_tolerance_asks_nothing() -> None:
    then = Facts("accepted")
    assert clashes(then, then, Made(skew_then=timedelta(hours=5), skew_now=timedelta(hours=5, minutes=4)), TOLERANCE) == ()
    assert clashes(then, then, Made(skew_then=timedelta(0), skew_now=timedelta(minutes=6)), TOLERANCE) == (Clash.CLOCK,)


def test_another_hour_among_the_same_staff_is_no_clash_and_death_is_final() -> None:
    then = Facts("accepted", day=date(2026, 11, 23), staff=frozenset({"Practitioner/a"}))
    assert clashes(then, then, Made(), TOLERANCE) == ()
    moved = Facts("accepted", day=date(2026, 11, 23), staff=frozenset({"Practitioner/b"}))
    assert clashes(then, moved, Made(), TOLERANCE) == (Clash.MOVED,)
    dead = Facts("cancelled", "deceased")
    assert choices(clashes(then, dead, Made(), TOLERANCE), dead, Made()) == (Choice.THEIRS, Choice.DESK)


def test_no_way_to_a_running_drip_lies_without_network() -> None:
    """Walk every path of steps that may be recorded without network, from every step before the puncture: none reaches the drip."""
    before = {Step.PLANNED, Step.ARRIVED, Step.IDENTIFIED, Step.CLEARED, Step.MEASURED}
    reached, waiting = set(before), list(before)
    while waiting:
        step = waiting.pop()
        for act in offline(step):
            after = TRANSITIONS[step, act]
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    assert Step.RUNNING not in reached
    assert reached - before == {Step.REFUSED, Step.LEFT}


def test_whatever_runs_can_be_watched_ended_and_stopped_without_network() -> None:
    for step in (Step.RUNNING, Step.ENDED, Step.OBSERVED, Step.REACTING, Step.STOPPED, Step.ALARMED, Step.REFERRED, Step.REPORTED):
        assert set(offline(step)) == {act for act in Act if (step, act) in TRANSITIONS}
    assert set(NEEDS_SERVER) == {Act.CLEAR, Act.PUNCTURE}
    assert protocol()["running"] == {"check": "running", "end": "ended", "react": "reacting"}
