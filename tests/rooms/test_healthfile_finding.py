"""A person is found by whatever one types; nobody is found whom one may not see."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import text

import healthsvc.store
from healthsvc.access.sight import restriction_of
from healthsvc.fhir.json import dumps
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.finding import Kind, find_people, kind_of
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.resources import to_patient
from healthsvc.healthfile.rules import Identifier, Person
from healthsvc.store import SYSTEM, Actor, Database, Store

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
NAMES = {
    "shan": "单国强", "ouyang": "欧阳静怡", "da": "龘", "one": "王", "wang": "王建国", "wang2": "李王平",
    "zhang": "张长山", "du": "都明", "rare": "𠮷田",
    "ana": "Ana Müller",
}  # fmt: skip


def number(sequence: int) -> str:
    first = f"33029919300102{900 + sequence}"
    return first + check_digit(first)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with database.writing(SYSTEM, at=AT) as opened:
        for area in ("east", "west"):
            opened.once({"resourceType": "Organization", "id": area, "name": area})
        for place, (id, name) in enumerate(NAMES.items()):
            person = Person(
                name, birth=date(1930, 1, 2), identifiers=(Identifier(CITIZEN_ID, number(place)),), phones=(f"0574-0000 71{place:02d}",)
            )
            area = "east" if place % 2 == 0 else "west"
            opened.put({**to_patient(person, id), "managingOrganization": {"reference": f"Organization/{area}"}})
        yield opened


def found(store: Store, typed: str) -> list[str]:
    return [one["id"] for one in find_people(store, typed, 40)]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("单", ["shan"]), ("龘", ["da"]), ("𠮷", ["rare"]), ("欧阳 静怡", ["ouyang"]), ("国强", ["shan"]), ("静", ["ouyang"]),
        ("shan", ["shan", "zhang"]), ("shanguoqiang", ["shan"]), ("Shàn Guóqiáng", ["shan"]), ("sgq", ["shan"]),
        ("shangq", ["shan"]), ("ＳＧＱ", ["shan"]),
        ("guoqiang", ["shan"]), ("oyjy", ["ouyang"]), ("zhangchang", ["zhang"]), ("zhangzhang", ["zhang"]), ("duming", ["du"]),
        ("欧阳jy", ["ouyang"]), ("王jg", ["wang"]), ("王jia", ["wang"]),
        ("muller", ["ana"]), ("ana m", ["ana"]),
        ("7101", ["ouyang"]), ("0574-00007101", ["ouyang"]), ("057400007101", ["ouyang"]), ("０５７４００００７１０１", ["ouyang"]),
        ("710", []), ("%", []), ("_", []), ("a,b", []), ("\\", []), ("$", []), ("  ", []), ("没有这人", []),
    ],
)  # fmt: skip
def test_whatever_is_typed(store: Store, typed: str, expected: list[str]) -> None:
    assert found(store, typed) == expected


def test_ends_of_citizen_ids(store: Store) -> None:
    for place, id in enumerate(NAMES):
        for digits in (4, 6, 18):
            assert id in found(store, number(place)[-digits:])
        assert found(store, number(place).lower()) == [id]


def test_who_begins_with_it_comes_before_who_holds_it(store: Store) -> None:
    assert found(store, "王") == ["one", "wang", "wang2"] or found(store, "王") == ["wang", "one", "wang2"]
    doctor = {"generalPractitioner": [{"reference": "Practitioner/d1"}]}
    store.once({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "医生"}]})
    store.put({**store.read("Patient", "wang"), **doctor})
    store.actor = Actor("Practitioner/d1", "医生", frozenset({"doctor"}), "page")
    assert found(store, "王")[0] == "wang", "one's own people first"


def test_nobody_beyond_one_s_sight(store: Store) -> None:
    actor = Actor("token/x", "x", frozenset({"doctor"}), "page", areas=frozenset({"Organization/east"}))
    store.restrict = restriction_of(actor, AT)
    assert found(store, "shan") == ["shan", "zhang"]
    assert found(store, "欧阳") == []
    assert found(store, "7101") == []
    assert found(store, number(1)) == []


def test_a_merged_file_stands_under_the_surviving_one(store: Store) -> None:
    merge(store, "wang", "one", by="王主任", reason="同一人，证件号录错")
    assert found(store, "王jianguo") + found(store, "王") == ["wang", "wang", "wang2"]


def test_what_is_typed_is_never_noted(store: Store) -> None:
    found(store, "单国强")
    assert all("单" not in str(act) for act in store.acts)
    assert [act.subject for act in store.acts if act.action == "search"] == ["Patient?name,identifier,phone"]


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("王", Kind.NAME), ("１２３４", Kind.NUMBER), ("12X", Kind.NUMBER), ("x", Kind.LETTERS), ("王w", Kind.MIXED), (" ", Kind.NOTHING)],
)
def test_what_kind_it_is(typed: str, kind: Kind) -> None:
    assert kind_of(typed)[0] is kind


def test_files_from_before_are_found_after_the_migration(store: Store) -> None:
    """What the migration writes is what a write leaves in the index."""

    def index() -> set[tuple[object, ...]]:
        rows = "SELECT s.param, s.folded, s.pk FROM ix_string s JOIN term t ON t.id = s.param WHERE t.text = 'Patient.pinyin'"
        return {tuple(row) for row in store.connection.execute(text(rows))}

    written = index()
    store.connection.execute(text("DELETE FROM ix_string WHERE param IN (SELECT id FROM term WHERE text = 'Patient.pinyin')"))
    assert index() == set()
    for id in NAMES:  # as a database lies before it is sealed
        body = {"body": dumps(store.read("Patient", id)), "id": id}
        store.connection.execute(text("UPDATE resource SET body = :body WHERE id = :id"), body)
    [name] = [path.stem for path in Path(healthsvc.store.__file__).parent.glob("migrations/versions/*_spellings.py")]
    import_module(f"healthsvc.store.migrations.versions.{name}").add(store.connection)
    assert index() == written
