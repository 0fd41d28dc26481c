"""The invented people of the demonstration: the same everywhere, possible, and nobody's."""

from datetime import date

from healthsvc.demo.people import people
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile.citizen_id import read
from healthsvc.healthfile.names import split
from healthsvc.healthfile.rules import Category, ContactRole, age, check_file_number, check_phone

ON = date(2026, 11, 22)


def test_the_same_seed_gives_the_same_people_and_another_one_others() -> None:
    assert people(50, 1, ON) == people(50, 1, ON)
    assert people(50, 1, ON) != people(50, 2, ON)
    assert people(50, 1, ON) == people(80, 1, ON)[:50]


def test_everybody_is_possible_and_unlike_all_others() -> None:
    found = people(3000, 5, ON)
    numbers = {one.value for person in found for one in person.identifiers}
    assert len(numbers) == sum(len(person.identifiers) for person in found)
    for person in found:
        citizen = read(next(one.value for one in person.identifiers if one.system == CITIZEN_ID), ON)
        assert (citizen.birth, citizen.sex, citizen.warnings) == (person.birth, person.sex, ())
        assert citizen.number[:5] == "33029"
        assert citizen.number[14] == "9"
        assert person.birth is not None
        years = age(person.birth, ON)
        assert (person.category is Category.LIXIU and 89 <= years <= 112) or (person.category is Category.TUIXIU and 59 <= years <= 87)
        assert [contact.role for contact in person.contacts] == list(ContactRole)
        for phone in (*person.phones, *(contact.phone for contact in person.contacts)):
            check_phone(phone)
            assert phone.startswith("0574-0")
        assert check_file_number(person.identifiers[1].value) is None
        assert split(person.name) is not None


def test_homes_are_taken_in_turn() -> None:
    homes = [(121.5, 29.8, "甲社区", "一路1号"), (121.6, 29.9, "乙社区", "二路2号")]
    found = people(3, 1, ON, homes)
    assert [person.residence_area for person in found] == ["甲社区", "乙社区", "甲社区"]
    assert found[1].position is not None
    assert (found[1].position.latitude, found[1].address) == (29.9, "二路2号")
