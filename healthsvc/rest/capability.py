"""The CapabilityStatement, made from the registry and from the routes that really exist: it cannot claim what is not there."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Depends, Response
from starlette.routing import BaseRoute, Route

from healthsvc import __version__
from healthsvc.access.rules import AUDIT_TYPES
from healthsvc.errors import NotSupported
from healthsvc.fhir.conformance.profiles import PROFILES
from healthsvc.fhir.conformance.topics import BACKPORT, TOPICS, canonical
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.registry import Registry, SearchParameter
from healthsvc.fhir.systems import BASE, profile
from healthsvc.rest.answer import Answer
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.delete import MOST
from healthsvc.rest.site import Site
from healthsvc.store.search.parse import NOT_OFFERED

PUBLISHED = "2026-01-01"
"""Date of the statement's form; what it lists follows the program."""
ONE, TYPE = "/{type:fhirtype}/{id:fhirid}", "/{type:fhirtype}"
INTERACTIONS = {
    ("GET", ONE): "read",
    ("GET", f"{ONE}/_history/{{version:fhirid}}"): "vread",
    ("PUT", ONE): "update",
    ("PATCH", ONE): "patch",
    ("DELETE", ONE): "delete",
    ("GET", f"{ONE}/_history"): "history-instance",
    ("GET", f"{TYPE}/_history"): "history-type",
    ("POST", TYPE): "create",
    ("GET", TYPE): "search-type",
}
"""Which route makes which interaction (R4 TypeRestfulInteraction)."""
SYSTEM = {("POST", ""): ("transaction", "batch"), ("GET", ""): ("search-system",), ("GET", "/_history"): ("history-system",)}
STANDARD = "http://hl7.org/fhir/OperationDefinition/"
BULK = "http://hl7.org/fhir/uv/bulkdata/"
SUBSCRIPTIONS = "http://hl7.org/fhir/uv/subscriptions-backport"
DEFINED = {
    ("*", "validate"): f"{STANDARD}Resource-validate",
    ("*", "meta"): f"{STANDARD}Resource-meta",
    ("*", "meta-add"): f"{STANDARD}Resource-meta-add",
    ("*", "meta-delete"): f"{STANDARD}Resource-meta-delete",
    ("Patient", "everything"): f"{STANDARD}Patient-everything",
    ("Subscription", "status"): f"{SUBSCRIPTIONS}/OperationDefinition/backport-subscription-status",
    ("Subscription", "events"): f"{SUBSCRIPTIONS}/OperationDefinition/backport-subscription-events",
    **{
        (type, name): f"{STANDARD}{type}-{name}"
        for type, name in (
            ("ValueSet", "expand"),
            ("ValueSet", "validate-code"),
            ("CodeSystem", "validate-code"),
            ("CodeSystem", "lookup"),
            ("CodeSystem", "subsumes"),
            ("Patient", "match"),
            ("Observation", "lastn"),
        )
    },
    ("", "export"): f"{BULK}OperationDefinition/export",
    ("Patient", "export"): f"{BULK}OperationDefinition/patient-export",
    ("Group", "export"): f"{BULK}OperationDefinition/group-export",
}
"""(resource type, name) of the operations that others have defined; the type is ``*`` for any and empty for the system."""
DOCUMENTED = (
    "日期不带时区时按 Asia/Shanghai 理解 Dates without a zone are meant in Asia/Shanghai. "
    f"条件删除只删一个，除非以 _count=n（至多 {MOST}）言明 "
    f"A conditional delete takes one resource, unless _count=n (at most {MOST}) says more."
)
_ROUTES: list[BaseRoute] = []
"""The FHIR API has the same routes in every installation; an entry of a bundle asks for the statement where no router is at hand."""
_MADE: dict[tuple[str, str], bytes] = {}
SEARCHED_EVERYWHERE = ("_id", "_lastUpdated", "_tag", "_profile", "_security", "_source")


ADDRESSES = {("", "export-status"), ("", "export-file")}
"""Places where an export is looked after: no operations of their own."""


def statement(site: Site, call: Call) -> Answer:
    """The statement as it is asked for, by a request or by an entry of a bundle.

    Raises:
        NotSupported: ``mode`` is another than full or normative.
    """
    if dict(call.query).get("mode", "full") not in ("full", "normative"):
        raise NotSupported("mode is full or normative here", path="mode")
    key = site.name, call.base
    body = _MADE.get(key)
    if body is None:
        _MADE.clear()  # one installation has one address; a forged Host must not fill the memory
        body = _MADE[key] = dumps(capability(site, _ROUTES, call.base))
    return Answer(200, body)


def capability(site: Site, routes: Sequence[BaseRoute], base: str) -> Resource:
    """The statement of one installation."""
    present = {
        (method, path) for route in routes if isinstance(route, Route) for method in route.methods or () for path in [_bare(route.path)]
    }
    interactions = [code for key, code in INTERACTIONS.items() if key in present]
    operations = sorted({_operation(path) for _, path in present if "/$" in path} - ADDRESSES)
    return {
        "resourceType": "CapabilityStatement",
        "id": "healthsvc",
        "url": f"{BASE}/CapabilityStatement/healthsvc",
        "version": __version__,
        "name": "Healthsvc",
        "title": f"{site.name} FHIR R4",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "healthsvc", "version": __version__},
        "implementation": {"description": site.name, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json"],
        "instantiates": [f"{BULK}CapabilityStatement/bulk-data"],
        "implementationGuide": [f"{BASE}/ImplementationGuide/healthsvc"],
        "rest": [
            {
                "mode": "server",
                "documentation": DOCUMENTED,
                "security": _security(base.removesuffix("/fhir")),
                "resource": [_resource(site.registry, type, interactions, present, operations) for type in sorted(site.registry.types)],
                "interaction": [{"code": code} for key, codes in SYSTEM.items() if key in present for code in codes],
                "operation": [{"name": name, "definition": _definition("", name)} for of, name in operations if of == ""],
                "searchParam": [
                    _parameter(one) for code in SEARCHED_EVERYWHERE if (one := site.registry.parameter("Patient", code)) is not None
                ],
            }
        ],
    }


def _security(server: str) -> Resource:
    """SMART on FHIR, and where its endpoints are (SMART App Launch 1.0 wrote them here; clients still look)."""
    uris = ({"url": name, "valueUri": f"{server}/auth/{name}"} for name in ("authorize", "token", "revoke", "introspect"))
    service = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}
    return {
        "cors": True,
        "service": [{"coding": [service], "text": "OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)"}],
        "description": "Authorization: Bearer",
        "extension": [{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris", "extension": list(uris)}],
    }


def _bare(path: str) -> str:
    return path.removeprefix("/fhir")


def _operation(path: str) -> tuple[str, str]:
    """(resource type or ``*``, name) of the operation at a path."""
    head, _, name = path.partition("/$")
    type = head.strip("/").split("/")[0]
    return ("*" if type.startswith("{") else type, name.partition("/")[0])


def _resource(
    registry: Registry, type: str, interactions: Sequence[str], present: set[tuple[str, str]], operations: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """What can be done with one type."""
    parameters = registry.parameters(type)
    references = sorted(code for code, one in parameters.items() if one.type == "reference")
    writes = type not in AUDIT_TYPES
    if not writes:
        interactions = [code for code in interactions if code in ("read", "search-type")]
    made: dict[str, Any] = {
        "type": type,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{type}",
        **({"supportedProfile": supported} if (supported := [profile(one.name) for one in PROFILES if one.type == type]) else {}),
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "readHistory": "vread" in interactions,
        "updateCreate": "update" in interactions,
        "conditionalCreate": "create" in interactions,
        "conditionalRead": "full-support",
        "conditionalUpdate": writes and ("PUT", TYPE) in present,
        "conditionalDelete": "single" if writes and ("DELETE", TYPE) in present else "not-supported",
        "referencePolicy": ["literal", "logical"],
        "searchInclude": ["*", *(f"{type}:{code}" for code in references)],
        "searchRevInclude": ["*", *_referring(registry, type)],
        "searchParam": [_parameter(one) for _, one in sorted(parameters.items()) if _searchable(one)],
    }
    listed = [{"name": name, "definition": _definition(of, name)} for of, name in operations if writes and of in ("*", type)]
    if listed:
        made["operation"] = listed
    if type == "Subscription":
        url = f"{BACKPORT}/capabilitystatement-subscriptiontopic-canonical"
        made["extension"] = [{"url": url, "valueCanonical": canonical(one)} for one in TOPICS]
    return made


def _searchable(one: SearchParameter) -> bool:
    return one.code not in NOT_OFFERED


def _parameter(one: SearchParameter) -> dict[str, str]:
    made = {"name": one.code, "definition": one.url, "type": one.type}
    return {**made, "documentation": one.description} if one.description and one.url.startswith(BASE) else made


def _definition(type: str, name: str) -> str:
    return DEFINED.get((type, name)) or f"{BASE}/OperationDefinition/{type}-{name}"


@lru_cache(maxsize=256)
def _referring(registry: Registry, type: str) -> tuple[str, ...]:
    """``Observation:subject`` and its like: parameters that name the type among their targets."""
    return tuple(
        f"{source}:{one.code}"
        for source in sorted(registry.types)
        for one in registry.parameters(source).values()
        if one.type == "reference" and type in one.targets
    )


def routes(site: Site, router: APIRouter) -> None:
    """GET /metadata. Open to all: it says nothing of any person, and clients need it before they can sign in."""

    @router.get("/metadata")
    def metadata(call: Call = Depends(call_of)) -> Response:
        return statement(site, call).response(pretty=call.pretty)

    _ROUTES[:] = router.routes
