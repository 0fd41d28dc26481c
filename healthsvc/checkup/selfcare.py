"""生活自理能力评估: five items, each answered by one of the points that its row allows; the total is computed, never entered."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from healthsvc.errors import Invalid, Issue


class Item(StrEnum):
    """The five rows of the form: 进餐 梳洗 穿衣 如厕 活动."""

    EATING = "eating"
    GROOMING = "grooming"
    DRESSING = "dressing"
    TOILET = "toilet"
    MOVING = "moving"


class Level(StrEnum):
    """可自理, 轻度依赖, 中度依赖, 不能自理."""

    INDEPENDENT = "independent"
    LIGHT = "light"
    MODERATE = "moderate"
    CANNOT = "cannot"


POINTS: Final[Mapping[Item, tuple[int, ...]]] = {
    Item.EATING: (0, 3, 5),
    Item.GROOMING: (0, 1, 3, 7),
    Item.DRESSING: (0, 3, 5),
    Item.TOILET: (0, 1, 5, 10),
    Item.MOVING: (0, 1, 5, 10),
}
"""Which points a row can have (handbook 2.3); a total such as 2 of one row does not exist."""


@dataclass(frozen=True, slots=True)
class SelfCare:
    """The answers, their sum and the level it means."""

    answers: tuple[tuple[Item, int], ...]
    total: int
    level: Level


def assess(answers: Mapping[str, int], bands: Mapping[str, int]) -> SelfCare:
    """Add up the five answers and name the level.

    Args:
        answers: points of each item by its code; all five.
        bands: lowest total of each level but the first (policy ``checkup.selfcare_bands``): light 4, moderate 9, cannot 19.

    Raises:
        Invalid: an item is missing or unknown, or has points that its row does not offer; one issue for each.
    """
    wrong = [
        Issue(f"self-care: there is no item {name!r}", "code-invalid", name) for name in answers if name not in {i.value for i in Item}
    ]
    for item in Item:
        if item.value not in answers:
            wrong.append(Issue(f"self-care: the answer to {item.value} is missing", "required", item.value))
        elif answers[item.value] not in POINTS[item]:
            offered = ", ".join(str(points) for points in POINTS[item])
            wrong.append(Issue(f"self-care: {item.value} can have {offered} points", "value", item.value))
    if wrong:
        raise Invalid("; ".join(issue.text for issue in wrong), reason="self-care-answers", issues=wrong)
    kept = tuple((item, answers[item.value]) for item in Item)
    total = sum(points for _, points in kept)
    reached = [(lowest, level) for level, lowest in bands.items() if total >= lowest]
    return SelfCare(kept, total, Level(max(reached)[1]) if reached else Level.INDEPENDENT)
