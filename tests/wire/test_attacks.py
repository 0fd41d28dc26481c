"""What an attacker sends: forms from elsewhere, forged and used tokens, bombs in uploads, headers and paths that try to get out."""

import asyncio
import io
import json
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from serving import serving
from test_role_matrix import routes, walk

from healthsvc import clock
from healthsvc.access import accounts, tokens
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import Refusal, TooLarge
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM

PASSWORD = "harbour-cedar-31"
LIMIT = 1 << 20
_XLSX_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets>'
    "</workbook>",
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}
_LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)) + "]>"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    opened = open_installation(settings=Settings(data=tmp_path_factory.mktemp("attacks"), request_limit=LIMIT))
    with opened.database.writing(SYSTEM, at=clock.now()) as store:
        for role in ("doctor", "system-admin", "centre-head", "coordinator", "security-admin", "nurse"):
            accounts.create_user(store, role, role, password=PASSWORD, must_change=False)
        store.put({"resourceType": "Patient", "id": "p", "name": [{"text": "测试甲"}]})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def app(here: Installation) -> FastAPI:
    return create_app(here)


@pytest.fixture(scope="module")
def url(app: FastAPI) -> Iterator[str]:
    with serving(app) as base:
        yield base


@contextmanager
def signed_in(url: str, login: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        assert client.post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 303
        yield client


def csrf_of(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account").text)
    assert found is not None
    return found[1]


def token(here: Installation, role: str) -> str:
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        return tokens.issue_token(store, role, "test", 1)


OWN_PROOF = re.compile(r"/sign-in|/language|/auth/|/cds-services|/hl7|/api/pocket/standing")
"""Routes that no session opens: they ask for a proof of their own (tests/web/test_web_smart.py, test_web_pocket.py, test_cds_hooks.py),
or change nothing."""


def changing(app: FastAPI) -> list[tuple[str, str]]:
    """Every route that a browser's cookie could make change something."""
    names = {"on": "2026-11-22", "type": "Patient", "of": "Patient"}
    found = {
        (method, re.sub(r"\{(\w+)[^}]*\}", lambda match: names.get(match[1], "p"), one.path))
        for one in routes(app)
        for method in one.methods - {"GET", "OPTIONS"}
        if not OWN_PROOF.match(one.path)
    }
    return sorted(found)


@pytest.mark.parametrize("role", ["doctor", "coordinator"])
def test_no_route_changes_anything_without_the_forms_token(app: FastAPI, here: Installation, url: str, role: str) -> None:
    listed = changing(app)
    assert len(listed) > 120
    with signed_in(url, role) as client:
        good = csrf_of(client)
        before = written(here)
        for method, path in listed:
            for headers, form in (
                ({}, {}),
                ({"x-csrf-token": "x" * len(good)}, {}),
                ({"x-csrf-token": good, "origin": "https://evil.example"}, {}),
                ({"sec-fetch-site": "cross-site"}, {"csrf": good}),
            ):
                answer = client.request(method, path, headers=headers, data=form or None)
                assert answer.status_code == 403, (method, path, headers, answer.status_code)
                assert "csrf" in answer.text or "会话" in answer.text or "session" in answer.text, (method, path)
        assert written(here) == before


def written(here: Installation) -> int:
    with here.database.reading(SYSTEM, at=clock.now()) as store:
        counted = "SELECT (SELECT count(*) FROM resource) + (SELECT count(*) FROM history) + (SELECT count(*) FROM access_token)"
        return int(store.connection.exec_driver_sql(counted).scalar() or 0)


def test_a_session_that_was_put_into_a_browser_is_not_gone_on_with(url: str) -> None:
    """Session fixation: whatever cookie was there before, signing in gives another; the old one opens nothing."""
    with httpx.Client(base_url=url) as client:
        client.cookies.set("healthsvc_session", "planted-by-somebody-else")
        answer = client.post("/sign-in", data={"login": "doctor", "password": PASSWORD})
        assert answer.status_code == 303
        given = dict(answer.cookies)
        assert given
        assert "planted-by-somebody-else" not in given.values()
        first = dict(client.cookies)
    with signed_in(url, "doctor") as again:
        assert set(dict(again.cookies).values()).isdisjoint(first.values()), "every sign-in is a session of its own"
    with httpx.Client(base_url=url, cookies=dict.fromkeys(given, "planted-by-somebody-else")) as planted:
        assert planted.get("/people").status_code in (303, 401)


def test_a_session_that_was_ended_is_not_replayed(url: str) -> None:
    with signed_in(url, "nurse") as client:
        kept = dict(client.cookies)
        assert client.get("/people").status_code == 200
        assert client.post("/sign-out", data={"csrf": csrf_of(client)}).status_code == 303
    with httpx.Client(base_url=url, cookies=kept) as again:
        assert again.get("/people").status_code in (303, 401)


def test_forged_and_taken_back_tokens_open_nothing(here: Installation, url: str) -> None:
    good = token(here, "doctor")
    forged = [
        good[:-1] + ("a" if good[-1] != "a" else "b"),
        good.swapcase(),
        good + "=",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkb2N0b3IifQ.",  # a JWT with alg none
        "' OR 1=1 --",
        "x" * 5000,
    ]
    with httpx.Client(base_url=url) as client:
        assert client.get("/fhir/Patient/p", headers={"authorization": f"Bearer {good}"}).status_code == 200
        for one in forged:
            assert client.get("/fhir/Patient/p", headers={"authorization": f"Bearer {one}"}).status_code in (401, 431), one
            assert client.get("/fhir/Patient/p", headers={"authorization": f"Basic {one}"}).status_code in (401, 431), one


OUT = ("../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e", "....//", "\\..\\..", "a%00.svg", "%c0%ae%c0%ae/")
FOLDERS = ("/static/", "/help/", "/policy/", "/fhir/Patient/", "/fhir/Binary/", "/documents/", "/cards/", "/people/")


def test_no_path_leads_out_of_its_folder(url: str) -> None:
    with signed_in(url, "doctor") as client:
        for place in (folder + evil for folder in FOLDERS for evil in OUT):
            answer = client.get(place)
            assert answer.status_code < 500, (place, answer.text)
            assert "root:" not in answer.text, place
            assert answer.status_code >= 300 or "/etc" not in answer.text, place


def test_no_header_and_no_redirect_can_be_written_from_outside(url: str) -> None:
    split = "x\r\nset-cookie: stolen=1"
    with httpx.Client(base_url=url) as client:
        for place in ("/start", "/people", "/sign-in?next=//evil.example/", "/sign-in?next=https://evil.example"):
            answer = client.get(place, headers={"host": "evil.example"})
            assert not answer.headers.get("location", "").startswith(("//", "https://evil", "http://evil")), place
        answer = client.get("/sign-in", params={"next": split})
        assert "stolen" not in str(answer.headers)
        answer = client.post("/sign-in?next=//evil.example", data={"login": "doctor", "password": PASSWORD, "next": "//evil.example/x"})
        assert "evil" not in answer.headers.get("location", "")
        answer = client.post("/language", data={"to": split, "language": split, "back": "https://evil.example"})
        assert "stolen" not in str(answer.headers)
        assert "evil" not in answer.headers.get("location", "")
        for name in ("x-request-id", "x-correlation-id"):
            answer = client.get("/sign-in", headers={name: "a" * 3000 + "<script>"})
            assert "<script>" not in str(answer.headers)
            assert "<script>" not in answer.text


def uploads(app: FastAPI) -> list[str]:
    """Every route that takes a file."""
    found = []
    for one in walk(app.routes, ""):
        fields = [field for dependant in (one.dependant, *one.dependant.dependencies) for field in dependant.body_params]
        if any(type(field.field_info).__name__ == "File" for field in fields):
            found.append(one.path)
    return found


def bomb() -> bytes:
    """A workbook of some kilobytes that unpacks to more than a gigabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in _XLSX_PARTS.items():
            packed.writestr(name, text)
        with packed.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>')
            for _ in range(300):
                sheet.write(b" " * (1 << 20))
    return out.getvalue()


def laughs() -> bytes:
    """A workbook whose sheet has entities that would grow to gigabytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in _XLSX_PARTS.items():
            packed.writestr(name, text)
        sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">'
        packed.writestr("xl/worksheets/sheet1.xml", f'{_LAUGHS}{sheet}<c r="A1" t="str"><v>&j;</v></c></row></sheetData></worksheet>')
    return out.getvalue()


def test_every_upload_bears_bombs_other_kinds_and_too_much(app: FastAPI, here: Installation, url: str) -> None:
    listed = uploads(app)
    assert {"/roster", "/infusions/drugs"} <= set(listed), listed
    evil = {
        "bomb.xlsx": bomb(),
        "laughs.xlsx": laughs(),
        "not-a-workbook.xlsx": b"\x7fELF" + bytes(2000),
        "nested.xlsx": b"PK\x03\x04" + bytes(500),
        "deep.csv": b'"' * 100_000,
        "zeros.csv": bytes(10_000),
        "../../up.csv": "姓名,身份证号\n=cmd|' /C calc'!A0,1\n".encode(),
        "picture.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "empty.csv": b"",
    }
    secret = token(here, "system")
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {secret}"}, timeout=60) as client:
        for path in listed:
            filled = re.sub(r"\{\w+[^}]*\}", "p", path)
            for name, content in evil.items():
                answer = client.post(filled, files={"file": (name, content)}, data={"version": "1", "approver": "测试"})
                assert answer.status_code < 500, (path, name, answer.text[:500])
                assert answer.status_code >= 400 or path in ("/roster", "/api/healthfile/roster", "/infusions/drugs"), (path, name)
            too_much = client.post(filled, files={"file": ("much.csv", b"x" * (LIMIT + 1))})
            assert too_much.status_code == 413, (path, too_much.status_code)
            assert "HEALTHSVC_REQUEST_LIMIT" in too_much.text


def test_a_workbook_that_unpacks_to_too_much_is_told_before_it_is_unpacked(here: Installation, tmp_path: Path) -> None:
    from healthsvc.healthfile.roster_files import rows

    (tmp_path / "bomb.xlsx").write_bytes(bomb())
    with pytest.raises(TooLarge, match="unpacks"):
        rows(tmp_path / "bomb.xlsx")
    (tmp_path / "laughs.xlsx").write_bytes(laughs())
    with pytest.raises(Refusal):
        rows(tmp_path / "laughs.xlsx")


def test_what_has_no_length_is_counted_while_it_comes(app: FastAPI) -> None:
    sent: list[Any] = []

    async def talk() -> None:
        parts = iter([b"x" * (LIMIT // 2)] * 5)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": next(parts, b""), "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"host", b"x"), (b"content-type", b"application/x-www-form-urlencoded")]
        scope = {"type": "http", "method": "POST", "path": "/sign-in", "raw_path": b"/sign-in", "query_string": b"", "headers": headers}
        rest = {"http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("1.2.3.4", 5), "root_path": ""}
        await app({**scope, **rest}, receive, send)

    with ThreadPoolExecutor(1) as apart:  # a browser of another test may have a loop in this thread
        apart.submit(asyncio.run, talk()).result()
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("where", ["div", "json"])
def test_a_narrative_with_entities_and_a_deep_text_are_refused(here: Installation, url: str, where: str) -> None:
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "n"}
    if where == "div":
        patient["text"] = {"status": "generated", "div": f'{_LAUGHS}<div xmlns="http://www.w3.org/1999/xhtml">&j;</div>'}
        body = json.dumps(patient)
    else:
        body = '{"resourceType":"Patient","extension":' + "[" * 100_000 + "]" * 100_000 + "}"
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token(here, 'system')}"}, timeout=60) as client:
        answer = client.put("/fhir/Patient/n", content=body, headers={"content-type": "application/fhir+json"})
        assert answer.status_code in (400, 422), answer.text[:300]


def test_an_unknown_login_costs_the_same_hash_as_a_known_one(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing tells nobody who has an account: the one costly step is taken either way."""
    hashed: list[str] = []

    class Counting:
        def verify(self, password: str, kept: str) -> bool:
            hashed.append(kept)
            return hasher.verify(password, kept)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    hasher = accounts._HASHER
    monkeypatch.setattr(accounts, "_HASHER", Counting())
    lengths = []
    for login in ("doctor", "nobody-of-this-name"):
        hashed.clear()
        with pytest.raises(Refusal) as refused:
            accounts.sign_in(here.database, login, "wrong", source=f"10.0.0.{len(login)}", at=clock.now())
        lengths.append((len(hashed), hashed[0].split("$")[1:4], refused.value.text))
    assert lengths[0] == lengths[1], "the same algorithm, the same cost, the same words"
