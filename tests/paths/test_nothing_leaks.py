"""A broad story through pages, API and the hospital line, with failures forced: no log, metric, error page or address names a person."""

import html
import re
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import pytest
from served import Served, served

from healthsvc import clock
from healthsvc.config import Settings
from healthsvc.installation import open_installation
from healthsvc.store.journal import peek
from healthsvc.store.journal_rows import there

sys.path.append(str(Path(__file__).resolve().parents[1] / "web"))
from world import NAMES, PASSWORD, build, citizen_id

NO_FACTOR = """
[[parameter]]
name = "access.second_factor_roles"
value = []
unit = "role codes"
title = "必须使用第二因素登录的角色"
title_en = "Roles that must sign in with a second factor"
source = "this story signs in with a password"
trust = "site"
effective_from = 2020-01-02
jurisdiction = "CN"
"""

LOGINS = ("doctor1", "window1", "operator1", "bureau1")
PAGES = 100
FHIR = {"content-type": "application/fhir+json"}
_ADDRESS = re.compile(r'\s(?:href|action|src|formaction|hx-[a-z]+|data-[a-z-]+)="([^"]*)"')
_TYPED = ("测试丙丁", "19320202", "33029919320202903X", "13900000083", "测试路九十九号", "秘密的诊断")
"""What only the failing requests carry."""


def personal() -> dict[str, str]:
    """What names somebody in this town."""
    found = {f"name of {n}": name for n, name in enumerate(NAMES)}
    found |= {f"citizen id of {n}": citizen_id(n) for n in range(len(NAMES))}
    found |= {f"phone of {n}": f"0574-1234{n:04d}" for n in range(len(NAMES))}
    found |= {f"number of {n}": f"33029900100100{n:03d}" for n in range(len(NAMES))}
    found |= {f"typed {n}": text for n, text in enumerate(_TYPED)}
    return found | {"password": PASSWORD}


def named(text: str) -> list[str]:
    """Who is named by a text, however it is escaped."""
    plain = unquote(html.unescape(text))
    escaped = plain.encode("utf-8", "replace").decode("unicode_escape", "replace") if "\\u" in plain else ""
    return [what for what, value in personal().items() if value in plain or value in escaped]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    data = tmp_path_factory.mktemp("leaks") / "data"
    (data / "policy").mkdir(parents=True)
    (data / "policy" / "access.toml").write_text(NO_FACTOR, encoding="utf-8")
    (data / "healthsvc.toml").write_text('log_level = "DEBUG"\n', encoding="utf-8")
    here = open_installation(settings=Settings(data=data))
    world = build(here.database, clock.now())
    here.close()
    with served(data) as running:
        yield running, world.first


@contextmanager
def signed_in(place: Served, login: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=place.http, timeout=60, headers={"accept": "text/html"}) as client:
        assert client.post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 303
        yield client


def test_no_address_of_a_page_names_a_person(place: tuple[Served, str]) -> None:
    running, first = place
    seen: set[str] = set()
    wrong: list[tuple[str, str, list[str]]] = []
    for login in LOGINS:
        with signed_in(running, login) as client:
            found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account").text)
            assert found is not None
            waiting = ["/start", "/people", f"/people/{first}"]
            for typed in (NAMES[0], citizen_id(0), citizen_id(0)[-6:], "sgq", "0000", "1234"):
                answer = client.post("/people", data={"q": typed, "csrf": found[1]})
                waiting += addresses(str(answer.url), answer.text)
                wrong += [(login, where, who) for where in addresses(str(answer.url), answer.text) if (who := named(where))]
            mine: set[str] = set()
            while waiting and len(mine) < PAGES // len(LOGINS):
                where = waiting.pop(0)
                if where in mine or urlsplit(where).path.startswith(("/static", "/sign-out")):
                    continue
                mine.add(where)
                answer = client.get(where)
                if answer.status_code >= 300 and (who := named(answer.headers.get("location", ""))):
                    wrong.append((login, f"redirect of {where}", who))
                if "html" in answer.headers.get("content-type", ""):
                    told = addresses(where, answer.text)
                    wrong += [(login, one, who) for one in told if (who := named(one))]
                    waiting += told
                if answer.status_code >= 400 and (who := named(answer.text)):
                    wrong.append((login, f"error of {where}", who))
            seen |= mine
    assert len(seen) > 40, sorted(seen)
    assert wrong == []


def addresses(base: str, text: str) -> list[str]:
    """Every address in a page that leads to ourselves, as path and query."""
    found = []
    for one in _ADDRESS.findall(text):
        place = urlsplit(urljoin(base, html.unescape(one)))
        if one.startswith(("/", "?", "http", ".")) and place.scheme in ("", "http"):
            found.append(place.path + (f"?{place.query}" if place.query else ""))
    return found


def test_no_error_of_the_api_repeats_what_was_sent(place: tuple[Served, str]) -> None:
    running, first = place
    name, birth, number, phone, street, illness = _TYPED
    patient = {
        "resourceType": "Patient",
        "name": [{"text": name, "nonsense": name}],
        "birthDate": f"{birth}x",
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": number}],
        "telecom": [{"system": phone, "value": phone}],
        "address": [{"text": street, "use": street}],
        "gender": name,
    }
    token = {"authorization": running.client("coordinator").headers["authorization"]}
    with httpx.Client(base_url=running.http, timeout=60, headers=token) as client:
        answers = [
            client.post("/fhir/Patient", json=patient),
            client.put(f"/fhir/Patient/{name}", json=patient),
            client.get(f"/fhir/Patient/{number}"),
            client.get(f"/fhir/Patient/{first}", params={name: number}),
            client.get("/fhir/Patient", params={"birthdate": name, "identifier": number}, headers={"prefer": "handling=strict"}),
            client.get("/fhir/Patient", params={name: phone}, headers={"prefer": "handling=strict"}),
            client.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": patient}]}),
            client.post("/fhir/Patient/$match", json={"resourceType": "Parameters", "parameter": [{"name": name, "valueString": illness}]}),
            client.patch(f"/fhir/Patient/{first}", json=[{"op": "replace", "path": f"/{name}", "value": number}]),
            client.post("/fhir/Patient", content=f'{{"resourceType":"Patient","name":"{name}'.encode(), headers=FHIR),
            client.post("/api/greenchannel/answer", json={"identifier": number, "name": {"x": name}}),
            client.post("/api/contract/sign", json={"patient": name, "doctor": number, "on": illness}),
            client.get(f"/api/visit/{name}"),
            client.get("/api/visit/due", params={"on": name}),
            client.get(f"/nowhere/{number}"),
            client.post("/api/healthfile/roster", files={"file": (f"{name}.exe", f"{name},{number}".encode())}),
            client.post("/auth/token", data={"grant_type": name, "client_id": number}),
            client.post("/sign-in", data={"login": "doctor1", "password": name}),
        ]
    failed = [answer for answer in answers if answer.status_code >= 400]
    assert len(failed) >= len(answers) - 3, [answer.status_code for answer in answers]
    assert [(str(answer.url), answer.text[:300], who) for answer in failed if (who := named(answer.text))] == []


def test_no_log_and_no_metric_names_anybody_of_the_whole_story(place: tuple[Served, str]) -> None:
    running, _ = place
    name, birth, number, phone, street, illness = _TYPED
    head = "MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120080000||{event}|LEAK{n}|P|2.4|||AL|AL|CHN\r"
    person = f"PID|1||MR9^^^LWYY^PI~{number}^^^^IdentifyNO||{name}||{birth}|M|||{street}||{phone}\r"
    told = [
        ("ADT^A04", f"EVN|A04|20261120080000\r{person}PV1|1|O\r"),
        ("ADT^A01", f"EVN|A01|20261120080000\r{person}PV1|1|I|||||||||||||||||V9|||||||||||||||||||||||||nonsense\rDG1|1||X99^{illness}\r"),
        ("ADT^A40", f"EVN|A40|20261120080000\r{person}MRG|MR8^^^LWYY^PI\r"),
        ("ORU^R01", f"{person}OBR|1|||x^{illness}\rOBX|1|NM|{name}||{illness}|||||||F\r"),
        ("ADT^A08", f"EVN|A08|nonsense\r{person}"),
        ("ZZZ^Z99", person),
    ]
    messages = [(head.format(event=event, n=n) + rest).encode("gb18030") for n, (event, rest) in enumerate(told)]
    messages += [messages[0].replace(b"LEAK0", b"LEAK9").replace(b"CHN", b"\xff\xfe"), b"MSH|nonsense of " + name.encode() + b"\r"]
    for message in messages:
        with socket.create_connection((running.host, running.port), timeout=20) as line:
            line.sendall(b"\x0b" + message + b"\x1c\r")
            line.recv(4096)
    settle(running.data)
    with running.client("coordinator") as api:
        metrics = api.get("/metrics").text
        api.get("/fhir/Patient", params={"name": NAMES[0], "identifier": citizen_id(0)})
        assert api.get("/nowhere", params={"name": name}).status_code == 404
    assert "healthsvc" in metrics or "python_info" in metrics
    assert named(metrics) == []
    with signed_in(running, "operator1") as operator:
        for where in ("/operate", *(f"/operate/messages/{n}" for n in range(1, len(messages) + 1))):
            answer = operator.get(where)
            assert answer.status_code in (200, 404), where
            assert [one for one in named(answer.text) if one.startswith("typed")] == [], where
    log = (running.data.parent / "serve.log").read_text(encoding="utf-8")
    assert log.count("\n") > 20, log
    assert [(line, who) for line in log.splitlines() if (who := named(line))] == []


def settle(data: Path) -> None:
    """Wait until the worker has dealt with everything."""
    import time

    for _ in range(600):
        with sqlite3.connect(data / "healthsvc.sqlite") as plain:
            states = plain.execute("SELECT state, count(*) FROM inbox GROUP BY state").fetchall()
        plain.close()
        if (
            states
            and not any(state == "pending" for state, _ in states)
            and not any(peek(one).waits for one in there(data / "healthsvc.sqlite"))
        ):
            return
        time.sleep(0.1)
    raise AssertionError(states)
