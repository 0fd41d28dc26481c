"""A day plan in FHIR: a List with one entry a visit, and what is planned as Encounters that the visit room writes."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from healthsvc.dayplan.day import DayLeft, DayPlan, DayRoute, DayStop, plan_id
from healthsvc.fhir.elements import concept, conforming, extension, extensions, instant, reference, reference_id
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store

FLAG: Final = code_system("dayplan-flag")
REASON: Final = code_system("dayplan-reason")
INPUT: Final = code_system("dayplan-input")
"""Task.input of a visit: ``not-by`` (a Practitioner who must not come)."""
CODE: Final = code_system("plan-kind")
PLANNED, PINNED, LEFT = "planned", "pinned", "left-over"


def to_list(plan: DayPlan) -> Resource:
    """The plan as a List, id ``dayplan-YYYY-MM-DD``. Items are the visits' Tasks; their planned Encounters hang on the Tasks."""
    made: Resource = {
        "resourceType": "List",
        "id": plan.id,
        "status": "current",
        "mode": "working",
        "title": f"{plan.on.isoformat()} 日程安排",
        "code": concept(CODE, "day-plan", "日程安排"),
        "date": instant(plan.made_at),
        "extension": [_figures(plan), *(_route(route) for route in plan.routes)],
    }
    entries = [_stop(route, stop) for route in plan.routes for stop in route.stops] + [_left(left) for left in plan.left_over]
    if entries:  # a day without a visit has a plan, too; FHIR knows no empty list
        made["entry"] = entries
    return conforming(made, "day-plan")


def to_plan(resource: Resource) -> DayPlan:
    """Read the plan back."""
    figures = _parts(extensions(resource, "dayplan-figures")[0])
    legs: dict[tuple[str, int], list[DayStop]] = {}
    for entry in resource.get("entry", ()):
        for one in extensions(entry, "dayplan-leg"):
            leg = _parts(one)
            legs.setdefault(_whose(leg), []).append(_to_stop(entry, leg))
    routes = tuple(_to_route(one, legs) for one in extensions(resource, "dayplan-route"))
    left = tuple(_to_left(entry) for entry in resource.get("entry", ()) if not extensions(entry, "dayplan-leg"))
    tiers = {name[5:]: float(value) for name, value in figures.items() if name.startswith("tier-")}
    versions = {}
    for entry in resource.get("entry", ()):
        for one in extensions(entry, "dayplan-version"):
            versions[reference_id(entry["item"], "Task") or ""] = one["valueString"]
    return DayPlan(
        on=date.fromisoformat(resource["id"].removeprefix("dayplan-")[:10]),
        made_at=datetime.fromisoformat(resource["date"]),
        routes=routes,
        left_over=left,
        figures=tiers,
        seed=int(figures["seed"]),
        evaluations=int(figures["evaluations"]),
        later=int(figures["later"]),
        base=int(figures.get("base", 0)),
        versions=versions,
    )


def with_versions(resource: Resource, versions: dict[str, str]) -> Resource:
    """Note on every entry which version of the Task the plan was made from."""
    for entry in resource.get("entry", ()):
        version = versions.get(reference_id(entry["item"], "Task") or "")
        if version:
            entry["extension"] = [*entry.get("extension", []), extension("dayplan-version", valueString=version)]
    return resource


def pinned_tasks(store: Store, on: date) -> frozenset[str]:
    """The visits of a stored plan that are confirmed and must stay where they are."""
    found = store.find("List", plan_id(on))
    return frozenset(
        id
        for entry in (found or {}).get("entry", ())
        if any(one.get("code") == PINNED for one in entry.get("flag", {}).get("coding", ())) and (id := reference_id(entry["item"], "Task"))
    )


def not_by(task: Resource) -> frozenset[str]:
    """The practitioners who must not make this visit."""
    found = set()
    for one in task.get("input", ()):
        if any(c.get("system") == INPUT and c.get("code") == "not-by" for c in one.get("type", {}).get("coding", ())):
            found.add(one.get("valueReference", {}).get("reference", ""))
    return frozenset(found - {""})


def _number(value: float) -> Lexical:
    return Lexical(format(Decimal(repr(round(value, 4))), "f"))


def _figures(plan: DayPlan) -> Resource:
    parts: list[Resource] = [{"url": f"tier-{name}", "valueDecimal": _number(value)} for name, value in sorted(plan.figures.items())]
    parts += [
        {"url": "seed", "valueString": str(plan.seed)},
        {"url": "evaluations", "valueString": str(plan.evaluations)},
        {"url": "later", "valueString": str(plan.later)},
        {"url": "base", "valueString": str(plan.base)},
    ]
    return extension("dayplan-figures", extension=parts)


def _route(route: DayRoute) -> Resource:
    parts: list[Resource] = [
        {"url": "practitioner", "valueReference": {"reference": route.practitioner, "display": route.name}},
        {"url": "station", "valueReference": {"reference": route.station}},
        {"url": "departure", "valueDateTime": instant(route.departure)},
        {"url": "back", "valueDateTime": instant(route.back)},
    ]
    if route.part:
        parts.append({"url": "part", "valuePositiveInt": route.part + 1})
    if route.rest:
        parts += [
            {"url": "rest-start", "valueDateTime": instant(route.rest[0])},
            {"url": "rest-end", "valueDateTime": instant(route.rest[1])},
        ]
    return extension("dayplan-route", extension=parts)


def _stop(route: DayRoute, stop: DayStop) -> Resource:
    parts: list[Resource] = [
        {"url": "practitioner", "valueReference": {"reference": route.practitioner}},
        *([{"url": "part", "valuePositiveInt": route.part + 1}] if route.part else []),
        {"url": "person", "valueReference": {"reference": f"Patient/{stop.person}"}},
        {"url": "kind", "valueCode": stop.kind},
        {"url": "title", "valueString": stop.title},
        *({"url": "staff", "valueReference": {"reference": one}} for one in stop.staff),
        {"url": "arrival", "valueDateTime": instant(stop.arrival)},
        {"url": "start", "valueDateTime": instant(stop.start)},
        {"url": "end", "valueDateTime": instant(stop.end)},
        {"url": "travel-minutes", "valueDecimal": _number(stop.travel_minutes)},
        {"url": "basis", "valueCode": stop.basis},
        {"url": "slack", "valueDecimal": _number(stop.slack)},
        *({"url": "why", "valueCode": one} for one in stop.why),
    ]
    flag = PINNED if stop.pinned else PLANNED
    return {
        "flag": concept(FLAG, flag),
        "date": instant(stop.start),
        "item": reference("Task", stop.task),
        "extension": [extension("dayplan-leg", extension=parts)],
    }


def _left(left: DayLeft) -> Resource:
    parts: list[Resource] = [
        {"url": "person", "valueReference": {"reference": f"Patient/{left.person}"}},
        {"url": "kind", "valueCode": left.kind},
        {"url": "title", "valueString": left.title},
        *({"url": "code", "valueCode": code} for code in left.codes),
        {"url": "reason", "valueString": left.reason},
        {"url": "reason-en", "valueString": left.reason_en},
    ]
    return {
        "flag": concept(FLAG, LEFT),
        "item": reference("Task", left.visit),
        "extension": [extension("dayplan-left-over", extension=parts)],
    }


def _parts(element: Resource) -> dict[str, Any]:
    """The parts of an extension by url, and all values of a url as a list under ``*`` and the url."""
    found: dict[str, Any] = {}
    for part in element["extension"]:
        value = next(value for key, value in part.items() if key.startswith("value"))
        value = value["reference"] if isinstance(value, dict) and "reference" in value else value
        found[part["url"]] = value
        found.setdefault(f"*{part['url']}", []).append(value)
    return found


def _to_route(element: Resource, legs: dict[tuple[str, int], list[DayStop]]) -> DayRoute:
    parts = _parts(element)
    name = next(one["valueReference"].get("display", "") for one in element["extension"] if one["url"] == "practitioner")
    rest = None
    if "rest-start" in parts:
        rest = (datetime.fromisoformat(parts["rest-start"]), datetime.fromisoformat(parts["rest-end"]))
    return DayRoute(
        practitioner=parts["practitioner"],
        name=name,
        station=parts["station"],
        departure=datetime.fromisoformat(parts["departure"]),
        back=datetime.fromisoformat(parts["back"]),
        stops=tuple(legs.get(_whose(parts), ())),
        rest=rest,
        part=int(parts.get("part", 1)) - 1,
    )


def _whose(parts: dict[str, Any]) -> tuple[str, int]:
    """Whose route, and which of their duties."""
    return parts["practitioner"], int(parts.get("part", 1))


def _to_stop(entry: Resource, leg: dict[str, Any]) -> DayStop:
    return DayStop(
        task=reference_id(entry["item"], "Task") or "",
        person=leg["person"].rpartition("/")[2],
        kind=leg["kind"],
        title=leg["title"],
        staff=tuple(leg["*staff"]),
        arrival=datetime.fromisoformat(leg["arrival"]),
        start=datetime.fromisoformat(leg["start"]),
        end=datetime.fromisoformat(leg["end"]),
        travel_minutes=float(leg["travel-minutes"]),
        basis=leg["basis"],
        slack=float(leg["slack"]),
        pinned=any(one.get("code") == PINNED for one in entry.get("flag", {}).get("coding", ())),
        why=tuple(leg.get("*why", ())),
    )


def _to_left(entry: Resource) -> DayLeft:
    parts = _parts(extensions(entry, "dayplan-left-over")[0])
    return DayLeft(
        visit=reference_id(entry["item"], "Task") or "",
        person=parts["person"].rpartition("/")[2],
        kind=parts["kind"],
        title=parts["title"],
        codes=tuple(parts["*code"]),
        reason=parts["reason"],
        reason_en=parts["reason-en"],
    )
