"""建床协议签字 the agreement of a home bed signed on the screen: what each side drew, kept as it was given."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from healthsvc.documents.paper import Drawing
from healthsvc.errors import RuleViolation
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.elements import codes, concept, derived_id, extension, instant, moment, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store

ACTIVITY: Final = code_system("visit-signature")
AGREED: Final = "home-bed-agreed"
_SVG: Final = "image/svg+xml"
_TYPE: Final = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.7", "display": "Consent Signature"}


class Side(StrEnum):
    """Who signs: the person (or whoever signs for them), and the responsible doctor."""

    PERSON = "person"
    DOCTOR = "doctor"


@dataclass(frozen=True, slots=True)
class Hand:
    """One signature: by whom, and what was drawn."""

    name: str
    drawing: Drawing


@dataclass(frozen=True, slots=True)
class Kept:
    """One signature as it is kept. ``drawing`` is None where another system left a picture of its own."""

    name: str
    drawing: Drawing | None
    at: datetime


def keep_hands(store: Store, agreement: SignedConsent, doctor: str, hands: Mapping[Side, Hand]) -> Resource:
    """Keep what both sides have drawn, as a Provenance about the agreement.

    Args:
        agreement: as it is stored.
        doctor: Practitioner id of the responsible doctor.
        hands: what each side drew, just now.

    Raises:
        RuleViolation: a side has not signed, or somebody else would sign in the doctor's name.
    """
    if set(hands) != set(Side):
        raise RuleViolation("both sides sign the agreement on the screen", reason="homebed-both-sign", path="drawing")
    if store.actor.id != f"Practitioner/{doctor}":
        raise RuleViolation(
            "the responsible doctor signs with their own hand, signed in as themselves; or record what was signed on paper",
            reason="homebed-own-hand",
            path="signature",
        )
    return store.put(
        {
            "resourceType": "Provenance",
            "id": derived_id("bed-agreed", agreement.id),
            "target": [reference("Consent", agreement.id)],
            "recorded": instant(store.at),
            "activity": concept(ACTIVITY, AGREED, "建床协议签字"),
            "agent": [{"who": reference("Practitioner", doctor)}],
            "signature": [_of_person(store, agreement, hands[Side.PERSON]), _of_doctor(store, doctor, hands[Side.DOCTOR])],
        }
    )


def hands_of(store: Store, agreement: str) -> dict[Side, Kept]:
    """What each side of an agreement drew; empty where it was not signed on the screen."""
    found = store.find("Provenance", derived_id("bed-agreed", agreement))
    if not is_agreed(found):
        return {}
    kept: dict[Side, Kept] = {}
    for one in (found or {}).get("signature", ()):
        who: Resource = one.get("who", {})
        side = Side.DOCTOR if str(who.get("reference", "")).startswith("Practitioner/") else Side.PERSON
        text = base64.b64decode(one.get("data", "")).decode("utf-8", "replace") if one.get("sigFormat") == _SVG else ""
        kept[side] = Kept(str(who.get("display", "")), Drawing.of_svg(text), moment(one["when"], "Provenance.signature.when"))
    return kept


def is_agreed(resource: Resource | None) -> bool:
    """Whether a Provenance holds the signatures of a home bed's agreement."""
    return resource is not None and resource.get("resourceType") == "Provenance" and AGREED in codes(resource.get("activity"), ACTIVITY)


def admit_hands(old: Resource | None, new: Resource | None) -> None:
    """What was signed stays as it was signed.

    Raises:
        RuleViolation: it would be changed or deleted.
    """
    if is_agreed(old) and (new is None or (old or {}).get("signature") != new.get("signature") or not is_agreed(new)):
        raise RuleViolation(
            "the signatures of an agreement are kept as they were given", reason="homebed-signature-kept", path="Provenance"
        )


def _of_person(store: Store, agreement: SignedConsent, hand: Hand) -> Resource:
    themselves = agreement.signer == "patient"
    who: Resource = {"display": hand.name} | (reference("Patient", agreement.patient) if themselves else {})
    made = _signature(store, who, hand.drawing)
    if not themselves:
        made["onBehalfOf"] = reference("Patient", agreement.patient)
        made["extension"] = [extension("proxy-relation", valueString=agreement.relation)]
    return made


def _of_doctor(store: Store, doctor: str, hand: Hand) -> Resource:
    return _signature(store, {"display": hand.name} | reference("Practitioner", doctor), hand.drawing)


def _signature(store: Store, who: Resource, drawing: Drawing) -> Resource:
    data = base64.b64encode(drawing.svg().encode()).decode()
    return {"type": [_TYPE], "when": instant(store.at), "who": who, "sigFormat": _SVG, "data": data}
