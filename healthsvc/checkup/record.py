"""A decision of a follow-up rule as FHIR GuidanceResponse: rule, version, parameters, inputs and outcome, so that it can be made again."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from healthsvc.checkup.followup import RULES, Disease, FollowUp, FollowUpPolicy, Next, Reading, Result
from healthsvc.errors import Invalid
from healthsvc.fhir.elements import derived_id
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import BASE

MODULE: Final = f"{BASE}/rule/"


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision with all that it was made from."""

    disease: Disease
    version: str
    reading: Reading
    previous: Result | None
    policy: FollowUpPolicy
    known: bool
    """Whether the file knew the disease."""
    outcome: FollowUp


@dataclass(frozen=True, slots=True)
class Replay:
    """A decision made again from its record."""

    id: str
    rule: str
    same: bool
    differences: tuple[str, ...] = ()
    """What is different, field by field, or why it cannot be made again."""


def decide_again(decided: Decided, id: str = "") -> Replay:
    """Make a decision again, with its own rule version, inputs and parameters, and compare."""
    rule = f"{decided.disease}/{decided.version}"
    made_by = RULES.get(decided.version)
    if made_by is None:
        return Replay(id, rule, False, (f"rule version {decided.version} is not in this release",))
    again = asdict(made_by(decided.disease, decided.reading, decided.previous, decided.policy, known=decided.known))
    told = asdict(decided.outcome)
    different = tuple(f"{name}: recorded {told[name]}, now {again[name]}" for name in told if told[name] != again[name])
    return Replay(id, rule, not different, different)


def to_guidance(decided: Decided, base: str, patient: str, encounter: str | None, at: datetime, basis: list[str]) -> Resource:
    """Write a decision down. ``base``: what its id is made of (the visit's Task id, or the form's)."""
    groups = [
        _group("input", {**asdict(decided.reading), "previous": decided.previous, "known": decided.known}),
        _group("policy", asdict(decided.policy)),
        _group("outcome", asdict(decided.outcome)),
    ]
    made: Resource = {
        "resourceType": "GuidanceResponse",
        "id": derived_id(f"decision-{decided.disease}", base),
        "contained": [{"resourceType": "Parameters", "id": "record", "parameter": groups}],
        "moduleCanonical": f"{MODULE}{decided.disease}|{decided.version}",
        "status": "success",
        "subject": {"reference": f"Patient/{patient}"},
        "occurrenceDateTime": at.isoformat(),
        "reasonReference": [{"reference": one} for one in basis],
        "outputParameters": {"reference": "#record"},
    }
    if not basis:
        del made["reasonReference"]
    return made | ({"encounter": {"reference": encounter}} if encounter else {})


def is_decision(guidance: Resource) -> bool:
    """Whether a GuidanceResponse is one of ours."""
    return str(guidance.get("moduleCanonical", "")).startswith(MODULE)


def to_decided(guidance: Resource) -> Decided:
    """Read a decision with all that it was made from.

    Raises:
        Invalid: the record is not whole (it was written by somebody else).
    """
    try:
        name, _, version = guidance["moduleCanonical"].removeprefix(MODULE).partition("|")
        groups = {one["name"]: one.get("part", []) for one in guidance["contained"][0]["parameter"]}
        given, outcome = _values(groups["input"]), _values(groups["outcome"])
        known, previous = given.pop("known"), given.pop("previous", None)
        policy = _values(groups["policy"])
        kinds = {field.name: field.type for field in fields(FollowUpPolicy)}
        numbers: dict[str, Any] = {key: int(value) if kinds[key] in (int, "int") else float(value) for key, value in policy.items()}
        given["danger_signs"] = tuple(given.get("danger_signs", ()))
        reading = Reading(**given)
        days = outcome.get("within_days")
        told = FollowUp(
            Disease(outcome["disease"]),
            Result(outcome["result"]),
            Next(outcome["next"]),
            None if days is None else int(days),
            tuple(outcome.get("reasons", ())),
            outcome["rule"],
        )
        return Decided(Disease(name), version, reading, Result(previous) if previous else None, FollowUpPolicy(**numbers), known, told)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise Invalid(f"the record of this decision is not whole: {type(error).__name__}", path="GuidanceResponse.contained") from None


def _group(name: str, values: dict[str, Any]) -> Resource:
    parts: list[Resource] = []
    for key, value in values.items():
        many = list(value) if isinstance(value, tuple) else [value]
        parts += [{"name": key, **_written(one)} for one in many if one is not None]
    return {"name": name, "part": parts}


def _written(value: Any) -> Resource:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, int):
        return {"valueInteger": value}
    if isinstance(value, float | Decimal):
        return {"valueDecimal": Lexical(format(Decimal(str(value)), "f"))}
    return {"valueString": str(value)}


def _values(parts: list[Resource]) -> dict[str, Any]:
    """Values by name; what stands more than once, and what may, as a list."""
    found: dict[str, Any] = {}
    for part in parts:
        value: Any = next(value for key, value in part.items() if key.startswith("value"))
        if isinstance(value, Decimal):
            value = Decimal(str(value))  # without the way in which it was written
        if part["name"] in ("reasons", "danger_signs"):
            found.setdefault(part["name"], []).append(value)
        else:
            found[part["name"]] = value
    return found
