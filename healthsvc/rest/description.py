"""The OpenAPI document: what the framework writes by itself, with what every address may refuse and how FHIR answers look."""

import re
import warnings
from typing import Any, Final

from fastapi import FastAPI

_PROBLEM: Final = "application/problem+json"
_FHIR: Final = "application/fhir+json"
_NO_WORD: Final = re.compile(r"[^A-Za-z0-9]+")
_REFUSALS: Final = {
    "400": "The request cannot be read, or asks for something that is not offered",
    "401": "Nobody is signed in, or the token is not known, has ended or wants a certificate",
    "403": "The role, the scopes or the area do not allow it",
    "404": "There is no such thing, or it belongs to somebody whom the caller does not look after",
    "405": "The address does not take that method",
    "406": "None of the formats that are asked for can be given",
    "409": "It contradicts what is there",
    "410": "It was there and has been deleted",
    "412": "If-Match names another version, or a condition matches several; or a prefetch is missing",
    "413": "The body is larger than the limit",
    "415": "The body is of another format than the address takes",
    "422": "It can be read, but a value or a rule of the field forbids it",
    "429": "Too often; Retry-After says when again",
    "503": "Not now: the database is busy, or a part is not installed",
}
"""What any address may answer (healthsvc/errors.py)."""
_SHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_OTHERS: Final = {
    "/api/circle/roads.geojson": ("application/geo+json",),
    "/api/circle/layer.geojson": ("application/geo+json",),
    "/api/healthfile/roster-template.xlsx": (_SHEET,),
    "/api/indicators.{form}": (_SHEET, "text/csv", "application/pdf"),
    "/api/indicators/{code}/people.{form}": (_SHEET, "text/csv", "application/pdf"),
    "/api/ledgers/{name}.{form}": (_SHEET, "text/csv", "application/pdf"),
}
"""Answers that are no JSON, by address."""
_PAPERS: Final = ("/pdf", ".pdf", "/paper")
"""How addresses of printed documents end."""
_PARAMETER: Final = re.compile(r"\{(\w+)")
_FHIR_ANSWERS: Final = {
    "200": "Done, or found",
    "201": "Written",
    "202": "Taken; ask the address in Content-Location",
    "204": "Done; there is nothing to say",
    "304": "Not changed since the version that the caller has",
}
_BODIES: Final = {
    "post": (_FHIR, "application/json", "application/x-www-form-urlencoded"),
    "put": (_FHIR, "application/json"),
    "patch": (_FHIR, "application/json-patch+json", "application/json"),
}
"""What FHIR addresses read; POST takes a form where it searches."""


def install(app: FastAPI) -> None:
    """Describe an application; made once, when it is first asked for."""

    framework = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            with warnings.catch_warnings():
                # an address that takes GET and POST by one function has one name for both; complete() gives each its own
                warnings.filterwarnings("ignore", "Duplicate Operation ID", UserWarning)
                app.openapi_schema = complete(framework())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with refusals, FHIR answers and the ways to sign in."""
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {}).update(
        Problem={
            "type": "object",
            "title": "Problem (RFC 9457)",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "errors": {"type": "array", "items": {"type": "object"}},
            },
        },
        Resource={"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}},
        OauthError={"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    )
    parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"bearer": []}]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            operation["operationId"] = method + _NO_WORD.sub("_", path).rstrip("_")
            _complete(path, method, operation)
            _parameters(path, operation)
            _media(path, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    answers: dict[str, Any] = operation["responses"]
    if path.startswith("/fhir") and ".well-known" not in path:
        of_fhir = {_FHIR: {"schema": _of("Resource")}}
        for status, text in _FHIR_ANSWERS.items():
            answers[status] = {"description": text} | ({"content": of_fhir} if status in ("200", "201") else {})
        refused = of_fhir
        if method in _BODIES:
            operation.setdefault("requestBody", {"content": {kind: {"schema": {"type": "object"}} for kind in _BODIES[method]}})
    elif path.startswith("/auth"):
        refused = {"application/json": {"schema": _of("OauthError")}, _PROBLEM: {"schema": _of("Problem")}}
    else:
        refused = {_PROBLEM: {"schema": _of("Problem")}}
    for status, text in _REFUSALS.items():
        answers[status] = {"description": text, "content": refused}


def _parameters(path: str, operation: dict[str, Any]) -> None:
    """Parts of an address that a handler reads from the request itself."""
    told = operation.setdefault("parameters", [])
    known = {one.get("name") for one in told if one.get("in") == "path"}
    form = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"} if path.startswith("/fhir") else {"type": "string"}
    told += [{"name": name, "in": "path", "required": True, "schema": form} for name in _PARAMETER.findall(path) if name not in known]


def _media(path: str, operation: dict[str, Any]) -> None:
    """Answers that are no plain JSON."""
    answer = operation["responses"].get("200")
    if answer is None or path.startswith("/fhir"):
        return
    kinds = _OTHERS.get(path) or (("application/pdf",) if path.endswith(_PAPERS) else None)
    if kinds is not None:
        answer["content"] = {one: {"schema": {"type": "object"} if one.endswith("json") else {"type": "string"}} for one in kinds}
    elif path.startswith("/api") and "application/json" in answer.get("content", {}):
        # resources that a room hands on as they are
        answer["content"].setdefault(_FHIR, {"schema": answer["content"]["application/json"].get("schema", {})})


def _of(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
