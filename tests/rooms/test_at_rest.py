"""At rest: what lies on the disk names nobody; what is looked up is found all the same; keys turn over, get lost and come back."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import postgres
import pytest
from hospital import Hospital, cadre, citizen, segment
from sqlalchemy import create_engine, text

from healthsvc.errors import Conflict, KeysLost, Refusal, Unavailable
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, hospital_number
from healthsvc.healthfile.rules import Contact, ContactRole, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store, inbox_rows
from healthsvc.store.inbox_rows import inbox_place
from healthsvc.store.lookup import ending, holding
from healthsvc.store.sealing import keys
from healthsvc.store.sealing.personal import carries_number, looks_personal
from healthsvc.store.sealing.reseal import compact, standing, step, steps, take_out_of_use
from healthsvc.store.search import search

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PHONES = ("13900000017", "0574-00000018")
FILE_NUMBER = "33029900100100019"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def database(engine_url: str, folder: Path) -> Iterator[Database]:
    opened = Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)
    yield opened
    opened.close()


def somebody(sequence: int = 17, phones: tuple[str, ...] = PHONES, file_number: str = FILE_NUMBER) -> Person:
    numbers = (Identifier(CITIZEN_ID, citizen(sequence)), Identifier(HEALTH_FILE_NUMBER, file_number))
    family = Contact(ContactRole.FAMILY, "测试乙", "13900000029", "儿子")
    return Person(name="测试甲", birth=datetime(1930, 1, 1).date(), identifiers=numbers, phones=phones, contacts=(family,))  # noqa: DTZ001


def filed(database: Database, person: Person) -> Resource:
    with database.writing(SYSTEM, at=AT) as store:
        return register(store, person, "urn:healthsvc:test").patient


def stored_bytes(database: Database) -> bytes:
    """Everything that lies on the disk: the file with its log, or what pg_dump writes."""
    if database.engine.dialect.name == "sqlite":
        path = Path(str(database.engine.url.database))
        return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
    programs = postgres.programs()
    assert programs is not None
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run([programs / "pg_dump", "--dbname", url], check=True, capture_output=True).stdout


def story(database: Database) -> list[str]:
    """People are filed, merged messages come in, a visit is made, messages wait to go out; gives every number that may not lie open."""
    patient, task = cadre(database)
    hospital = Hospital(database)
    told = {"citizen": citizen(901), "phone": "13900000031", "address": "测试路1号"}
    assert hospital.says("ADT^A04", "C1", **told) == "AA"
    assert hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="V1", _44="20260302080000"), **told) == "AA"
    assert hospital.says("ADT^A08", "C2", citizen=citizen(902), phone="13900000047") == "AA"
    hospital.inbox.stop()
    filed(database, somebody())
    with database.writing(SYSTEM, at=AT) as store:
        store.put({**store.read("Task", task), "note": [{"text": "女儿电话 13900000053，门牌 0574-00000061"}]})
        family = {"resourceType": "RelatedPerson", "id": "r", "patient": {"reference": f"Patient/{patient}"}}
        store.put({**family, "telecom": [phone("13900000067")]})
        store.put({"resourceType": "Practitioner", "id": "p", "identifier": [{"system": CITIZEN_ID, "value": citizen(903)}]})
        store.outbox("hl7:h1", patient, {"message": f"PID|||{citizen(901)}"})
        store.put({**family, "telecom": [phone("13900000073")]})
        store.delete("RelatedPerson", "r")
    phones = ("13900000031", "13900000047", "13900000053", "574-00000061", "13900000067", "13900000073", "13900000029", *PHONES)
    return [*map(citizen, (17, 901, 902, 903)), *phones, FILE_NUMBER]


def phone(value: str) -> dict[str, str]:
    return {"system": "phone", "value": value}


def test_nothing_on_the_disk_names_a_number(database: Database) -> None:
    numbers = story(database)
    with database.reading(SYSTEM, at=AT) as store:
        assert len(store.select("Patient")) >= 2, "the story was lived"
    database.reads.flush()
    lying = stored_bytes(database)
    assert "测试甲".encode() in lying, "by their names people are searched for"
    assert [number for number in numbers if number.encode() in lying or number.encode().hex().encode() in lying] == []


def test_what_is_hidden_is_found_by_every_way(database: Database) -> None:
    patient = filed(database, somebody())
    other = filed(database, somebody(18, ("13900000018",), "33029900100100027"))
    with database.writing(SYSTEM, at=AT) as store:
        store.put(
            {
                "resourceType": "Observation",
                "id": "o",
                "status": "final",
                "code": {"text": "x"},
                "subject": {"reference": f"Patient/{patient['id']}"},
            }
        )
        store.put(
            {
                "resourceType": "Observation",
                "id": "logical",
                "status": "final",
                "code": {"text": "x"},
                "subject": {"identifier": {"system": CITIZEN_ID, "value": citizen(17)}},
            }
        )
    number = citizen(17)
    with database.reading(SYSTEM, at=AT) as store:
        for query in (
            f"identifier={CITIZEN_ID}|{number}",
            f"identifier={number}",
            f"identifier={CITIZEN_ID}|{citizen(55)},{CITIZEN_ID}|{number}",
            "phone=13900000017",
            "telecom=phone|13900000017",
            "telecom=13900000017",
            "phone=0574-00000018",
            "phone=057400000018",
            f"identifier={HEALTH_FILE_NUMBER}|{FILE_NUMBER}",
            f"identifier={number}&phone=13900000017&_has:Observation:subject:status=final",
        ):
            assert ids(store, "Patient", query) == [patient["id"]], query
        assert ids(store, "Observation", f"patient.identifier={number}") == ["o"]
        assert ids(store, "Observation", f"subject:identifier={CITIZEN_ID}|{number}") == ["logical"]
        assert ids(store, "Patient", f"identifier:not={CITIZEN_ID}|{number}") == [other["id"]]
        assert ids(store, "Patient", f"identifier={number[:-1]}") == []
        assert sorted(ids(store, "Patient", f"identifier={CITIZEN_ID}|")) == sorted([patient["id"], other["id"]])
        assert [one["id"] for one in holding(store, "Patient", [(CITIZEN_ID, number)])] == [patient["id"]]
        for tail, whose in ((number[-4:], patient), (number[-6:].lower(), patient), ("00000018", other), ("13900000017", patient)):
            assert whose["id"] in [one["id"] for one in ending(store, tail, 40)], tail
        assert ending(store, "0017"[:3], 40) == []
        assert ending(store, "9017", 40) == []
    with pytest.raises(Refusal), database.writing(SYSTEM, at=AT) as store:
        store.put({**store.read("Patient", other["id"]), "identifier": patient["identifier"]})


def ids(store: Store, type: str, query: str) -> list[str]:
    return [one.id for one in search(store, type, query).matches]


def test_a_resource_comes_back_value_for_value_in_every_version(database: Database) -> None:
    first = {"resourceType": "Patient", "id": "p", "telecom": [phone("13900000017")], "multipleBirthInteger": 2}
    with database.writing(SYSTEM, at=AT) as store:
        store.put(first)
    with database.writing(SYSTEM, at=AT.replace(hour=2)) as store:
        store.put({**first, "active": True})
        store.delete("Patient", "p")
        store.put(first)
    with database.reading(SYSTEM, at=AT) as store:
        versions = store.history("Patient", "p")
        assert [one.version for one in versions] == [4, 3, 2, 1]
        assert all(one.body[:1] == b"{" for one in versions if not one.deleted)
        assert {**store.read("Patient", "p"), "meta": None} == {**first, "meta": None}
        earlier = store.version("Patient", "p", 2)
        assert earlier is not None
        assert earlier.resource["active"] is True


def test_keys_turn_over_while_the_service_runs_and_after_a_kill(database: Database, folder: Path, engine_url: str) -> None:
    numbers = story(database)
    old = database.sealer.kid.hex()
    assert under(database) == {old, ""}, "some resources name nobody and lie open"
    new = keys.rotate(folder)
    filed(database, somebody(19, (), "33029900100100035"))
    assert under(database) == {old, new, ""}, "a running process has taken notice"
    assert take_out_of_use(database, old) > 0
    for _ in range(3):
        assert step(database, portion=2)
    again = Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)  # the one before was killed
    places = [re.split(r"\|", one)[1] for one in facts(again) if one.startswith(new)]
    assert any(place not in ("end", "") for place in places), "it goes on where it stopped"
    for _ in steps(again):
        pass
    assert under(again) == {new, ""}
    assert not step(again)
    assert take_out_of_use(again, old) == 0
    assert (folder / keys.RETIRED / f"{old}.json").exists()
    with again.reading(SYSTEM, at=AT) as store:
        assert len(store.history("RelatedPerson", "r")) == 3
        assert ids(store, "Patient", f"identifier={citizen(901)}")
    assert not [number for number in numbers if number.encode() in stored_bytes(again)]
    again.close()
    Database.open(engine_url, rooms=ROOMS, sealing_keys=folder).close()


def test_what_comes_under_the_old_key_behind_the_walk_is_walked_again(database: Database, folder: Path, engine_url: str) -> None:
    late = Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)
    old, hash = late.sealer.kid.hex(), bytes(16)
    keys.rotate(folder)
    for _ in steps(database):
        pass
    raw = late.sealer.close(b"MSH|^~", inbox_place(hash))  # as in a journal of the lines, or in a process that has not heard yet
    with late.plainly() as connection:
        row = ("x", "HIS", "1", hash, "ADT^A31", "x", "x", 1, raw, b"MSA", "AA", "pending", 0, False, None, None, None, None)
        inbox_rows.append(connection, [row])
    late.close()
    assert not step(database)
    assert take_out_of_use(database, old) == 1
    for _ in steps(database):
        pass
    assert take_out_of_use(database, old) == 0
    with database.engine.connect() as connection:
        assert inbox_rows.raw_of(connection, database.sealer, 1) == b"MSH|^~"


def under(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return {one.kid for one in standing(connection)}


def facts(database: Database) -> list[str]:
    with database.engine.connect() as connection:
        return list(connection.execute(text("SELECT value FROM sealing")).scalars())


def test_a_lost_key_gives_one_clear_error_and_never_a_new_key(database: Database, folder: Path, engine_url: str, tmp_path: Path) -> None:
    filed(database, somebody())
    database.close()
    kept = tmp_path / "backup"
    shutil.copytree(folder, kept)
    for damage, said in (
        (lambda: (folder / "first.json").unlink(), "not there"),
        (lambda: (folder / "lookup.key").unlink(), "lookup.key"),
        (lambda: (folder / "lookup.key").write_text("eA=="), "none of ours"),
        (lambda: shutil.rmtree(folder), "not there"),
    ):
        damage()
        with pytest.raises(KeysLost, match=said) as refused:
            Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)
        assert "backup" in refused.value.text
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)
    other = tmp_path / "of another"
    keys.Seal.of(other)
    keys.lookup_key(other, make=True)
    with pytest.raises(KeysLost, match="another database"):
        Database.open(engine_url, rooms=ROOMS, sealing_keys=other)
    shutil.copy(folder / "lookup.key", other)
    with pytest.raises(KeysLost, match="is lost"):
        Database.open(engine_url, rooms=ROOMS, sealing_keys=other)
    opened = Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)
    with opened.reading(SYSTEM, at=AT) as store:
        assert store.select("Patient")
    opened.close()


def test_a_value_moved_to_another_row_does_not_open(database: Database) -> None:
    for id in ("a", "b"):
        with database.writing(SYSTEM, at=AT) as store:
            store.put({"resourceType": "Patient", "id": id})
    with database.plainly() as connection:
        connection.execute(text("UPDATE resource SET body = (SELECT body FROM resource WHERE id='a') WHERE id='b'"))
    with pytest.raises(Unavailable, match="changed or moved"), database.reading(SYSTEM, at=AT) as store:
        store.read("Patient", "b")


def test_an_unsealed_database_is_sealed_in_steps_and_found_meanwhile(
    engine_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from healthsvc.store import engine
    from healthsvc.store.sealing import prepare

    with monkeypatch.context() as before:
        before.setattr(engine, "prepare", lambda *_, **__: None)
        plain = Database.open(engine_url, rooms=ROOMS)
        numbers = story(plain)
        lying = stored_bytes(plain)
        assert all(number.encode() in lying or number.encode().hex().encode() in lying for number in numbers)
        plain.close()
    monkeypatch.setattr(prepare, "PORTION", 2)
    turned = prepare._hash
    calls: list[int] = []

    def killed(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        turned(*args)

    with monkeypatch.context() as half:
        half.setattr(prepare, "_hash", killed)
        with pytest.raises(KeyboardInterrupt):
            Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)
    opened = Database.open(engine_url, rooms=ROOMS, sealing_keys=folder)
    with opened.reading(SYSTEM, at=AT) as store:
        assert len(ids(store, "Patient", f"identifier={CITIZEN_ID}|{citizen(17)}")) == 1, "found while bodies still lie open"
        assert len(ending(store, citizen(17)[-4:], 40)) == 1
        assert len(ids(store, "Patient", f"identifier={hospital_number('h1')}|C1")) == 1
    with pytest.raises(Conflict), opened.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Patient", "identifier": [{"system": CITIZEN_ID, "value": citizen(17)}], "id": "twice"})
    while step(opened, portion=3):
        pass
    compact(opened)
    lying = stored_bytes(opened)
    assert [number for number in numbers if number.encode() in lying] == []
    with opened.reading(SYSTEM, at=AT) as store:
        assert len(store.history("RelatedPerson", "r")) == 3
    opened.close()


def test_a_sealed_database_is_not_opened_without_its_folder(postgres_url: str, folder: Path) -> None:
    Database.open(postgres_url, rooms=ROOMS, sealing_keys=folder).close()
    with pytest.raises(Unavailable, match="HEALTHSVC_SEALING_KEYS"):
        Database.open(postgres_url, rooms=ROOMS)


def test_everything_can_be_sealed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/healthsvc.sqlite"
    with_some = Database.open(url, rooms=ROOMS)
    location = {"resourceType": "Location", "id": "l", "name": "测试站点名"}
    with with_some.writing(SYSTEM, at=AT) as store:
        store.put(location)
    with_some.close()
    engine = create_engine(url)
    with engine.connect() as connection:
        assert bytes(connection.execute(text("SELECT body FROM resource")).scalar_one()).startswith(b"{")
    opened = Database.open(url, rooms=ROOMS, seal_everything=True)
    for _ in steps(opened):
        pass
    with engine.connect() as connection:
        assert bytes(connection.execute(text("SELECT body FROM resource")).scalar_one()).startswith(b"\x01")
    with opened.reading(SYSTEM, at=AT) as store:
        assert store.read("Location", "l")["name"] == "测试站点名"
    opened.close()
    engine.dispose()


@pytest.mark.parametrize(
    ("body", "carries"),
    [
        ('{"text":"电话13900000017"}', True),
        ('{"text":"0574-00000018"}', True),
        ('{"text":"00000018"}', True),
        ('{"text":"330299193001010171"}', True),
        ('{"value":"+8613900000017-8001"}', True),
        ('{"reference":"Patient/12345678-1234-4234-8234-123456789abc"}', False),
        ('{"id":"checkup-c1001-20261128-1"}', False),
        ('{"lastUpdated":"2026-11-28T10:00:00.000+08:00","code":"8480-6","value":120.5}', False),
    ],
)
def test_a_text_that_carries_a_number_is_known(body: str, carries: bool) -> None:
    assert carries_number(body.encode()) is carries


@pytest.mark.parametrize("number", [citizen(17), "330299300101017", "13900000017", "+8613900000017", "0574-20000018"])
def test_a_number_of_a_person_is_known_whatever_its_system(number: str) -> None:
    assert looks_personal(number)
    assert not looks_personal(f"{number}x9")
    assert not looks_personal(f"C{number[1:]}")
