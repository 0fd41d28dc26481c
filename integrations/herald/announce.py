"""Tell a hospital what is on file already, for the day on which its line is opened."""

from datetime import datetime

from healthsvc.errors import Invalid, NotFound
from healthsvc.store import Database
from integrations.herald.herald import HERALD, listeners, tell
from integrations.hospitals.destination import Topic
from integrations.hospitals.shelf import Shelf

_QUERIES = {
    Topic.PERSON: ("Patient", {"active": "true"}),
    Topic.REFERRAL: ("ServiceRequest", {"status": "active"}),
    Topic.BOOKING: ("Appointment", {"status": "booked"}),
}
TOGETHER = 100
"""Messages in one transaction: the others who write wait for it."""


def announce(database: Database, shelf: Shelf, link: str, topic: str, at: datetime) -> int:
    """Leave what a hospital shall know; what it has been told already is not told again. Gives how many messages.

    Raises:
        NotFound: no such link takes messages from us. Invalid: that topic cannot be told so.
    """
    listener = next((one for one in listeners(shelf) if one.destination.name == link), None)
    if listener is None:
        raise NotFound(f"no link profile {link!r} has a [send] table")
    wanted = next((one for one in _QUERIES if one.value == topic), None)
    if wanted is None:
        raise Invalid(f"--topic is one of {', '.join(one.value for one in _QUERIES)}", path="--topic")
    type, query = _QUERIES[wanted]
    with database.reading(HERALD, at=at) as store:
        ids = [one["id"] for one in store.select(type, **query)]
    told = 0
    for start in range(0, len(ids), TOGETHER):
        with database.writing(HERALD, at=at) as store:
            for number, id in enumerate(ids[start : start + TOGETHER], start=start):
                told += tell(store, listener, wanted, id, f"HA{at:%y%m%d%H%M%S}{number}")
    return told
