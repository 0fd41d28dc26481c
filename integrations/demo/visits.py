"""Make some of the planned visits, with findings as a nurse or doctor would write them; a few are abnormal, so that something follows."""

from decimal import Decimal
from random import Random
from typing import Final

from healthsvc.checkup.service import complete
from healthsvc.dayplan.day import DayPlan
from healthsvc.installation import Installation
from healthsvc.visit.findings import Findings, Pressure
from healthsvc.visit.rules import Kind
from healthsvc.visit.service import open_visits
from integrations.demo import story

MADE: Final = 24
_ABNORMAL_EVERY: Final = 8


def make_some(here: Installation, plan: DayPlan, told: story.Told, step: story.Step) -> None:
    """Make the rounds and the first checkups of a day's plan, each at the time at which it was planned to end."""
    stops = sorted(((route.staff, stop) for route in plan.routes for stop in route.stops), key=lambda pair: pair[1].end)
    rounds = [pair for pair in stops if pair[1].kind == Kind.HOME_BED_ROUND]
    chosen = [*rounds, *[pair for pair in stops if pair[1].kind == Kind.QUARTERLY_CHECKUP][:MADE]]
    chance = Random(story.SEED)  # noqa: S311 - a demonstration, not a secret
    followed = 0
    for made, (staff, stop) in enumerate(chosen, 1):
        high = made % _ABNORMAL_EVERY == 0
        findings = Findings(
            start=stop.start,
            end=stop.end,
            bp_left=Pressure(chance.randrange(182, 192) if high else chance.randrange(118, 148), chance.randrange(70, 88)),
            bp_right=Pressure(chance.randrange(182, 192) if high else chance.randrange(118, 148), chance.randrange(70, 88)),
            pulse=chance.randrange(62, 84),
            temperature=Decimal(chance.randrange(361, 369)) / 10,
            weight=Decimal(chance.randrange(480, 760)) / 10,
            advice="低盐饮食，按时服药，注意防跌倒。",
        )
        with here.database.writing(story.DEMO, at=stop.end) as store:
            before = len(open_visits(store, stop.person, Kind.FOLLOW_UP))
            complete(store, stop.task, findings, f"Practitioner/{staff.removeprefix('Practitioner/')}")
            followed += len(open_visits(store, stop.person, Kind.FOLLOW_UP)) - before
        step(made, len(chosen))
    made_checkups = len(chosen) - len(rounds)
    what = f"{len(rounds)} rounds and {made_checkups} checkups with their findings"
    told.say("完成上门 visits made", f"{what}; {followed} follow-ups asked for by the rules")
