"""Many writers and several chains: every act is there once, readers miss none, and whatever is changed, moved or cut off shows."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import text

from healthsvc import clock
from healthsvc.access.audit import anchor, verify
from healthsvc.errors import Conflict
from healthsvc.store import SYSTEM, Database
from healthsvc.store.audit import heads
from healthsvc.store.changes import Change, changes
from healthsvc.store.postgres import ServerUse

pytestmark = pytest.mark.postgres
WRITERS, EACH = 6, 15


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    opened = Database.open(migrated_url, server=ServerUse(audit_chains=4, pool=20), validate=lambda _: [])
    yield opened
    opened.close()


def write(database: Database, writer: int) -> None:
    for number in range(EACH):
        for _ in range(10):
            # whoever creates what another creates at this moment is refused, and asks again
            with suppress(Conflict), database.writing(SYSTEM, at=clock.now()) as store:
                store.put({"resourceType": "Basic", "id": f"own-{writer}", "code": {"text": str(number)}})
                store.put({"resourceType": "Basic", "id": f"shared-{number}", "code": {"text": str(writer)}})
                break


def follow(database: Database, ended: threading.Event) -> list[Change]:
    seen: list[Change] = []
    after, last = 0, False
    while not last:
        last = ended.is_set()
        settled = database.settled()
        with database.reading(SYSTEM, at=clock.now()) as store:
            found, after = changes(store.connection, after, {"Basic"}, 1000, settled)
        seen += found
    return seen


def busy(database: Database) -> list[Change]:
    ended = threading.Event()
    seen: list[Change] = []
    reader = threading.Thread(target=lambda: seen.extend(follow(database, ended)))
    writers = [threading.Thread(target=write, args=(database, number)) for number in range(WRITERS)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    reader.join()
    return seen


def test_side_by_side_and_yet_in_order_and_whole(database: Database) -> None:
    seen = busy(database)
    versions: dict[str, list[int]] = defaultdict(list)
    for change in seen:
        versions[change.id].append(change.version)
    assert len(seen) == WRITERS * EACH * 2, "a reader beside the writers saw every write once"
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values()), "and those of one thing in their order"
    with database.engine.connect() as connection:
        assert len(heads(connection)) > 1, "several chains have grown"
    assert verify(database).sound
    with database.writing(SYSTEM, at=clock.now()) as store:
        assert anchor(store)
    assert verify(database).sound


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE audit SET outcome = 'x' WHERE seq = (SELECT max(seq) FROM audit WHERE chain = {n} AND action <> 'anchor')", "changed"),
        ("DELETE FROM audit WHERE seq = (SELECT min(seq) FROM audit WHERE chain = {n})", "removed or moved"),
        ("DELETE FROM audit WHERE seq = {head}", "it is gone"),
        ("UPDATE audit SET chain = 63 WHERE chain = {n}", "removed or moved"),
    ],
)
def test_what_is_changed_removed_moved_or_cut_off_shows(database: Database, tampering: str, told: str) -> None:
    busy(database)
    with database.writing(SYSTEM, at=clock.now()) as store:
        anchor(store)
    with database.engine.begin() as connection:
        where = connection.execute(text("SELECT chain FROM audit WHERE action = 'anchor'")).scalar_one()
        n, head = next((chain, seq) for chain, seq, _ in heads(connection) if chain != where)
        connection.execute(text(tampering.format(n=n, head=head)))
    faults = verify(database).faults
    assert any(told in fault for fault in faults), faults
