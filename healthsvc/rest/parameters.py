"""Parameters of an operation, read by its definition and written again: what is unknown, missing, doubled or of another type is named."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from healthsvc.errors import Invalid, Issue, Malformed
from healthsvc.fhir.conformance.tables import Operand, Operation
from healthsvc.fhir.elements import day, moment
from healthsvc.fhir.json import Resource, loads
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.rest.call import Call

BODY = "Parameters"
RESOURCES = frozenset({"QuestionnaireResponse"})
"""Types of parameters that are whole resources."""


def taken(operation: Operation, call: Call, registry: Registry) -> dict[str, Any]:
    """The values by name; what may repeat as a list, what consists of parts as a dict of their values, what is absent left out.

    Values are str, int, Decimal, bool, date, aware datetime, or the element (a Reference, an Identifier). A GET gives plain values in
    its address; only operations that change nothing are asked so.

    Raises:
        Malformed: the body is no Parameters resource.
        Invalid: with an issue for each parameter that is not as the operation wants it.
    """
    given = _body(call, registry) if call.body else _address(operation, call)
    issues: list[Issue] = []
    values = _read(operation.takes, given, BODY, issues)
    if issues:
        raise Invalid(f"${operation.code}: {issues[0].text}", issues=issues)
    return values


def pairs(call: Call) -> list[tuple[str, str]]:
    """The parameters of an operation that takes only plain values, by its address, by a form or by a Parameters body.

    A Coding is written ``system|code``, each coding of a concept as a ``coding``, a Reference as what it refers to.

    Raises:
        Malformed: the body is no Parameters resource, or a value in it is not plain.
    """
    given = list(call.query)
    if not call.body or call.media == "application/x-www-form-urlencoded":
        return given
    body = loads(call.body)
    if not isinstance(body, dict) or body.get("resourceType") != BODY:
        raise Malformed("an operation takes a Parameters resource as its body", path=BODY)
    for at, one in enumerate(body.get("parameter", ())):
        value = next((value for key, value in one.items() if key.startswith("value")), None)
        if isinstance(value, dict):
            for coded in value.get("coding", ()):
                given.append(("coding", _coded(coded)))
            if "coding" in value:
                continue
            value = value.get("reference") or (_coded(value) if "code" in value else None)
        if not isinstance(value, (str, int, Decimal)) or not isinstance(one.get("name"), str):
            raise Malformed("the parameter has no plain value", path=f"{BODY}.parameter[{at}]")
        given.append((one["name"], str(value).lower() if isinstance(value, bool) else str(value)))
    return given


def _coded(coding: Resource) -> str:
    return f"{coding.get('system', '')}|{coding.get('code', '')}"


def named(name: str, **value: Any) -> Resource:
    """One parameter."""
    return {"name": name, **value}


def parameters(*given: Resource) -> Resource:
    """A Parameters resource; without any parameter it says nothing."""
    return {"resourceType": BODY, **({"parameter": list(given)} if given else {})}


def _body(call: Call, registry: Registry) -> list[Resource]:
    resource = loads(call.body)
    if not isinstance(resource, dict) or resource.get("resourceType") != BODY:
        raise Malformed("an operation takes a Parameters resource as its body", path=BODY)
    wrong = [one for one in validate(resource, registry) if one.severity in ("error", "fatal")]
    if wrong:
        raise Invalid(f"the Parameters are not valid: {wrong[0].text}", issues=wrong)
    return list(resource.get("parameter", ()))


def _address(operation: Operation, call: Call) -> list[Resource]:
    simple = {one.name: one.type for one in operation.takes if one.type in ("positiveInt", "integer", "date", "code", "string", "boolean")}
    return [named(name, **{_key(simple.get(name, "string")): _plain(simple.get(name, ""), text)}) for name, text in call.query]


def _plain(type: str, text: str) -> Any:
    if type in ("positiveInt", "integer") and text.isascii() and text.isdigit() and 0 < int(text) < 2**31:
        return int(text)
    return {"true": True, "false": False}.get(text, text) if type == "boolean" else text


def _key(type: str) -> str:
    return f"value{type[:1].upper()}{type[1:]}"


def _read(operands: tuple[Operand, ...], given: list[Resource], path: str, issues: list[Issue]) -> dict[str, Any]:
    known = {one.name: one for one in operands}
    found: dict[str, list[Any]] = {}
    for at, one in enumerate(given):
        where, operand = f"{path}.parameter[{at}]" if path == BODY else f"{path}.part[{at}]", known.get(one.get("name", ""))
        if operand is None:
            issues.append(Issue(f"there is no such parameter; there are {', '.join(known)}", "not-supported", where))
        elif operand.parts:
            found.setdefault(operand.name, []).append(_read(operand.parts, one.get("part", []), where, issues))
        else:
            _value(operand, one, where, issues, found)
    for operand in operands:
        times = len(found.get(operand.name, ()))
        if times < operand.min and not any(operand.name == one.get("name") for one in given):
            issues.append(Issue(f"needs the parameter {operand.name} ({operand.zh})", "required", path))
        if operand.max != "*" and times > int(operand.max):
            issues.append(Issue(f"takes the parameter {operand.name} at most {operand.max} times", "structure", path))
    return {name: values if known[name].max == "*" else values[0] for name, values in found.items() if values}


def _value(operand: Operand, given: Resource, where: str, issues: list[Issue], found: dict[str, list[Any]]) -> None:
    value = given.get("resource") if operand.type in RESOURCES else given.get(_key(operand.type))
    wanted = {"positiveInt": int, "integer": int, "boolean": bool}.get(operand.type, object)
    if value is None or not isinstance(value, wanted):
        issues.append(
            Issue(f"{operand.name} is given as {'resource' if operand.type in RESOURCES else _key(operand.type)}", "structure", where)
        )
        return
    values = found.setdefault(operand.name, [])
    try:
        values.append(_typed(operand.type, value, f"{where}.{_key(operand.type)}"))
    except Invalid as refusal:
        issues += refusal.issues


def _typed(type: str, value: Any, path: str) -> date | datetime | Any:
    if type == "date":
        return day(value, path)
    return moment(value, path) if type == "dateTime" else value
