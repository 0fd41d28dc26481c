"""考核指标 The measures: each a pure function of the facts on a day that gives an item for everything it looked at. Fulfilment first."""

from collections.abc import Iterator
from datetime import date, datetime

from healthsvc.indicators.facts import Called, Facts
from healthsvc.indicators.figure import Figure, IndicatorPolicy, Item, Measure, left_out
from healthsvc.visit.rules import Kind, Status, is_late

_VOID = (Status.DRAFT, Status.ENTERED_IN_ERROR)
_PENDING = (Status.REQUESTED, Status.ACCEPTED, Status.COMPLETED)
"""Waiting on the day; a visit that is completed by now but was not by then waited too."""


def figures(facts: Facts, policy: IndicatorPolicy) -> list[Figure]:
    """All measures for everybody."""
    ours = facts.settled()
    return [Figure(one, tuple(one.items(ours, policy)), facts.on, facts.period) for one in MEASURES]


def fulfilment(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """签而不约 shows here first: each service for itself, more of one never makes up for less of another."""
    for term in facts.terms:
        for one in term.promises:
            ref = f"{term.ref}#{one.service}"
            yield Item(term.person, ref, min(one.delivered, one.due), one.due) if one.due else left_out(term.person, ref, "not-due")


def signing(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Cadres with a contract in force on the day."""
    signed = {one.person for one in facts.terms if one.start <= facts.on <= one.end}
    yield from (Item(one.id, f"Patient/{one.id}", one.id in signed) for one in facts.members if one.counted)


def checkup_quarter(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Checkups whose window opens in the period."""
    for one in facts.visits:
        if one.kind == Kind.QUARTERLY_CHECKUP and one.status not in _VOID and facts.in_period(_day(one.opens, facts)):
            yield _counted(one, bool(one.done))


def timeliness(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Visits that were made or whose window closed in the period."""
    yield from (_counted(one, one.in_time) for one in _settled(facts))


def overdue(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Visits whose window has closed without their having been made."""
    for one in facts.visits:
        if one.done is None and one.status in _PENDING and is_late(one.due, facts.at):
            yield Item(one.person, one.ref, 1)


def referral_follow_up(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Follow-up visits that a referral asked for."""
    for one in _settled(facts):
        if one.kind == Kind.FOLLOW_UP and any(source.startswith("ServiceRequest/") for source in one.sources):
            yield _counted(one, one.in_time)


def open_beds(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Home beds on the day."""
    for one in facts.stays:
        if one.start <= facts.on and (one.end is None or facts.on <= one.end):
            yield Item(one.person, one.ref, 1)


def bed_days(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Days of home beds in the period; first and last day count."""
    first, last = facts.period
    for one in facts.stays:
        days = (min(one.end or last, last) - max(one.start, first)).days + 1
        if days > 0:
            yield Item(one.person, one.ref, days, days)


def first_rounds(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Beds of the period whose first round was made or was due."""
    for one in facts.stays:
        if one.first_round_due is None or not facts.in_period(one.start):
            continue
        if one.first_round_made or one.first_round_due < facts.at:
            yield Item(one.person, one.ref, one.first_round_made is not None and one.first_round_made <= one.first_round_due)
        else:
            yield left_out(one.person, one.ref, "not-due")


def infusions(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Infusions of the period."""
    yield from (Item(one.person, one.ref, 1) for one in facts.doses if facts.in_period(one.on))


def reactions(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Infusions of the period with a reaction."""
    yield from (Item(one.person, one.ref, one.reaction) for one in facts.doses if facts.in_period(one.on))


def green_channels(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """离休 cadres with a green channel in force."""
    held = {one.person for one in facts.rights if one.start <= facts.on and (one.end is None or facts.on <= one.end)}
    for one in facts.members:
        if one.counted and one.category == "lixiu":
            yield Item(one.id, f"Patient/{one.id}", one.id in held)


def green_channel_holders(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Everybody with a green channel in force."""
    counted = {one.id for one in facts.members if one.counted}
    for one in facts.rights:
        if one.start <= facts.on and (one.end is None or facts.on <= one.end) and one.person in counted:
            yield Item(one.person, one.ref, 1)


def honour(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Uses of a right in the period; one that cannot be judged is left out, with the reason."""
    for one in facts.uses:
        if facts.in_period(one.on):
            if one.honoured is None:
                yield left_out(one.person, one.ref, one.why or "not-judged")
            else:
                yield Item(one.person, one.ref, one.honoured, note="" if one.honoured else one.why)


def completeness(facts: Facts, policy: IndicatorPolicy) -> Iterator[Item]:
    """Files that reach the score that counts as complete."""
    for one in facts.members:
        if one.counted:
            yield Item(one.id, f"Patient/{one.id}", one.completeness >= policy.complete_from)


def _settled(facts: Facts) -> Iterator[Called]:
    """Visits that count in the period: made, or their window closed, by the end of the day; each counts in one period only."""
    for one in facts.visits:
        if one.status not in _VOID and one.settled <= facts.at and facts.in_period(_day(one.settled, facts)):
            yield one


def _counted(one: Called, met: bool) -> Item:
    """A visit that was called off, or is suspended because the person is in hospital or away, is left out with its reason."""
    if not met and one.status in (Status.CANCELLED, Status.ON_HOLD):
        return left_out(one.person, one.ref, one.reason or one.status.value)
    return Item(one.person, one.ref, met)


def _day(at: datetime, facts: Facts) -> date:
    return at.astimezone(facts.at.tzinfo).date()


MEASURES: tuple[Measure, ...] = (
    Measure("fulfilment", "履约率", "Promised items delivered",
            "当日有效协议中各服务项目到期应履行次数为分母，已履行次数为分子；各项分别计算，不互相抵补；尚未派单的承诺按协议期逐步到期；尚无到期项目的不计。",
            "Of the items of contracts in force whose time has come, those delivered; each service for itself; what was"
            " promised and never asked for is due by and by over the term; services with nothing due yet are left out.",
            "3", fulfilment, "次", compared=True),
    Measure("signing", "签约率", "Cadres under contract",
            "当日在世且档案有效的离退休干部为分母，其中有有效签约协议的为分子。",
            "Of the living cadres with an active file, those with a contract in force on the day.", "1", signing, compared=True),
    Measure("checkup-quarter", "本季体检率", "Checkups made this quarter",
            "体检窗口在期内开始的季度体检为分母，截至当日已完成的为分子；因住院、外出、去世等中止或取消的不计。",
            "Of the quarterly checkups whose window opens in the period, those made by the day; suspended or cancelled ones are left out.",
            "2", checkup_quarter, compared=True),
    Measure("timeliness", "上门及时率", "Visits made in time",
            "期内完成或期内到期的上门服务为分母（每次只在先到的一期计一次），窗口期内完成的为分子；中止或取消的不计。",
            "Of the visits made, or whose window closed, in the period (whichever came first), those made within their window; suspended or"
            " cancelled ones are left out.", "2", timeliness, "次", compared=True),
    Measure("overdue", "逾期未访", "Overdue visits",
            "窗口期已过而截至当日未完成的上门服务次数。", "Visits whose window has closed without their having been made by the day.", "1",
            overdue, "次", rate=False),
    Measure("referral-follow-up", "转诊随访率", "Referrals followed up in time",
            "期内完成或到期的转诊随访为分母，规定天数内完成的为分子；取消的不计。",
            "Of the follow-up visits of referrals made or due in the period, those made within the days of the policy.", "1",
            referral_follow_up, "次", parameters=("referral.follow_up_days",), compared=True),
    Measure("home-beds", "家庭病床在床数", "Open home beds", "当日在床的家庭病床数。", "Home beds on the day.", "1", open_beds, "张",
            rate=False),
    Measure("home-bed-days", "本季家庭病床床日", "Home-bed days this quarter",
            "期内每张家庭病床的在床天数之和，首日、末日均计。", "Days of home beds in the period; first and last day count.", "1", bed_days,
            "床日", rate=False),
    Measure("first-round", "首次查床及时率", "First rounds in time",
            "期内建床、首次查床已完成或已到期的为分母，按时完成的为分子。",
            "Of the beds established in the period whose first round was made or due, those with a first round in time.", "2", first_rounds,
            "张", parameters=("homebed.first_round_hours",)),
    Measure("infusions", "本季上门输液人次", "Infusions at home this quarter", "期内已开始的上门输液次数。",
            "Infusions that began in the period.", "1", infusions, "次", rate=False),
    Measure("infusion-reactions", "输液反应", "Infusion reactions", "期内上门输液为分母，发生反应的为分子。",
            "Of the infusions of the period, those with a reaction.", "1", reactions, "次", good=False),
    Measure("green-channel", "离休干部绿色通道开通率", "Lixiu cadres with a green channel",
            "当日在世且档案有效的离休干部为分母，绿色通道有效的为分子。",
            "Of the living lixiu cadres with an active file, those with a green channel in force.", "1", green_channels, compared=True),
    Measure("green-channel-holders", "绿色通道在用人数", "People with a green channel", "当日绿色通道有效的人数。",
            "Living cadres with a green channel in force on the day.", "1", green_channel_holders, rate=False),
    Measure("green-channel-honour", "本季绿色通道兑现率", "Priorities honoured this quarter",
            "期内绿色通道使用为分母，兑现的为分子：以窗口记录为准；否则等候不长于同院同期其他患者中位数（人数不足时不超约定时限）；无法判断的不计。",
            "Of the uses of a right in the period, those honoured: by the window's word, else if the wait was no longer than the median of"
            " the others at that hospital (too few others: within the agreed time); what cannot be judged is left out.", "3", honour,
            "次", parameters=("greenchannel.compare_from", "greenchannel.target_minutes"), compared=True),
    Measure("completeness", "档案完整率", "Complete files",
            "当日在世且档案有效的离退休干部为分母，档案完整度达到规定分值的为分子。",
            "Of the living cadres with an active file, those whose file reaches the score of the policy.", "1", completeness,
            parameters=("indicators.complete_from", "healthfile.completeness_weights"), compared=True),
)  # fmt: skip
"""All measures, in the order in which they are shown."""
BY_CODE = {one.code: one for one in MEASURES}
