"""What a hospital charges and when it settles: ChargeItems, Accounts, and the clock of the green channel 绿色通道."""

from datetime import datetime

from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.greenchannel.rules import Right
from integrations.effects.care import Outcome
from integrations.effects.clock import waited
from integrations.effects.joining import account_of
from integrations.effects.scene import Scene, joined
from integrations.hl7v2.money import ACCOUNT_EVENTS, Money, read_money

SETTLES = frozenset({"PY", "CO"})
"""Kinds of transaction (table 0017) that end the waiting at the till: a payment, a co-payment."""


def money(scene: Scene) -> Outcome:
    """DFT: charges and payments; BAR: an account is opened, changed, closed."""
    event = read_money(scene.message, scene.header, scene.profile, scene.zone)
    party, outcome = scene.meet(event.person, event.sent)
    stay = scene.stay(party.id, event.stay, event.sent)
    account = _account(scene, event, party.id, outcome) if event.event.startswith("BAR") else _account_known(scene, event)
    for index, charge in enumerate(event.charges, start=1):
        id = scene.own_id("ChargeItem", scene.id("charge", charge.number or f"{scene.header.control_id}#{index}"), party.id)
        told = charge.item | {"id": id, "subject": reference("Patient", party.id)}
        if stay:
            told["context"] = reference("Encounter", stay)
        if account:
            told["account"] = [reference("Account", account)]
        outcome.wrote(scene.store.put(joined(scene.store.find("ChargeItem", id), told)))
    paid = [charge.at for charge in event.charges if charge.kind in SETTLES and charge.at]
    if paid and stay:
        _settled(scene, party.id, stay, account, max(paid), outcome)
    return outcome


def _account_known(scene: Scene, event: Money) -> str | None:
    known = account_of(scene.store, scene.hospital, event.account) if event.account else None
    return str(known["id"]) if known else None


def _account(scene: Scene, event: Money, patient: str, outcome: Outcome) -> str | None:
    """The account; its period begins when the bill was laid before the person."""
    if not event.account:
        outcome.remarks.append("the account has no number (PID-18, PV1-19); nothing could be opened")
        return None
    known = account_of(scene.store, scene.hospital, event.account)
    id = str(known["id"]) if known else scene.id("account", event.account)
    if scene.is_late(f"account:{id}", event.sent, outcome, "an account"):
        return id
    told: Resource = {
        "resourceType": "Account",
        "id": id,
        "identifier": [{"system": f"{hospital_number(scene.hospital)}/account", "value": event.account}],
        "status": ACCOUNT_EVENTS.get(scene.header.trigger, "active"),
        "subject": [reference("Patient", patient)],
    }
    span = dict((known or {}).get("servicePeriod", {}))
    if event.happened:
        moment = event.happened.isoformat()
        span.setdefault("start", moment)
        if told["status"] == "inactive":
            span["end"] = moment
    if span:
        told["servicePeriod"] = span
    outcome.wrote(scene.store.put(joined(known, told)))
    return id


def _settled(scene: Scene, patient: str, stay: str, account: str | None, at: datetime, outcome: Outcome) -> None:
    """Somebody has paid: the wait since the bill, or since they came."""
    opened = (scene.store.find("Account", account) or {}).get("servicePeriod", {}).get("start") if account else None
    waited(scene.store, patient, stay, Right.SETTLEMENT, at, scene.hospital, outcome, str(opened or ""))
