"""Clients that others wrote: fhirpy and fhirclient work as they are."""

from collections.abc import Iterator
from pathlib import Path

import embedded
import httpx
import pytest
from fhirclient import client as smart
from fhirclient.models.bundle import Bundle
from fhirclient.models.humanname import HumanName
from fhirclient.models.patient import Patient
from fhirclient.models.task import Task
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound
from fhirserver import fhir_client

from healthsvc.store import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(embedded.made(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def served(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path, page_size=5) as client:
        yield client


def test_fhirpy(served: httpx.Client) -> None:
    client = SyncFHIRClient(str(served.base_url).rstrip("/"), authorization=served.headers["authorization"])
    patients = client.resources("Patient")
    made = []
    for number in range(12):
        patient = client.resource("Patient", name=[{"text": f"解晓东{number}"}], identifier=[{"system": "urn:x", "value": str(number)}])
        patient.save()
        made.append(patient)
    assert made[0].id
    assert made[0].get_by_path("meta.versionId") == "1"
    assert patients.search(identifier="urn:x|3").get().id == made[3].id
    assert len(patients.sort("identifier").fetch_all()) == 12
    assert patients.count() == 12
    assert patients.search(name="解晓东1").limit(50).fetch()[0].get("name")[0]["text"].startswith("解晓东1")
    made[0]["gender"] = "male"
    made[0].save()
    made[0].patch(birthDate="1930-01-01")
    again = made[0].to_reference().to_resource()
    assert (again["gender"], again["birthDate"], again["meta"]["versionId"]) == ("male", "1930-01-01", "3")
    task = client.resource("Task", status="requested", intent="order", **{"for": made[0].to_reference()})
    task.save()
    assert client.resources("Task").search(patient=made[0]).include("Task", "patient").fetch_raw()["total"] == 1
    assert patients.has("Task", "patient", status="requested").first().id == made[0].id
    with pytest.raises(OperationOutcome):
        client.resource("Patient", gender="xx").save()
    task.delete()
    with pytest.raises(ResourceNotFound):
        client.reference("Task", task.id).to_resource()
    found, fresh = patients.search(identifier="urn:x|new").get_or_create(
        client.resource("Patient", identifier=[{"system": "urn:x", "value": "new"}])
    )
    assert found.id
    assert fresh
    assert client.execute("Patient/$validate", method="POST", data={"resourceType": "Patient"})["resourceType"] == "OperationOutcome"


def test_fhirclient(served: httpx.Client) -> None:
    server = smart.FHIRClient(settings={"app_id": "test", "api_base": str(served.base_url)}).server
    server.session.headers["authorization"] = served.headers["authorization"]
    assert server.capabilityStatement.fhirVersion == "4.0.1"
    patient = Patient({"name": [{"family": "曾", "given": ["国安"]}], "birthDate": "1931-02-03"})
    patient.id = patient.create(server)["id"]
    again = Patient.read(patient.id, server)
    assert again.name[0].family == "曾"
    again.name.append(HumanName({"text": "曾国安"}))
    again.update(server)
    for _ in range(7):
        Task({"status": "requested", "intent": "order", "for": {"reference": f"Patient/{patient.id}"}, "priority": "routine"}).create(
            server
        )
    search = Task.where(struct={"patient": patient.id, "status": "requested", "_sort": "_id"})
    assert isinstance(next(search.perform_iter(server)), Bundle)
    assert len(list(search.perform_resources_iter(server))) == 7
    again.delete()
