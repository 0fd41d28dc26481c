"""Where a member of the staff is, is neither asked for nor kept: no script, no header, no record, through whatever door."""

import re
from pathlib import Path

import embedded
import pytest
from fhirserver import fhir_client

import healthsvc
from healthsvc.access.headers import _ALWAYS
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.positions import GEOLOCATION
from healthsvc.rooms import ROOMS
from healthsvc.store import Database

AT = {"url": GEOLOCATION, "extension": [{"url": "latitude", "valueDecimal": 29.9}, {"url": "longitude", "valueDecimal": 121.5}]}
CODE = {"text": "位置"}
VEHICLE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/location-physical-type", "code": "ve"}]}
TRACKS: dict[str, Resource] = {
    "Practitioner": {"address": [{"extension": [AT]}]},
    "PractitionerRole": {"extension": [AT]},
    "Encounter": {"status": "in-progress", "class": {"code": "HH"}, "participant": [{"extension": [AT]}]},
    "Observation": {"status": "final", "code": CODE, "subject": {"reference": "Device/phone"}, "extension": [AT]},
    "Device": {"extension": [AT]},
    "Location": {"physicalType": VEHICLE, "position": {"longitude": 121.5, "latitude": 29.9}},
}
KEPT: dict[str, Resource] = {
    "Patient": {"address": [{"extension": [AT]}]},
    "Location": {"position": {"longitude": 121.5, "latitude": 29.9}, "name": "社区站"},
    "Observation": {"status": "final", "code": CODE, "subject": {"reference": "Patient/p"}, "extension": [AT]},
}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(embedded.made(tmp_path), rooms=ROOMS)


def test_no_record_says_where_the_staff_are(database: Database, tmp_path: Path) -> None:
    with fhir_client(database, tmp_path) as client:
        client.put("/Patient/p", json={"resourceType": "Patient", "id": "p", "name": [{"text": "某"}]})
        client.put("/Device/phone", json={"resourceType": "Device", "id": "phone"})
        for type, body in TRACKS.items():
            refused = client.post(f"/{type}", json={"resourceType": type, **body})
            assert refused.status_code == 422, (type, refused.text)
            assert "positions of the staff" in refused.text, type
            assert "121.5" not in refused.text
        role = {"resourceType": "PractitionerRole", **TRACKS["PractitionerRole"]}
        entry = {"resource": role, "request": {"method": "POST", "url": "PractitionerRole"}}
        assert client.post("/", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).status_code == 422
        for type, body in KEPT.items():
            kept = client.post(f"/{type}", json={"resourceType": type, **body})
            assert kept.status_code == 201, (type, kept.text)
    database.close()


def test_no_page_asks_a_telephone_for_its_position() -> None:
    assert "geolocation=()" in _ALWAYS["permissions-policy"], "a browser would refuse the question"
    web = Path(healthsvc.__file__).parent / "web"
    scripts = [one for one in [*web.rglob("*.js"), *web.rglob("*.html")] if "vendor" not in one.parts]
    assert len(scripts) > 40
    asking = [one.name for one in scripts if re.search(r"geolocation|getCurrentPosition|watchPosition", one.read_text(encoding="utf-8"))]
    assert asking == []
