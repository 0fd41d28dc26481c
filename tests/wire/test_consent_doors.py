"""Somebody withdraws, and every door through which records leave the house is tried: each shows them before, none after, all again later.

The condition in SQL (``access/handing_on.py``), which all reads of the API pass, is compared with the rule that the rooms ask.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import working
from joserfc import jwt
from joserfc.jwk import ECKey
from serving import serving

from healthsvc import clock
from healthsvc.access import handing_on
from healthsvc.access.handing_on import HandingOnPolicy, is_outside
from healthsvc.access.smart import clients
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.consent import service as consent
from healthsvc.consent.rules import Form, Purpose
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, code_system, hospital_number
from healthsvc.greenchannel import service as channels
from healthsvc.healthfile import linking, merging
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.installation import Installation, open_installation
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Actor, Database
from healthsvc.store.search import search
from healthsvc.subscription.resources import Content, Event, Terms
from integrations.consent import objection
from integrations.feeds import Feeds
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.replies import belongs
from integrations.hospitals.shelf import shelf
from integrations.mllp.client import Client
from integrations.subscribers.agreed import Recipient, agreed

KEY = ECKey.generate_key("P-384")
NUMBERS = tuple(first + check_digit(first) for first in ("33029919300101901", "33029919310202902"))
JSON = {"accept": "application/fhir+json"}


@dataclass(frozen=True, slots=True)
class House:
    """A served installation, two people, and what opens its doors."""

    url: str
    installation: Installation
    port: int
    withdraws: str
    other: str
    tokens: dict[str, str]
    client: httpx.Client


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = open_installation(settings=Settings(data=tmp_path_factory.mktemp("doors")))
    keys = json.dumps({"keys": [KEY.as_dict(private=False) | {"kid": KEY.thumbprint()}]})
    with opened.database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Organization", "id": "h1", "name": "示例医院"})
        store.put({"resourceType": "Practitioner", "id": "dr-1", "name": [{"text": "示例医"}]})
        people = [_person(store, number) for number in range(2)]
        secrets_ = {role: issue_token(store, role, "test", 1) for role in ("system", "doctor", "centre-head")}
        secrets_["window"] = issue_token(store, "hospital-window", "test", 1, areas=["Organization/h1"])
        clients.register(store, "his", name="某医院平台", scopes=["system/*.rs"], role="system", jwks=keys)
    feeds = Feeds(opened.database, shelf(), "127.0.0.1", 0)
    feeds.start()
    with (
        working(opened.database, opened.settings.data),
        serving(create_app(opened)) as url,
        httpx.Client(base_url=url, headers=JSON, timeout=60, verify=False) as client,
    ):
        yield House(url, opened, feeds.port, people[0], people[1], secrets_, client)
    feeds.stop()
    opened.close()


def _person(store: Any, number: int) -> str:
    numbers = (Identifier(CITIZEN_ID, NUMBERS[number]), Identifier(hospital_number("h1"), f"M{number}"))
    file = Person("测试" + "甲乙"[number], category=Category.LIXIU, birth=date(1930 + number, 1, 1), identifiers=numbers)
    id = str(register(store, file, "urn:test").patient["id"])
    channels.grant(store, id, store.at.astimezone(store.zone).date())
    subject = {"reference": f"Patient/{id}"}
    store.put({"resourceType": "Observation", "id": f"o{number}", "status": "final", "code": {"text": "血压"}, "subject": subject})
    return id


def asked(house: House, path: str, secret: str, method: str = "GET", **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"} | more.pop("headers", {})
    return house.client.request(method, path, headers=headers, **more)


def programs_own(house: House) -> str:
    """An access token that the hospital's platform has got by its key."""
    now = int(clock.now().timestamp())
    claims = {"iss": "his", "sub": "his", "aud": f"{house.url}/auth/token", "exp": now + 240, "jti": secrets.token_hex(8)}
    signed = jwt.encode({"alg": "ES384", "kid": KEY.thumbprint()}, claims, KEY, algorithms=["ES384"])
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "scope": "system/*.rs", "client_assertion": signed, "client_assertion_type": kind}
    return str(house.client.post("/auth/token", data=form).json()["access_token"])


def reads(path: str, by: str = "his") -> Callable[[House, str, int], bool]:
    """A door of the API: whether what it shows names the person."""

    def door(house: House, person: str, number: int) -> bool:
        secret = programs_own(house) if by == "his" else house.tokens[by]
        answer = asked(house, path.format(id=person, o=f"o{number}"), secret)
        assert answer.status_code in (200, 404)
        return answer.status_code == 200 and f"Patient/{person}" in answer.text.replace(f'"id":"{person}"', f"Patient/{person}")

    return door


def exported(house: House, person: str, number: int) -> bool:
    begun = asked(
        house, "/fhir/Patient/$export?_type=Patient,Observation", house.tokens["centre-head"], headers={"prefer": "respond-async"}
    )
    assert begun.status_code == 202, begun.text
    for _ in range(200):
        status = asked(house, begun.headers["content-location"], house.tokens["centre-head"])
        if status.status_code == 200:
            break
        time.sleep(0.05)
    told = status.json()
    files = [asked(house, one["url"], house.tokens["centre-head"]).text for one in told["output"]]
    shown = any(person in one for one in files)
    withheld = next(iter(told["extension"].values()))
    assert withheld == {"purpose": "hospital-sharing", "patients": 0 if shown or number else 1}
    return shown


def window(house: House, person: str, number: int) -> bool:
    answer = asked(house, "/api/greenchannel/answer", house.tokens["window"], "POST", json={"system": CITIZEN_ID, "value": NUMBERS[number]})
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["entitled"])


def operation(house: House, person: str, number: int) -> bool:
    given = {"system": CITIZEN_ID, "value": NUMBERS[number]}
    body = {"resourceType": "Parameters", "parameter": [{"name": "identifier", "valueIdentifier": given}]}
    answer = asked(house, "/fhir/Patient/$green-channel", house.tokens["window"], "POST", json=body)
    assert answer.status_code == 200, answer.text
    return any(one["name"] == "entitled" and one["valueBoolean"] for one in answer.json()["parameter"])


def hook(house: House, person: str, number: int) -> bool:
    patient = {"resourceType": "Patient", "identifier": [{"system": CITIZEN_ID, "value": NUMBERS[number]}]}
    body = {"hook": "patient-view", "hookInstance": "x", "context": {"patientId": "1", "userId": "u"}, "prefetch": {"patient": patient}}
    answer = asked(house, "/cds-services/green-channel-patient-view", house.tokens["window"], "POST", json=body)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["cards"])


def line(house: House, person: str, number: int) -> bool:
    text = (
        f"MSH|^~\\&|WIN|H1|C|C|20260105170124||QBP^Q22^QBP_Q21|{secrets.token_hex(4)}|P|2.5\r"
        f"QPD|Q22^Find Candidates^HL7nnnn|T|@PID.3.1^{NUMBERS[number]}\rRCP|I|5^RD\r"
    )
    with Client("127.0.0.1", house.port, belongs) as client:
        return Message(client.send(text.encode()).decode())["QAK"][2].text == "OK"


def told(house: House, person: str, number: int) -> bool:
    terms = Terms(None, (), (), Content.ID_ONLY, True, "https://h1.example/")
    event = Event(1, "Observation", f"o{number}", 1, "create", clock.now())
    with house.installation.database.reading(SYSTEM, at=clock.now()) as store:
        return bool(list(agreed(store, [event], terms)))


def sent(house: House, person: str, number: int) -> bool:
    with house.installation.database.reading(SYSTEM, at=clock.now()) as store:
        return objection(store, person, Recipient("Organization/h1")) is None


DOORS: dict[str, Callable[[House, str, int], bool]] = {
    "a hospital's program reads a file": reads("/fhir/Patient/{id}"),
    "a hospital's program searches": reads("/fhir/Observation?subject=Patient/{id}"),
    "a hospital's program searches people": reads("/fhir/Patient?_id={id}"),
    "a hospital's program includes": reads("/fhir/Observation?_id={o}&_include=Observation:subject"),
    "a hospital's program asks for former versions": reads("/fhir/Patient/{id}/_history"),
    "a hospital asks for everything": reads("/fhir/Patient/{id}/$everything"),
    "another system reads": reads("/fhir/Patient/{id}", "system"),
    "another system asks for everything": reads("/fhir/Patient/{id}/$everything", "system"),
    "a bulk export": exported,
    "the window": window,
    "the window's operation": operation,
    "a CDS hook": hook,
    "an HL7 query": line,
    "a subscription": told,
    "a message to the hospital": sent,
}


def say(house: House, permits: bool) -> None:
    with house.installation.database.writing(SYSTEM, at=clock.now()) as store:
        form, witness = (Form.WRITTEN, None) if permits else (Form.ORAL, "dr-1")
        consent.say(store, house.withdraws, Purpose.HOSPITAL_SHARING, permits, form=form, witness=witness)


@pytest.mark.parametrize("name", DOORS)
def test_no_door_shows_whoever_has_withdrawn(house: House, name: str) -> None:
    door = DOORS[name]
    say(house, True)
    assert door(house, house.withdraws, 0), "given: the door shows the person"
    say(house, False)
    assert not door(house, house.withdraws, 0), "withdrawn a moment ago"
    assert name == "a bulk export" or door(house, house.other, 1), "others are shown as before"
    assert asked(house, f"/fhir/Patient/{house.withdraws}", house.tokens["doctor"]).status_code == 200, "whoever looks after them sees them"


def test_a_file_of_an_export_is_not_handed_out_once_somebody_in_it_has_withdrawn(house: House) -> None:
    say(house, True)
    head = house.tokens["centre-head"]
    begun = asked(house, "/fhir/Patient/$export?_type=Patient", head, headers={"prefer": "respond-async"})
    for _ in range(200):
        status = asked(house, begun.headers["content-location"], head)
        if status.status_code == 200:
            break
        time.sleep(0.05)
    file = status.json()["output"][0]["url"]
    assert asked(house, file, head).status_code == 200
    say(house, False)
    assert asked(house, file, head).status_code == 410


AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
_SHARING, _CARE = Purpose.HOSPITAL_SHARING, Purpose.CARE


def _words() -> dict[str, list[dict[str, Any]]]:
    """Person -> what stands in their Consents: effect, and what else."""
    past, future = (AT - timedelta(days=9)).date().isoformat(), (AT + timedelta(days=9)).date().isoformat()
    return {
        "silent": [],
        "permits": [{"type": "permit"}],
        "denies": [{"type": "deny"}],
        "denies-h1": [{"type": "deny", "to": "h1"}],
        "denies-h2": [{"type": "deny", "to": "h2"}],
        "both": [{"type": "permit"}, {"type": "deny", "to": "h1"}],
        "over": [{"type": "deny", "end": past}],
        "not-yet": [{"type": "deny", "start": future}],
        "today": [{"type": "deny", "start": "2026-11-23", "end": "2026-11-23"}],
        "inactive": [{"type": "deny", "status": "inactive"}],
        "care": [{"type": "deny", "purpose": "care"}],
        "foreign": [{"type": "deny", "purpose": None}],
        "treatment": [{"type": "deny", "purpose": None, "scope": "treatment"}],
    }


def _consent(person: str, number: int, word: dict[str, Any]) -> Resource:
    purpose = word.get("purpose", "hospital-sharing")
    coded = {"system": code_system("consent-purpose"), "code": purpose} if purpose else {"system": "http://loinc.org", "code": "59284-0"}
    provision: Resource = {"type": word["type"]}
    if period := {name: word[name] for name in ("start", "end") if name in word}:
        provision["period"] = period
    if "to" in word:
        role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
        provision["actor"] = [{"role": role, "reference": {"reference": f"Organization/{word['to']}"}}]
    return {
        "resourceType": "Consent", "id": f"{person}-{number}", "status": word.get("status", "active"),
        "scope": {"coding": [{"code": word.get("scope", "patient-privacy")}]}, "category": [{"coding": [coded]}],
        "patient": {"reference": f"Patient/{person}"}, "policyRule": {"text": "x"}, "dateTime": "2026-11-01", "provision": provision,
    }  # fmt: skip


@pytest.mark.parametrize("needs", [(), ("hospital-sharing",)])
@pytest.mark.parametrize("recipients", [(), ("Organization/h1",)])
def test_the_condition_in_sql_is_the_rule_of_the_rooms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: tuple[str, ...], recipients: tuple[str, ...]
) -> None:
    others = tuple(room for room in ROOMS if room.name not in ("consent",))  # words as other systems write them, too
    database = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", rooms=others)
    monkeypatch.setattr(handing_on, "policy_of", lambda store: HandingOnPolicy(needs, (), ("system",)))
    monkeypatch.setattr(consent, "policy_of", lambda store: consent.ConsentPolicy(needs, ()))
    with database.writing(SYSTEM, at=AT) as store:
        for person, said in _words().items():
            store.put({"resourceType": "Patient", "id": person, "name": [{"text": person}]})
            for number, word in enumerate(said):
                store.put(_consent(person, number, word))
        store.put({"resourceType": "Patient", "id": "merged", "name": [{"text": "merged"}]})
        merging.merge(store, "merged", "denies", by="Practitioner/dr-1", reason="同一人")
        for one, other in (("silent", "foreign"), ("care", "permits"), ("over", "denies-h1")):
            linking.link(store, one, other)
    with database.reading(SYSTEM, at=AT) as store:
        node = handing_on.agreeing(store, recipients)
        assert node is not None
        found = {one["id"] for one in search(store, "Patient", "_count=100", within=node).resources}
        people = {one["id"] for one in store.select("Patient")}
        rule = {one for one in people if consent.forbids(store, one, _SHARING, recipients.__contains__) is None}
    database.close()
    assert found == rule


def test_who_stands_outside() -> None:
    policy = HandingOnPolicy((), ("our-tool",), ("system",))
    doctor = frozenset({"doctor"})
    assert is_outside(Actor("Practitioner/x", roles=doctor, client="app"), policy)
    assert not is_outside(Actor("Practitioner/x", roles=doctor, client="our-tool"), policy)
    assert not is_outside(Actor("Practitioner/x", roles=doctor), policy)
    assert is_outside(Actor("token/1", roles=frozenset({"system"})), policy)
    assert not is_outside(Actor("token/1", roles=frozenset({"system", "doctor"})), policy)
    assert not is_outside(Actor("token/1", roles=frozenset({"system"})), HandingOnPolicy((), (), ()))
