"""The bell beside an embedded database: what one process has written wakes those who wait for it in another, and nobody else."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import embedded
import pytest

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from healthsvc.store import bell as bells
from healthsvc.store.bell import CHANGES, INBOX, OUTBOX


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    """As two processes have it: each with a bell of its own."""
    url = embedded.made(tmp_path)
    first, second = (Database.open(url, validate=lambda _: []) for _ in range(2))
    yield first, second
    for one in (first, second):
        one.close()


def heard(event: threading.Event, seconds: float = 10) -> float:
    begun = time.monotonic()
    assert event.wait(seconds)
    event.clear()
    return time.monotonic() - begun


def test_a_ring_is_heard_by_others_for_its_topic_alone(two: tuple[Database, Database]) -> None:
    first, second = (one.bell for one in two)
    inbox, outbox = first.subscribe(INBOX), first.subscribe(OUTBOX)
    while not first.patience(0.5) > 0.5:
        time.sleep(0.01)
    second.ring(INBOX)
    assert heard(inbox) < 5
    assert not outbox.wait(4 * bells._FILE_SECONDS)
    for _ in range(3):  # each of them, also where one came right after the other
        second.ring(OUTBOX)
        heard(outbox)


def test_a_ring_right_after_the_subscription_is_heard(two: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch) -> None:
    """However late the thread that listens begins: here, after the ring."""
    late = threading.Event()
    look = bells.Bell._look

    def after_the_ring(bell: bells.Bell) -> None:
        late.wait(10)
        look(bell)

    monkeypatch.setattr(bells.Bell, "_look", after_the_ring)
    event = two[0].bell.subscribe(INBOX)
    two[1].bell.ring(INBOX)
    late.set()
    heard(event)


def test_a_ring_of_one_s_own_wakes_once(two: tuple[Database, Database]) -> None:
    bell = two[0].bell
    event = bell.subscribe(INBOX)
    bell.ring(INBOX)
    assert event.is_set()
    event.clear()
    assert not event.wait(4 * bells._FILE_SECONDS)


def test_a_write_rings_and_readings_do_not(two: tuple[Database, Database]) -> None:
    first, second = two
    event = first.bell.subscribe(CHANGES)
    with second.writing(SYSTEM, at=clock.now()) as store:
        store.create({"resourceType": "Basic", "code": {"text": "x"}})
    heard(event)
    while event.wait(4 * bells._FILE_SECONDS):  # the rings of the opening and of the write are over
        event.clear()
    with second.reading(SYSTEM, at=clock.now()) as store:
        assert store.select("Basic")
    assert not event.wait(4 * bells._FILE_SECONDS)


def test_where_nothing_can_be_written_beside_it_nobody_fails(two: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch) -> None:
    bell = two[0].bell
    event = bell.subscribe(INBOX)
    monkeypatch.setattr(bell, "_file", Path("/nowhere/x.sqlite"))
    bell.ring(INBOX)
    assert event.is_set()
