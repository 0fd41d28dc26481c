"""The herald: follows what is written in the rooms, and leaves for each hospital what it shall be told.

The rooms know nothing of hospitals' lines. Every write leaves its row in the audit, in its own transaction; the herald reads those rows in
order and, in one transaction, writes the messages that follow into the outbox and notes how far it has come. So every change leads to its
message exactly once, whatever is killed when. A hospital's own word (its link is the actor) is noted, and not told back to it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.greenchannel.resources import flag_id
from healthsvc.healthfile.resources import links
from healthsvc.store import Actor, Database, Store
from healthsvc.store.bell import CHANGES
from healthsvc.store.changes import Change, changes, move, newest, place
from integrations.herald.care import booking_news, referral_news, results_news
from integrations.herald.people import merge_news, person_news
from integrations.herald.telling import Listener, Telling
from integrations.hl7v2.outgoing import written
from integrations.hospitals.destination import Topic
from integrations.hospitals.shelf import Shelf
from integrations.leading import Lead, Rounds
from integrations.outbox import send_later

log = structlog.get_logger()

HERALD = Actor("system/herald", "hospital line", frozenset({"system"}), "hl7")
TYPES: Final = frozenset({"Patient", "Flag", "ServiceRequest", "Task", "Appointment"})
ACTS: Final = 500
"""Most acts that are looked at in one transaction."""
TURN_SECONDS: Final = 0.5
LEASE_LENGTH: Final = timedelta(seconds=10)
News = Callable[..., Telling | None]
_FLAG: Final = flag_id("")


def listeners(shelf: Shelf) -> list[Listener]:
    """The hospitals that take messages from us, by the link profiles in force."""
    return [Listener(profile, profile.send) for profile in shelf.all if profile.send is not None]


class Herald:
    """Follows the changes for every hospital that listens, in a thread of its own; of many processes one does."""

    def __init__(self, database: Database, shelf: Shelf, holder: str, now: Callable[[], datetime] = clock.utc_now) -> None:
        self._database = database
        self._shelf = shelf
        self._begun = False
        self._now = now
        lead = Lead(database, "hospital-herald", holder, HERALD, LEASE_LENGTH, now)
        self._rounds = Rounds("herald", self.turn, TURN_SECONDS, lead=lead, database=database, topic=CHANGES)
        self._seen: dict[str, int] = {}

    def start(self) -> None:
        """Begin as soon as a hospital listens; returns at once. One that has just been added is told what is written from now on."""
        if not self._begun and listeners(self._shelf):
            self._begun = True
            self._rounds.start()

    def stop(self) -> None:
        """Finish the turn that runs, then end."""
        self._rounds.stop()

    def turn(self) -> int:
        """Follow the changes to their present end; gives how many messages were left for hospitals."""
        return sum(self._follow(listener) for listener in listeners(self._shelf))

    def _follow(self, listener: Listener) -> int:
        left, told = True, 0
        while left and not self._rounds.stopping.is_set():
            left, number = self._step(listener)
            told += number
        return told

    def _step(self, listener: Listener) -> tuple[bool, int]:
        """Follow some acts; says whether there are more. Acts that concern nobody cost no write."""
        name = listener.destination.name
        reader = f"hospital:{name}"
        settled = self._database.settled()
        with self._database.reading(HERALD, at=self._now()) as store:
            after = self._seen.get(name)
            if after is None:
                after = place(store.connection, reader)
            found, until = ([], -1) if after is None else changes(store.connection, after, TYPES, ACTS, settled)
        if after is None:
            self._begin(reader, name)
            return True, 0
        if not found:
            self._seen[name] = until
            return until > after, 0
        told = 0
        with self._database.writing(HERALD, at=self._now().astimezone(clock.zone(self._database.zone))) as store:
            at = place(store.connection, reader)
            if at is not None and at > after:  # another process has been here meanwhile
                self._seen[name] = at
                return True, 0
            told = tell_all(store, listener, found, {profile.name: profile.hospital for profile in self._shelf.all})
            move(store.connection, reader, until)
        self._seen[name] = until
        return True, told

    def _begin(self, reader: str, name: str) -> None:
        with self._database.writing(HERALD, at=self._now()) as store:
            self._seen[name] = newest(store.connection)
            move(store.connection, reader, self._seen[name])
        log.info("a hospital is told what is written from now on", destination=name)


def tell_all(store: Store, listener: Listener, found: Sequence[Change], own: dict[str, str]) -> int:
    """Leave the messages that follow from some changes; several changes of one thing lead to one message."""
    subjects: dict[tuple[Topic, str], list[Change]] = {}
    for change in found:
        for key in _subjects(store, change):
            subjects.setdefault(key, []).append(change)
    left = 0
    for (topic, id), about in subjects.items():
        if topic not in listener.destination.topics:
            continue
        echo = all(_is_own(change, listener, own) for change in about)
        left += tell(store, listener, topic, id, f"HS{about[-1].seq}", echo=echo)
    return left


def tell(store: Store, listener: Listener, topic: Topic, id: str, control_id: str, *, echo: bool = False) -> int:
    """Leave what one hospital shall be told about one thing, if anything; gives how many messages."""
    try:
        telling = _NEWS[topic](store, listener, id, echo=echo)
    except (Refusal, KeyError, ValueError) as error:
        reason = error.reason or error.issue_code if isinstance(error, Refusal) else type(error).__name__
        log.error("a message to a hospital cannot be made", destination=listener.destination.name, topic=topic.value, reason=reason)
        send_later(store, listener.destination.name, id, "", problem=f"not made: {topic.value} {reason}")
        return 0
    if telling is None:
        return 0
    to = listener.destination
    text, wrong = written(
        telling.event,
        f"{control_id}{_LETTERS[topic]}",
        store.at,
        telling.segments,
        sender=to.sender,
        receiver=to.receiver,
        version=to.version,
        charset=to.charset_label,
        asks=to.asks,
    )
    try:
        text.encode(to.codec)
    except UnicodeEncodeError:
        wrong = [*wrong, f"a character does not exist in {to.charset}"]
    event = "^".join(telling.event[:2])
    problem = f"not sent: {'; '.join(wrong)}" if wrong else None
    send_later(store, to.name, telling.person, text, to.codec, topic=topic.value, event=event, problem=problem)
    return 1


def _is_own(change: Change, listener: Listener, own: dict[str, str]) -> bool:
    """Whether a change of who somebody is or of an appointment is the hospital's own word; what we decide on it (a Flag) is not."""
    link = change.actor.removeprefix("link/") if change.actor.startswith("link/") else None
    return link is not None and change.type != "Flag" and own.get(link) == listener.destination.hospital


def _subjects(store: Store, change: Change) -> list[tuple[Topic, str]]:
    """What a change is about."""
    if change.type == "Patient":
        topics = [(Topic.MERGE, change.id)]
        file = store.find("Patient", change.id)
        return topics if file is not None and links(file, "replaced-by") else [*topics, (Topic.PERSON, change.id)]
    if change.type == "Flag":
        return [(Topic.PERSON, change.id.removeprefix(_FLAG))] if change.id.startswith(_FLAG) else []
    if change.type == "ServiceRequest":
        return [(Topic.REFERRAL, change.id)]
    if change.type == "Appointment":
        return [(Topic.BOOKING, change.id)]
    task = store.find("Task", change.id) or {}
    focus = str(task.get("focus", {}).get("reference", ""))
    if focus.startswith("ServiceRequest/"):
        return [(Topic.REFERRAL, focus.partition("/")[2])]
    return [(Topic.RESULTS, change.id)] if task.get("status") == "completed" else []


_NEWS: Final[dict[Topic, News]] = {
    Topic.PERSON: person_news,
    Topic.MERGE: merge_news,
    Topic.REFERRAL: referral_news,
    Topic.RESULTS: results_news,
    Topic.BOOKING: booking_news,
}
_LETTERS: Final = {Topic.PERSON: "P", Topic.MERGE: "M", Topic.REFERRAL: "R", Topic.RESULTS: "O", Topic.BOOKING: "S"}
"""Ends the control id, so that two messages about one change differ."""
