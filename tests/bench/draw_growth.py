"""Draw the growth curves from what `tests.bench growth --into FILE` has kept: `python tests/bench/draw_growth.py FILE OUT.svg`.

Both axes are logarithmic: a straight line upwards grows like a power of the size, a level one does not grow.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

FONTS = "Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, sans-serif"
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 1000, 480, 78, 56, 400, 60
LABELS = {
    "person by citizen id": "按身份证号找人 person by number",
    "people by name": "按姓名找人 people by name",
    "people of a community": "一个社区的人 people of a community",
    "a person's trend": "一人的血压趋势 a person's trend",
    "a person's whole file": "一人的全部档案 whole file ($everything)",
    "day board: a doctor's open tasks": "一名医生一月内的待办 a doctor's open tasks",
    "day board: all open tasks, first page": "全部待办的首页 all open tasks, first page",
    "county officer: people by name": "区县人员按姓名找人 county officer: by name",
    "county officer: open tasks, first page": "区县待办的首页 county officer: open tasks",
    "hospital window": "医院窗口问优先 hospital window",
}
"""What each question of the bench is called on the picture."""
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#16a085", "#7f8c8d", "#34495e", "#a04000", "#5d6d7e", "#b03a79")


def svg(rows: list[dict[str, Any]]) -> str:
    """The processor time of every question over the number of people, in times that of an empty answer."""
    rows = sorted(rows, key=lambda one: one["people"])
    names = [name for name in rows[0]["asked"] if name != "livez"]
    values = [one["asked"][name]["of_livez"] for one in rows for name in names]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.floor(math.log10(rows[0]["people"])), math.ceil(math.log10(rows[-1]["people"]))
    last = max(last, first + 1)

    def x(people: float) -> float:
        return LEFT + (math.log10(people) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONTS}" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    sizes = "、".join(f"{one['people']:,}" for one in rows)
    out.append(f'<text x="{LEFT}" y="24" font-size="16">人数增长时，问一次所用的处理器时间是空应答的几倍</text>')
    told = f"processor time of a question, in times that of an empty answer asked beside it; {rows[0]['engine']}; {sizes} 人"
    out.append(f'<text x="{LEFT}" y="42" fill="#555">{told}</text>')
    for power in range(first, last + 1):
        out.append(f'<line x1="{x(10**power):.0f}" x2="{x(10**power):.0f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        out.append(f'<text x="{x(10**power):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(low, high + 1):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(10**power):.0f}" y2="{y(10**power):.0f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(10**power) + 4:.0f}" text-anchor="end">{10.0**power:g} 倍</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">人数 people</text>')
    ends = sorted(names, key=lambda name: y(rows[-1]["asked"][name]["of_livez"]))
    for place, name in enumerate(ends):
        colour = COLOURS[names.index(name) % len(COLOURS)]
        points = " ".join(f"{x(one['people']):.1f},{y(one['asked'][name]['of_livez']):.1f}" for one in rows)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for one in rows:
            out.append(f'<circle cx="{x(one["people"]):.1f}" cy="{y(one["asked"][name]["of_livez"]):.1f}" r="3" fill="{colour}"/>')
        level = TOP + 14 + place * 30
        out.append(f'<rect x="{WIDTH - RIGHT + 20}" y="{level - 9}" width="10" height="10" fill="{colour}"/>')
        told = f"{LABELS.get(name, name)}: {rows[-1]['asked'][name]['of_livez']:g} 倍"
        out.append(f'<text x="{WIDTH - RIGHT + 36}" y="{level}">{told.replace("&", "and")}</text>')
    return "\n".join([*out, "</svg>", ""])


def main() -> int:
    """Read a file of rows, write a picture."""
    source, target = (Path(word) for word in sys.argv[1:3])
    target.write_text(svg(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
