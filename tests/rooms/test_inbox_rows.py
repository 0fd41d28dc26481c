"""Rows of the inbox in groups: every size is written and found whole, and looking up does not grow with the inbox."""

from healthsvc import clock
from healthsvc.store import SYSTEM, Database, inbox_rows

Row = tuple[object, ...]


def row(number: int, link: str = "l") -> Row:
    values = {"link": link, "sender": "HIS|H1", "control_id": f"C{number}", "hash": number.to_bytes(16, "big"), "event": "ADT^A08"}
    values |= {"listen": "", "peer": "", "received": number, "raw": b"x", "answer": b"y", "code": "AA", "state": "pending"}
    values |= {"reused": False, "due": 0}
    return tuple(values.get(column) for column in inbox_rows.COLUMNS)


def keys(rows: list[Row]) -> list[inbox_rows.Key]:
    return [(str(one[0]), str(one[1]), str(one[2])) for one in rows]


def test_groups_of_every_size_are_written_once_and_found(database: Database) -> None:
    written = 0
    for size in (1, 3, 5, 63, 257, 400):
        rows = [row(written + n) for n in range(size)]
        written += size
        with database.writing(SYSTEM, at=clock.now()) as store:
            assert list(inbox_rows.known(store.connection, keys(rows))) == []
            inbox_rows.append(store.connection, rows)
            inbox_rows.append(store.connection, rows)
            assert [(one.link, one.sender, one.control_id) for one in inbox_rows.known(store.connection, keys(rows))] == keys(rows)


def test_looking_up_goes_down_the_index_for_each_key(database: Database) -> None:
    asked: list[str] = []
    with database.writing(SYSTEM, at=clock.now()) as store:
        raw = store.connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(asked.append)
        list(inbox_rows.known(store.connection, keys([row(1), row(2)])))
        raw.set_trace_callback(None)
        plan = [str(step[3]) for step in raw.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    assert any("link=? AND sender=? AND control_id=?" in step for step in plan), plan
