"""The line of time of a file is the same however it is paged, and tells each thing once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from healthsvc.circle.resources import MEASUREMENT
from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import LOINC, V3_ACT_CODE
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.problems import problems_of
from healthsvc.homebed.words import measured as measured_words
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.web.lookup import Directory
from healthsvc.web.story import KINDS, story
from healthsvc.web.telling import Event
from healthsvc.web.trends import charts, measured
from healthsvc.web.values import is_measured

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def written(patient: str) -> Iterator[Resource]:
    """Two stays (one open), a visit with findings, a report with results, loose results of one moment, a diagnosis, an allergy, a drip."""
    subject, p = {"reference": f"Patient/{patient}"}, patient

    def result(id: str, when: datetime, **more: object) -> Resource:
        code = {"coding": [{"system": LOINC, "code": "8867-4"}], "text": "心率"}
        known = {"resourceType": "Observation", "id": f"{p}-{id}", "status": "final", "code": code, "subject": subject}
        return {**known, "effectiveDateTime": when.isoformat(), "valueQuantity": {"value": 70, "unit": "/min"}, **more}

    yield {"resourceType": "Patient", "id": patient, "name": [{"text": "单国强"}]}
    for number, more in ((1, {"end": (AT - timedelta(days=20)).isoformat()}), (2, {})):
        period = {"start": (AT - timedelta(days=30 // number)).isoformat(), **more}
        status = "finished" if more else "in-progress"
        yield {
            "resourceType": "Encounter", "id": f"{p}-stay-{number}", "status": status, "class": {"system": V3_ACT_CODE, "code": "IMP"},
            "subject": subject, "period": period,
        }  # fmt: skip
    when = AT - timedelta(days=10)
    yield {
        "resourceType": "Encounter", "id": f"{p}-visit", "status": "finished", "class": {"system": V3_ACT_CODE, "code": "HH"},
        "subject": subject, "period": {"start": when.isoformat()},
    }  # fmt: skip
    yield result("of-visit", when, encounter={"reference": f"Encounter/{p}-visit"})
    yield result("of-stay", AT - timedelta(days=25), encounter={"reference": f"Encounter/{p}-stay-1"})
    for number in range(3):
        yield result(f"lab-{number}", when)
    yield {
        "resourceType": "DiagnosticReport", "id": f"{p}-report", "status": "final", "code": {"text": "生化全套"}, "subject": subject,
        "effectiveDateTime": when.isoformat(), "result": [{"reference": f"Observation/{p}-lab-{number}"} for number in range(2)],
    }  # fmt: skip
    yield result("void", when, status="entered-in-error")
    yield result("way", when, code={"coding": [{"system": MEASUREMENT, "code": "travel-walk"}], "text": "最近服务站步行到达时间"})
    yield {"resourceType": "Condition", "id": f"{p}-condition", "subject": subject, "code": {"text": "高血压"}, "onsetDateTime": "2019"}
    yield {"resourceType": "Condition", "id": f"{p}-undated", "subject": subject, "code": {"text": "不知何时"}}
    yield {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "id": f"{p}-allergy",
        "patient": subject,
        "recordedDate": "2019-03-01",
        "code": {"text": "青霉素"},
    }
    yield {
        "resourceType": "MedicationRequest", "id": f"{p}-order", "status": "active", "intent": "order", "subject": subject,
        "medicationCodeableConcept": {"text": "头孢曲松"}, "authoredOn": when.isoformat(),
    }  # fmt: skip


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with database.writing(SYSTEM, at=AT) as opened:
        for one in (*written("a"), *written("b")):
            opened.put(one)
        yield opened


def walked(store: Store, kind: str, most: int) -> list[Event]:
    found: list[Event] = []
    before = None
    while True:
        page = story(store, "a", Directory(store), kind, before, most)
        assert page.events
        found += page.events
        if page.next is None:
            assert len(found) == page.total
            return found
        before = page.next


def test_each_thing_is_told_once_and_with_what_belongs_to_it(store: Store) -> None:
    told = [(event.ref, event.part, event.kind, len(event.values)) for event in walked(store, "", 100)]
    assert len(told) == len(set(told))
    assert {ref.removeprefix("/") + part: (kind, values) for ref, part, kind, values in told} == {
        "Encounter/a-stay-1": ("hospital", 0), "Encounter/a-stay-1end": ("hospital", 0), "Encounter/a-stay-2": ("hospital", 0),
        "Encounter/a-visit": ("visit", 1), "DiagnosticReport/a-report": ("result", 2), "Observation/a-lab-2": ("result", 1),
        "Observation/a-of-stay": ("result", 1), "Condition/a-condition": ("care", 0), "AllergyIntolerance/a-allergy": ("care", 0),
        "MedicationRequest/a-order": ("care", 0),
    }  # fmt: skip


def stands(key: str, certain: str, course: str = "active") -> Resource:
    """A finding with its certainty and its course; what was taken back has no course (R4 con-5, ait-2)."""
    kinds = {"c": ("condition-ver-status", "condition-clinical"), "a": ("allergyintolerance-verification", "allergyintolerance-clinical")}
    ver, clinical = (f"http://terminology.hl7.org/CodeSystem/{kind}" for kind in kinds[key])
    taken = certain == "entered-in-error"
    found: Resource = {"verificationStatus": {"coding": [{"system": ver, "code": certain}]}}
    return found if taken else found | {"clinicalStatus": {"coding": [{"system": clinical, "code": course}]}}


SUBJECT: Resource = {"reference": "Patient/a"}
CONDITION: Resource = {"resourceType": "Condition", "subject": SUBJECT, "onsetDateTime": AT.isoformat(), "code": {"text": "肺炎"}}
ALLERGY: Resource = {"resourceType": "AllergyIntolerance", "patient": SUBJECT, "recordedDate": AT.isoformat(), "code": {"text": "样药"}}
DRUG: Resource = {"subject": SUBJECT, "medicationCodeableConcept": {"text": "样药"}}
ORDER: Resource = {"resourceType": "MedicationRequest", "intent": "order", "authoredOn": AT.isoformat(), **DRUG}
SERVICE: Resource = {"resourceType": "ServiceRequest", "intent": "order", "authoredOn": AT.isoformat(), "subject": SUBJECT}
STANDS: list[tuple[Resource, str]] = [
    (CONDITION | stands("c", "entered-in-error"), "已撤销"),
    (CONDITION | stands("c", "refuted", "inactive"), "已排除"),
    (CONDITION | stands("c", "confirmed", "resolved"), "已愈"),
    (CONDITION | stands("c", "confirmed"), ""),
    (ALLERGY | stands("a", "entered-in-error"), "已撤销"),
    (ALLERGY | stands("a", "unconfirmed"), "未确认"),
    (ORDER | {"status": "stopped"}, "已停"),
    (ORDER | {"status": "entered-in-error"}, "已撤销"),
    ({"resourceType": "MedicationAdministration", "effectiveDateTime": AT.isoformat(), "status": "entered-in-error", **DRUG}, "已撤销"),
    (SERVICE | {"status": "revoked"}, "已取消"),
]


@pytest.mark.parametrize(("told", "chip"), STANDS, ids=[f"{one['resourceType']}-{chip or 'stands'}" for one, chip in STANDS])
def test_what_was_stopped_refuted_or_taken_back_is_not_told_as_if_it_stood(store: Store, told: Resource, chip: str) -> None:
    store.put(told | {"id": "a-told"})
    [event] = [one for one in walked(store, "", 100) if one.ref.endswith("/a-told")]
    assert [text for text, _ in event.chips] == ([chip] if chip else [])
    assert event.tone != "red" or chip != "已撤销", "what was taken back warns no more"


def test_a_stay_is_told_with_its_diagnoses_and_each_where_it_belongs(store: Store) -> None:
    told = (("fever", "发热", "AD", 1), ("stroke", "脑梗死", "DD", 1), ("pressure", "高血压", "DD", None), ("other", "低钾血症", "", None))
    listed = []
    for id, words, role, rank in told:
        store.put({"resourceType": "Condition", "id": f"a-{id}", "subject": SUBJECT, "code": {"text": words}} | stands("c", "confirmed"))
        use = {"use": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": role}]}} if role else {}
        listed.append({"condition": {"reference": f"Condition/a-{id}"}, **use, **({"rank": rank} if rank else {})})
    for number in (1, 2):
        store.put(store.read("Encounter", f"a-stay-{number}") | {"diagnosis": listed[::-1]})
    gone = {key: value for key, value in store.read("Condition", "a-other").items() if key != "clinicalStatus"}
    store.put(gone | stands("c", "entered-in-error"))
    said = {(one.ref, one.part): one.lines for most in (100, 1) for one in walked(store, "hospital", most)}
    of_admission, of_discharge = ("入院诊断", "发热"), ("出院诊断", "脑梗死、高血压")
    assert said["Encounter/a-stay-1", ""] == (of_admission,)
    assert said["Encounter/a-stay-1", "end"] == (of_discharge,), "and what was taken back nowhere"
    assert said["Encounter/a-stay-2", ""] == (of_admission, of_discharge), "a stay that goes on has but one place"
    assert [one["id"] for one in problems_of(store, ["a"])].count("a-other") == 0


def test_what_was_done_in_hospital_is_told_with_who_did_it_and_how_it_stands(store: Store) -> None:
    done: Resource = {"resourceType": "Procedure", "subject": SUBJECT, "code": {"text": "髋关节置换"}}
    by = [{"function": {"text": "手术"}, "actor": {"display": "外科乙"}}, {"actor": {"display": "外科丙"}}]
    span = {"start": AT.isoformat(), "end": (AT + timedelta(hours=2)).isoformat()}
    store.put(done | {"id": "a-done", "status": "completed", "performedPeriod": span, "performer": by})
    store.put(done | {"id": "a-planned", "status": "preparation", "performedDateTime": "2026-11-30"})
    said = {one.ref: (one.title, one.about, one.lines, one.chips, one.kind) for one in walked(store, "hospital", 2)}
    assert said["Procedure/a-done"] == ("手术操作", "髋关节置换", (("", "外科乙（手术）、外科丙"),), (), "hospital")
    assert said["Procedure/a-planned"][2:4] == ((), (("计划中", "amber"),))


def test_an_order_of_a_hospital_says_how_much_and_how_often(store: Store) -> None:
    twice: Resource = {
        "doseAndRate": [{"doseQuantity": {"value": Lexical("0.50"), "unit": "g"}}], "route": {"text": "口服"},
        "timing": {"code": {"text": "BID"}, "repeat": {"timeOfDay": ["08:00:00", "20:00:00"], "boundsPeriod": {"start": "2026-03-02"}}},
    }  # fmt: skip
    drip: Resource = {"text": "缓慢静滴 200 ml/h", "doseAndRate": [{"rateQuantity": {"value": 200, "unit": "ml/h"}}]}
    store.put(store.read("MedicationRequest", "a-order") | {"dosageInstruction": [twice, drip]})
    dosage: Resource = {"dose": {"value": Lexical("2"), "unit": "g"}, "route": {"text": "静脉滴注"}}
    given: Resource = {"resourceType": "MedicationAdministration", "id": "a-given", "status": "stopped", "dosage": dosage, **DRUG}
    store.put(given | {"effectiveDateTime": AT.isoformat()})
    said = {one.ref: ([text for _, text in one.lines], [text for text, _ in one.chips]) for one in walked(store, "", 100)}
    assert said["MedicationRequest/a-order"] == (["0.50 g，口服，BID，08:00、20:00，2026-03-02", "缓慢静滴 200 ml/h"], [])
    assert said["MedicationAdministration/a-given"] == (["2 g，静脉滴注"], ["中止"])


@pytest.mark.parametrize(
    ("flags", "chips", "tone"),
    [({33: "HH"}, ["危急值", "仅列部分结果"], "red"), ({33: "POS"}, ["有异常", "仅列部分结果"], "red"), ({}, ["仅列部分结果"], "")],
)
def test_what_is_critical_in_a_long_report_is_told_wherever_it_stands(
    store: Store, flags: dict[int, str], chips: list[str], tone: str
) -> None:
    results = []
    for number in range(34):
        code = [{"coding": [{"code": flags[number]}]}] if number in flags else [{"coding": [{"code": "N"}]}]
        one: Resource = {"resourceType": "Observation", "id": f"a-long-{number}", "status": "final", "code": {"text": f"第{number}项"}}
        store.put(one | {"subject": SUBJECT, "effectiveDateTime": AT.isoformat(), "valueString": "x", "interpretation": code})
        results.append({"reference": f"Observation/a-long-{number}"})
    report: Resource = {"resourceType": "DiagnosticReport", "id": "a-long", "status": "final", "code": {"text": "生化全套"}}
    store.put(report | {"subject": SUBJECT, "effectiveDateTime": AT.isoformat(), "result": results})
    [event] = [one for one in walked(store, "", 100) if one.ref == "DiagnosticReport/a-long"]
    assert ([text for text, _ in event.chips], event.tone, len(event.values)) == (chips, tone, 24)
    assert event.values[0].name == ("第33项" if flags else "第0项")


@pytest.mark.parametrize("most", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_pages_join_to_the_same_line(store: Store, kind: str, most: int) -> None:
    whole = walked(store, kind, 100)
    assert sorted(map(str, walked(store, kind, most))) == sorted(map(str, whole))
    assert [event.at for event in whole] == sorted((event.at for event in whole), reverse=True)
    assert kind == "" or {event.kind for event in whole} == {kind}


def test_a_merged_file_is_told_with_the_surviving_one(store: Store) -> None:
    alone = len(walked(store, "", 100))
    merge(store, "a", "b")
    assert len(walked(store, "", 3)) == 2 * alone - 2, "results of one moment stand together"


def test_drawings_read_what_they_need(store: Store) -> None:
    found = measured(store, ("a",), most=3)
    assert len(found) == 3
    [chart] = charts(measured(store, ("a",)), store.zone)
    assert (chart.title, chart.latest) == ("心率", "70")
    assert len(chart.table) == 2


def test_what_is_measured_is_on_the_person_and_has_its_chinese_name(store: Store) -> None:
    way = store.read("Observation", "a-way")
    assert not is_measured(way)
    assert list(measured_words(way)) == []
    pressure = [
        {"code": {"coding": [{"code": code, "display": "x"}]}, "valueQuantity": {"value": value, "unit": "mmHg"}}
        for code, value in (("8480-6", 120), ("8462-4", 87))
    ]
    assert list(measured_words({"resourceType": "Observation", "component": pressure})) == [("血压", "120/87 mmHg")]
    assert list(measured_words(store.read("Observation", "a-lab-1"))) == [("心率", "70 /min")]
