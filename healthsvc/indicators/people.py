"""Who is behind a figure: those of whom something is missing first. Whoever may not read files sees masked names and no id."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from healthsvc.access import looks
from healthsvc.access.masks import masks
from healthsvc.access.rules import Action, allows
from healthsvc.healthfile.resources import to_person
from healthsvc.indicators.figure import Figure, Item
from healthsvc.store import Store


class Standing(StrEnum):
    """How somebody stands behind a figure; everybody in exactly one way."""

    MISSING = "missing"
    MET = "met"
    EXCLUDED = "excluded"


STANDING_NAMES = {
    Standing.MISSING: ("未达标", "Not met"),
    Standing.MET: ("已达标", "Met"),
    Standing.EXCLUDED: ("不计入", "Excluded"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One person behind a figure."""

    id: str
    """Patient id; empty where the reader may not read files."""
    name: str
    """Masked where the reader may not read files."""
    unit: str
    area: str
    standing: Standing
    met: int
    asked: int
    why: tuple[str, ...]
    """Why things of this person are excluded, or were not met where somebody said so."""
    refs: tuple[str, ...]
    """The resources that were counted or left out; empty where the reader may not read files."""

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        known = {"name": self.name, "unit": self.unit, "area": self.area, "standing": self.standing.value}
        counts = {"met": self.met, "asked": self.asked, "excluded": list(self.why)}
        return ({"patient": self.id} if self.id else {}) | known | counts | ({"counted": list(self.refs)} if self.id else {})


def behind(store: Store, figure: Figure, only: Standing | None = None, most: int | None = None) -> list[Row]:
    """The people behind a figure, missing first, then by unit; that they were shown is noted."""
    by_person: dict[str, list[Item]] = {}
    for item in figure.items:
        by_person.setdefault(item.person, []).append(item)
    groups = ((Standing.MISSING, figure.missing), (Standing.MET, figure.people), (Standing.EXCLUDED, figure.aside))
    named = allows(store.actor.roles, Action.READ_CLINICAL, "Patient")
    shown = [(standing, id) for standing, people in groups if only is None or only is standing for id in people[:most]]
    many = looks.named(store, (id for _, id in shown), f"figure-people {figure.code}")
    store.audit("figure-people", None, purpose=f"{figure.code} {figure.on.isoformat()} {many} files")
    return [_row(store, id, standing, by_person[id], named) for standing, id in shown]


def _row(store: Store, id: str, standing: Standing, items: list[Item], named: bool) -> Row:
    file = store.find("Patient", id)
    if file is None:  # of somebody whom the reader does not look after only the masked name shows
        named = False
        with store.wholly():
            file = store.find("Patient", id)
    person = to_person(file) if file is not None else None
    name = person.name if person else ""
    return Row(
        id=id if named else "",
        name=masks(store, "figures" if named else "figures-others").name(name),
        unit=person.managing_unit if person else "",
        area=person.residence_area if person else "",
        standing=standing,
        met=sum(one.met for one in items),
        asked=sum(one.asked for one in items),
        why=tuple(sorted({one.out or one.note for one in items} - {""})),
        refs=tuple(one.ref for one in items) if named else (),
    )
