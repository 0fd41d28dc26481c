"""Retention: what is over leaves inbox and outbox by and by; what it made stays readable, and what waits for somebody is never touched."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hospital import AT, LISTEN, PEER, Hospital, cadre, segment
from sqlalchemy import insert, select, update

from healthsvc.policy import loader
from healthsvc.store import SYSTEM, Database, lease, retiring
from healthsvc.store.lease_tables import FiringRow
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.stored import micros
from integrations.keep import INBOX
from integrations.operating.retiring import retire
from integrations.origin import origin

DAY = timedelta(days=1)


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def night(database: Database, at: datetime) -> Counter[str]:
    """One night: as many runs as it takes to come round."""
    done: Counter[str] = Counter()
    for _ in range(12):
        with database.writing(SYSTEM, at=at) as store:
            done.update(retire(store)._asdict())
    return +done


def rows(database: Database) -> dict[str, tuple[str, bool]]:
    """Control id -> state, and whether the text is there."""
    with database.reading(SYSTEM, at=AT) as store:
        found = store.connection.execute(select(INBOX.c.control_id, INBOX.c.state, INBOX.c.raw.is_not(None)))
        return {control_id: (state, bool(has)) for control_id, state, has in found}


def in_state(database: Database, control_id: str, state: str, **more: Any) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.connection.execute(update(INBOX).where(INBOX.c.control_id == control_id).values(state=state, **more))


@pytest.fixture
def some(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    """Messages of the day AT: two that made something, one that made nothing, and one in every state that waits for somebody."""
    monkeypatch.setattr(retiring, "LOOKED_AT", 3)
    cadre(hospital.database)
    hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="V1"))
    hospital.says("ADT^A08", "C1", segment("PV1", _2="I", _19="V1"))
    for _ in ("ignored", "closed", "pending", "dead", "review", "quarantine", "newest"):
        hospital.says("ADT^A08", "C1", segment("PV1", _2="I", _19="V1"))
    with hospital.database.writing(SYSTEM, at=AT) as store:
        ids = list(store.connection.execute(select(INBOX.c.id).order_by(INBOX.c.id)).scalars())
        names = ("made", "again", "ignored", "closed", "pending", "dead", "review", "quarantine", "newest")
        for id, name in zip(ids, names, strict=True):
            state = "done" if name in ("made", "again", "newest") else name
            store.connection.execute(update(INBOX).where(INBOX.c.id == id).values(control_id=name, state=state, received=micros(AT)))
    return hospital


def test_the_text_goes_where_its_copy_hangs_on_what_it_made_and_that_is_read_as_before(some: Hospital) -> None:
    database, shelf = some.database, some.inbox.shelf
    whole = {name: (state, True) for name, (state, _) in rows(database).items()}
    assert night(database, AT + 365 * DAY) == Counter()
    assert rows(database) == whole
    with database.writing(SYSTEM, at=AT) as store:
        [encounter] = store.select("Encounter")
        id = next(iter(store.connection.execute(select(INBOX.c.id).where(INBOX.c.control_id == "made")).scalars()))
        before = (origin(store, "Encounter", encounter["id"], shelf=shelf), retiring.copies(store, id))
    assert before[0]
    done = night(database, AT + 367 * DAY)
    assert done["texts"] >= 1
    left = rows(database)
    assert left["made"] == ("done", False)
    assert all(left[name] == whole[name] for name in ("ignored", "closed", "pending", "dead", "review", "quarantine", "newest"))
    with database.writing(SYSTEM, at=AT) as store:
        assert (origin(store, "Encounter", encounter["id"], shelf=shelf), retiring.copies(store, id)) == before
        assert retiring.copies(store, id)[0].startswith(b"MSH|")


def test_a_repetition_gets_its_old_answer_until_the_row_goes_too(some: Hospital) -> None:
    database = some.database
    night(database, AT + 367 * DAY)
    with database.reading(SYSTEM, at=AT) as store:
        row = store.connection.execute(select(INBOX).where(INBOX.c.control_id == "made")).one()
        text = retiring.copies(store, row.id)[0]
    with database.writing(SYSTEM, at=AT) as store:  # under its own number again, as the sender knows it
        number = text.split(b"\r")[0].split(b"|")[9].decode()
        store.connection.execute(update(INBOX).where(INBOX.c.id == row.id).values(control_id=number))
    answer = some.inbox.take_now(text, LISTEN, PEER)
    assert answer == bytes(row.answer)
    assert len(some.rows()) == 9
    assert night(database, AT + 1095 * DAY)["rows"] == 0
    assert night(database, AT + 1097 * DAY)["rows"] >= 1
    assert number not in rows(database)


def test_a_text_that_stands_nowhere_else_is_kept_as_long_as_a_medical_record_and_what_waits_for_ever(some: Hospital) -> None:
    database = some.database
    night(database, AT + 10957 * DAY)
    left = rows(database)
    assert left["ignored"] == ("ignored", True)
    assert left["closed"] == ("closed", True)
    night(database, AT + 10959 * DAY)
    night(database, AT + 10959 * DAY)
    waits = {"pending", "dead", "review", "quarantine"}
    assert set(rows(database)) == {*waits, "newest"}, "the newest row keeps its number from being given again"
    assert all(has for _, has in rows(database).values())


def test_it_can_be_switched_off(some: Hospital, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(
        "".join(
            f'[[parameter]]\nname = "hospital.{name}"\nvalue = 0\nunit = "d"\ntitle = "x"\ntitle_en = "x"\nsource = "site"\n'
            'trust = "V"\neffective_from = 2020-01-01\njurisdiction = "SITE"\n\n'
            for name in ("inbox_text_days", "inbox_only_copy_days", "inbox_row_days", "outbox_days")
        )
    )
    some.database.policy = loader.load(tmp_path, jurisdiction="SITE")
    before = rows(some.database)
    assert night(some.database, AT + 20000 * DAY) == Counter()
    assert rows(some.database) == before


def test_what_was_delivered_leaves_the_outbox_and_nothing_else_does(database: Database) -> None:
    states = ("done", "due", "dead", "refused", "withheld", "closed", "done")
    with database.writing(SYSTEM, at=AT) as store:
        for number, state in enumerate(states):
            store.outbox("hl7:h1", f"p{number}", {"message": "MSH|"})
            newest = select(OUTBOX.c.id).order_by(OUTBOX.c.id.desc()).limit(1).scalar_subquery()
            store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == newest).values(state=state))
    assert night(database, AT + 365 * DAY) == Counter()
    assert night(database, AT + 367 * DAY) == Counter(sent=1)
    with database.reading(SYSTEM, at=AT + 430 * DAY) as store:
        assert list(store.connection.execute(select(OUTBOX.c.state).order_by(OUTBOX.c.id)).scalars()) == list(states[1:])
        assert retiring.overdue(store) == 0
    night(database, AT + 10959 * DAY)
    with database.reading(SYSTEM, at=AT) as store:
        assert "closed" not in set(store.connection.execute(select(OUTBOX.c.state)).scalars())


def test_the_doctor_misses_nights_without_it(some: Hospital) -> None:
    with some.database.reading(SYSTEM, at=AT + 400 * DAY) as store:
        assert retiring.overdue(store) == 0
    with some.database.reading(SYSTEM, at=AT + 430 * DAY) as store:
        assert retiring.overdue(store) >= 1
    night(some.database, AT + 430 * DAY)
    with some.database.reading(SYSTEM, at=AT + 430 * DAY) as store:
        assert retiring.overdue(store) == 0


def test_runs_of_timers_are_forgotten_but_for_the_newest_of_each(database: Database) -> None:
    fired = [("a", 0, "done"), ("a", 1, "done"), ("a", 2, "failed X"), ("b", 0, "done"), ("c", 90, "done")]
    with database.writing(SYSTEM, at=AT) as store:
        for job, day, outcome in fired:
            due = micros(AT + day * DAY)
            store.connection.execute(insert(FiringRow).values(job=job, scheduled_for=due, started=due, outcome=outcome))
        assert lease.forget(store.connection, AT + 30 * DAY) == 2
        assert [lease.last_fired(store.connection, job, AT + 99 * DAY) for job in "abc"] == [
            micros(AT + 1 * DAY), micros(AT), micros(AT + 90 * DAY),
        ]  # fmt: skip
