"""How the circle's answers are said, Chinese first: an estimate never without its mark."""

from typing import Final

from healthsvc.circle.rules import Basis, Doubt, Mode, Verdict

VERDICT_NAMES: Final[dict[Verdict, tuple[str, str]]] = {
    Verdict.INSIDE: ("圈内", "inside"),
    Verdict.OUTSIDE: ("圈外", "outside"),
    Verdict.ESTIMATED_INSIDE: (
        "可能在圈内（按直线距离估算，未经路网核实）",
        "probably inside (estimated from the straight distance, not from roads)",
    ),
    Verdict.ESTIMATED_OUTSIDE: (
        "可能在圈外（按直线距离估算，未经路网核实）",
        "probably outside (estimated from the straight distance, not from roads)",
    ),
    Verdict.ASK: ("需人工核实", "a person has to look"),
}
BASIS_NAMES: Final[dict[Basis, tuple[str, str]]] = {
    Basis.ROAD: ("路网", "by road"),
    Basis.ESTIMATE: ("估算", "estimate"),
    Basis.NO_PATH: ("路网不通", "no path in the road data"),
}
DOUBT_NAMES: Final[dict[Doubt, tuple[str, str]]] = {
    Doubt.ESTIMATED: ("估算值", "estimated"),
    Doubt.NO_PATH: ("路网数据中无可通行路线", "the road data know no way from any station"),
    Doubt.NO_PATH_TO_NEARER: (
        "更近的站点在路网数据中不通，可能缺桥或缺路",
        "a nearer station has no path: a bridge or lane may be missing in the data",
    ),
    Doubt.SNAPPED_FAR: ("地址离最近道路过远", "the address is far from every usable road"),
    Doubt.OUTSIDE_DATA: ("地址在路网数据范围之外", "the address lies outside the road data"),
}
MODE_NAMES: Final[dict[Mode, tuple[str, str]]] = {
    Mode.WALK: ("步行", "on foot"),
    Mode.EBIKE: ("电动自行车", "by e-bike"),
    Mode.DRIVE: ("汽车", "by car"),
}
