"""A sender whose clock was set a year ahead for a while does not make everything late that it says afterwards."""

from datetime import timedelta

from hospital import Hospital, cadre

from healthsvc import clock
from healthsvc.store import Database


def test_what_was_stamped_far_in_the_future_does_not_hold_back_what_comes_after(database: Database) -> None:
    cadre(database)
    hospital = Hospital(database)
    now = clock.now(clock.zone())
    ahead, later = now + timedelta(days=400), now - timedelta(minutes=5)
    assert hospital.says("ADT^A31", "C1", at=ahead, address="某街道一号") == "AA"
    assert hospital.says("ADT^A31", "C1", at=later, address="某街道二号") == "AA"
    assert hospital.file("C1")["address"][0]["text"] == "某街道二号"
    assert hospital.says("ADT^A31", "C1", at=later - timedelta(hours=1), address="某街道三号") == "AA"
    assert hospital.file("C1")["address"][0]["text"] == "某街道二号"
    hospital.inbox.stop()


def test_what_is_a_little_ahead_still_puts_its_messages_in_order(database: Database) -> None:
    cadre(database)
    hospital = Hospital(database)
    now = clock.now(clock.zone())
    assert hospital.says("ADT^A31", "C1", at=now + timedelta(minutes=9), address="某街道二号") == "AA"
    assert hospital.says("ADT^A31", "C1", at=now + timedelta(minutes=5), address="某街道一号") == "AA"
    assert hospital.file("C1")["address"][0]["text"] == "某街道二号"
    hospital.inbox.stop()
