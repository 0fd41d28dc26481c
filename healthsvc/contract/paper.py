"""The contract as it is printed: what both sides read before they sign, and what is frozen once they have."""

from datetime import datetime
from typing import Final

from healthsvc.contract.rules import Agreement, Side, SignatureKind, Signed
from healthsvc.documents import Document, Drawing, Fields, Paragraph, Section, Signature, Signatures, Table
from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER
from healthsvc.healthfile.resources import to_person
from healthsvc.store import Store

TITLE: Final = "家庭医生签约服务协议"
KIND: Final = "contract"
SCAN: Final = "contract-scan"
SEXES: Final = {"male": "男", "female": "女"}
KIND_WORDS: Final = {
    SignatureKind.DRAWN: "屏幕手写",
    SignatureKind.WET_SCAN: "纸质签字（原件由中心保存，扫描件另行封存）",
    SignatureKind.CARRIED_OVER: "按原协议约定自动续约，未另行签字",
    SignatureKind.CERTIFIED: "电子认证签名（证书由签名方提供，本系统未核验）",
}
_HONEST: Final = "签字方式据实注明。屏幕手写的笔迹图像本身不是《电子签名法》所称可靠的电子签名；本文书另以封存签名保证签后未被改动。"
SVG: Final = "image/svg+xml"


def service_name(code: str) -> str:
    """A promised service as it is called."""
    return next((one.zh for one in CODE_TABLES["visit-kind"].codes if one.code == code), code)


def contract_paper(store: Store, agreement: Agreement, made: datetime) -> Document:
    """The contract with whatever signatures it has; a side that has not signed gets an empty line."""
    person = to_person(store.read("Patient", agreement.person))
    numbers = {one.system: one.value for one in person.identifiers}
    resident = [
        ("姓名", person.name),
        ("性别", SEXES.get(person.sex, "未说明")),
        ("出生日期", person.birth.isoformat() if person.birth else ""),
        ("身份证号", numbers.get(CITIZEN_ID, "")),
        ("健康档案编号", numbers.get(HEALTH_FILE_NUMBER, "")),
        ("住址", person.address),
        ("电话", "、".join(person.phones)),
    ]
    proxy = next((one for one in agreement.signatures if one.side is Side.PROXY), None)
    if proxy is not None:
        resident.append(("代签人", f"{proxy.name}（{proxy.relation}）"))
    centre = named(store, agreement.centre)
    team = [
        ("签约机构", centre),
        ("签约医生", with_phone(store, agreement.doctor)),
        *([("结对护士", with_phone(store, agreement.nurse))] if agreement.nurse else []),
    ]
    promised = tuple((service_name(one.service), f"{one.times} 次") for one in agreement.promises)
    clauses = store.policy.value("contract.clauses", agreement.start)
    term = f"{agreement.start:%Y年%-m月%-d日} 至 {agreement.end:%Y年%-m月%-d日}"
    return Document(
        TITLE,
        (
            Section("甲方（签约居民）", (Fields(tuple(resident)),)),
            Section("乙方（家庭医生团队）", (Fields(tuple(team)),)),
            Section("期限与服务", (Fields((("协议期限", term),)), Table(("服务项目", "协议期内次数"), promised))),
            Section("约定", tuple(Paragraph(str(one)) for one in clauses)),
            Section("签字", (Signatures(_signatures(store, agreement, person.name)), Paragraph(_HONEST))),
        ),
        made,
        issuer=centre,
        number=agreement.number or f"{agreement.start:%Y%m%d}-{agreement.person[:8]}",
    )


def _signatures(store: Store, agreement: Agreement, person: str) -> tuple[Signature, ...]:
    mine = next((one for one in agreement.signatures if one.side is not Side.DOCTOR), None)
    theirs = next((one for one in agreement.signatures if one.side is Side.DOCTOR), None)
    by_proxy = mine is not None and mine.side is Side.PROXY
    role = f"甲方代签人（{mine.relation}）" if mine and by_proxy else "甲方"
    name = mine.name if mine and by_proxy else person
    return (_signature(store, role, name, mine), _signature(store, "乙方 签约医生", named(store, agreement.doctor), theirs))


def _signature(store: Store, role: str, name: str, signed: Signed | None) -> Signature:
    if signed is None:
        return Signature(role, name)
    drawing = Drawing.of_svg(signed.data.decode("utf-8", "ignore")) if signed.format == SVG else None
    words = KIND_WORDS[signed.kind] + ("" if drawing or signed.kind is not SignatureKind.DRAWN else "（未留笔迹图像）")
    return Signature(role, name, words, f"{signed.at.astimezone(store.zone):%Y-%m-%d %H:%M}", drawing)


def with_phone(store: Store, reference: str | None) -> str:
    """Name and telephone of a member of the staff or an organization."""
    return "　".join(part for part in (named(store, reference), phone(store, reference)) if part)


def named(store: Store, reference: str | None) -> str:
    """The name behind a reference; empty where there is none."""
    found = _behind(store, reference)
    name = found.get("name", "")
    if isinstance(name, str):
        return name
    first: Resource = next(iter(name), {})
    return str(first.get("text") or first.get("family", "") + "".join(first.get("given", ())))


def phone(store: Store, reference: str | None) -> str:
    """The first telephone behind a reference."""
    telecom = _behind(store, reference).get("telecom", ())
    return next((str(one["value"]) for one in telecom if one.get("system") == "phone" and one.get("value")), "")


def _behind(store: Store, reference: str | None) -> Resource:
    kind, _, id = (reference or "").partition("/")
    return (store.find(kind, id) if id else None) or {}
