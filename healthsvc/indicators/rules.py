"""考核指标 The measures: each a pure function of the facts on a day, with the people counted and the people missing. Fulfilment first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from healthsvc.indicators.facts import Dose, Facts, Made
from healthsvc.visit.rules import Kind, Status


@dataclass(frozen=True, slots=True)
class IndicatorPolicy:
    """The parameters ``indicators.*``."""

    complete_from: int


class Group(StrEnum):
    """Whom a figure is about: 易地安置 cadres live here and are managed elsewhere; they are to be served alike."""

    ALL = "all"
    LOCAL = "local"
    RESETTLED = "resettled"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. Without a denominator it is a plain count; ``people`` are those counted, ``missing`` those who should have been."""

    code: str
    name_zh: str
    name_en: str
    numerator: int
    denominator: int | None
    people: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    group: Group = Group.ALL

    @property
    def rate(self) -> float | None:
        """Numerator by denominator; None for plain counts and where there is nothing to divide by."""
        return self.numerator / self.denominator if self.denominator else None


Measure = Callable[[Facts, IndicatorPolicy], Figure]


def figures(facts: Facts, policy: IndicatorPolicy) -> list[Figure]:
    """All measures for everybody, then those that compare local and resettled cadres."""
    found = [measure(facts, policy) for measure in MEASURES]
    for group in (Group.LOCAL, Group.RESETTLED):
        part = only(facts, group)
        found += [_of(measure(part, policy), group) for measure in COMPARED]
    return found


def only(facts: Facts, group: Group) -> Facts:
    """The facts about one group of people."""
    wanted = group is Group.RESETTLED
    members = tuple(one for one in facts.members if one.resettled is wanted)
    ids = {one.id for one in members}
    return Facts(
        on=facts.on,
        at=facts.at,
        quarter=facts.quarter,
        members=members,
        terms=tuple(one for one in facts.terms if one.person in ids),
        visits=tuple(one for one in facts.visits if one.visit.person in ids),
        stays=tuple(one for one in facts.stays if one.person in ids),
        doses=tuple(one for one in facts.doses if one.person in ids),
        rights=tuple(one for one in facts.rights if one.person in ids),
        uses=tuple(one for one in facts.uses if one.person in ids),
    )


def fulfilment(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """履约率: of the items promised whose time has come, how many were delivered (签而不约 shows here first)."""
    due = sum(one.due for one in facts.terms)
    behind = sorted({one.person for one in facts.terms if one.delivered < one.due})
    kept = sorted({one.person for one in facts.terms if one.due and one.delivered >= one.due})
    delivered = sum(min(one.delivered, one.due) for one in facts.terms)
    return Figure("fulfilment", "履约率", "Promised items delivered", delivered, due, tuple(kept), tuple(behind))


def signing(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """签约率: cadres with a contract in force."""
    signed = {one.person for one in facts.terms if one.start <= facts.on <= one.end}
    return _share("signing", "签约率", "Cadres under contract", (one.id for one in facts.members), signed)


def checkup_quarter(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """本季体检率: of those whose checkup falls into the quarter of the day, how many have been seen."""
    first, last = facts.quarter
    asked = [
        one for one in facts.visits if one.visit.kind == Kind.QUARTERLY_CHECKUP and first <= _opens(one, facts) <= last and _stands(one)
    ]
    seen = {one.visit.person for one in asked if one.done}
    return _share("checkup-quarter", "本季体检率", "Checkups made this quarter", (one.visit.person for one in asked), seen)


def timeliness(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """上门及时率: of the visits made, how many within their window."""
    made = [one for one in facts.visits if one.done]
    late = [one for one in made if one.done and one.done > one.visit.window.end]
    late_people = tuple(sorted({one.visit.person for one in late}))
    people = tuple(sorted({one.visit.person for one in made} - set(late_people)))
    return Figure("timeliness", "上门及时率", "Visits made in time", len(made) - len(late), len(made), people, late_people)


def overdue(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """逾期未访: visits whose window has closed without their having been made."""
    waiting = [one for one in facts.visits if one.done is None and one.visit.status in (Status.REQUESTED, Status.ACCEPTED)]
    late = [one for one in waiting if one.visit.window.end < facts.at]
    return _count("overdue", "逾期未访", "Overdue visits", (one.visit.person for one in late), len(late))


def open_beds(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """在床数: home beds on the day."""
    people = [one.person for one in facts.stays if one.start <= facts.on and (one.end is None or facts.on <= one.end)]
    return _count("home-beds", "家庭病床在床数", "Open home beds", people, len(people))


def bed_days(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """床日数: days of home beds in the quarter up to the day."""
    first, last = facts.quarter[0], min(facts.on, facts.quarter[1])
    spans = [(one.person, (min(one.end or last, last) - max(one.start, first)).days + 1) for one in facts.stays]
    counted = [(person, days) for person, days in spans if days > 0]
    return _count(
        "home-bed-days", "本季家庭病床床日", "Home-bed days this quarter", (person for person, _ in counted), sum(d for _, d in counted)
    )


def first_rounds(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """首次查床及时率: beds whose first round was made in time, of those whose time has come."""
    asked = [one for one in facts.stays if one.first_round_due and (one.first_round_made or one.first_round_due < facts.at)]
    made = {one.person for one in asked if one.first_round_made and one.first_round_due and one.first_round_made <= one.first_round_due}
    return _share("first-round", "首次查床及时率", "First rounds within 24 hours", (one.person for one in asked), made)


def infusions(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """上门输液人次: infusions of the quarter up to the day."""
    doses = _this_quarter(facts)
    return _count("infusions", "本季上门输液人次", "Infusions at home this quarter", (one.person for one in doses), len(doses))


def reactions(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """输液反应: infusions with a reaction, of all in the quarter."""
    doses = _this_quarter(facts)
    bad = [one for one in doses if one.reaction]
    return Figure("infusion-reactions", "输液反应", "Infusion reactions", len(bad), len(doses), tuple(sorted({one.person for one in bad})))


def green_channels(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """绿色通道开通率: 离休 cadres with a green channel in force."""
    held = {one.person for one in facts.rights if one.start <= facts.on and (one.end is None or facts.on <= one.end)}
    entitled = [one.id for one in facts.members if one.category == "lixiu"]
    return _share("green-channel", "离休干部绿色通道开通率", "Lixiu cadres with a green channel", entitled, held)


def green_channel_holders(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """绿色通道人数: everybody with a green channel in force."""
    held = [one.person for one in facts.rights if one.start <= facts.on and (one.end is None or facts.on <= one.end)]
    return _count("green-channel-holders", "绿色通道在用人数", "People with a green channel", held, len(set(held)))


def honour(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """绿色通道兑现率: of the uses of the quarter, how many were honoured; missing are those who were turned away at least once."""
    asked = [one for one in facts.uses if facts.quarter[0] <= one.on <= min(facts.on, facts.quarter[1])]
    kept = [one for one in asked if one.honoured]
    turned_away = {one.person for one in asked if not one.honoured}
    people = sorted({one.person for one in kept} - turned_away)
    return Figure(
        "green-channel-honour",
        "本季绿色通道兑现率",
        "Priorities honoured this quarter",
        len(kept),
        len(asked),
        tuple(people),
        tuple(sorted(turned_away)),
    )


def completeness(facts: Facts, policy: IndicatorPolicy) -> Figure:
    """档案完整率: files that reach the score that counts as complete."""
    whole = {one.id for one in facts.members if one.completeness >= policy.complete_from}
    return _share("completeness", "档案完整率", "Complete files", (one.id for one in facts.members), whole)


MEASURES: tuple[Measure, ...] = (
    fulfilment,
    signing,
    checkup_quarter,
    timeliness,
    overdue,
    open_beds,
    bed_days,
    first_rounds,
    infusions,
    reactions,
    green_channels,
    green_channel_holders,
    honour,
    completeness,
)
COMPARED: tuple[Measure, ...] = (fulfilment, signing, checkup_quarter, timeliness, green_channels, honour)


def _share(code: str, name_zh: str, name_en: str, asked: Iterable[str], met: set[str]) -> Figure:
    people = sorted(set(asked))
    counted = tuple(one for one in people if one in met)
    return Figure(code, name_zh, name_en, len(counted), len(people), counted, tuple(one for one in people if one not in met))


def _count(code: str, name_zh: str, name_en: str, people: Iterable[str], number: int) -> Figure:
    return Figure(code, name_zh, name_en, number, None, tuple(sorted(set(people))))


def _of(figure: Figure, group: Group) -> Figure:
    return Figure(figure.code, figure.name_zh, figure.name_en, figure.numerator, figure.denominator, figure.people, figure.missing, group)


def _this_quarter(facts: Facts) -> list[Dose]:
    return [one for one in facts.doses if facts.quarter[0] <= one.on <= min(facts.on, facts.quarter[1])]


def _opens(made: Made, facts: Facts) -> date:
    return made.visit.window.start.astimezone(facts.at.tzinfo).date()


def _stands(made: Made) -> bool:
    """A visit that was called off or entered in error was not asked for."""
    return made.visit.status not in (Status.CANCELLED, Status.ENTERED_IN_ERROR, Status.DRAFT)
