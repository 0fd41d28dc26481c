"""A family-doctor contract as FHIR Contract, and its doctor and nurse as CareTeam."""

from base64 import b64decode, b64encode
from copy import deepcopy
from datetime import date, datetime
from typing import Any, Final

from healthsvc.contract.rules import Agreement, EndReason, Promise, Side, SignatureKind, Signed, State
from healthsvc.errors import Invalid
from healthsvc.fhir.elements import conforming
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CONTRACT_NUMBER, code_system, extension, profile
from healthsvc.visit.resources import VISIT_KIND, derived_id

PROFILE: Final = profile("family-doctor-contract")
CONTRACT_TYPE: Final = code_system("contract-type")
FAMILY_DOCTOR: Final = "family-doctor"
PACKAGE: Final = code_system("contract-package")
SIGNER: Final = code_system("contract-signer")
TEAM_ROLE: Final = code_system("care-role")
_STATE: Final = extension("contract-state")
_DOCTOR: Final = extension("signed-doctor")
_NURSE: Final = extension("paired-nurse")
_REASON: Final = extension("contract-end-reason")
_ENDED: Final = extension("contract-ended-on")
_PREDECESSOR: Final = extension("contract-predecessor")
_KIND: Final = extension("signature-kind")
_RELATION: Final = extension("proxy-relation")
_OURS: Final = frozenset({_STATE, _DOCTOR, _NURSE, _REASON, _ENDED, _PREDECESSOR})
_CONSENT_SIGNATURE: Final = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.7", "display": "Consent Signature"}

STATUS: Final = {
    State.DRAFT: "negotiable",
    State.PENDING_SIGNATURE: "executable",
    State.ACTIVE: "executed",
    State.RENEWED: "terminated",
    State.EXPIRED: "terminated",
    State.TERMINATED: "terminated",
    State.TRANSFERRED: "terminated",
}
"""FHIR contract-status of each state. The standard's "renewed" means the beginning of the successor, which here is simply executed."""
_PLAIN: Final = {
    "negotiable": State.DRAFT,
    "offered": State.DRAFT,
    "executable": State.PENDING_SIGNATURE,
    "executed": State.ACTIVE,
    "terminated": State.TERMINATED,
    "cancelled": State.TERMINATED,
    "revoked": State.TERMINATED,
    "rejected": State.TERMINATED,
}


def is_family_doctor(contract: Resource | None) -> bool:
    """Whether a Contract is a family-doctor contract, by its type or its profile."""
    if contract is None or contract.get("resourceType") != "Contract":
        return False
    return FAMILY_DOCTOR in _codes(contract.get("type"), CONTRACT_TYPE) or PROFILE in contract.get("meta", {}).get("profile", [])


def to_contract(agreement: Agreement, base: Resource | None = None) -> Resource:
    """Write an agreement as a Contract; other elements of ``base`` are kept."""
    contract: Resource = deepcopy(base) if base else {"resourceType": "Contract", "meta": {"profile": [PROFILE]}}
    contract["id"] = agreement.id
    if agreement.number:
        others = [one for one in contract.get("identifier", []) if one.get("system") != CONTRACT_NUMBER]
        contract["identifier"] = [{"system": CONTRACT_NUMBER, "value": agreement.number}, *others]
    contract["status"] = STATUS[agreement.state]
    contract["type"] = {"coding": [{"system": CONTRACT_TYPE, "code": FAMILY_DOCTOR}], "text": "家庭医生签约服务协议"}
    contract["subject"] = [{"reference": f"Patient/{agreement.person}"}]
    contract["applies"] = {"start": agreement.start.isoformat(), "end": agreement.end.isoformat()}
    _set(contract, "authority", [{"reference": agreement.centre}] if agreement.centre else None)
    contract["term"] = [_term(agreement)]
    _set(contract, "signer", [_signer(one, agreement) for one in agreement.signatures])
    kept = [one for one in contract.get("extension", []) if one.get("url") not in _OURS]
    contract["extension"] = _extensions(agreement) + kept
    return contract


def to_agreement(contract: Resource) -> Agreement:
    """Read an agreement from a Contract.

    Raises:
        Invalid: person, doctor or term is missing, or the status is one that family-doctor contracts do not have.
    """
    by_url = {one.get("url"): one for one in contract.get("extension", [])}
    signers = contract.get("signer", [])
    doctor = by_url.get(_DOCTOR, {}).get("valueReference", {}).get("reference") or _doctor_of(signers)
    if not doctor:
        raise Invalid(
            "a family-doctor contract names its doctor: extension signed-doctor, or a signer of type doctor", path="Contract.signer"
        )
    person = next((one.get("reference", "") for one in contract.get("subject", [])), "")
    if not person.startswith("Patient/"):
        raise Invalid("a family-doctor contract has the person as its subject: Patient/id", path="Contract.subject")
    reason = by_url.get(_REASON, {}).get("valueCode")
    term: Resource = next(iter(contract.get("term", [])), {})
    return Agreement(
        id=contract.get("id", ""),
        person=person.removeprefix("Patient/"),
        doctor=doctor,
        nurse=by_url.get(_NURSE, {}).get("valueReference", {}).get("reference"),
        start=_day(contract, "start"),
        end=_day(contract, "end"),
        state=_state(contract, by_url.get(_STATE, {}).get("valueCode")),
        centre=next((one.get("reference") for one in contract.get("authority", [])), None),
        number=next((one.get("value", "") for one in contract.get("identifier", []) if one.get("system") == CONTRACT_NUMBER), ""),
        package=next(iter(_codes(term.get("type"), PACKAGE)), ""),
        promises=_promises(term),
        signatures=tuple(signed for one in signers if (signed := _signed(one)) is not None),
        predecessor=by_url.get(_PREDECESSOR, {}).get("valueReference", {}).get("reference"),
        end_reason=EndReason(reason) if reason in {item.value for item in EndReason} else None,
        ended=date.fromisoformat(by_url[_ENDED]["valueDate"]) if _ENDED in by_url else None,
    )


def to_care_team(agreement: Agreement, active: bool) -> Resource:
    """The pair of doctor and nurse who look after a person (结对)."""
    members = [("doctor", agreement.doctor), ("nurse", agreement.nurse)]
    team: Resource = {
        "resourceType": "CareTeam",
        "id": derived_id("careteam", agreement.person),
        "status": "active" if active else "inactive",
        "subject": {"reference": f"Patient/{agreement.person}"},
        "period": {"start": agreement.start.isoformat(), "end": (agreement.ended or agreement.end).isoformat()},
        "participant": [
            {"role": [{"coding": [{"system": TEAM_ROLE, "code": role}]}], "member": {"reference": who}} for role, who in members if who
        ],
    }
    if agreement.centre:
        team["managingOrganization"] = [{"reference": agreement.centre}]
    return conforming(team, "care-pair")


def _term(agreement: Agreement) -> Resource:
    term: Resource = {
        "type": {"coding": [{"system": PACKAGE, "code": agreement.package}]},
        "offer": {"text": "家庭医生签约服务包"},
    }
    if agreement.promises:
        term["asset"] = [
            {
                "valuedItem": [
                    {
                        "entityCodeableConcept": {"coding": [{"system": VISIT_KIND, "code": str(promise.service)}]},
                        "quantity": {"value": promise.times},
                    }
                    for promise in agreement.promises
                ]
            }
        ]
    return term


def _promises(term: Resource) -> tuple[Promise, ...]:
    return tuple(
        Promise(code, int(item.get("quantity", {}).get("value", 0)))
        for asset in term.get("asset", [])
        for item in asset.get("valuedItem", [])
        for code in _codes(item.get("entityCodeableConcept"), VISIT_KIND)
    )


def _signer(signed: Signed, agreement: Agreement) -> Resource:
    who: Resource = {"reference": agreement.doctor if signed.side is Side.DOCTOR else f"Patient/{agreement.person}"}
    if signed.side is Side.PROXY:
        who = {"display": signed.name}
    signature: Resource = {"type": [dict(_CONSENT_SIGNATURE)], "when": signed.at.isoformat(), "who": who}
    signature["extension"] = [{"url": _KIND, "valueCode": signed.kind.value}]
    if signed.data:
        signature |= {"sigFormat": signed.format, "data": b64encode(signed.data).decode()}
    if signed.side is Side.PROXY:
        signature["onBehalfOf"] = {"reference": f"Patient/{agreement.person}"}
        signature["extension"].append({"url": _RELATION, "valueString": signed.relation})
    return {"type": {"system": SIGNER, "code": signed.side.value}, "party": dict(who), "signature": [signature]}


def _signed(signer: Resource) -> Signed | None:
    kind = signer.get("type", {})
    if kind.get("system") != SIGNER or kind.get("code") not in {side.value for side in Side}:
        return None
    signature: Resource = next(iter(signer.get("signature", [])), {})
    by_url = {one.get("url"): one for one in signature.get("extension", [])}
    how = by_url.get(_KIND, {}).get("valueCode")
    if how not in {item.value for item in SignatureKind}:
        raise Invalid(
            f"a signature says how it was made: extension signature-kind {', '.join(SignatureKind)}", path="Contract.signer.signature"
        )
    side = Side(kind["code"])
    name = signature.get("who", {}).get("display", "") if side is Side.PROXY else ""
    return Signed(
        side,
        SignatureKind(how),
        datetime.fromisoformat(signature["when"]),
        name,
        by_url.get(_RELATION, {}).get("valueString", ""),
        b64decode(signature.get("data", "")),
        signature.get("sigFormat", "") if signature.get("data") else "",
    )


def _doctor_of(signers: list[Resource]) -> str | None:
    for one in signers:
        if one.get("type", {}).get("code") == Side.DOCTOR.value:
            reference: str | None = one.get("party", {}).get("reference")
            return reference
    return None


def _extensions(agreement: Agreement) -> list[Resource]:
    written: list[Resource] = [
        {"url": _STATE, "valueCode": agreement.state.value},
        {"url": _DOCTOR, "valueReference": {"reference": agreement.doctor}},
    ]
    if agreement.nurse:
        written.append({"url": _NURSE, "valueReference": {"reference": agreement.nurse}})
    if agreement.predecessor:
        written.append({"url": _PREDECESSOR, "valueReference": {"reference": agreement.predecessor}})
    if agreement.end_reason:
        written.append({"url": _REASON, "valueCode": agreement.end_reason.value})
    if agreement.ended:
        written.append({"url": _ENDED, "valueDate": agreement.ended.isoformat()})
    return written


def _state(contract: Resource, finer: str | None) -> State:
    """The status decides; our finer state counts where it says the same (so that a client may change the status alone)."""
    status = contract.get("status", "")
    plain = _PLAIN.get(status)
    if plain is None:
        raise Invalid(f"a family-doctor contract is one of {', '.join(_PLAIN)}, not {status!r}", path="Contract.status")
    told = State(finer) if finer in {item.value for item in State} else None
    return told if told is not None and STATUS[told] == STATUS[plain] else plain


def _day(contract: Resource, end: str) -> date:
    text = contract.get("applies", {}).get(end)
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        raise Invalid(f"a contract needs its term: applies.{end} as a date", path=f"Contract.applies.{end}") from None


def _codes(concept: Any, system: str) -> list[str]:
    return [c["code"] for c in (concept or {}).get("coding", []) if c.get("system") == system and c.get("code")]


def _set(resource: Resource, key: str, value: Any) -> None:
    if value in (None, []):
        resource.pop(key, None)
    else:
        resource[key] = value
