"""Read, check and choose policy parameters."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from healthsvc import sitefile
from healthsvc.errors import Invalid

_SHIPPED = Path(__file__).parent
_TRUST = frozenset({"S", "V", "V2", "M", "I", "G", "site"})
_REQUIRED = ("name", "value", "unit", "title", "title_en", "source", "trust", "effective_from", "jurisdiction")

_REMEMBERED = 1024
"""Filled shapes that are remembered: one for each room and day that anybody asks about."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of one parameter: since when, where, and by whose word."""

    name: str
    value: Any
    unit: str
    title: str
    title_en: str
    source: str
    trust: str
    effective_from: date
    jurisdiction: str
    file: str


@dataclass(frozen=True, slots=True)
class Spell:
    """From when until when (that day no more; None: still) a value holds here."""

    parameter: Parameter
    start: date
    until: date | None


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter that is different on two days; None: not in force on that day."""

    name: str
    before: Parameter | None
    after: Parameter | None


class Policy:
    """All known parameter values; answers which one is in force on a day in a jurisdiction."""

    def __init__(self, parameters: Iterable[Parameter], jurisdiction: str = "CN") -> None:
        self.jurisdiction = jurisdiction
        self._by_name: dict[str, list[Parameter]] = {}
        self._filled: dict[tuple[Any, str, date], Any] = {}
        for parameter in parameters:
            self._by_name.setdefault(parameter.name, []).append(parameter)

    def __iter__(self) -> Iterator[Parameter]:
        for name in sorted(self._by_name):
            yield from self._by_name[name]

    def names(self) -> list[str]:
        """All parameter names, sorted."""
        return sorted(self._by_name)

    def parameter(self, name: str, on: date) -> Parameter:
        """The value in force on a day: the narrowest jurisdiction wins, then the latest start, then the site's own file."""
        here = [p for p in self._by_name.get(name, ()) if p.effective_from <= on and _covers(p.jurisdiction, self.jurisdiction)]
        if not here:
            raise Invalid(
                f"no value of policy parameter {name!r} is in force on {on.isoformat()} in {self.jurisdiction}; "
                f"add one to DATA/policy/{name.partition('.')[0]}.toml"
            )
        return max(here, key=lambda p: (len(p.jurisdiction), p.effective_from, p.trust == "site"))

    def in_force(self, name: str, on: date) -> bool:
        """Whether any value of a parameter is in force on a day here."""
        return any(p.effective_from <= on and _covers(p.jurisdiction, self.jurisdiction) for p in self._by_name.get(name, ()))

    def history(self, name: str) -> list["Spell"]:
        """Which value holds here from when until when, oldest first; what is overridden on every day does not show."""
        starts = sorted({p.effective_from for p in self._by_name.get(name, ()) if _covers(p.jurisdiction, self.jurisdiction)})
        spells: list[Spell] = []
        for start in starts:
            chosen = self.parameter(name, start)
            if spells and spells[-1].parameter is chosen:
                continue
            if spells:
                spells[-1] = Spell(spells[-1].parameter, spells[-1].start, start)
            spells.append(Spell(chosen, start, None))
        return spells

    def elsewhere(self, name: str) -> list[Parameter]:
        """Values that hold in other jurisdictions only."""
        return [p for p in self._by_name.get(name, ()) if not _covers(p.jurisdiction, self.jurisdiction)]

    def changes(self, before: date, after: date) -> list["Change"]:
        """What is different between two days: parameters that came, went or have another value."""
        found = []
        for name in self.names():
            old, new = (self.parameter(name, on) if self.in_force(name, on) else None for on in (before, after))
            if (old.value if old else None) != (new.value if new else None):
                found.append(Change(name, old, new))
        return found

    def value(self, name: str, on: date) -> Any:
        """The bare value in force on a day."""
        return self.parameter(name, on).value

    def fill(self, shape: type[T], room: str, on: date) -> T:
        """Fill a dataclass of a room: field ``x`` gets parameter ``room.x`` (lists become tuples, fields with defaults may be absent)."""
        known = self._filled.get((shape, room, on))
        if known is None:
            if len(self._filled) >= _REMEMBERED:
                self._filled.clear()
            known = self._filled[shape, room, on] = self._fill(shape, room, on)
        return cast(T, known)

    def _fill(self, shape: type[T], room: str, on: date) -> T:
        hints = _hints(shape)  # type: ignore[arg-type]  # a class is hashable, whatever its dataclass says
        values: dict[str, Any] = {}
        for field in fields(shape):  # type: ignore[arg-type]
            name = f"{room}.{field.name}"
            optional = field.default is not MISSING or field.default_factory is not MISSING
            if optional and name not in self._by_name:
                continue
            value = self.value(name, on)
            values[field.name] = _shaped(value, hints[field.name], name)
        return shape(**values)


@lru_cache(maxsize=256)
def _hints(shape: type[Any]) -> dict[str, Any]:
    return get_type_hints(shape)


def _shaped(value: Any, hint: Any, name: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and type(value) is not hint:
        raise Invalid(f"policy parameter {name!r} must be {hint.__name__}, not {type(value).__name__}; mend the file that sets it")
    return tuple(value) if isinstance(value, list) else value


def _covers(wide: str, narrow: str) -> bool:
    """Whether the jurisdiction ``wide`` (CN, CN-33, CN-3302) covers ``narrow``."""
    return narrow == wide or (wide == "CN" and narrow.startswith("CN-")) or ("-" in wide and narrow.startswith(wide))


def _read(path: Path) -> list[Parameter]:
    try:
        document = sitefile.read(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"policy file {path.name} cannot be read: {error}") from None
    found = []
    for number, entry in enumerate(document.get("parameter", []), start=1):
        where = f"policy file {path.name}, parameter {number} ({entry.get('name', 'without a name')})"
        missing = [key for key in _REQUIRED if key not in entry]
        if missing:
            raise Invalid(f"{where}: {', '.join(missing)} missing")
        unknown = sorted(set(entry) - set(_REQUIRED))
        if unknown:
            raise Invalid(f"{where}: unknown {', '.join(unknown)}")
        if entry["trust"] not in _TRUST:
            raise Invalid(f"{where}: trust is one of {', '.join(sorted(_TRUST))}")
        if not isinstance(entry["effective_from"], date):
            raise Invalid(f"{where}: effective_from is a date such as 2026-01-01, without quotes")
        found.append(Parameter(**entry, file=path.name))
    return found


def load(site: Path | None = None, jurisdiction: str = "CN") -> Policy:
    """Read the shipped parameters and those of a site (a directory of TOML files; absent: none).

    Raises:
        Invalid: a file is not TOML or an entry lacks something; the text says which file, which entry and what.
    """
    own = sorted(site.glob("*.toml")) if site is not None and site.is_dir() else ()
    return Policy((*_shipped(), *(parameter for path in own for parameter in _read(path))), jurisdiction)


@cache
def _shipped() -> tuple[Parameter, ...]:
    return tuple(parameter for path in sorted(_SHIPPED.glob("*.toml")) for parameter in _read(path))
