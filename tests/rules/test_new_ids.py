"""Ids that the store gives: UUIDs of version 7, in the order of the time at which they were given."""

import uuid
from datetime import UTC, datetime, timedelta

from healthsvc.store.stored import new_id

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def test_ids_stand_in_the_order_of_time_and_are_never_the_same() -> None:
    first, later = ({new_id(AT + timedelta(milliseconds=wait)) for _ in range(200)} for wait in (0, 1))
    assert len(first) == len(later) == 200
    assert max(first) < min(later)


def test_an_id_is_a_uuid_of_version_seven_that_tells_its_millisecond() -> None:
    made = uuid.UUID(new_id(AT))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(AT.timestamp() * 1000)
