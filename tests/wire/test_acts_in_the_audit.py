"""Each act that an auditor must find, done for once at its own door, and found as a FHIR AuditEvent by what it was."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fhirserver import working
from serving import serving
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.access import accounts, glass, second_factor
from healthsvc.access.configured import note_policy
from healthsvc.access.door import COOKIE
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import RuleViolation
from healthsvc.installation import Installation, open_installation
from healthsvc.main import cli
from healthsvc.policy import Parameter, Policy
from healthsvc.policy import load as load_policy
from healthsvc.store import SYSTEM, Actor

PASSWORD = "bamboo-lantern-7"
HEAD = Actor("user/head1", "", frozenset({"centre-head"}), "page")


@dataclass(slots=True)
class House:
    """A served installation with a person, accounts and a token of each role."""

    url: str
    here: Installation
    client: httpx.Client
    tokens: dict[str, str]
    cookie: dict[str, str] = field(default_factory=dict)
    csrf: str = ""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    here = open_installation(settings=Settings(data=tmp_path_factory.mktemp("acts")))
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Organization", "id": "west", "name": "西"})
        store.put({"resourceType": "Patient", "id": "p1", "name": [{"text": "某甲"}]})
        for login, role in (("doctor1", "doctor"), ("lock1", "doctor"), ("factor1", "doctor"), ("old1", "nurse")):
            accounts.create_user(store, login, role, name=login, password=PASSWORD)
        secrets = {role: issue_token(store, role, "test", 2) for role in ("auditor", "nurse", "centre-head", "hospital-window")}
    with (
        working(here.database, here.settings.data),
        serving(create_app(here)) as url,
        httpx.Client(base_url=url, timeout=60, verify=False) as client,
    ):
        made = House(url, here, client, secrets)
        client.post("/sign-in", data={"login": "doctor1", "password": PASSWORD})
        made.cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account/password").text)
        assert found is not None
        made.csrf = found[1]
        client.cookies.clear()
        yield made
    here.close()


def asked(house: House, path: str, role: str, **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {house.tokens[role]}"} | more
    return house.client.get(path, headers=headers)


def wrong_password(house: House, login: str = "doctor1", times: int = 1) -> None:
    for _ in range(times):
        assert house.client.post("/sign-in", data={"login": login, "password": "wrong-lantern-7"}).status_code in (401, 422, 429)


def wrong_factor(house: House) -> None:
    seal = second_factor_seal(house)
    with pytest.raises(RuleViolation):
        second_factor.confirm(house.here.database, seal, "factor1", "no-session", "000000", source="127.0.0.9", at=clock.now())


def second_factor_seal(house: House) -> Any:
    from healthsvc.store.sealing.keys import Seal

    return Seal.of(house.here.settings.sealing_folder or house.here.settings.data / "sealing-keys")


def refused_page(house: House) -> None:
    assert house.client.get("/users", headers=house.cookie | {"accept": "text/html"}).status_code == 403


def refused_lane(house: House) -> None:
    for _ in range(2):  # the second by the short way
        assert asked(house, "/fhir/Patient", "hospital-window").status_code == 403


def no_csrf(house: House) -> None:
    assert house.client.post("/people", data={"q": "x"}, headers=house.cookie).status_code == 403


def broken_glass(house: House) -> None:
    with house.here.database.writing(Actor("user/doctor1", "", frozenset({"doctor"}), "page"), at=clock.now()) as store:
        glass.break_glass(store, "p1", "夜间急诊需要病史")


def reviewed(house: House) -> None:
    with house.here.database.writing(Actor("user/doctor2", "", frozenset({"doctor"}), "page"), at=clock.now()) as store:
        glass.break_glass(store, "p1", "夜间急诊需要病史")
    with house.here.database.writing(HEAD, at=clock.now()) as store:
        one = next(look for look in glass.looks(store) if look.actor == "user/doctor2")
        glass.review(store, one.id, justified=False, note="理由不足")


def changed_policy(house: House) -> None:
    database = house.here.database
    before = database.policy
    own = before.parameter("access.lock_after", clock.today())
    site = Parameter(**{name: getattr(own, name) for name in own.__dataclass_fields__} | {"value": 3, "trust": "site"})
    database.policy = Policy((*load_policy(), site))
    try:
        assert note_policy(database, clock.now())
        assert not note_policy(database, clock.now()), "once"
    finally:
        database.policy = before


def account(act: str) -> Callable[[House], None]:
    def done(house: House) -> None:
        with house.here.database.writing(SYSTEM, at=clock.now()) as store:
            if act == "user-create":
                accounts.create_user(store, "new1", "nurse", name="新", password=PASSWORD)
            elif act == "user-areas":
                accounts.set_areas(store, "old1", ["Organization/west"])
            else:
                accounts.set_active(store, "old1", act == "user-open")

    return done


def new_key(house: House) -> None:
    told = CliRunner().invoke(cli, ["keys", "rotate", "--data", str(house.here.settings.data)])
    assert told.exit_code == 0, told.output


def exported(house: House) -> None:
    begun = asked(house, "/fhir/Patient/$export?_type=Patient", "centre-head", prefer="respond-async")
    assert begun.status_code == 202, begun.text
    for _ in range(200):
        status = asked(house, begun.headers["content-location"], "centre-head")
        if status.status_code == 200:
            break
        time.sleep(0.05)
    assert asked(house, status.json()["output"][0]["url"], "centre-head").status_code == 200


def printed(house: House) -> None:
    assert house.client.get("/people/p1/consents/print", headers=house.cookie).status_code == 200


def signed_out(house: House) -> None:
    with httpx.Client(base_url=house.url, timeout=60) as other:
        other.post("/sign-in", data={"login": "doctor1", "password": PASSWORD})
        found = re.search(r'name="csrf" value="([^"]+)"', other.get("/account/password").text)
        assert found is not None
        assert other.post("/sign-out", data={"csrf": found[1]}).status_code == 303


ACTS: dict[str, tuple[Callable[[House], None], str]] = {
    "a failed sign-in": (wrong_password, "subtype=sign-in&outcome=4&entity=user/doctor1"),
    "a failed sign-in of nobody": (lambda house: wrong_password(house, "nobody1"), "subtype=110122&outcome=4&agent=anonymous"),
    "a sign-in and a sign-out": (signed_out, "subtype=sign-out"),
    "a locked account": (lambda house: wrong_password(house, "lock1", 5), "subtype=lock&entity=user/lock1"),
    "a wrong second factor": (wrong_factor, "subtype=second-factor&outcome=4&entity=user/factor1"),
    "a refused page": (refused_page, "subtype=refused&outcome=4&entity=GET /users&agent=user/doctor1"),
    "a refused question to the API": (refused_lane, "subtype=refused&outcome=4&entity=GET /fhir/Patient"),
    "a form of another site": (no_csrf, "subtype=refused&outcome=4&entity=POST /people"),
    "a broken glass": (broken_glass, "subtype=break-glass&patient=Patient/p1&agent=user/doctor1"),
    "its review": (reviewed, "subtype=glass-review&outcome=4&patient=p1&agent=user/head1"),
    "a change of policy": (changed_policy, "subtype=policy-change"),
    "a new account": (account("user-create"), "subtype=user-create&entity=user/new1"),
    "other areas": (account("user-areas"), "subtype=user-areas&entity=user/old1"),
    "a closed account": (account("user-close"), "subtype=user-close&entity=user/old1"),
    "a key that turns over": (new_key, "subtype=key-new"),
    "an export": (exported, "subtype=export"),
    "its download": (exported, "subtype=export-file&agent=token/3"),
    "a print": (printed, "subtype=print&entity=Patient/p1&agent=user/doctor1"),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_act_is_found_in_the_audit(house: House, name: str) -> None:
    act, question = ACTS[name]
    begun = clock.now()
    act(house)
    events = found(house, f"{question}&date=ge{begun.isoformat()}".replace("+", "%2B"))
    assert events, question
    newest = events[0]
    assert newest["outcome"] == ("4" if "outcome=4" in question else "0")
    assert "某甲" not in json.dumps(newest, ensure_ascii=False)


def found(house: House, question: str) -> list[dict[str, Any]]:
    for _ in range(10):
        house.here.database.reads.flush()
        answer = asked(house, f"/fhir/AuditEvent?{question}&_count=20", "auditor")
        assert answer.status_code == 200, answer.text
        events = [one["resource"] for one in answer.json().get("entry", [])]
        if events:
            return events
        time.sleep(0.05)
    return []


def test_what_the_trail_does_not_know_is_told(house: House) -> None:
    assert asked(house, "/fhir/AuditEvent?outcome=12", "auditor").status_code in (400, 422, 501)
