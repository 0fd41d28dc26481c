"""After an upgrade: what an older release has indexed otherwise is indexed anew, whatever kills the process in between."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from healthsvc.store import SYSTEM, Database, reindex
from healthsvc.store.search.ast import COMPARTMENT

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def members(database: Database) -> list[str]:
    entries = "SELECT r.id FROM ix_reference x JOIN term t ON t.id=x.param JOIN resource r ON r.pk=x.pk"
    sql = f"{entries} WHERE t.text='Device.{COMPARTMENT}' ORDER BY 1"
    with database.engine.connect() as connection:
        return list(connection.execute(text(sql)).scalars())


def test_what_was_indexed_otherwise_is_indexed_anew(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Database.open(engine_url)
    with old.writing(SYSTEM, at=AT) as store:
        for number in range(5):
            store.put({"resourceType": "Device", "id": f"d{number}", "patient": {"reference": "Patient/p"}})
        store.delete("Device", "d4")
    with old.plainly() as connection:
        connection.execute(text(f"DELETE FROM ix_reference WHERE param IN (SELECT id FROM term WHERE text='Device.{COMPARTMENT}')"))
        connection.execute(text("DELETE FROM reader_place"))
    assert members(old) == []
    old.close()
    monkeypatch.setattr(reindex, "PORTION", 2)
    portion, calls = reindex._portion, iter(range(9))

    def killed(database: Database, newest: int) -> bool:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return portion(database, newest)

    monkeypatch.setattr(reindex, "_portion", killed)
    with pytest.raises(KeyboardInterrupt):
        Database.open(engine_url)
    opened = Database.open(engine_url)
    assert members(opened) == ["d0", "d1", "d2", "d3"]
    with opened.reading(SYSTEM, at=AT) as store:
        assert [one["id"] for one in store.select("Device", patient="p")] == ["d0", "d1", "d2", "d3"]
    opened.close()
