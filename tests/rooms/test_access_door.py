"""The door against a real database and a real ASGI application: tokens, sessions, lock-out, CSRF, audit."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import embedded
import httpx
import pytest
import time_machine
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from serving import NO_TLS, serving
from sqlalchemy import text

from healthsvc.access import accounts, audit, headers, sessions, tokens
from healthsvc.access.accounts import TooManyAttempts
from healthsvc.access.door import COOKIE, CSRF_HEADER, Signed, StoreReading, StoreWriting, needs
from healthsvc.config import Settings
from healthsvc.errors import Invalid, Refusal, RuleViolation
from healthsvc.store import SYSTEM, Database

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PASSWORD = "bamboo-lantern-7"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Access stands below the rooms: no rules of theirs are needed here."""
    opened = Database.open(embedded.made(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def peopled(database: Database) -> Database:
    with database.writing(SYSTEM, at=AT) as store:
        accounts.create_user(store, "chenyi", "doctor", name="陈一", password=PASSWORD, practitioner="Practitioner/doc-1")
        accounts.create_user(store, "window1", "hospital-window", password=PASSWORD)
    return database


@pytest.fixture
def client(peopled: Database) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.state.database, app.state.settings = peopled, Settings()
    headers.install(app)

    @app.exception_handler(Refusal)
    def refused(request: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"text": refusal.text, "reason": refusal.reason}, status_code=refusal.status)

    @app.get("/who")
    def who(who: Signed) -> dict[str, str]:
        return {"id": who.actor.id, "door": who.actor.door}

    @app.get("/fhir/{type}")
    def read(type: str, store: StoreReading) -> dict[str, str]:
        return {"actor": store.actor.id}

    @app.post("/note")
    def write(store: StoreWriting, fail: bool = False) -> dict[str, str]:
        store.audit("print", None)
        if fail:
            raise RuleViolation("no")
        return {"actor": store.actor.id}

    @app.get("/window", dependencies=[needs("window")])
    def window(store: StoreReading) -> dict[str, str]:
        return {"actor": store.actor.id}

    with serving(app) as base, httpx.Client(base_url=base, verify=NO_TLS) as opened:
        yield opened


def _issue(database: Database, role: str, at: datetime = AT, days: int | None = 366) -> str:
    with database.writing(SYSTEM, at=at) as store:
        return tokens.issue_token(store, role, "test", days)


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _sign_in(database: Database, client: httpx.Client, at: datetime, login: str = "chenyi", password: str = PASSWORD) -> accounts.SignedIn:
    signed_in = accounts.sign_in(database, login, password, source="192.0.2.1", at=at)
    client.cookies.set(COOKIE, signed_in.token)
    return signed_in


@time_machine.travel(AT, tick=False)
def test_an_outsider_gets_nothing(client: httpx.Client) -> None:
    for given in ({}, _bearer("hs_x"), {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}, {"Cookie": f"{COOKIE}=x"}):
        answer = client.get("/fhir/Patient", headers=given)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="healthsvc"'
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


@time_machine.travel(AT, tick=False)
def test_a_token_opens_what_its_role_allows(client: httpx.Client, peopled: Database) -> None:
    doctor, window = _issue(peopled, "doctor"), _issue(peopled, "hospital-window")
    assert client.get("/fhir/Patient", headers=_bearer(doctor)).json()["actor"].startswith("token/")
    assert client.get("/fhir/Patient", headers=_bearer(window)).status_code == 403
    assert client.get("/fhir/AuditEvent", headers=_bearer(doctor)).status_code == 403
    assert client.get("/window", headers=_bearer(window)).status_code == 200
    assert client.post("/note", headers=_bearer(window)).status_code == 403
    assert client.post("/note", headers=_bearer(doctor)).status_code == 200


@time_machine.travel(AT, tick=False)
def test_a_revoked_token_is_dead_at_once_and_an_old_one_in_time(client: httpx.Client, peopled: Database) -> None:
    secret = _issue(peopled, "doctor", days=1)
    assert client.get("/who", headers=_bearer(secret)).status_code == 200
    with peopled.writing(SYSTEM, at=AT) as store:
        [token] = tokens.tokens(store)
        tokens.revoke(store, token.id)
        tokens.revoke(store, token.id)
    assert client.get("/who", headers=_bearer(secret)).status_code == 401
    old = _issue(peopled, "doctor", at=AT - timedelta(days=1), days=1)
    assert client.get("/who", headers=_bearer(old)).status_code == 401


@time_machine.travel(AT, tick=False)
def test_only_hashes_are_stored(peopled: Database) -> None:
    secret = _issue(peopled, "doctor")
    signed_in = accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.1", at=AT)
    with peopled.engine.connect() as connection:
        everything = "".join(
            repr(row)
            for table in ("access_user", "access_session", "access_token", "access_attempt", "audit")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        )
        [place] = connection.execute(text("SELECT place FROM access_session")).scalars()
    assert place == "192.0.2.1", "the list of sessions says where each comes from, as long as it lasts"
    everything = everything.replace(f"'{place}'", "")
    for clear in (secret, signed_in.token, PASSWORD, "192.0.2.1"):
        assert clear not in everything


def test_tokens_of_no_role_or_no_life_are_refused(peopled: Database) -> None:
    with peopled.writing(SYSTEM, at=AT) as store:
        with pytest.raises(Invalid, match="the roles are doctor"):
            tokens.issue_token(store, "emperor")
        with pytest.raises(Invalid, match="1 to 366 days"):
            tokens.issue_token(store, "doctor", days=4000)


@time_machine.travel(AT, tick=False)
def test_a_session_reads_by_cookie_and_writes_with_its_csrf_token_only(client: httpx.Client, peopled: Database) -> None:
    signed_in = _sign_in(peopled, client, AT)
    assert client.get("/who").json() == {"id": "Practitioner/doc-1", "door": "page"}
    assert client.post("/note").status_code == 403
    assert client.post("/note", headers={CSRF_HEADER: "x"}).status_code == 403
    assert client.post("/note", headers={CSRF_HEADER: signed_in.csrf}).status_code == 200
    assert client.post("/note", data={"csrf": signed_in.csrf}).status_code == 200
    assert client.post("/note", headers={CSRF_HEADER: signed_in.csrf, "Origin": "http://evil.example"}).status_code == 403
    assert client.post("/note", headers={CSRF_HEADER: signed_in.csrf, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    sessions.sign_out(peopled, signed_in.token, SYSTEM, at=AT)
    assert client.get("/who").status_code == 401


def test_a_session_ends_when_idle_and_when_old(client: httpx.Client, peopled: Database) -> None:
    _sign_in(peopled, client, AT)
    with time_machine.travel(AT + timedelta(minutes=29), tick=False):
        assert client.get("/who").status_code == 200
    with time_machine.travel(AT + timedelta(minutes=58), tick=False):
        assert client.get("/who").status_code == 200
    with time_machine.travel(AT + timedelta(minutes=89), tick=False):
        assert client.get("/who").status_code == 401


@time_machine.travel(AT, tick=False)
def test_a_closed_account_and_a_new_password_end_sessions(client: httpx.Client, peopled: Database) -> None:
    _sign_in(peopled, client, AT)
    with peopled.writing(SYSTEM, at=AT) as store:
        accounts.set_active(store, "chenyi", False)
    assert client.get("/who").status_code == 401
    with pytest.raises(RuleViolation):
        accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.1", at=AT)
    with peopled.writing(SYSTEM, at=AT) as store:
        accounts.set_active(store, "chenyi", True)
    _sign_in(peopled, client, AT)
    accounts.change_own_password(peopled, "chenyi", PASSWORD, "paper-crane-88", SYSTEM, at=AT)
    assert client.get("/who").status_code == 401


@time_machine.travel(AT, tick=False)
def test_who_must_change_the_password_sees_nothing_else(client: httpx.Client, peopled: Database) -> None:
    with peopled.writing(SYSTEM, at=AT) as store:
        password = accounts.create_user(store, "newnurse", "nurse, coordinator")
    _sign_in(peopled, client, AT, "newnurse", password)
    answer = client.get("/who")
    assert (answer.status_code, answer.json()["reason"]) == (403, "password-must-change")


def test_five_wrong_passwords_lock_the_account_and_time_opens_it(peopled: Database) -> None:
    for _ in range(5):
        with pytest.raises(RuleViolation):
            accounts.sign_in(peopled, "chenyi", "wrong-wrong-1", source="192.0.2.1", at=AT)
    with pytest.raises(TooManyAttempts):
        accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.2", at=AT + timedelta(minutes=14))
    with pytest.raises(RuleViolation):
        accounts.sign_in(peopled, "chenyi", "wrong-wrong-1", source="192.0.2.2", at=AT + timedelta(minutes=14))
    assert accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.1", at=AT + timedelta(minutes=16)).login == "chenyi"


def test_one_place_may_not_try_for_ever(peopled: Database) -> None:
    for number in range(20):
        with pytest.raises(RuleViolation):
            accounts.sign_in(peopled, f"nobody{number}", "wrong-wrong-1", source="192.0.2.9", at=AT)
    with pytest.raises(TooManyAttempts):
        accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.9", at=AT)
    assert accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.8", at=AT)
    later = AT + timedelta(minutes=11)
    with peopled.writing(SYSTEM, at=later) as store:
        assert accounts.forget_attempts(store) == 20


def test_a_password_costs_whoever_guesses_it_what_owasp_asks_at_least(shipped_hasher: Any) -> None:
    """OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes and one lane, or more."""
    cost = re.match(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$", shipped_hasher.hash(PASSWORD))
    assert cost is not None
    assert all(int(kept) >= least for kept, least in zip(cost.groups(), (19 * 1024, 2, 1), strict=True))


def test_every_sign_in_leaves_a_trace_and_the_trace_is_a_chain(peopled: Database) -> None:
    accounts.sign_in(peopled, "chenyi", PASSWORD, source="192.0.2.1", at=AT)
    with pytest.raises(RuleViolation):
        accounts.sign_in(peopled, "chenyi", "wrong-wrong-1", source="192.0.2.1", at=AT)
    with pytest.raises(RuleViolation):
        accounts.sign_in(peopled, "my-mistyped-password", "wrong-wrong-1", source="192.0.2.1", at=AT)
    with peopled.reading(SYSTEM, at=AT) as store:
        events = audit.audit_events(store, action="sign-in")
    assert [event["outcome"] for event in events] == ["4", "4", "0"]
    assert "my-mistyped-password" not in str(events)
    before = audit.verify(peopled)
    assert before.sound
    assert before.rows >= 5
    with peopled.engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(text("UPDATE audit SET outcome = 'success' WHERE outcome = 'failure'"))
    assert not audit.verify(peopled).sound


@time_machine.travel(AT, tick=False)
def test_a_refused_write_leaves_nothing(client: httpx.Client, peopled: Database) -> None:
    secret = _issue(peopled, "doctor")
    assert client.post("/note?fail=true", headers=_bearer(secret)).status_code == 422
    with peopled.reading(SYSTEM, at=AT) as store:
        assert audit.audit_events(store, action="print") == []
