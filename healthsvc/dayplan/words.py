"""The planner's reasons in words: why a visit was left over, why this person comes."""

LEFT_OVER: dict[str, tuple[str, str]] = {
    "no-position": ("居住地址没有坐标，无法排路线", "the home has no position on the map; locate the address"),
    "no-path": ("地图上没有从任何服务站到家的道路", "the road data know no way from any station to the home; check the position"),
    "in-hospital": ("正在住院，出院后恢复上门", "the person is in hospital; visits go on after the discharge"),
    "appointment": (
        "当天去医院就诊；改约就诊时间即可安排",
        "the person is at a hospital then; without the appointment it would fit",
    ),
    "ring": (
        "圈内站点无人有空；允许圈外站点上门即可安排",
        "nobody from within the ten-minute circle is free; from further away somebody is",
    ),
    "closed": (
        "规定时段已过，不能改到别的时间；由医生决定是否补做",
        "its window has closed and it may not be made at another time; a doctor decides",
    ),
    "no-staff": ("当天没有人员值班", "nobody is on duty on that day"),
    "no-time": ("当天剩余时间不在可上门时段内", "nothing is left of the time of day in which the visit may begin"),
    "capacity": ("当天更紧要的服务已占满全部人力", "more pressing visits already take all the time of those who could come"),
    "too-many-staff": (
        "需要的人数多于当天在班人数；增加值班人员即可安排",
        "it needs more people than are on duty; with more on duty it would fit",
    ),
    "window": ("规定时段内没有空档；放宽时段即可安排", "nobody is free within its window; a wider window would let it in"),
    "after": ("与前一次服务的最短间隔不够", "the least gap to the visit before cannot be kept"),
    "shift": ("班次时间不够；延长班次即可安排", "the shifts are too short; two hours more would let it in"),
    "break": ("被午休占用；取消午休即可安排", "the midday break is in the way"),
    "staff": ("人手不足；增加一名同类人员即可安排", "everybody is taken; one more person with the same skills would let it in"),
    "together": ("同行人员无法同时到达", "those who come together cannot be there at the same time"),
    "barred": ("唯一有空的人员被列为不宜上门", "the only ones who are free must not come to this person"),
    "skill": ("当天没有具备所需资质的人员有空", "nobody with the qualification that it needs is free"),
    "priority": ("可以安排，但会挤占更紧要的工作", "there is a place, but it would cost more than leaving the visit for another day"),
    "search": (
        "有空档，但计算时间内未能排入；延长计算时间重排即可",
        "there is a place, but the search ended first; plan again with more seconds",
    ),
    "by-hand": ("由调度员移出", "taken out by hand"),
    "unfit": ("同时放宽两三项限制仍无法安排", "not even two or three relaxed constraints together would let it in"),
}

ONE_MORE = ("再增加一人", "one more person")
"""Who would come that nobody has on duty yet."""

WHY: dict[str, tuple[str, str]] = {
    "owner": ("责任医生或护士", "responsible doctor or nurse"),
    "team": ("团队成员或上次上门人员", "of the care team, or came last"),
    "only-skill": ("当天唯一具备资质", "the only one on duty with the qualification"),
    "near": ("距离最近的空闲人员", "the nearest who is free"),
    "pinned": ("已确认的预约", "already confirmed"),
}

TIME: dict[str, tuple[str, str]] = {
    "opens": ("可上门时段此时开始", "its window opens then"),
    "arrives": ("前一站结束后此时到达", "that is when they arrive from the stop before"),
    "partner": ("与同行人员会合", "that is when the other person can be there"),
    "gap": ("与前一次服务须间隔", "the gap to the visit before"),
    "pinned": ("此时间已确认", "the time is confirmed"),
    "waits": ("已告知的时间，或为减少等待而晚出发", "the time that was announced, or a later start that saves waiting"),
}


GIVEN_UP: dict[str, tuple[str, str]] = {
    "appointment": ("改约就诊时间", "without the appointment"),
    "window": ("放宽时段", "a wider window"),
    "after": ("缩短与前一次服务的间隔", "a shorter gap to the visit before"),
    "shift": ("延长班次", "two hours more of the shifts"),
    "break": ("取消午休", "without the midday break"),
    "staff": ("增加一名同类人员", "one more person with the same skills"),
    "together": ("同行人员分开到达", "those who come together arriving one by one"),
    "barred": ("不宜上门的人员上门", "somebody who must not come to this person"),
    "ring": ("圈外站点上门", "somebody from outside the ten-minute circle"),
    "skill": ("无该资质的人员上门", "somebody without the qualification"),
}
"""What giving a constraint up means, where none alone is enough."""


def left_over(codes: tuple[str, ...]) -> tuple[str, str]:
    """The constraints that keep a visit out, in Chinese and English; of several, that only all of them together let it in."""
    if len(codes) == 1:
        return LEFT_OVER[codes[0]]
    known = [GIVEN_UP[code] for code in codes]
    return "须同时：" + "；".join(zh for zh, _ in known), "fits only with all of these: " + "; ".join(en for _, en in known)


def as_routed(codes: tuple[str, ...]) -> tuple[str, str]:
    """The same of a visit for which only the routes as they are were asked, as the list of a plan does."""
    if codes == ("search",):
        return LEFT_OVER["search"]
    zh, en = left_over(codes)
    if codes == ("unfit",):
        zh, en = "同时放宽两项限制仍无法安排", "not even two relaxed constraints together would let it in"
    return f"按现有路线，{zh}", f"with the routes as they are, {en}"


def as_proved(codes: tuple[str, ...]) -> tuple[str, str]:
    """The same of a visit for which all routes were searched again."""
    zh, en = left_over(codes)
    return f"全部路线重排后，{zh}", f"with all routes searched again, {en}"


ROUTED: frozenset[str] = frozenset({*GIVEN_UP, "search", "priority", "unfit"})
"""Codes of reasons that hold for the routes as they are."""


def why_both(listed: tuple[str, ...], proved: tuple[str, ...]) -> tuple[str, str]:
    """Why the plan's list and the proof may name different reasons and both be right; nothing where they are the same."""
    if listed == ("capacity",):
        return (
            "两种说法都成立：当天的工时已满，清单没有再为它找位置；这里按路线算过，放宽所说的限制就排得下。",
            "Both are true: the day's hours were full, so the list looked for no place; here routes were searched and say what would help.",
        )
    if listed == proved or not listed or not ROUTED.issuperset(listed):
        return "", ""
    if proved == ("search",):
        return (
            "两种说法都成立：清单不动别人的路线；全部重排后排得下，重排当天即可。",
            "Both are true: the list leaves everybody's route as it is; with all of them searched again it fits, so plan the day again.",
        )
    return (
        "两种说法都成立：清单不动别人的路线；这里允许全部重排，所以要放宽的不一样。",
        "Both are true: the list leaves everybody's route as it is; here all of them may change, so what has to give way is another.",
    )


CONFLICTS: dict[str, tuple[str, str]] = {
    "skill": ("没有所需资质", "lacks the qualification"),
    "barred": ("不宜上门此人", "must not come to this person"),
    "ring": ("站点在十分钟圈外", "comes from outside the ten-minute circle"),
    "two-people": ("须由规定人数的不同人员同去", "as many different people are needed as the visit asks for"),
    "apart": ("同行人员到达时间不符合要求", "those who come together do not begin as they have to"),
    "gap": ("与前一次服务间隔不足", "too soon after the visit before"),
    "pinned": ("已确认，不能移动；先取消确认", "is confirmed and cannot move; free it first"),
    "no-way": ("没有道路可达", "there is no way there"),
    "circle": ("时间互相等待，无法实现", "people wait for each other; this cannot be done"),
    "late": ("晚于规定时段", "begins after its window"),
    "after-window": ("晚于服务窗口期", "is after the visit's window has closed"),
    "overtime": ("超出班次", "comes back after the shift"),
    "before-shift": ("须在上班前出发", "has to leave before the shift begins"),
    "break": ("没有午休", "has no break"),
    "off-duty": ("当天不在班", "is not on duty on that day"),
}


def conflict(code: str, minutes: float) -> tuple[str, str]:
    """A broken rule in Chinese and English, with the minutes by which it is broken where they say something."""
    zh, en = CONFLICTS[code]
    if code in {"late", "overtime", "before-shift", "gap"}:
        return f"{zh} {minutes:.0f} 分钟", f"{en} ({minutes:.0f} min)"
    return zh, en


LATE: dict[str, tuple[str, str]] = {
    "partner": ("同行人员可能晚到", "the others who come may be late"),
    "after": ("前一次服务可能推迟，须保持间隔", "the visit before may be late, and the gap to it must be kept"),
    "plan": ("现在出发已来不及", "it is too late to be there in time"),
    "carried": ("前面各站的延误累积至此", "delays at the stops before add up"),
    "work": ("前一次上门可能超时", "the visit before may take longer"),
    "way": ("路上可能更久", "the way there may take longer"),
    "estimate": ("路程只是估算，可能更久", "the way there is only an estimate and may take longer"),
}


def late(code: str, reserve: float) -> tuple[str, str]:
    """What makes a visit late most of all, with the minutes to spare on the way there."""
    zh, en = LATE[code]
    spare = max(0, int(reserve))
    return f"{zh}；途中留有余量 {spare} 分钟", f"{en}; {spare} min to spare on the way"
