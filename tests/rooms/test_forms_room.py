"""Forms on a real database: published, checked through the store's door, extracted once, amended, filled in beforehand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhirserver import fhir_client

from healthsvc import clock
from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.systems import CITIZEN_ID, ICD10, code_system
from healthsvc.fhir.validation import validate
from healthsvc.forms import publish, service
from healthsvc.forms.rules import Answers, Code, Form, Item, Kind
from healthsvc.forms.tables import FORMS
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.freshness import freshness_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Identifier, Living, Person, Position
from healthsvc.healthfile.service import register, update_demographics
from healthsvc.store import SYSTEM, Database, Store

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
FULL = "health-check-full"
BODY = "33029919300101901"
CITIZEN = BODY + check_digit(BODY)


def person(store: Store) -> str:
    file = Person("测试甲", sex="male", sex_code="1", birth=date(1930, 1, 1), identifiers=(Identifier(CITIZEN_ID, CITIZEN),))
    return str(register(store, file, "urn:test").patient["id"])


def fill(store: Store, name: str, patient: str, answers: Answers, id: str = "r1", **more: Any) -> Resource:
    made = service.response_of(FORMS[name], patient, answers, store.at.astimezone(store.zone), **more)
    return store.put(made | {"id": id})


def code(form: str, link: str, wanted: str) -> Code:
    item = next(one for one in FORMS[form].walk() if one.link == link)
    return next(one.code for one in item.options if one.code.code == wanted)


def from_form(store: Store, response: str, kind: str = "Observation") -> dict[str, Resource]:
    found = store.select(kind)
    return {one["id"]: one for one in found if one.get("meta", {}).get("source") == f"urn:healthsvc:form:{response}"}


PRESSURE: Mapping[str, Any] = {"bp-left": [{"systolic-left": [152], "diastolic-left": [88]}]}


def test_every_form_is_published_valid_with_its_code_systems(database: Database) -> None:
    published = list(publish.resources(database.policy, date(2026, 3, 2)))
    with database.writing(SYSTEM, at=AT) as store:
        for one in published:
            assert [issue.text for issue in validate(one, Registry.load()) if issue.severity == "error"] == [], one["id"]
            store.put(one)
        assert len(store.select("Questionnaire", status="active")) == len(FORMS) == 8
        known = {one["url"] for one in store.select("CodeSystem")}
    for form in FORMS.values():
        for item in form.walk():
            for option in item.options:
                if option.code.system.startswith(code_system("form-")):
                    assert option.code.system in known


def test_measurements_become_observations_with_units_once(database: Database) -> None:
    answers: Answers = {
        "vitals": [{"temperature": [Decimal("36.5")], "pulse": [72]}],
        **PRESSURE,
        "body": [{"height": [Decimal("168")], "weight": [Decimal("60.0")]}],
        "tests": [{"glucose": [Decimal("7.2")], "glucose-kind": [code(FULL, "glucose-kind", "fasting")], "creatinine": [Decimal("88")]}],
        "symptom": [code(FULL, "symptom", "02"), code(FULL, "symptom", "04")],
    }  # fmt: skip
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        fill(store, "health-check-full", patient, answers)
        found = from_form(store, "r1")
        assert found["bp-left-r1"]["component"][0]["valueQuantity"] == {
            "value": 152, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]",
        }  # fmt: skip
        assert found["bp-left-r1"]["bodySite"]["coding"][0]["code"] == "368208006"
        assert found["glucose-r1"]["code"]["coding"][0]["code"] == "76629-5"
        assert str(found["bmi-r1"]["valueQuantity"]["value"]) == "21.3"
        assert len(found["symptom-r1"]["component"]) == 2
        assert found["creatinine-r1"]["effectiveDateTime"].startswith("2026-03-02T09:00:00+08:00")
        versions = {id: one["meta"]["versionId"] for id, one in found.items()}
        fill(store, "health-check-full", patient, answers)
        assert {id: one["meta"]["versionId"] for id, one in from_form(store, "r1").items()} == versions


def test_an_amendment_rewrites_and_takes_back(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        fill(store, "health-check-basic", patient, {**PRESSURE, "weight": [Decimal("61")]})
    with database.writing(SYSTEM, at=AT + timedelta(hours=1)) as store:
        made = fill(store, "health-check-basic", patient, {"bp-left": [{"systolic-left": [142], "diastolic-left": [88]}]}, status="amended")
        found = from_form(store, "r1")
        assert found["bp-left-r1"]["status"] == "amended"
        assert found["bp-left-r1"]["component"][0]["valueQuantity"]["value"] == 142
        assert found["weight-r1"]["status"] == "entered-in-error"
        with pytest.raises(RuleViolation), store.savepoint():
            store.put(made | {"status": "in-progress"})
        with pytest.raises(RuleViolation), store.savepoint():
            store.delete("QuestionnaireResponse", "r1")
        store.put(made | {"status": "entered-in-error"})
        assert {one["status"] for one in from_form(store, "r1").values()} == {"entered-in-error"}


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"bp-left": [{"systolic-left": [1520], "diastolic-left": [88]}]}, "not possible"),
        ({"bp-left": [{"systolic-left": [90], "diastolic-left": [95]}]}, "not below"),
        ({"weight": [Decimal(1)]}, "not possible"),
        ({"glucose": [Decimal(7)]}, "needs an answer"),
        ({"symptom-other": ["背痛"]}, "not asked"),
        ({"medicine": [{"medicine-name": ["某药"], "medicine-since": [date(2030, 1, 1)]}]}, "lies ahead"),
        ({"mode": [Code(code_system("form-mode"), "by-pigeon")]}, "not offered"),
        ({"complaints": ["甲", "乙"]}, "one answer"),
        ({"nowhere": ["甲"]}, "no item"),
        ({"self-care": [{"eating": [code("self-care", "eating", "cannot")], "self-care-total": [1]}]}, "needs an answer"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(database: Database, answers: Answers, told: str) -> None:
    extra = {"nowhere": Item("nowhere", Kind.STRING, "无")} if "nowhere" in answers else {}
    form = FORMS["health-check-basic"]
    asked = Form(form.name, form.url, form.zh, form.en, (*form.items, *extra.values()))
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        response = service.response_of(asked, patient, answers, AT.astimezone(store.zone)) | {"id": "r1"}
        with pytest.raises(Invalid) as refused, store.savepoint():
            store.put(response)
        assert told in refused.value.text
        assert refused.value.reason == "form-answers"
        assert "背痛" not in refused.value.text
        assert store.find("QuestionnaireResponse", "r1") is None
        assert from_form(store, "r1") == {}


def test_unusual_numbers_are_taken_and_told(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        made = fill(store, "health-check-basic", patient, {"bp-left": [{"systolic-left": [210], "diastolic-left": [100]}]})
        found = service.read(store, made)
        assert found is not None
        assert [one.path for one in found.checked.odd] == ["systolic-left"]


def test_self_care_is_added_up_by_the_server_and_keeps_its_answers(database: Database) -> None:
    given = {"eating": "independent", "grooming": "light", "dressing": "moderate", "toilet": "light", "moving": "moderate"}
    care = {link: [code("self-care", link, wanted)] for link, wanted in given.items()}
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        fill(store, "self-care", patient, {"self-care": [care]})
        (scored,) = from_form(store, "r1").values()
        assert scored["valueInteger"] == 0 + 1 + 3 + 1 + 5
        assert scored["interpretation"][0]["coding"][0] == {"system": code_system("self-care-level"), "code": "moderate"}
        assert [part["valueInteger"] for part in scored["component"]] == [0, 1, 3, 1, 5]
        tags = {one.code: one.reason for one in to_person(store.read("Patient", patient)).tags}
        assert tags["dependent"] == "自理能力评估 10 分"
        fresh = {one.item: one.stale for one in freshness_of(store, patient).parts}
        assert not fresh["self-care"]
        assert fresh["pressure"]
        with pytest.raises(Invalid, match="computed"), store.savepoint():
            fill(store, "self-care", patient, {"self-care": [care | {"self-care-total": [3]}]}, "r2")


def test_illnesses_allergies_and_history_become_statements_once(database: Database) -> None:
    form = "personal-information"
    disease = code(form, "disease-code", "I10")
    answers: Answers = {
        "who": [{"name": ["测试甲"], "sex": [code(form, "sex", "1")], "birth": [date(1930, 1, 1)], "citizen-id": [CITIZEN],
                 "former-unit": ["某纺织厂"]}],
        "contact": [{"phone": ["0574-00000000"], "family-name": ["某女"], "family-phone": ["0574-00000001"], "family-relation": ["女儿"]}],
        "social": [{"education": [code(form, "education", "primary")], "marital": [code(form, "marital", "30")],
                    "living": [code(form, "living", "alone")], "payment": [code(form, "payment", "lixiu-fund")],
                    "abo": [code(form, "abo", "AB")]}],
        "allowance": [{"allowance-approved": [True], "allowance-amount": [Decimal("1200.50")], "allowance-from": [date(2025, 1, 1)]}],
        "device": ["YJT-0001"],
        "no-allergy": [False],
        "allergy": [{"allergy-class": [code(form, "allergy-class", "penicillin")], "allergy-name": ["阿莫西林"],
                     "allergy-reaction": ["皮疹"]}],
        "disease": [{"disease-code": [disease], "disease-since": [date(1998, 5, 1)]}, {"disease-code": ["白癜风"]}],
        "surgery": [{"surgery-name": ["阑尾切除"], "surgery-on": [date(1960, 1, 1)]}],
        "family": [{"family-who": [code(form, "family-who", "FTH")], "family-disease": [disease]}],
        "hereditary": ["无明显"],
        "disability": [code(form, "disability", "hearing")],
        "home": [{"fuel": [code(form, "fuel", "gas")]}],
    }  # fmt: skip
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        known = {"resourceType": "Condition", "id": "from-hospital", "subject": {"reference": f"Patient/{patient}"}}
        store.put(known | {"code": {"coding": [{"system": ICD10, "code": "I10.x00"}], "text": "高血压病"}})
        fill(store, form, patient, answers)
        fill(store, form, patient, answers, "r2")
        assert len(store.select("AllergyIntolerance", patient=patient)) == 1
        allergy = store.select("AllergyIntolerance", patient=patient)[0]
        assert allergy["code"]["coding"][0] == {"system": code_system("drug-class"), "code": "penicillin", "display": "青霉素类"}
        names = sorted(one["code"]["text"] for one in store.select("Condition", patient=patient))
        assert names == sorted(["高血压病", "白癜风"])
        assert store.select("FamilyMemberHistory", patient=patient)[0]["relationship"]["coding"][0]["code"] == "FTH"
        assert len(store.select("Procedure", patient=patient)) == 1
        filed = to_person(store.read("Patient", patient))
        assert (filed.background.former_unit, filed.background.education, filed.background.marital) == ("某纺织厂", "primary", "30")
        assert filed.background.payment == ("lixiu-fund",)
        assert filed.background.allowance is not None
        assert str(filed.background.allowance.amount) == "1200.50"
        assert filed.living is Living.ALONE
        assert [tag.code for tag in filed.tags] == ["aged-90", "alone"]
        assert store.select("Device", patient=patient, status="active")[0]["identifier"][0]["value"] == "YJT-0001"
        assert filed.contacts[0].relation == "女儿"


def test_whoever_moves_is_no_longer_at_the_old_coordinate(database: Database) -> None:
    form = "personal-information"
    who: Answers = {"name": ["测试甲"], "sex": [code(form, "sex", "1")], "birth": [date(1930, 1, 1)]}
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        update_demographics(store, patient, Person("", address="某路1号", position=Position(29.87, 121.55)))
        fill(store, form, patient, {"who": [who], "contact": [{"address": ["某路1号"], "phone": ["0574-00000000"]}]})
        assert to_person(store.read("Patient", patient)).position == Position(29.87, 121.55)
        fill(store, form, patient, {"who": [who], "contact": [{"address": ["某路9号"]}]}, "r2")
        moved = to_person(store.read("Patient", patient))
        assert (moved.address, moved.position, moved.phones) == ("某路9号", None, ())
        wrong: Answers = {"who": [who], "contact": [{"address": ["某路9号"], "phone": ["问邻居"]}]}
        with pytest.raises(RuleViolation), store.savepoint():
            fill(store, form, patient, wrong, "r3")


def test_a_form_is_filled_in_beforehand_but_never_with_measurements(database: Database) -> None:
    form = "health-check-full"
    medicine = {
        "medicine-name": ["氨氯地平"],
        "medicine-dose": ["5 mg"],
        "medicine-adherence": [code(form, "medicine-adherence", "regular")],
    }
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        fill(store, form, patient, {**PRESSURE, "life": [{"smoking": [code(form, "smoking", "4")]}], "medicine": [medicine]})
    with database.writing(SYSTEM, at=AT + timedelta(days=90)) as store:
        made = service.populate(store, "health-check-full", patient)
        assert made["status"] == "in-progress"
        items = {one["linkId"]: one for one in made["item"]}
        assert "bp-left" not in items
        assert items["life"]["item"][0]["answer"][0]["valueCoding"]["code"] == "4"
        assert [one["linkId"] for one in items["medicine"]["item"]] == ["medicine-name", "medicine-dose"]
        basic = service.populate(store, "health-check-basic", patient)
        assert basic["item"][0]["linkId"] == "medicine"
        personal = service.populate(store, "personal-information", patient)
        assert personal["item"][0]["item"][0]["answer"][0]["valueString"] == "测试甲"
        store.put(personal | {"id": "again", "status": "completed"})
        late = service.populate(store, "health-check-full", patient)
    with database.writing(SYSTEM, at=AT + timedelta(days=900)) as store:
        assert "life" not in {one["linkId"] for one in service.populate(store, "health-check-full", patient).get("item", [])}
        assert late["subject"]["reference"] == f"Patient/{patient}"


def test_a_sites_own_questionnaire_is_checked_and_extracted_too(database: Database) -> None:
    extracted = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"
    unit = {"url": "http://hl7.org/fhir/StructureDefinition/questionnaire-unit",
            "valueCoding": {"system": "http://unitsofmeasure.org", "code": "cm", "display": "cm"}}  # fmt: skip
    limit = {"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueDecimal": 60}
    own = {"resourceType": "Questionnaire", "id": "calf", "url": "https://site.example/calf", "status": "active", "title": "小腿围",
           "item": [{"linkId": "1", "type": "decimal", "text": "小腿围", "required": True, "code": [{"system": "urn:site", "code": "calf"}],
                     "extension": [{"url": extracted, "valueBoolean": True}, unit, limit]}]}  # fmt: skip
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        store.put(own)
        made = {"resourceType": "QuestionnaireResponse", "id": "q", "questionnaire": own["url"], "status": "completed",
                "subject": {"reference": f"Patient/{patient}"},
                "item": [{"linkId": "1", "answer": [{"valueDecimal": Decimal("31.5")}]}]}  # fmt: skip
        store.put(made)
        (observation,) = from_form(store, "q").values()
        assert observation["valueQuantity"]["code"] == "cm"
        with pytest.raises(Invalid), store.savepoint():
            store.put(made | {"id": "q2", "item": [{"linkId": "1", "answer": [{"valueDecimal": 61}]}]})
        with pytest.raises(Invalid), store.savepoint():
            store.put({key: value for key, value in made.items() if key != "item"} | {"id": "q3"})


def test_the_operations_of_sdc_answer_over_a_socket(database: Database, tmp_path: Path) -> None:
    now = clock.now()
    with database.writing(SYSTEM, at=now) as store:
        patient = person(store)
        for one in publish.resources(database.policy, date(2026, 3, 2)):
            store.put(one)
    who = {"name": "subject", "valueReference": {"reference": f"Patient/{patient}"}}
    with fhir_client(database, tmp_path, role="doctor") as client:
        body = {"resourceType": "Parameters", "parameter": [who]}
        made = client.post("/Questionnaire/personal-information/$populate", json=body)
        assert made.status_code == 200, made.text
        canonical = {"name": "canonical", "valueUri": FORMS["personal-information"].url}
        same = client.post("/Questionnaire/$populate", json={"resourceType": "Parameters", "parameter": [who, canonical]})
        assert same.json()["item"] == made.json()["item"]
        response = made.json() | {"status": "completed"}
        asked = client.post(
            "/QuestionnaireResponse/$extract",
            json={"resourceType": "Parameters", "parameter": [{"name": "questionnaire-response", "resource": response}]},
        )
        assert asked.status_code == 200, asked.text
        assert asked.json()["parameter"][0]["resource"]["type"] == "transaction"
        basic = service.response_of(
            FORMS["health-check-basic"], patient, {"bp-left": [{"systolic-left": [205], "diastolic-left": [88]}]}, now
        )
        stored = client.post("/QuestionnaireResponse", json=basic)
        assert stored.status_code == 201, stored.text
        told = client.post(f"/QuestionnaireResponse/{stored.json()['id']}/$extract").json()["parameter"]
        assert told[0]["resource"]["entry"][0]["request"]["url"].startswith("Observation/bp-left-")
        assert "unusual" in told[1]["resource"]["issue"][0]["diagnostics"]
        basic["item"][0]["item"][0]["answer"][0]["valueInteger"] = 2050
        refused = client.post("/QuestionnaireResponse", json=basic)
        assert refused.status_code == 422
        assert "systolic-left" in refused.json()["issue"][0]["expression"][0]
