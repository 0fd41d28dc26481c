"""The standard taken at its word by somebody who wants the server to fail: each of these once did, or was answered in silence."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fhirserver import fhir_client, working

from healthsvc.store import Database

OWN = "https://fhir.centre.example/fhir"
HUNG = "urn:hostile"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, new_database_url: Callable[[], str]) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    database = Database.open(new_database_url(), bases=[OWN])
    with working(database, folder), fhir_client(database, folder) as opened:
        yield opened
    database.close()


def _put(client: httpx.Client, type: str, id: str, **elements: Any) -> httpx.Response:
    answer = client.put(f"/{type}/{id}", json={"resourceType": type, "id": id, **elements})
    assert answer.status_code in (200, 201), answer.text
    return answer


def _observation(client: httpx.Client, id: str, subject: str, when: str = "2024-03-01") -> None:
    _put(client, "Observation", id, status="final", code={"text": "x"}, subject={"reference": subject}, effectiveDateTime=when)


def _ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["resource"]["id"] for one in answer.json().get("entry", []) if one["search"]["mode"] != "outcome"]


def _issue(answer: httpx.Response) -> dict[str, Any]:
    issue: dict[str, Any] = answer.json()["issue"][0]
    return issue


def test_a_reference_by_our_own_address_is_a_reference_to_us(client: httpx.Client) -> None:
    _put(client, "Patient", "owned")
    _observation(client, "by-address", f"{OWN}/Patient/owned")
    _observation(client, "elsewhere", "https://other.example/fhir/Patient/owned")
    assert client.get("/Observation/by-address").json()["subject"]["reference"] == f"{OWN}/Patient/owned", "what was sent is kept"
    for query in ("subject=Patient/owned", f"subject={OWN}/Patient/owned", "subject:Patient._id=owned"):
        assert _ids(client.get(f"/Observation?{query}")) == ["by-address"], query
    assert _ids(client.get("/Patient/owned/Observation")) == ["by-address"]
    assert _ids(client.get("/Observation?_id=by-address&_include=Observation:subject")) == ["by-address", "owned"]
    assert "by-address" in _ids(client.get("/Patient/owned/$everything"))


def test_an_address_that_only_a_request_says_files_nothing_and_is_found_as_it_was_written(client: httpx.Client) -> None:
    _put(client, "Patient", "linked")
    full = client.get("/Patient?_id=linked").json()["entry"][0]["fullUrl"]
    _observation(client, "by-full-url", full)
    _observation(client, "by-id", "Patient/linked")
    forged = client.put(
        "/Observation/forged",
        json={"resourceType": "Observation", "id": "forged", "status": "final", "code": {"text": "x"}, "subject": {"reference": full}},
        headers={"Host": "elsewhere.example"},
    )
    assert forged.status_code == 201
    assert _ids(client.get("/Observation", params={"subject": full})) == ["by-full-url", "by-id", "forged"]
    assert _ids(client.get("/Observation?subject=Patient/linked")) == ["by-id"]
    assert _ids(client.get("/Observation", params={"subject": full}, headers={"Host": "elsewhere.example"})) == ["by-full-url", "forged"]


def test_everything_hears_what_its_body_says(client: httpx.Client) -> None:
    _put(client, "Organization", "keeper", name="x")
    _put(client, "Patient", "whole", managingOrganization={"reference": "Organization/keeper"})
    for year in ("2020", "2021"):
        _observation(client, f"of-{year}", "Patient/whole", year)
    asked = [{"name": "start", "valueDate": "2021-01-01"}, {"name": "_type", "valueCode": "Observation"}]
    body = {"resourceType": "Parameters", "parameter": asked}
    assert _ids(client.post("/Patient/whole/$everything", json=body)) == ["of-2021"]
    wrong = {"resourceType": "Parameters", "parameter": [{"name": "begin", "valueDate": "2021-01-01"}]}
    assert client.post("/Patient/whole/$everything", json=wrong).status_code == 400
    whole = client.get("/Patient/whole/$everything").json()
    assert (whole["total"], len(whole["entry"])) == (3, 4), "an included organization is no match"


def test_a_conditional_update_does_not_overwrite_what_its_condition_does_not_match(client: httpx.Client) -> None:
    _put(client, "Patient", "taken", active=True)
    answer = client.put(f"/Patient?identifier={HUNG}|nobody", json={"resourceType": "Patient", "id": "taken"})
    assert (answer.status_code, _issue(answer)["code"]) == (409, "conflict")
    assert client.get("/Patient/taken").json()["active"] is True
    fresh = client.put(f"/Patient?identifier={HUNG}|nobody", json={"resourceType": "Patient", "id": "fresh"})
    assert fresh.status_code == 201


def test_what_matches_several_is_told_by_the_standards_own_code(client: httpx.Client) -> None:
    for one in ("twin-a", "twin-b"):
        _put(client, "Patient", one, identifier=[{"system": HUNG, "value": "twin"}])
    condition, patient = f"/Patient?identifier={HUNG}|twin", {"resourceType": "Patient"}
    for answer in (client.put(condition, json=patient), client.delete(condition), client.delete(f"{condition}&_count=1")):
        assert (answer.status_code, _issue(answer)["code"]) == (412, "multiple-matches")
    for count in ("x", "0", "101", "-1"):
        refused = client.delete(f"{condition}&_count={count}")
        assert (refused.status_code, _issue(refused)["expression"]) == (400, ["_count"])
    assert client.delete(f"{condition}&_count=2").status_code == 204
    assert "_count" in client.get("/metadata").json()["rest"][0]["documentation"]


@pytest.mark.parametrize("path", ["/metadata", "/Patient", "/Patient/headed", "/Patient/headed/_history", "/_history", "/Patient/headed/*"])
def test_head_is_get_without_its_body(client: httpx.Client, path: str) -> None:
    _put(client, "Patient", "headed")
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers.get("etag") == got.headers.get("etag")
    assert client.head("/Patient/nobody/_history").status_code == 404


def test_an_address_names_all_its_methods(client: httpx.Client) -> None:
    assert client.post("/Patient/x", json={}).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert client.put("/metadata", json={}).headers["allow"] == "GET, HEAD, OPTIONS"
    asked = client.options("/Patient")
    assert (asked.status_code, asked.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
    assert client.request("TRACE", "/Patient").status_code == 405
    assert client.head("/$export").status_code == 405, "an operation is not begun by HEAD"


def test_a_history_tells_which_request_made_each_version(client: httpx.Client) -> None:
    _put(client, "Patient", "often", active=True)
    _put(client, "Patient", "often", active=False)
    client.delete("/Patient/often")
    _put(client, "Patient", "often", active=True)
    told = [
        (one["request"]["method"], one["request"]["url"], one["response"]["status"])
        for one in client.get("/Patient/often/_history").json()["entry"]
    ]
    where = "Patient/often"
    assert told == [("PUT", where, "201"), ("DELETE", where, "204"), ("PUT", where, "200"), ("PUT", where, "201")]
    posted = client.post("/Patient", json={"resourceType": "Patient"}).json()["id"]
    first = client.get(f"/Patient/{posted}/_history").json()["entry"][0]
    assert (first["request"], first["response"]["status"]) == ({"method": "POST", "url": "Patient"}, "201")
    paged = client.get("/Patient/often/_history?_count=1").json()["entry"][0]["response"]["status"]
    assert paged == "201", "the version before may stand on the next page"


def test_a_validation_of_an_update_says_what_the_update_would(client: httpx.Client) -> None:
    other = {"resourceType": "Patient", "id": "another"}
    issue = _issue(client.post("/Patient/one/$validate?mode=update", json=other))
    assert (issue["severity"], issue["expression"]) == ("error", ["Patient.id"])
    assert _issue(client.post("/Patient/another/$validate?mode=update", json=other))["severity"] == "information"


def test_blanks_do_not_find_everybody(client: httpx.Client) -> None:
    _put(client, "Patient", "named", name=[{"text": "单田芳"}])
    for query in ("name=%20", "name:contains=%E3%80%80", "name=x,%20"):
        refused = client.get(f"/Patient?{query}")
        assert (refused.status_code, _issue(refused)["expression"]) == (400, ["name"])


def test_an_element_that_there_is_not_is_told(client: httpx.Client) -> None:
    _put(client, "Patient", "parts", deceasedBoolean=False, birthDate="1930")
    ask = "/Patient?_id=parts&_elements="
    outcome = client.get(f"{ask}birthDate,bithdate").json()["entry"][-1]["resource"]
    assert "bithdate is no element" in outcome["issue"][0]["diagnostics"]
    assert client.get(f"{ask}bithdate", headers={"Prefer": "handling=strict"}).status_code == 400
    whole = client.get(f"{ask}deceased,Patient.birthDate", headers={"Prefer": "handling=strict"}).json()["entry"][0]["resource"]
    assert (whole["deceasedBoolean"], whole["birthDate"]) == (False, "1930")


def test_an_unknown_modifier_of_an_include_is_named(client: httpx.Client) -> None:
    refused = client.get("/Observation?_include:again=Observation:subject", headers={"Prefer": "handling=strict"})
    assert (refused.status_code, ":iterate alone" in _issue(refused)["diagnostics"]) == (400, True)


def test_an_export_narrows_by_several_values(client: httpx.Client) -> None:
    def ask(query: str) -> httpx.Response:
        answer = client.get(f"/Patient/$export?{query}", headers={"Prefer": "respond-async"})
        if answer.status_code == 202:
            client.delete(answer.headers["content-location"])
        return answer

    both = quote("Observation?status=final,amended,Patient?gender=male,female")
    assert ask(f"_type=Patient,Observation&_typeFilter={both}").status_code == 202
    idle = ask(f"_type=Patient&_typeFilter={quote('Observation?status=final')}")
    assert (idle.status_code, _issue(idle)["expression"]) == (400, ["_typeFilter"])


@pytest.mark.parametrize(
    "accept", ["application/fhir+json;q=0, application/fhir+xml", "*/*;q=0.0", 'application/fhir+json; fhirVersion="5.0"']
)
def test_what_the_client_refuses_is_not_sent(client: httpx.Client, accept: str) -> None:
    assert client.get("/Patient", headers={"Accept": accept}).status_code == 406


def test_a_body_of_another_release_is_not_read(client: httpx.Client) -> None:
    def send(version: str) -> int:
        media = f"application/fhir+json; fhirVersion={version}"
        return client.post("/Patient", content=b'{"resourceType":"Patient"}', headers={"Content-Type": media}).status_code

    assert [send("4.0"), send('"4.0"'), send("3.0"), send("5.0")] == [201, 201, 415, 415]


def test_the_statement_offers_no_write_of_the_audit(client: httpx.Client) -> None:
    stated = {one["type"]: one for one in client.get("/metadata").json()["rest"][0]["resource"]}
    audit = stated["AuditEvent"]
    assert [one["code"] for one in audit["interaction"]] == ["read", "search-type"]
    assert (audit["conditionalCreate"], audit["conditionalUpdate"], audit["conditionalDelete"]) == (False, False, "not-supported")
    assert "operation" not in audit
    assert "create" in {one["code"] for one in stated["Patient"]["interaction"]}


def test_a_history_tells_how_many_versions_there_are_on_all_its_pages(client: httpx.Client) -> None:
    for day in range(1, 6):
        _put(client, "Basic", "counted", code={"text": str(day)})
    client.delete("/Basic/counted")
    _put(client, "Basic", "beside", code={"text": "x"})
    last = client.get("/Basic/beside").json()["meta"]["lastUpdated"]

    def whole(where: str) -> tuple[list[int | None], int]:
        """The total that each page tells, and how many versions there are on all."""
        totals, entries, url = [], 0, f"{where}?_count=2"
        while url:
            page = client.get(url).json()
            totals.append(page.get("total"))
            entries += len(page["entry"])
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
        return totals, entries

    for where in ("/Basic/counted/_history", "/Basic/_history", "/_history"):
        told, there = whole(where)
        assert len(told) > 1
        assert set(told) == {there}, where
        for ask in ("_summary=count", "_count=0"):
            counted = client.get(f"{where}?{ask}").json()
            assert (counted["total"], "entry" in counted, [link["relation"] for link in counted["link"]]) == (there, False, ["self"])
        assert client.get(f"{where}?_count=1&_total=accurate").json()["total"] == there
        assert "total" not in client.get(f"{where}?_count=1&_total=none").json()
    assert client.get(f"/Basic/_history?_since={last}&_summary=count").json()["total"] == 1
    at = client.get("/Basic/counted/_history/3").json()["meta"]["lastUpdated"]
    shown = client.get(f"/Basic/_history?_at={at}").json()
    assert client.get(f"/Basic/_history?_at={at}&_summary=count").json()["total"] == len(shown["entry"]) > 0
    for wrong in ("_summary=cout", "_total=all", "_count=x"):
        refused = client.get(f"/Basic/_history?{wrong}")
        assert (refused.status_code, _issue(refused)["expression"]) == (400, [wrong.partition("=")[0]])


def test_whatever_can_be_fetched_can_be_fetched_in_a_bundle(client: httpx.Client) -> None:
    _put(client, "Patient", "fetched")
    _put(client, "Patient", "fetched", active=True)
    _observation(client, "of-fetched", "Patient/fetched")
    _put(client, "CodeSystem", "fetched", url=f"{HUNG}:codes", status="active", content="complete", concept=[{"code": "a"}])
    words = """
        metadata metadata?mode=normative Patient/fetched Patient/fetched/ Patient/fetched/_history/1 Patient/fetched/_history
        Patient/_history?_summary=count _history?_count=1 Patient?_id=fetched Patient/_search?_id=fetched ?_type=Patient&_id=fetched
        _search?_type=Patient&_id=fetched Patient/fetched/Observation Patient/fetched/* Patient/fetched/$everything Patient/fetched/$meta
        Patient/fetched/$validate Observation/$lastn?patient=Patient/fetched
        CodeSystem/$lookup?system=urn:hostile:codes&code=a
    """
    asked = words.split()
    apart = {"id": "", "link": []}
    for type in ("batch", "transaction"):
        entries = [{"request": {"method": "GET", "url": url}} for url in asked]
        answer = client.post("", json={"resourceType": "Bundle", "type": type, "entry": entries})
        assert answer.status_code == 200, answer.text
        for url, entry in zip(asked, answer.json()["entry"], strict=True):
            assert entry["response"]["status"] == "200 OK", (url, entry)
            alone = client.get(f"/{url}").json()
            given = entry.get("resource") or entry["response"]["outcome"]
            assert {**given, **apart} == {**alone, **apart}, url
    headed = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "HEAD", "url": "Patient/fetched"}}]}
    entry = client.post("", json=headed).json()["entry"][0]
    assert (entry["response"]["etag"], "resource" in entry) == ('W/"2"', False)
    for method, url, status in (
        ("GET", "metadata?mode=terminology", "400"),
        ("POST", "metadata", "400"),
        ("GET", "metadata/x", "400"),
        ("GET", "Basic/x/Observation", "404"),
        ("GET", "Patient/fetched/Nothing", "400"),
    ):
        one = {"request": {"method": method, "url": url}, **({"resource": {"resourceType": "Patient"}} if method == "POST" else {})}
        told = client.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [one]}).json()["entry"][0]
        assert told["response"]["status"][:3] == status, url


def test_a_slash_at_the_end_is_no_other_address(client: httpx.Client) -> None:
    created = client.post("/Patient/", json={"resourceType": "Patient"})
    assert (created.status_code, created.headers["location"].count("//")) == (201, 1)
    id = created.json()["id"]
    for path in ("/metadata/", "/Patient/", f"/Patient/{id}/", f"/Patient/{id}/_history/", f"/Patient/{id}/_history/1/", "/_history/"):
        for method in ("GET", "HEAD"):
            assert client.request(method, path).status_code == 200, (method, path)
    assert client.put(f"/Patient/{id}/", json={"resourceType": "Patient", "id": id, "active": True}).json()["meta"]["versionId"] == "2"
    assert client.post("/Patient/_search/", data={"_id": id}).json()["total"] == 1
    assert client.post("/", json={"resourceType": "Bundle", "type": "batch"}).status_code == 200
    assert client.delete(f"/Patient/{id}/").status_code == 204
    assert client.get("/Patient//").status_code == 200


def test_a_strict_read_says_what_it_does_not_understand(client: httpx.Client) -> None:
    _put(client, "Patient", "strict", active=True)
    strict = {"Prefer": "handling=strict"}
    for path in ("/Patient/strict", "/Patient/strict/_history/1"):
        for query, where in (
            ("foo=bar", "foo"),
            ("_count=1", "_count"),
            ("_elements=bithdate", "_elements"),
            ("_elements=Basic.id", "_elements"),
        ):
            refused = client.get(f"{path}?{query}", headers=strict)
            assert (refused.status_code, _issue(refused)["expression"]) == (400, [where]), query
            for header in ({}, {"Prefer": "handling=lenient"}):
                assert client.get(f"{path}?{query}", headers=header).json()["id"] == "strict"
        for query in ("_elements=active", "_elements=Patient.active", "_summary=true", "_format=json&_pretty=true"):
            assert client.get(f"{path}?{query}", headers=strict).json()["id"] == "strict", query
        cut = client.get(f"{path}?_summary=short")
        assert (cut.status_code, _issue(cut)["expression"]) == (400, ["_summary"]), "a summary that there is not is no whole resource"
