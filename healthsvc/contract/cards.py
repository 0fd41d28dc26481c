"""联系卡 The contact card: who looks after a person and how to reach them, in large print, with a code that says nothing about anybody.

The QR code holds a random token. Whoever is signed in and may read files comes from it to the person; to anybody else it is a string.
A card is a frozen document. When the team or its telephone numbers change a new one is issued and the old one is marked superseded.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from healthsvc.contract.paper import named, phone, with_phone
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement
from healthsvc.documents import Code, Document, Fields, Paragraph, Section, freeze, supersede
from healthsvc.documents.resources import is_frozen
from healthsvc.errors import NotFound
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.systems import CARD_FACTS, CARD_TOKEN
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import today
from healthsvc.store import Store

KIND: Final = "contact-card"
RECENT: Final = timedelta(hours=1)
"""How far back changed staff are looked for; the timer comes by far more often, and once a night it looks back further."""
NIGHTLY: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Card:
    """One contact card."""

    id: str
    """Of its DocumentReference."""
    person: str
    current: bool
    """Nothing has taken its place and the contract goes on."""


def issue(store: Store, agreement: Agreement) -> Resource:
    """Issue a person's card for the team of a contract, unless the one that they have says the same; gives its DocumentReference."""
    facts, held = _facts(store, agreement), current_card(store, agreement.person)
    digest = hashlib.sha256(dumps(facts, sort_keys=True)).hexdigest()
    if held is not None and _identifier(held, CARD_FACTS) == digest:
        return held
    token = secrets.token_urlsafe(16)
    address = str(store.policy.value("contract.card_address", today(store)))
    rows = tuple((label, value) for label, value in facts["rows"])
    document = Document(
        "家庭医生联系卡",
        (
            Section(
                "",
                (
                    Fields(rows),
                    Paragraph("急症请拨打 120"),
                    Code(address + token, "工作人员扫码"),
                ),
            ),
        ),
        store.at,
        issuer=facts["centre"],
        number=f"{store.at.astimezone(store.zone):%Y-%m-%d} 起用",
        paper="a6",
    )
    return freeze(
        store,
        document,
        kind=KIND,
        patient=agreement.person,
        about=f"Contract/{agreement.id}",
        author=agreement.centre,
        replaces=held["id"] if held else None,
        identifiers=((CARD_TOKEN, _hashed(token)), (CARD_FACTS, digest)),
    ).reference


def withdraw(store: Store, person: str) -> None:
    """The contract is over and nobody follows: the person's card is no longer good."""
    held = current_card(store, person)
    if held is not None:
        supersede(store, held["id"])


def current_card(store: Store, person: str) -> Resource | None:
    """The card that a person has, where there is one."""
    found = store.select("DocumentReference", patient=person, type=KIND, status="current")
    return next((one for one in found if is_frozen(one)), None)


def is_stale(store: Store, agreement: Agreement, card: Resource | None) -> bool:
    """Whether a card no longer says what is so."""
    return card is None or _identifier(card, CARD_FACTS) != hashlib.sha256(dumps(_facts(store, agreement), sort_keys=True)).hexdigest()


def refresh(store: Store, back: timedelta = RECENT) -> list[Resource]:
    """Issue anew the cards whose doctor, nurse or centre has changed of late; gives the new ones. A timer calls this every few minutes."""
    since = (store.at - back).isoformat()
    changed = [f"{kind}/{one['id']}" for kind in ("Practitioner", "Organization") for one in store.select(kind, _lastUpdated=f"ge{since}")]
    touched = {agreement.id: agreement for who in changed for agreement in _in_force_with(store, who)}
    return [issue(store, one) for one in touched.values() if is_stale(store, one, current_card(store, one.person))]


def resolve(store: Store, token: str) -> Card:
    """Whose card a token stands on; that it was asked is noted.

    Raises:
        NotFound: there is no such card.
    """
    found = store.select("DocumentReference", identifier=f"{CARD_TOKEN}|{_hashed(token.strip().rpartition('/')[2])}")
    entry = next((one for one in found if is_frozen(one)), None)
    person = reference_id((entry or {}).get("subject"), "Patient")
    if entry is None or person is None:
        raise NotFound("there is no card with this code", reason="card-unknown")
    store.audit("card", f"DocumentReference/{entry['id']}", patient=person)
    return Card(entry["id"], person, entry["status"] == "current")


def _facts(store: Store, agreement: Agreement) -> dict[str, Any]:
    """What stands on a card; a new one is due when it changes."""
    person = to_person(store.read("Patient", agreement.person))
    rows = [("姓名", person.name), ("家庭医生", with_phone(store, agreement.doctor))]
    if agreement.nurse:
        rows.append(("责任护士", with_phone(store, agreement.nurse)))
    if phone(store, agreement.centre):
        rows.append(("中心电话", phone(store, agreement.centre)))
    return {"rows": rows, "centre": named(store, agreement.centre)}


def _in_force_with(store: Store, who: str) -> list[Agreement]:
    if who.startswith("Organization/"):
        found = store.select("Contract", authority=who, status="executed")
    else:
        teams = store.select("CareTeam", participant=who, status="active")
        people = [id for one in teams if (id := reference_id(one.get("subject"), "Patient")) is not None]
        found = store.select("Contract", patient=people, status="executed") if people else []
    return [to_agreement(one) for one in found if is_family_doctor(one)]


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _identifier(entry: Resource, system: str) -> str:
    return next((str(one.get("value", "")) for one in entry.get("identifier", ()) if one.get("system") == system), "")
