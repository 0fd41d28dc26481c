"""Draw the growth curves from what `tests.bench growth --into FILE` has kept: `python tests/bench/draw_growth.py FILE OUT.svg`.

Both axes are logarithmic: a straight line upwards grows like a power of the size, a level one does not grow.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 460, 70, 30, 330, 50
COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#16a085", "#7f8c8d", "#34495e", "#a04000", "#5d6d7e", "#b03a79")


def svg(rows: list[dict[str, Any]]) -> str:
    """Median milliseconds of every question over the number of people."""
    rows = sorted(rows, key=lambda one: one["people"])
    names = list(rows[0]["asked"])
    values = [one["asked"][name]["median"] for one in rows for name in names]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.floor(math.log10(rows[0]["people"])), math.ceil(math.log10(rows[-1]["people"]))
    last = max(last, first + 1)

    def x(people: float) -> float:
        return LEFT + (math.log10(people) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for power in range(first, last + 1):
        out.append(f'<line x1="{x(10**power):.0f}" x2="{x(10**power):.0f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        out.append(f'<text x="{x(10**power):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(low, high + 1):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(10**power):.0f}" y2="{y(10**power):.0f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(10**power) + 4:.0f}" text-anchor="end">{10.0**power:g} ms</text>')
    out.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">人数 people ({rows[0]["engine"]})</text>'
    )
    ends = sorted(names, key=lambda name: y(rows[-1]["asked"][name]["median"]))
    for place, name in enumerate(ends):
        colour = COLOURS[names.index(name) % len(COLOURS)]
        points = " ".join(f"{x(one['people']):.1f},{y(one['asked'][name]['median']):.1f}" for one in rows)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for one in rows:
            out.append(f'<circle cx="{x(one["people"]):.1f}" cy="{y(one["asked"][name]["median"]):.1f}" r="3" fill="{colour}"/>')
        level = TOP + 20 + place * 26
        out.append(f'<rect x="{WIDTH - RIGHT + 20}" y="{level - 9}" width="10" height="10" fill="{colour}"/>')
        told = f"{name}, {rows[-1]['asked'][name]['median']:g} ms"
        out.append(f'<text x="{WIDTH - RIGHT + 36}" y="{level}">{told.replace("&", "and")}</text>')
    return "\n".join([*out, "</svg>", ""])


def main() -> int:
    """Read a file of rows, write a picture."""
    source, target = (Path(word) for word in sys.argv[1:3])
    target.write_text(svg(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
