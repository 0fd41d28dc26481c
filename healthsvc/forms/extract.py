"""From answers to what the file knows: Observations by SDC's observation-based extraction, and the statements that a form makes.

Ids are made of meaning. A measurement's id comes from the response (or from the visit that the form belongs to), so that extracting twice
changes nothing and an amendment rewrites it; an illness, an allergy or an operation has one id for the person, whichever form names it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from healthsvc.fhir.elements import derived_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import LOINC, SNOMED, UCUM, code_system
from healthsvc.forms import statements
from healthsvc.forms.resources import OBSERVATION_CATEGORY, number
from healthsvc.forms.rules import Answers, Code, Form, Item, Kind, level, score_of, total
from healthsvc.forms.statements import Source

_ARMS: Final = {
    "left": {"system": SNOMED, "code": "368208006", "display": "Left upper arm structure"},
    "right": {"system": SNOMED, "code": "368209003", "display": "Right upper arm structure"},
}
GLUCOSE: Final = "15074-8"
FASTING_GLUCOSE: Final = "76629-5"
_BMI: Final = "39156-5"


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a response says, as resources to be written under their ids."""

    observations: tuple[Resource, ...]
    statements: tuple[Resource, ...]

    def references(self) -> list[str]:
        """``Type/id`` of each."""
        return [f"{one['resourceType']}/{one['id']}" for one in (*self.observations, *self.statements)]


def extract(form: Form, answers: Answers, source: Source, bands: Mapping[str, int]) -> Extracted:
    """What the answers mean.

    Args:
        form: what was asked.
        answers: what was answered; has been checked.
        source: whose answers, by whom, when, in which response.
        bands: lowest total of each level of the form's scored group.
    """
    observations = list(_observations(form.items, answers, source, bands))
    observations += _body_mass(answers, source)
    return Extracted(tuple(observations), tuple(statements.statements(form.items, answers, source)))


def _observations(items: Sequence[Item], given: Answers, source: Source, bands: Mapping[str, int]) -> Iterator[Resource]:
    for item in items:
        answers = given.get(item.link, ())
        if not answers:
            continue
        if item.extract == "score":
            for one in answers:
                yield from _score(item, one, source, bands)
        elif item.extract == "observation" and item.kind is Kind.GROUP:
            for one in answers:
                yield from _panel(item, one, source)
        elif item.extract == "observation" and item.code is not None:
            yield _leaf(item, item.code, answers, given, source)
        elif item.kind is Kind.GROUP and not item.extract:
            for one in answers:
                yield from _observations(item.items, one, source, bands)


def _leaf(item: Item, code: Code, answers: Sequence[Any], beside: Answers, source: Source) -> Resource:
    fasting = any(isinstance(one, Code) and one.code == "fasting" for one in beside.get("glucose-kind", ()))
    if code.code == GLUCOSE and fasting:
        code = Code(LOINC, FASTING_GLUCOSE, "空腹血糖")
    made = _frame(item, code, source)
    if item.repeats:
        return made | {"component": [{"code": made["code"], **_value(item, one)} for one in answers]}
    return made | _value(item, answers[0])


def _panel(item: Item, given: Answers, source: Source) -> Iterator[Resource]:
    parts = [
        {"code": _concept(inner.code), **_value(inner, given[inner.link][0])}
        for inner in item.items
        if inner.code is not None and given.get(inner.link)
    ]
    if parts and item.code is not None:
        more = {"bodySite": {"coding": [dict(_ARMS[item.site])]}} if item.site in _ARMS else {}
        yield _frame(item, item.code, source) | more | {"component": parts}


def _score(item: Item, given: Answers, source: Source, bands: Mapping[str, int]) -> Iterator[Resource]:
    """A scored group: the total as value, the level as interpretation, the points of each answer as components."""
    computed = next((one for one in item.items if one.sum), None)
    points = total(computed, item.items, given) if computed is not None else None
    if points is None or item.code is None:
        return
    made = _frame(item, item.code, source) | {"valueInteger": points}
    reached = level(points, bands) or _lowest(item)
    made["interpretation"] = [{"coding": [{"system": code_system(f"{item.link}-level"), "code": reached}]}]
    made["component"] = [
        {"code": _concept(inner.code), "valueInteger": found}
        for inner in item.items
        if inner.code is not None and (found := score_of(inner, given.get(inner.link, ()))) is not None
    ]
    yield made


def _lowest(item: Item) -> str:
    return "independent" if item.link == "self-care" else "normal"


def _body_mass(answers: Answers, source: Source) -> list[Resource]:
    """体质指数 from height and weight of the same day."""
    height, weight = (_anywhere(name, answers) for name in ("height", "weight"))
    if not isinstance(height, int | Decimal) or not isinstance(weight, int | Decimal):
        return []
    metres = Decimal(height) / 100
    value = (Decimal(weight) / (metres * metres)).quantize(Decimal("0.1"))
    item = Item("bmi", Kind.DECIMAL, "体质指数", unit="kg/m²", ucum="kg/m2", category="vital-signs")
    made = _frame(item, Code(LOINC, _BMI, "体质指数"), source) | _value(item, value)
    measured = [{"reference": f"Observation/{derived_id(one, source.base)}"} for one in ("height", "weight")]
    return [made | {"derivedFrom": made["derivedFrom"] + measured}]


def _anywhere(link: str, answers: Answers) -> Any:
    if answers.get(link):
        return answers[link][0]
    groups = (one for given in answers.values() for one in given if isinstance(one, Mapping))
    return next((found for one in groups if (found := _anywhere(link, one)) is not None), None)


def _frame(item: Item, code: Code, source: Source) -> Resource:
    made: Resource = {
        "resourceType": "Observation",
        "id": derived_id(item.link, source.base),
        "meta": {"source": source.uri},
        "status": "amended" if source.amended else "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": item.category}]}],
        "code": _concept(code) | {"text": code.zh or item.zh},
        "subject": {"reference": f"Patient/{source.patient}"},
        "effectiveDateTime": source.at,
        "derivedFrom": [{"reference": f"QuestionnaireResponse/{source.response}"}],
    }
    if source.encounter:
        made["encounter"] = {"reference": source.encounter}
    if source.performer:
        made["performer"] = [{"reference": source.performer}]
    return made


def _concept(code: Code | None) -> Resource:
    if code is None:
        return {}
    named = {"display": code.zh} if code.zh and code.system.startswith(code_system("")) else {}
    return {"coding": [{"system": code.system, "code": code.code, **named}]}


def _value(item: Item, value: Any) -> Resource:
    if isinstance(value, Code):
        return {
            "valueCodeableConcept": {"coding": [{"system": value.system, "code": value.code}], **({"text": value.zh} if value.zh else {})}
        }
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, int | Decimal) and item.ucum:
        return {"valueQuantity": {"value": number(value), "unit": item.unit, "system": UCUM, "code": item.ucum}}
    if isinstance(value, int):
        return {"valueInteger": value}
    if isinstance(value, Decimal):
        return {"valueQuantity": {"value": number(value), "system": UCUM, "code": "1"}}
    if isinstance(value, date):
        return {"valueDateTime": value.isoformat()}
    return {"valueString": str(value)}
