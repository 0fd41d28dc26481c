"""A form as FHIR Questionnaire (with the extensions of SDC), and what was answered as QuestionnaireResponse. Each way and back."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from healthsvc.errors import Invalid, Issue
from healthsvc.fhir.elements import extension, extensions
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import UCUM
from healthsvc.fhir.text import has_han
from healthsvc.forms.rules import NUMBERS, Answers, Code, Form, Item, Kind, Limits, Option, When

_SDC: Final = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_HL7: Final = "http://hl7.org/fhir/StructureDefinition/"
EXTRACT: Final = f"{_SDC}observationExtract"
LINK_PERIOD: Final = f"{_SDC}observationLinkPeriod"
CATEGORY: Final = f"{_SDC}observation-extract-category"
CALCULATED: Final = f"{_SDC}calculatedExpression"
UNIT, MIN, MAX, ORDINAL, TRANSLATION = (
    f"{_HL7}{one}" for one in ("questionnaire-unit", "minValue", "maxValue", "ordinalValue", "translation")
)
OBSERVATION_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_OURS: Final = ("extract", "part", "site", "below", "fill", "range", "category")
_TYPED: Final = {Kind.BOOLEAN: "Boolean", Kind.INTEGER: "Integer", Kind.DECIMAL: "Decimal", Kind.DATE: "Date"}


def to_questionnaire(form: Form, limits: Mapping[str, Limits], months: int) -> Resource:
    """A form as Questionnaire; ``limits`` are written as minValue and maxValue, ``months`` is how far back answers are taken over."""
    made: Resource = {
        "resourceType": "Questionnaire",
        "id": form.name,
        "meta": {"profile": [f"{_SDC}extr-obsn", f"{_SDC}pop-obsn"]},
        "url": form.url,
        "version": form.version,
        "name": "".join(part.capitalize() for part in form.name.split("-")),
        "title": f"{form.zh} {form.en}",
        "status": "active",
        "subjectType": ["Patient"],
        "item": [_item(one, limits, months) for one in form.items],
    }
    if form.bands:
        made["extension"] = [extension("form-bands", valueString=form.bands)]
    return made | ({"purpose": form.source} if form.source else {})


def to_form(questionnaire: Resource) -> Form:
    """Read a Questionnaire, ours or a site's own.

    Raises:
        Invalid: it has an item type that cannot be asked here (reference, attachment, quantity, time, url).
    """
    title = str(questionnaire.get("title") or questionnaire.get("name") or questionnaire.get("id"))
    zh, _, en = title.partition(" ")
    if not has_han(zh) or has_han(en):
        zh, en = title, ""  # not one of ours: 中文 English
    bands = next((one["valueString"] for one in extensions(questionnaire, "form-bands")), "")
    items = tuple(map(_read, questionnaire.get("item", ())))
    return Form(
        str(questionnaire.get("id", "")), str(questionnaire.get("url", "")), zh, en, items,
        version=str(questionnaire.get("version", "")), bands=bands, source=str(questionnaire.get("purpose", "")),
    )  # fmt: skip


def limits_in(questionnaire: Resource) -> dict[str, Limits]:
    """What a site's own Questionnaire says by minValue and maxValue, by linkId; where it says nothing, nothing is impossible."""
    found: dict[str, Limits] = {}
    for item in _all(questionnaire.get("item", ())):
        known = {one.get("url"): one.get("valueDecimal", one.get("valueInteger")) for one in item.get("extension", ())}
        if MIN in known or MAX in known:
            least, most = Decimal(known.get(MIN, "-1e12")), Decimal(known.get(MAX, "1e12"))
            found[item["linkId"]] = Limits(least, most, least, most)
    return found


def to_answers(form: Form, response: Resource) -> tuple[Answers, tuple[Issue, ...]]:
    """The answers of a QuestionnaireResponse, and what in it cannot be read as an answer to this form."""
    issues: list[Issue] = []
    return _answers(form.items, response.get("item", ()), issues), tuple(issues)


def to_items(items: Sequence[Item], answers: Answers) -> list[Resource]:
    """Answers as QuestionnaireResponse.item, in the order of the form."""
    made: list[Resource] = []
    for item in items:
        given = answers.get(item.link, ())
        if item.kind is Kind.GROUP:
            made += [{"linkId": item.link, "text": item.zh, "item": inner} for one in given if (inner := to_items(item.items, one))]
        elif given:
            made.append({"linkId": item.link, "text": item.zh, "answer": [_value(item, one) for one in given]})
    return made


def number(value: int | Decimal) -> int | Lexical:
    """A number as FHIR writes it."""
    return value if isinstance(value, int) else Lexical(format(value, "f"))


def _item(item: Item, limits: Mapping[str, Limits], months: int) -> Resource:
    more: list[Resource] = []
    if item.extract in ("observation", "score"):
        more.append({"url": EXTRACT, "valueBoolean": True})
        more.append({"url": CATEGORY, "valueCodeableConcept": {"coding": [{"system": OBSERVATION_CATEGORY, "code": item.category}]}})
    if item.carry:
        period = {"value": months, "unit": "mo", "system": UCUM, "code": "mo"}
        more.append({"url": LINK_PERIOD, "valueDuration": period})
    if item.ucum:
        more.append({"url": UNIT, "valueCoding": {"system": UCUM, "code": item.ucum, "display": item.unit}})
    bounds = limits.get(item.range)
    parts = [
        {"url": name, "valueString": value} for name in _OURS if (value := getattr(item, name)) and (name, value) != ("category", "survey")
    ]
    if bounds is not None:
        key = "valueDecimal" if item.kind is Kind.DECIMAL else "valueInteger"
        whole = [number(one) if item.kind is Kind.DECIMAL else int(one) for one in (bounds.lowest, bounds.highest)]
        more += [{"url": MIN, key: whole[0]}, {"url": MAX, key: whole[1]}]
        parts += [{"url": "low", "valueDecimal": number(bounds.low)}, {"url": "high", "valueDecimal": number(bounds.high)}]
    if item.sum:
        named = " or ".join(f"linkId='{link}'" for link in item.sum)
        text = f"%resource.descendants().where({named}).answer.value.ordinal().aggregate($this + $total, 0)"
        more.append({"url": CALCULATED, "valueExpression": {"language": "text/fhirpath", "expression": text}})
        parts += [{"url": "sum", "valueString": link} for link in item.sum]
    if item.future:
        parts.append({"url": "future", "valueBoolean": True})
    if parts:
        more.append(extension("form-item", extension=parts))
    made: Resource = {"linkId": item.link, "type": item.kind.value, "text": item.zh}
    if item.en:
        made["_text"] = {"extension": [_english(item.en)]}
    if more:
        made["extension"] = more
    if item.code:
        made["code"] = [_coding(item.code)]
    if item.when:
        made["enableWhen"] = [one for when in item.when for one in _when(when, item)]
        if len(made["enableWhen"]) > 1:
            made["enableBehavior"] = "any" if all(one["operator"] != "!=" for one in made["enableWhen"]) else "all"
    if item.kind is not Kind.DISPLAY:
        made |= {"required": True} if item.required else {}
        made |= {"repeats": True} if item.repeats else {}
        made |= {"readOnly": True} if item.sum else {}
    if item.options:
        made["answerOption"] = [_option(one) for one in item.options]
    return made | ({"item": [_item(one, limits, months) for one in item.items]} if item.items else {})


def _when(when: When, item: Item) -> list[Resource]:
    made = []
    for answer in when.answers:
        if answer in ("true", "false"):
            key, value = "answerBoolean", answer == "true"
        elif when.operator in (">", "<", ">=", "<="):
            key, value = "answerDecimal", Lexical(answer)  # type: ignore[assignment]
        else:
            key, value = "answerCoding", {"code": answer}  # type: ignore[assignment]
        made.append({"question": when.link, "operator": when.operator, key: value})
    return made


def _option(option: Option) -> Resource:
    made: Resource = {"valueCoding": _coding(option.code)}
    if option.score is not None:
        made["extension"] = [{"url": ORDINAL, "valueDecimal": option.score}]
    return made


def _coding(code: Code) -> Resource:
    made: Resource = {"system": code.system, "code": code.code}
    if code.zh:
        made["display"] = code.zh
    if code.en:
        made["_display"] = {"extension": [_english(code.en)]}
    return made


def _english(text: str) -> Resource:
    return {"url": TRANSLATION, "extension": [{"url": "lang", "valueCode": "en"}, {"url": "content", "valueString": text}]}


def _told(element: Resource, key: str) -> str:
    found = element.get(f"_{key}", {}).get("extension", ())
    parts = (part for one in found if one.get("url") == TRANSLATION for part in one.get("extension", ()))
    return next((str(part["valueString"]) for part in parts if part.get("url") == "content"), "")


def _read(element: Resource) -> Item:
    try:
        kind = Kind(element.get("type", ""))
    except ValueError:
        raise Invalid(f"items of type {element.get('type')!r} cannot be asked here", path="Questionnaire.item.type") from None
    plain = {one.get("url"): one for one in element.get("extension", ())}
    parts: dict[str, list[Any]] = {}
    for one in extensions(element, "form-item"):
        for part in one.get("extension", ()):
            parts.setdefault(part["url"], []).append(part.get("valueString", part.get("valueBoolean", part.get("valueDecimal"))))
    ours = {name: parts[name][0] for name in _OURS if name in parts}
    extracted = plain.get(EXTRACT, {}).get("valueBoolean")
    unit = plain.get(UNIT, {}).get("valueCoding", {})
    category = plain.get(CATEGORY, {}).get("valueCodeableConcept", {}).get("coding", [{}])[0].get("code")
    bounded = MIN in plain or MAX in plain
    return Item(
        element["linkId"], kind, element.get("text", ""), _told(element, "text"),
        code=next((_code(one) for one in element.get("code", ())), None),
        unit=unit.get("display", ""), ucum=unit.get("code", ""),
        options=tuple(_read_option(one) for one in element.get("answerOption", ()) if "valueCoding" in one),
        required=element.get("required", False), repeats=element.get("repeats", False), when=_read_whens(element.get("enableWhen", ())),
        sum=tuple(parts.get("sum", ())), future=bool(parts.get("future")), carry=LINK_PERIOD in plain,
        items=tuple(map(_read, element.get("item", ()))),
        **({"extract": "observation" if extracted else "", "range": element["linkId"] if bounded else ""}
           | ({"category": category} if category else {}) | ours),
    )  # fmt: skip


def _read_whens(elements: Sequence[Resource]) -> tuple[When, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in elements:
        value = next(value for key, value in one.items() if key.startswith("answer"))
        word = value["code"] if isinstance(value, dict) else str(value).lower() if isinstance(value, bool) else str(value)
        found.setdefault((one["question"], one["operator"]), []).append(word)
    return tuple(When(link, operator, tuple(words)) for (link, operator), words in found.items())


def _read_option(element: Resource) -> Option:
    points = next((one.get("valueDecimal") for one in element.get("extension", ()) if one.get("url") == ORDINAL), None)
    return Option(_code(element["valueCoding"]), None if points is None else int(points))


def _code(element: Resource) -> Code:
    return Code(element.get("system", ""), element.get("code", ""), element.get("display", ""), _told(element, "display"))


def _value(item: Item, value: Any) -> Resource:
    if isinstance(value, Code):
        coding = {"system": value.system, "code": value.code} | ({"display": value.zh} if value.zh else {})
        return {"valueCoding": coding}
    if isinstance(value, date):
        return {"valueDate": value.isoformat()}
    if item.kind in NUMBERS:
        return {f"value{_TYPED[item.kind]}": number(value)}
    return {f"value{_TYPED.get(item.kind, 'String')}": value}


def _answers(items: Sequence[Item], elements: Sequence[Resource], issues: list[Issue]) -> dict[str, list[Any]]:
    known = {one.link: one for one in items}
    found: dict[str, list[Any]] = {}
    for element in elements:
        link = str(element.get("linkId"))
        item = known.get(link)
        if item is None:
            issues.append(Issue(f"the form has no item {link[:40]!r} here", "code-invalid", "QuestionnaireResponse.item"))
        elif item.kind is Kind.GROUP:
            found.setdefault(link, []).append(_answers(item.items, element.get("item", ()), issues))
        else:
            for answer in element.get("answer", ()):
                value = _read_value(item, answer)
                if value is None:
                    issues.append(Issue(f"{item.zh} {item.en}: the answer is not of the kind {item.kind}", "structure", link))
                else:
                    found.setdefault(link, []).append(value)
    return found


def _read_value(item: Item, answer: Resource) -> Any:
    key = next((one for one in answer if one.startswith("value")), "")
    value: Any = answer.get(key)
    if key == "valueCoding" and item.kind in (Kind.CHOICE, Kind.OPEN_CHOICE):
        code = _code(value)
        return next((one.code for one in item.options if one.code.same(code)), code)
    if key == "valueDate" and item.kind is Kind.DATE:
        return date.fromisoformat(value) if len(value) == len("2026-01-01") else None
    if key == "valueDecimal" and item.kind is Kind.DECIMAL:
        return Decimal(str(value))
    allowed = {Kind.BOOLEAN: ("valueBoolean",), Kind.INTEGER: ("valueInteger",), Kind.STRING: ("valueString",), Kind.TEXT: ("valueString",),
               Kind.OPEN_CHOICE: ("valueString",)}  # fmt: skip
    return value if key in allowed.get(item.kind, ()) else None


def _all(items: Sequence[Resource]) -> list[Resource]:
    return [one for item in items for one in (item, *_all(item.get("item", ())))]
