"""Search over a real socket: what the bundle says, how pages go on, and what never stands in a url."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from fhirserver import fhir_client, token

from healthsvc.store import Database

NAMES = ("仇英", "解晓东", "单田芳", "曾国安", "王小二", "王大山", "欧阳修远", "Grace O'Neill")


@pytest.fixture
def database(new_database_url: Callable[[], str]) -> Iterator[Database]:
    opened = Database.open(new_database_url())
    yield opened
    opened.close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path, page_size=3, page_size_max=5) as opened:
        for number, name in enumerate(NAMES):
            patient = {"resourceType": "Patient", "id": f"p{number}", "name": [{"text": name}], "birthDate": f"19{30 + number}-05-01"}
            opened.put(f"/Patient/p{number}", json=patient).raise_for_status()
        for number in range(6):
            task = {
                "resourceType": "Task",
                "id": f"t{number}",
                "status": "requested" if number % 2 else "completed",
                "intent": "order",
                "for": {"reference": f"Patient/p{number % 3}"},
                "authoredOn": f"2026-03-0{number + 1}T07:30:00+08:00",
                "note": [{"text": "x"}],
            }
            opened.put(f"/Task/t{number}", json=task).raise_for_status()
        yield opened


def _ids(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]


def _link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((link["url"] for link in bundle["link"] if link["relation"] == relation), None)


def test_a_searchset(client: httpx.Client) -> None:
    bundle = client.get("/Task", params={"patient": "Patient/p0", "status": "completed,requested", "_sort": "-authored-on"}).json()
    assert (bundle["type"], bundle["total"], _ids(bundle)) == ("searchset", 2, ["t3", "t0"])
    assert bundle["entry"][0]["fullUrl"].endswith("/fhir/Task/t3")
    applied = dict(parse_qsl(urlsplit(_link(bundle, "self") or "").query))
    assert applied == {"patient": "Patient/p0", "status": "completed,requested", "_sort": "-authored-on"}


def test_pages_go_on_without_a_word_about_persons(client: httpx.Client) -> None:
    seen: list[str] = []
    page = client.get("/Patient", params={"birthdate": "gt1925-01-01", "_sort": "name"}).json()
    assert page["total"] == len(NAMES)
    while True:
        seen += _ids(page)
        following = _link(page, "next")
        if following is None:
            break
        assert "birthdate" not in following
        assert "1925" not in urlsplit(following).query.partition("_page=")[0]
        page = client.get(following).json()
    assert sorted(seen) == [f"p{number}" for number in range(len(NAMES))]


def test_a_page_link_belongs_to_whom_it_was_given(client: httpx.Client, database: Database) -> None:
    following = _link(client.get("/Patient").json(), "next") or ""
    other = {"authorization": f"Bearer {token(database, 'doctor')}"}
    assert client.get(following, headers=other).status_code == 410
    assert client.get(following[:-4] + "AAAA").status_code == 410


def test_search_by_form_is_the_same(client: httpx.Client) -> None:
    form = client.post("/Patient/_search", data={"name": "王"}).json()
    assert _ids(form) == _ids(client.get("/Patient", params={"name": "王"}).json()) == ["p4", "p5"]
    mixed = client.post("/Patient/_search?birthdate=1935", data={"name": "王"}).json()
    assert _ids(mixed) == ["p5"]
    assert client.post("/_search", data={"_type": "Patient,Task", "_id": "p1,t1"}).json()["total"] == 2


def test_what_is_not_understood_is_told(client: httpx.Client) -> None:
    asked = {"nonsense": "1", "name": "王", "gender:sounds": "x"}
    bundle = client.get("/Patient", params=asked, headers={"prefer": "handling=lenient"}).json()
    assert _ids(bundle) == ["p4", "p5"]
    outcome = next(entry for entry in bundle["entry"] if entry["search"]["mode"] == "outcome")["resource"]
    assert [issue["severity"] for issue in outcome["issue"]] == ["warning", "warning"]
    assert "nonsense" not in (_link(bundle, "self") or "")
    assert client.get("/Patient", params={"nonsense": "1"}, headers={"prefer": "handling=strict"}).status_code == 400
    assert client.get("/Patient", params={"birthdate": "yesterday"}).status_code == 400
    assert client.get("/Patient", params={"_count": "many"}).status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        {"birthdate:above": "1934"},
        {"name:sounds": "x"},
        {"_filter": "name eq x"},
        {"_text": "x"},
        {"_content": "x"},
        {"_list": "$current-allergies"},
    ],
)
def test_what_would_make_it_another_question_is_refused(client: httpx.Client, asked: dict[str, str]) -> None:
    refused = client.get("/Patient", params=asked)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (400, "not-supported")
    assert "ignored" not in refused.text
    let_pass = client.get("/Patient", params=asked, headers={"prefer": "handling=lenient"}).json()
    assert (len(_ids(let_pass)), len(_ids(let_pass, "match"))) == (3, 3)
    assert "ignored" in str(let_pass["entry"][-1]["resource"]["issue"]) or "$current" in str(let_pass["entry"][-1])
    unknown = client.get("/Patient", params={"nonsense": "1"})
    assert (unknown.status_code, unknown.json()["entry"][-1]["search"]["mode"]) == (200, "outcome")


def test_totals_summaries_and_elements(client: httpx.Client) -> None:
    assert "total" not in client.get("/Patient", params={"_total": "none"}).json()
    assert client.get("/Patient", params={"_total": "accurate"}).json()["total"] == len(NAMES)
    counted = client.get("/Patient", params={"_summary": "count"}).json()
    assert (counted["total"], "entry" in counted) == (len(NAMES), False)
    assert client.get("/Patient", params={"_count": "0"}).json()["total"] == len(NAMES)
    narrow = client.get("/Task", params={"_elements": "status", "_id": "t0"}).json()["entry"][0]["resource"]
    assert set(narrow) == {"resourceType", "id", "meta", "status", "intent"}
    assert narrow["meta"]["tag"][0]["code"] == "SUBSETTED"
    summary = client.get("/Task/t0", params={"_summary": "true"}).json()
    assert "note" not in summary
    assert len(client.get("/Patient", params={"_count": "1000"}).json()["entry"]) == 5


def test_includes(client: httpx.Client) -> None:
    forth = client.get("/Task", params={"status": "completed", "_include": "Task:patient"}).json()
    assert (len(_ids(forth)), sorted(_ids(forth, "include"))) == (3, ["p0", "p1", "p2"])
    back = client.get("/Patient", params={"_id": "p1", "_revinclude": "Task:patient"}).json()
    assert (_ids(back), sorted(_ids(back, "include"))) == (["p1"], ["t1", "t4"])
    has = client.get("/Patient", params={"_has:Task:patient:status": "requested"}).json()
    assert sorted(_ids(has)) == ["p0", "p1", "p2"]
    chain = client.get("/Task", params={"patient.name": "仇", "_sort": "_id"}).json()
    assert _ids(chain) == ["t0", "t3"]


def test_compartments(client: httpx.Client) -> None:
    assert sorted(_ids(client.get("/Patient/p2/Task").json())) == ["t2", "t5"]
    assert _ids(client.get("/Patient/p2/Task", params={"status": "requested"}).json()) == ["t5"]
    assert client.get("/Task/t1/Patient").status_code == 404
    assert sorted(_ids(client.get("/Patient/p2/*").json())) == ["p2", "t2", "t5"]
    assert sorted(_ids(client.get("/Patient/p2/*", params={"_type": "Task"}).json())) == ["t2", "t5"]
    page = client.get("/Patient/p2/*", params={"_count": "2"}).json()
    assert _ids(client.get(_link(page, "next") or "").json()) == ["t5"]


def test_a_day_is_a_day_in_shanghai(client: httpx.Client) -> None:
    # 07:30 in Shanghai is the day before in UTC
    assert _ids(client.get("/Task", params={"authored-on": "2026-03-02"}).json()) == ["t1"]
    assert _ids(client.get("/Task", params={"authored-on": "lt2026-03-02"}).json()) == ["t0"]


def test_pinyin(client: httpx.Client) -> None:
    assert _ids(client.get("/Patient", params={"pinyin": "shan"}).json()) == ["p2"]
    assert _ids(client.get("/Patient", params={"pinyin": "zga"}).json()) == ["p3"]


def test_a_role_that_may_not_read_clinical_records_finds_none(database: Database, tmp_path: Path, client: httpx.Client) -> None:
    bureau = {"authorization": f"Bearer {token(database, 'bureau')}"}
    assert client.get("/Patient", headers=bureau).status_code == 403
    assert client.get("/Patient/p1", headers=bureau).status_code == 403
    assert client.get("/Organization", headers=bureau).status_code == 200
    assert client.get("/Organization", params={"_has:Patient:organization:name": "x"}, headers=bureau).json()["total"] == 0
