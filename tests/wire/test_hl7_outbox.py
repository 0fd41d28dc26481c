"""Messages to a hospital over real sockets: in each person's order, again after silence, never against a wrong answer, never as a flood."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from peer import Answer, Peer

from healthsvc import clock
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.store.outbox import OUTBOX, payload_of
from integrations.answers import DeliveryPolicy, pause
from integrations.hl7v2.compose import message, segment
from integrations.hl7v2.replies import control_id_of
from integrations.hospitals.destination import Destination
from integrations.hospitals.shelf import shelf
from integrations.operating.desk import Desk
from integrations.outbox import Courier, send_later

AT = datetime(2026, 3, 2, 9, 0, tzinfo=clock.zone())
Start = Callable[[Answer], "Peer"]
Hire = Callable[["Peer"], Courier]


@pytest.fixture
def start() -> Iterator[Callable[[Answer], Peer]]:
    peers: list[Peer] = []

    def begin(answer: Answer) -> Peer:
        peers.append(Peer(answer))
        return peers[-1]

    yield begin
    for peer in peers:
        peer.close()


def leave(database: Database, *messages: tuple[str, str]) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        for person, control_id in messages:
            text = message(("ADT", "A31"), control_id, AT, [segment("PID", {3: person})], sender=("HEALTHSVC", "C"), receiver=("HIS", "H1"))
            send_later(store, "h1", person, text)


def states(database: Database) -> dict[str, str]:
    with database.reading(SYSTEM, at=AT) as store:
        rows = list(store.connection.execute(OUTBOX.select().order_by(OUTBOX.c.id)))
    return {control_id_of(payload_of(database.sealer, row)["message"].encode()): row.state for row in rows}


@pytest.fixture
def courier(database: Database) -> Iterator[Callable[..., Courier]]:
    hired: list[Courier] = []

    def hire(peer: Peer, seconds: float = 5.0) -> Courier:
        hired.append(Courier(database, Destination("h1", "127.0.0.1", peer.port, seconds), lambda: 0.5))
        return hired[-1]

    yield hire
    for one in hired:
        one.stop()


def test_each_person_in_order_and_an_error_holds_back_only_that_person(database: Database, start: Start, courier: Hire) -> None:
    peer = start(lambda control_id, times: "AE" if control_id == "a1" and times == 1 else "AA")
    leave(database, ("A", "a1"), ("A", "a2"), ("B", "b1"))
    delivering = courier(peer)
    while delivering.round(AT):
        pass
    assert peer.got == ["a1", "b1"]
    assert states(database) == {"a1": "due", "a2": "due", "b1": "done"}
    later = AT + timedelta(seconds=60)
    while delivering.round(later):
        pass
    assert peer.got == ["a1", "b1", "a1", "a2"]
    assert set(states(database).values()) == {"done"}


def test_a_refusal_is_the_last_word(database: Database, start: Start, courier: Hire) -> None:
    peer = start(lambda control_id, times: "AR" if control_id == "a1" else "AA")
    leave(database, ("A", "a1"), ("A", "a2"))
    delivering = courier(peer)
    while delivering.round(AT):
        pass
    assert states(database) == {"a1": "refused", "a2": "done"}


def test_silence_rests_the_destination_and_does_not_flood(database: Database, start: Start, courier: Hire) -> None:
    peer = start(lambda control_id, times: None if times <= 2 else "AA")
    leave(database, *((f"P{n}", f"p{n}") for n in range(20)))
    delivering = courier(peer)
    for second in range(4):
        delivering.round(AT + timedelta(seconds=second))
    assert peer.got == ["p0"], "one knock, then a rest"
    at = AT
    while "due" in states(database).values():
        at += timedelta(seconds=30)
        delivering.round(at)
    assert set(states(database).values()) == {"done"}


def test_an_operator_has_a_hospital_tried_again_at_once_and_each_person_in_order(database: Database, start: Start, courier: Hire) -> None:
    peer = start(lambda control_id, times: None if len(peer.got) <= 2 else "AA")
    leave(database, ("A", "a1"), ("A", "a2"), ("B", "b1"))
    delivering, desk = courier(peer), Desk(shelf())

    def asks(at: datetime, act: Callable[[Store], Any]) -> Any:
        with database.writing(SYSTEM, at=at) as store:
            return act(store)

    def at(second: int) -> datetime:
        return AT + timedelta(seconds=second)

    delivering.round(AT)
    delivering.round(at(1))
    assert len(peer.got) == 1, "it rests"
    assert asks(at(2), lambda store: desk.send_now(store, "h1")) == 3
    delivering.round(at(2))
    assert len(peer.got) == 2, "one knock more, then a rest again"
    delivering.round(at(3))
    assert len(peer.got) == 2
    asks(at(4), lambda store: desk.send_again(store, 2))
    assert asks(at(4), lambda store: (desk.sent(store, 2).behind, desk.sent(store, 1).behind)) == (1, None)
    assert asks(at(4), lambda store: desk.send_now(store, "h2")) == 0
    asks(at(4), lambda store: desk.send_now(store, "h1"))
    while delivering.round(at(4)):
        pass
    assert states(database) == {"a1": "done", "a2": "done", "b1": "done"}
    assert peer.got.index("a1") < peer.got.index("a2")


def test_the_answer_to_another_message_is_not_taken(database: Database, start: Start, courier: Hire) -> None:
    peer = start(lambda control_id, times: "AA ANOTHER" if times == 1 else "AA")
    leave(database, ("A", "a1"))
    delivering = courier(peer, 1.0)
    delivering.round(AT)
    assert states(database) == {"a1": "due"}
    delivering.round(AT + timedelta(minutes=5))
    assert states(database) == {"a1": "done"}
    assert peer.lines == 2, "the line was dropped after the wrong answer"


def test_pauses_grow_and_stay_bounded() -> None:
    policy = DeliveryPolicy(5, 600, 0.3, 10, 60)
    seconds = [pause(n, policy, 0.5).total_seconds() for n in range(1, 12)]
    assert seconds[:4] == [5, 10, 20, 40]
    assert max(seconds) == 600
    assert pause(1, policy, 0.0) < pause(1, policy, 1.0)
