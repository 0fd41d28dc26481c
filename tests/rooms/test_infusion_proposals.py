"""A hospital's order for a drip is a question to our doctor: nothing is infused at home that has not passed the gates."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from hospital import Hospital, segment
from test_infusion_room import AT, DOCTOR, brought, order_of, person

from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_ACT_CODE, hospital_number
from healthsvc.healthfile import closing
from healthsvc.healthfile.rules import Identifier, Person
from healthsvc.healthfile.service import update_demographics
from healthsvc.homebed import service as homebeds
from healthsvc.homebed.rules.bed import Diagnosis, Discharge
from healthsvc.infusion import hospital as hospital_orders
from healthsvc.infusion import service
from healthsvc.store import Database, Store

ORC = segment("ORC", _1="NW", _2="M1", _3="R1", _12="H7^院方医生")
RXE = segment("RXE", _1="^BID^^20261123^20261124", _2="ceftriaxone^头孢曲松钠", _3="2.0", _5="g", _23="120", _24="ml/h", _27="J15^肺炎")
RXR = "RXR|IVD^静脉滴注"


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def ours(hospital: Hospital) -> str:
    with hospital.database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        update_demographics(store, patient, Person("", identifiers=(Identifier(hospital_number("h1"), "C1"),)))
    return patient


def ordered(hospital: Hospital, *segments: str, **more: object) -> None:
    hospital.says("RDE^O11", "C1", *(segments or (ORC, RXE, RXR)), at=AT.astimezone(), **more)  # type: ignore[arg-type]
    assert hospital.last().state == "done", hospital.last()


def test_a_drip_for_somebody_at_home_is_proposed_and_still_passes_every_gate(hospital: Hospital) -> None:
    patient = ours(hospital)
    mixture = ("RXC|B|NS^0.9%氯化钠|100|ml", "RXC|A|ceftriaxone^头孢曲松钠|2|g")
    for turn in range(2):
        ordered(hospital, ORC, RXE, RXR, *mixture, id=f"o{turn}")
    with hospital.database.writing(DOCTOR, at=AT) as store:
        [told] = hospital_orders.waiting(store, patient)
        said = hospital_orders.to_wanted(told)
        assert (said.drug_name, said.dose, said.solvent, said.volume_ml, said.rate_ml_h) == ("头孢曲松钠", "2.0 g", "0.9%氯化钠", 100, 120)
        assert (said.days, said.times_a_day, said.doctor, said.indication, said.number) == (2, 2, "院方医生", "肺炎", "M1")
        assert not [one for one in store.select("MedicationRequest", patient=patient) if service.is_course(one)]
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            hospital_orders.take_up(store, told["id"], order_of(patient))
        assert refused.value.reason.startswith("infusion")
        course = hospital_orders.take_up(store, told["id"], order_of(patient), **brought(patient))
        assert course.request["basedOn"] == [{"reference": f"MedicationRequest/{told['id']}"}]
        assert hospital_orders.waiting(store, patient) == []
    ordered(hospital, segment("ORC", _1="DC", _2="M1"), RXE, RXR, id="stop")
    with hospital.database.reading(DOCTOR, at=AT) as store:
        assert store.read("MedicationRequest", course.request["id"])["status"] == "cancelled", "what the hospital takes back is not infused"
        assert not [one for one in course.visits if store.read("Task", one["id"])["status"] in ("requested", "accepted")]


@pytest.mark.parametrize(
    ("rxo", "components", "drug", "dose", "solvent", "volume"),
    [
        ("NS^0.9%氯化钠注射液|250||ml", ("RXC|A|Y9^参麦注射液|50|ml",), "参麦注射液", "50 ml", "0.9%氯化钠注射液", 250),
        ("NS^0.9%氯化钠注射液|250||ml", ("RXC|A|Y9^参麦注射液|50|ml", "RXC|A|K^氯化钾注射液|10|ml"),
         "参麦注射液 50 ml + 氯化钾注射液 10 ml", "", "0.9%氯化钠注射液", 250),
        ("C^头孢曲松钠|2||g", ("RXC|B|NS^0.9%氯化钠|100|ml", "RXC|A|C^头孢曲松钠|2|g", "RXC|A|K^氯化钾注射液|10|ml"),
         "头孢曲松钠 2 g + 氯化钾注射液 10 ml", "", "0.9%氯化钠", 100),
        ("L^左氧氟沙星注射液|100||ml", ("RXC|A|K^氯化钾注射液|10|ml",), "左氧氟沙星注射液 + 氯化钾注射液 10 ml", "", "", 100),
    ],
)  # fmt: skip
def test_whatever_would_run_into_the_vein_is_named_to_the_doctor(
    hospital: Hospital, rxo: str, components: tuple[str, ...], drug: str, dose: str, solvent: str, volume: int
) -> None:
    patient = ours(hospital)
    hospital.says("OMP^O09", "C1", ORC, f"RXO|{rxo}", "RXR|静滴^静脉滴注", *components, at=AT.astimezone())
    assert hospital.last().state == "done", hospital.last()
    with hospital.database.reading(DOCTOR, at=AT) as store:
        [told] = hospital_orders.waiting(store, patient)
        said = hospital_orders.to_wanted(told)
    assert (said.drug_name, said.dose, said.solvent, said.volume_ml) == (drug, dose, solvent, volume)


def test_the_amount_of_the_pharmacy_counts_before_that_of_its_timing(hospital: Hospital) -> None:
    patient = ours(hospital)
    ordered(hospital, ORC, segment("RXE", _1="1^BID^^20261123^20261124", _2="NS^0.9%氯化钠注射液", _3="250", _5="ml"), RXR)
    with hospital.database.reading(DOCTOR, at=AT) as store:
        [told] = hospital_orders.waiting(store, patient)
        said = hospital_orders.to_wanted(told)
    assert (said.volume_ml, said.times_a_day, said.days) == (250, 2, 2)


def test_drugs_of_one_bag_that_come_as_orders_of_one_group_say_so(hospital: Hospital) -> None:
    patient = ours(hospital)
    for number, what in (("M1", "NS^0.9%氯化钠注射液|250||ml"), ("M2", "Y9^参麦注射液|50||ml")):
        order = segment("ORC", _1="NW", _2=number, _4="G7")
        hospital.says("OMP^O09", "C1", order, f"RXO|{what}", "RXR|静滴^静脉滴注", at=AT.astimezone(), id=number)
    with hospital.database.reading(DOCTOR, at=AT) as store:
        told = [hospital_orders.to_wanted(one) for one in hospital_orders.waiting(store, patient)]
    assert {(one.number, one.drug_name, one.group) for one in told} == {("M1", "0.9%氯化钠注射液", "G7"), ("M2", "参麦注射液", "G7")}


def test_who_is_in_hospital_or_not_ours_gets_no_proposal(hospital: Hospital) -> None:
    ours(hospital)
    ordered(hospital, ORC, RXE, "RXR|PO^口服")
    ordered(hospital, segment("ORC", _1="NW", _2="M2"), RXE, RXR, segment("PV1", _2="I", _19="V1"), id="m2")
    hospital.says("RDE^O11", "C77", segment("ORC", _1="NW", _2="M3"), RXE, RXR, name="测试丁")
    with hospital.database.reading(DOCTOR, at=AT) as store:
        assert hospital_orders.waiting(store) == []


def test_a_dose_that_the_hospital_has_given_is_proof_of_the_first(hospital: Hospital) -> None:
    patient = ours(hospital)
    given = segment("RXA", _1="0", _2="1", _3="20261122090000", _5="ceftriaxone^头孢曲松钠", _6="2", _7="g", _15="B1", _20="CP")
    hospital.says("RAS^O17", "C1", ORC, given, RXR, at=AT.astimezone())
    assert hospital.last().state == "done", hospital.last()
    evidence = {key: value for key, value in brought(patient).items() if key != "first_dose"}
    with hospital.database.writing(DOCTOR, at=AT) as store:
        course = service.order_course(store, order_of(patient), **evidence)
        assert all(one.open for one in course.results)


def stay(store: Store, patient: str, hospital: str, status: str = "in-progress") -> Resource:
    about = {"identifier": {"system": "urn:test", "value": hospital}}
    kind = {"system": V3_ACT_CODE, "code": "IMP"}
    made: Resource = {"resourceType": "Encounter", "id": "ward-1", "status": status, "class": kind, "serviceProvider": about}
    return store.put(made | {"subject": {"reference": f"Patient/{patient}"}, "period": {"start": AT.isoformat()}})


def leaves(store: Store, patient: str) -> None:
    stay(store, patient, "h2", "finished")


def never(store: Store, patient: str) -> None:
    """Nothing takes it away."""


def discharged(store: Store, patient: str) -> None:
    bed = homebeds.open_bed(store, patient)
    assert bed is not None
    homebeds.discharge(store, bed.id, Discharge(AT.date(), "better", "improved", Diagnosis("J15.900", "肺炎恢复期")))


Act = Callable[[Store, str], object]
STANDS_AGAINST: dict[str, tuple[Act, Act, str]] = {
    "in the ward of another hospital": (lambda store, id: stay(store, id, "h2"), leaves, "infusion-in-hospital"),
    "on leave from a ward, the home bed held": (lambda store, id: stay(store, id, "h2", "onleave"), leaves, "infusion-in-hospital"),
    "moved away": (lambda store, id: closing.close(store, id, "moved-away", AT.date()), closing.reopen, "infusion-file-closed"),
    "noted as dead": (lambda store, id: closing.record_death(store, id, AT.date()), closing.take_back_death, "infusion-deceased"),
    "home bed ended": (discharged, never, "infusion-no-active-care"),
}


@pytest.mark.parametrize("name", STANDS_AGAINST)
def test_an_order_is_never_lost_and_says_what_stands_against_it(hospital: Hospital, name: str) -> None:
    happens, ends, reason = STANDS_AGAINST[name]
    patient = ours(hospital)
    with hospital.database.writing(DOCTOR, at=AT + timedelta(minutes=1)) as store:
        happens(store, patient)
    ordered(hospital, id="o2")
    with hospital.database.writing(DOCTOR, at=AT) as store:
        [told] = hospital_orders.waiting(store, patient)
        assert hospital_orders.obstacle(store, patient, AT.date()) == reason
        if reason:
            with pytest.raises(RuleViolation), store.savepoint():
                hospital_orders.take_up(store, told["id"], order_of(patient), **brought(patient))
    with hospital.database.writing(DOCTOR, at=AT + timedelta(minutes=2)) as store:
        ends(store, patient)
    with hospital.database.writing(DOCTOR, at=AT) as store:
        assert [one["id"] for one in hospital_orders.waiting(store, patient)] == [told["id"]]
        if ends is not never:
            assert hospital_orders.obstacle(store, patient, AT.date()) == ""
            hospital_orders.take_up(store, told["id"], order_of(patient), **brought(patient))


def test_an_order_of_the_ward_in_which_somebody_lies_is_none_for_home_unless_it_says_so(hospital: Hospital) -> None:
    patient = ours(hospital)
    with hospital.database.writing(DOCTOR, at=AT) as store:
        stay(store, patient, "h1")
    ordered(hospital, id="o1")
    assert "not proposed for home" in hospital.last().remark
    with hospital.database.reading(DOCTOR, at=AT) as store:
        assert hospital_orders.waiting(store, patient) == []
    ordered(hospital, segment("ORC", _1="NW", _2="M9"), RXE, RXR, segment("PV1", _2="O", _19="V7"), id="o2")
    with hospital.database.reading(DOCTOR, at=AT) as store:
        assert [hospital_orders.to_wanted(one).number for one in hospital_orders.waiting(store, patient)] == ["M9"]
