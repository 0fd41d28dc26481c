"""What we publish of our own use of FHIR is found under /fhir like any resource, and named by the CapabilityStatement."""

import threading
from pathlib import Path

import pytest
from fhirserver import fhir_client

from healthsvc import clock
from healthsvc.fhir.conformance.profiles import PROFILES
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, code_system, profile
from healthsvc.installation import PUBLISHED, publish_conformance, published
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database


def every(database: Database) -> list[Resource]:
    """What an installation publishes: of itself, and its forms under the policy in force."""
    return [*published(database.policy)]


def counted(database: Database) -> int:
    types = {one["resourceType"] for one in every(database)}
    with database.reading(SYSTEM, at=clock.now()) as store:
        return sum(store.search(type, "_summary=count").total or 0 for type in types)


def test_published_once_for_each_content(database: Database) -> None:
    everything = len(every(database))
    assert publish_conformance(database) == everything == counted(database)
    assert publish_conformance(database) == 0
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put(store.read("CodeSystem", "visit-kind") | {"title": "of an older release"})
        store.release(PUBLISHED)
        store.claim(PUBLISHED, "of an older release")
    assert publish_conformance(database) == 1, "what did not change has no new version"
    with database.reading(SYSTEM, at=clock.now()) as store:
        assert [one.version for one in store.history("CodeSystem", "visit-kind")] == [3, 2, 1]
        assert [one.version for one in store.history("CodeSystem", "risk-tag")] == [1]


def test_processes_that_start_at_once_publish_once(engine_url: str) -> None:
    opened = [Database.open(engine_url, rooms=ROOMS) for _ in range(3)]
    together, wrote = threading.Barrier(3), []

    def start(database: Database) -> None:
        together.wait(10)
        wrote.append(publish_conformance(database))

    threads = [threading.Thread(target=start, args=(database,)) for database in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(wrote) == [0, 0, len(every(opened[0]))]
    assert counted(opened[0]) == len(every(opened[0]))
    with opened[0].reading(SYSTEM, at=clock.now()) as store:
        assert len(store.history("ImplementationGuide", "healthsvc")) == 1
    for database in opened:
        database.close()


@pytest.mark.parametrize("role", ["doctor", "operator"])
def test_read_and_searched_like_any_resource(database: Database, tmp_path: Path, role: str) -> None:
    publish_conformance(database)
    with fhir_client(database, tmp_path, role=role) as client:
        kinds = client.get("/CodeSystem/visit-kind").json()
        assert {one["code"] for one in kinds["concept"]} >= {"quarterly-checkup", "home-bed-round"}
        for type, url in (
            ("StructureDefinition", profile("cadre-patient")),
            ("ValueSet", f"{BASE}/ValueSet/visit-kind"),
            ("CodeSystem", code_system("risk-tag")),
            ("SearchParameter", f"{BASE}/SearchParameter/Task-window"),
            ("ImplementationGuide", f"{BASE}/ImplementationGuide/healthsvc"),
        ):
            found = client.get(f"/{type}", params={"url": url}).json()
            assert [one["resource"]["url"] for one in found["entry"]] == [url]
        extensions = client.get("/StructureDefinition", params={"type": "Extension", "_summary": "count"}).json()
        assert extensions["total"] > 40
        guide = client.get("/ImplementationGuide/healthsvc").json()
        for one in guide["definition"]["resource"]:
            reference = one["reference"]["reference"]
            # topics are Basic resources, and Basic may hold anything: only who reads records reads them
            told = 403 if role == "operator" and reference.startswith("Basic/") else 200
            assert client.get(f"/{reference}").status_code == told, one


def test_the_capability_statement_names_the_profiles(database: Database, tmp_path: Path) -> None:
    with fhir_client(database, tmp_path) as client:
        statement = client.get("/metadata").json()
    assert statement["implementationGuide"] == [f"{BASE}/ImplementationGuide/healthsvc"]
    named = {url for one in statement["rest"][0]["resource"] for url in one.get("supportedProfile", ())}
    assert named == {profile(one.name) for one in PROFILES}
