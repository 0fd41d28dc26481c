"""A message is found by its control id among very many, on either engine."""

from typing import Any

from sqlalchemy import event

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from integrations.operating.inbox_desk import letters

MANY = 30_000
COLUMNS = "link, sender, control_id, hash, event, listen, peer, received, raw, answer, code, state, reused, attempts, due"
VALUES = "'l' || (n - 7 * (n / 7)), 'HIS|H1', 'C' || n, {hash}, 'ADT^A08', '', '', n, {blob}, {blob}, 'AA', 'done', FALSE, 0, 0"
SERIES = {
    "sqlite": "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {many}) SELECT {values} FROM s",
    "postgresql": "SELECT {values} FROM generate_series(1, {many}) AS s (n)",
}
OF_ENGINE = {"sqlite": ("CAST(n AS BLOB)", "x'78'"), "postgresql": ("decode(lpad(to_hex(n), 32, '0'), 'hex')", "'x'::bytea")}


def test_a_message_is_found_by_its_control_id_down_an_index(database: Database) -> None:
    engine = database.engine.dialect.name
    values = VALUES.format(hash=OF_ENGINE[engine][0], blob=OF_ENGINE[engine][1])
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.connection.exec_driver_sql(f"INSERT INTO inbox ({COLUMNS}) {SERIES[engine].format(many=MANY, values=values)}")
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.connection.exec_driver_sql("ANALYZE inbox")
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, sql: str, args: Any, *_: Any) -> None:
        asked.append((sql, args))

    with database.reading(SYSTEM, at=clock.now()) as store:
        event.listen(store.connection, "before_cursor_execute", note)
        for link in ("", f"l{12345 % 7}"):
            [found] = letters(store, 50, link, number="C12345")
            assert (found.control_id, found.state) == ("C12345", "done")
        for sql, args in [one for one in asked if "FROM inbox" in one[0]]:
            explain = "EXPLAIN QUERY PLAN" if engine == "sqlite" else "EXPLAIN"
            plan = [str(line[-1]) for line in store.connection.exec_driver_sql(f"{explain} {sql}", args)]
            assert any("ix_inbox_control_id" in line for line in plan), plan
            assert not any("SCAN" in line.upper() and "INDEX" not in line.upper() and "BITMAP" not in line.upper() for line in plan), plan
