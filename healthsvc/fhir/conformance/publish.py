"""The tables as FHIR resources, to be read under ``/fhir`` by any client."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from healthsvc.fhir import own, systems
from healthsvc.fhir.conformance.codes_care import CARE
from healthsvc.fhir.conformance.codes_person import PERSON
from healthsvc.fhir.conformance.extensions import EXTENSIONS
from healthsvc.fhir.conformance.operations import OPERATIONS
from healthsvc.fhir.conformance.profiles import PROFILES
from healthsvc.fhir.conformance.structures import HL7, bound, extension_definition, profile_definition
from healthsvc.fhir.conformance.tables import PUBLISHED_ON, PUBLISHER, VERSION, Code, CodeTable, Operand, Operation
from healthsvc.fhir.conformance.topics import TOPICS, as_basic
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry, SearchParameter

CODE_TABLES: dict[str, CodeTable] = {one.name: one for one in (*PERSON, *CARE)}
NAMING: tuple[tuple[str, str, str, str], ...] = (
    ("citizen-id", systems.CITIZEN_ID, "公民身份号码（GB 11643）", "Citizen identification number (GB 11643)"),
    ("health-file-number", systems.HEALTH_FILE_NUMBER, "健康档案编号", "Number of the health file"),
    ("staff-number", systems.STAFF_NUMBER, "医务人员编号", "Number of a member of staff"),
    ("institution-code", systems.INSTITUTION_CODE, "医疗机构编码", "Code of a medical institution"),
    ("outpatient-number", systems.OUTPATIENT_NUMBER, "门诊号", "Outpatient number"),
    ("inpatient-number", systems.INPATIENT_NUMBER, "住院号", "Inpatient number"),
    ("health-card", systems.HEALTH_CARD, "居民健康卡号", "Number of the health card"),
    ("lixiu-certificate", systems.LIXIU_CERTIFICATE, "离休干部荣誉证编号", "Number of the veteran cadre's certificate"),
    ("one-key-device", systems.ONE_KEY_DEVICE, "一键通设备编号", "Number of a one-key device"),
    ("contract-number", systems.CONTRACT_NUMBER, "签约协议编号", "Number of a family-doctor contract"),
    ("contact-card-token-sha256", systems.CARD_TOKEN, "联系卡二维码令牌的 SHA-256", "SHA-256 of the token in a contact card's QR code"),
    ("contact-card-facts", systems.CARD_FACTS, "联系卡内容摘要", "Digest of what stands on a contact card"),
    ("document-sha256", systems.DOCUMENT_SHA256, "冻结文书的 SHA-256", "SHA-256 of a frozen document"),
    ("citizen-id-unverified", systems.UNVERIFIED_CITIZEN_ID, "未通过校验的身份号码", "Citizen id that failed its check"),
)
"""Identifier systems: id, uri, Chinese, English."""


@cache
def resources() -> tuple[Resource, ...]:
    """Everything that we publish, in a fixed order; treat it as read-only."""
    made = [
        *map(code_system, CODE_TABLES.values()),
        *(value_set(one) for one in CODE_TABLES.values() if one.codes),
        *map(extension_definition, EXTENSIONS),
        *map(profile_definition, PROFILES),
        *map(search_parameter, own.rows()),
        *(naming_system(*row) for row in NAMING),
        *map(operation_definition, OPERATIONS),
        *map(as_basic, TOPICS),
    ]
    return (*made, implementation_guide(made))


def canonical(resource_type: str, name: str, zh: str, en: str, **more: Any) -> Resource:
    """What all published resources have in common."""
    return {
        "resourceType": resource_type,
        "id": name,
        "url": f"{systems.BASE}/{resource_type}/{name}",
        "version": VERSION,
        "name": machine_name(name),
        "title": f"{zh} {en}",
        "status": "active",
        "experimental": False,
        "date": PUBLISHED_ON,
        "publisher": PUBLISHER,
        "description": f"{zh}。{en}.",
        **more,
    }


def machine_name(name: str) -> str:
    """``green-channel`` as GreenChannel."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace("_", "-").split("-"))


def code_system(table: CodeTable) -> Resource:
    """A table of codes: Chinese display, English designation."""
    content = ("complete" if table.closed else "fragment") if table.codes else "not-present"
    more: Resource = {"caseSensitive": True, "content": content}
    if table.codes:
        more |= {"valueSet": systems.value_set(table.name), "count": len(table.codes), "concept": list(map(concept, table.codes))}
    return canonical("CodeSystem", table.name, table.zh, table.en, **more)


def concept(one: Code) -> Resource:
    """One code."""
    return {"code": one.code, "display": one.zh, "designation": [{"language": "en", "value": one.en}]}


def value_set(table: CodeTable) -> Resource:
    """All codes of a table."""
    return canonical("ValueSet", table.name, table.zh, table.en, compose={"include": [{"system": systems.code_system(table.name)}]})


def search_parameter(row: list[Any]) -> Resource:
    """One of our search parameters."""
    name, code, kind, bases, expression, targets, _, text = row
    made = canonical("SearchParameter", name, *text.rsplit(" | ", 1), code=code, base=bases, type=kind, expression=expression)
    made["xpathUsage"] = "normal"
    del made["title"]
    return made | ({"target": targets} if targets else {})


def standard_search_parameter(one: SearchParameter) -> Resource:
    """A search parameter of the standard as a definition, for whoever follows the links of the CapabilityStatement."""
    made: Resource = {
        "resourceType": "SearchParameter",
        "id": one.id[:64],  # one published id is longer than R4 allows
        "url": one.url,
        "version": "4.0.1",
        "name": one.code,
        "status": "active",
        "publisher": "Health Level Seven International",
        "description": one.description or one.code,
        "code": one.code,
        "base": list(one.base),
        "type": one.type,
        "expression": one.expression,
    }
    if one.targets:
        made["target"] = sorted(one.targets)
    if one.components:
        parts = ((Registry.load().parameter(one.base[0], name), how) for name, _, how in one.components)
        made["component"] = [{"definition": part.url, "expression": how} for part, how in parts if part]
    return made


def naming_system(name: str, uri: str, zh: str, en: str) -> Resource:
    """One identifier system."""
    kind, value = ("oid", uri.removeprefix("urn:oid:")) if uri.startswith("urn:oid:") else ("uri", uri)
    made = canonical("NamingSystem", name, zh, en, kind="identifier", uniqueId=[{"type": kind, "value": value, "preferred": True}])
    return {key: value for key, value in made.items() if key not in ("url", "version", "title", "experimental")}


def operation_definition(one: Operation) -> Resource:
    """A use case of a room."""
    made = canonical("OperationDefinition", one.id, one.zh, one.en)
    made |= {"kind": "operation", "affectsState": one.writes, "code": one.code, "resource": [one.resource]}
    made |= {"system": False, "type": one.both or not one.instance, "instance": one.instance}
    made["parameter"] = [operand(it, "in") for it in one.takes] + [operand(it, "out") for it in one.gives]
    return made


def operand(one: Operand, use: str) -> Resource:
    """A parameter of an operation."""
    made: Resource = {"name": one.name, "use": use, "min": one.min, "max": one.max, "documentation": f"{one.zh} {one.en}"}
    if one.parts:
        return made | {"part": [operand(it, use) for it in one.parts]}
    made["type"] = one.type
    if one.targets:
        made["targetProfile"] = [HL7 + target for target in one.targets]
    if one.codes and CODE_TABLES[one.codes].codes:
        made["binding"] = bound(one.codes)
    return made


def implementation_guide(made: list[Resource]) -> Resource:
    """The guide that lists all of it."""
    return canonical(
        "ImplementationGuide",
        "healthsvc",
        "离退休干部社区医疗服务实施指南",
        "Implementation guide of community care for retired cadres",
        packageId="healthsvc.fhir",
        license="Apache-2.0",
        fhirVersion=["4.0.1"],
        definition={"resource": list(listed(made))},
    )


def listed(made: list[Resource]) -> Iterator[Resource]:
    """The resources as entries of the guide."""
    for one in made:
        yield {
            "reference": {"reference": f"{one['resourceType']}/{one['id']}"},
            "name": one.get("title") or one.get("name") or one["code"]["text"],
            "exampleBoolean": False,
        }
