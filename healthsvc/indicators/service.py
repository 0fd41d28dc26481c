"""考核 The figures of a day; every one of them can be explained, item by item."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from healthsvc.access import looks
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.json import Resource
from healthsvc.indicators import rules
from healthsvc.indicators.facts import Facts
from healthsvc.indicators.figure import ALL, By, Figure, IndicatorPolicy, Part
from healthsvc.indicators.gather import facts
from healthsvc.indicators.memory import answer
from healthsvc.indicators.resources import to_report
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """The days that figures are asked for.

    ``on``: the last day. ``first``: from when things are counted that are counted over time (the quarter of ``on`` unless told).
    ``known``: what stood in the store at the end of this day is looked at; ``on`` unless told, so that a past figure is what it was then.
    """

    on: date
    first: date | None = None
    known: date | None = None


def policy_of(store: Store, on: date) -> IndicatorPolicy:
    """The indicator policy in force on a day."""
    return store.policy.fill(IndicatorPolicy, "indicators", on)


def gathered(store: Store, asked: Asked) -> Facts:
    """The facts that figures are reckoned from."""
    return facts(store, asked.on, known=asked.known, first=asked.first)


def all_of(store: Store, known: Facts) -> list[Figure]:
    """All figures that facts give; reckoned once for the same facts."""
    policy = policy_of(store, known.on)
    return answer(store, ("figures", id(known), repr(policy)), lambda: (known, rules.figures(known, policy)))[1]


def figures(store: Store, asked: Asked) -> list[Figure]:
    """All figures as of the end of a day, for everybody."""
    return all_of(store, gathered(store, asked))


def divided(store: Store, asked: Asked, by: By) -> list[Figure]:
    """All figures for everybody, each followed by its parts; the parts of a figure add up to the whole."""
    known = gathered(store, asked)
    found = []
    for whole in all_of(store, known):
        found += [whole, *whole.parts(known.members, by)]
    return found


def figure(store: Store, code: str, asked: Asked, part: Part = ALL) -> Figure:
    """One figure with the items behind it.

    Raises:
        NotFound: there is no such figure.
    """
    known = gathered(store, asked)
    return _part(_whole(store, code, known), known, part)


def explained(store: Store, code: str, asked: Asked, part: Part = ALL) -> dict[str, Any]:
    """One figure with all that explains it, without people."""
    known = gathered(store, asked)
    one = _part(_whole(store, code, known), known, part)
    measure = one.measure
    return {
        "code": one.code,
        "name": measure.name_zh,
        "name_en": measure.name_en,
        "rule": {"text": measure.rule_zh, "text_en": measure.rule_en, "version": measure.version},
        "parameters": {name: store.policy.value(name, asked.on) for name in measure.parameters},
        "on": one.on.isoformat(),
        "period": [day.isoformat() for day in one.period],
        "known": (asked.known or asked.on).isoformat(),
        "numerator": one.numerator,
        "denominator": one.denominator,
        "rate": one.rate,
        "unit": measure.unit_zh,
        "excluded": one.excluded,
        "parts": {
            by.value: [
                {"value": it.part.value, "numerator": it.numerator, "denominator": it.denominator} for it in one.parts(known.members, by)
            ]
            for by in By
        },
    }


def report(store: Store, code: str, asked: Asked, *, subject: str | None = None, people: bool = False) -> Resource:
    """One figure as a MeasureReport, told apart by every trait; that people were named is noted."""
    known = gathered(store, asked)
    whole = _whole(store, code, known)
    if subject is not None:
        whole = replace(whole, items=tuple(item for item in whole.items if item.person == subject))
    if subject is not None or people:
        many = looks.named(store, [item.person for item in whole.items] if subject is None else (), f"figure-people {code}")
        store.audit("figure-people", None, patient=subject, purpose=code if subject else f"{code} {many} files")
    parts = () if subject is not None else [part for by in By for part in whole.parts(known.members, by)]
    return to_report(whole, parts, store.zone, store.at, subject=subject, people=people)


def reports(store: Store, asked: Asked) -> list[Resource]:
    """All figures as MeasureReports that name nobody."""
    known = gathered(store, asked)
    whole = all_of(store, known)
    return [to_report(one, [part for by in By for part in one.parts(known.members, by)], store.zone, store.at) for one in whole]


def part_of(by: By | None, value: str | None) -> Part:
    """Whom a figure is asked for.

    Raises:
        Invalid: a value without what it is a value of, or the other way round.
    """
    if by is None and value is None:
        return ALL
    if by is None or value is None:
        raise Invalid(f"name both by (one of {', '.join(By)}) and value, or neither", path="by")
    return Part(by, value)


def _whole(store: Store, code: str, known: Facts) -> Figure:
    if code not in rules.BY_CODE:
        raise NotFound(f"there is no figure {code[:40]!r}; there are {', '.join(rules.BY_CODE)}")
    return next(one for one in all_of(store, known) if one.code == code)


def _part(whole: Figure, known: Facts, part: Part) -> Figure:
    if part.by is None:
        return whole
    found = (one for one in whole.parts(known.members, part.by) if one.part == part)
    return next(found, Figure(whole.measure, (), whole.on, whole.period, part))
