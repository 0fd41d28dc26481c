"""What changes between two plans of a day, visit by visit, in words that a person can read. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from healthsvc.dayplan.day import DayPlan, DayStop


@dataclass(frozen=True, slots=True)
class Change:
    """One change: ``added``, ``removed``, ``moved`` (another time), ``handed-over`` (somebody else) or both (``handed-over``)."""

    task: str
    kind: str
    before: DayStop | None
    after: DayStop | None

    def words(self, name: Callable[[str], str]) -> tuple[str, str]:
        """The change in Chinese and English; ``name`` gives the name of a ``Practitioner/x``."""
        title = (self.after or self.before).title  # type: ignore[union-attr]
        if self.after is None and self.before is not None:
            return f"{title} {self.before.start:%H:%M} 取消安排", f"{title} at {self.before.start:%H:%M} is no longer planned"
        assert self.after is not None
        who = "、".join(name(one) for one in self.after.staff)
        if self.before is None:
            return f"新增：{who} {self.after.start:%H:%M} {title}", f"new: {who} takes {title} at {self.after.start:%H:%M}"
        was = "、".join(name(one) for one in self.before.staff)
        instead = f"原 {was} {self.before.start:%H:%M}"
        return (
            f"{title} 改为 {who} {self.after.start:%H:%M}（{instead}）",
            f"{who} takes {title} at {self.after.start:%H:%M} instead of {was} at {self.before.start:%H:%M}",
        )


def difference(before: DayPlan | None, after: DayPlan) -> tuple[Change, ...]:
    """Every visit whose time or people differ, by the new time."""
    old = {stop.task: stop for stop in before.stops()} if before else {}
    new = {stop.task: stop for stop in after.stops()}
    changes = [change for task in sorted(old.keys() | new.keys()) if (change := _change(task, old.get(task), new.get(task))) is not None]
    return tuple(sorted(changes, key=lambda change: ((change.after or change.before).start, change.task)))  # type: ignore[union-attr]


def _change(task: str, before: DayStop | None, after: DayStop | None) -> Change | None:
    if before is None or after is None:
        return Change(task, "added" if before is None else "removed", before, after)
    if set(before.staff) != set(after.staff):
        return Change(task, "handed-over", before, after)
    if before.start != after.start:
        return Change(task, "moved", before, after)
    return None
