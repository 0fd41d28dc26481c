"""The open hospital lines of every listening process: each writes its own down, so that any process can show them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select

from healthsvc import clock
from healthsvc.fhir.json import dumps, loads
from healthsvc.store import Actor, Database, Store
from healthsvc.store.reader_tables import FEED, SET_FEED
from healthsvc.store.stored import micros, moment
from integrations.leading import Rounds
from integrations.mllp.state import LineState
from integrations.refusals import Refused

LOOK_SECONDS: Final = 2.0
WORD_LENGTH: Final = timedelta(seconds=20)
"""A process that says nothing new still says that it is there."""
GONE_AFTER: Final = timedelta(seconds=60)
"""One that has not said a word for so long is shown no more (it was killed; a clean stop takes its row away)."""
_ACTOR: Final = Actor("system/feeds", "hospital line", frozenset({"system"}), "hl7")


@dataclass(frozen=True, slots=True)
class OpenLine:
    """One connection."""

    peer: str
    messages: int
    faults: int


@dataclass(frozen=True, slots=True)
class Listening:
    """One process that listens, and who is connected to it."""

    process: str
    """Machine and process number."""
    listen: str
    at: datetime
    lines: tuple[OpenLine, ...]
    refused: tuple[Refused, ...] = ()
    """The latest first."""

    @property
    def open(self) -> int:
        """How many are connected."""
        return len(self.lines)


class OpenLines:
    """Writes down the lines of this process: at once where one came, went or broke the framing, else now and then."""

    def __init__(
        self,
        database: Database,
        process: str,
        listen: str,
        lines: Callable[[], Sequence[LineState]],
        now: Callable[[], datetime] = clock.utc_now,
        refused: Callable[[], Sequence[Refused]] = tuple,
    ) -> None:
        self._database, self._process, self._listen, self._lines, self._now = database, process, listen, lines, now
        self._refused = refused
        self._said: tuple[Any, ...] = ()
        self._when: datetime | None = None
        self._rounds = Rounds("open-lines", self.say, LOOK_SECONDS)

    def start(self) -> None:
        """Begin; returns at once."""
        self._rounds.start()

    def stop(self) -> None:
        """Take this process's row away."""
        self._rounds.stop()
        with self._database.writing(_ACTOR, at=self._now()) as store:
            store.connection.execute(delete(FEED).where(FEED.c.process == self._process))

    def say(self) -> None:
        """Write down what is new."""
        now, lines, refused = self._now(), self._lines(), self._refused()
        shape = (*((line.peer, line.since, line.faults) for line in lines), *((one.peer, one.why) for one in refused))
        if shape == self._said and self._when is not None and timedelta() <= now - self._when < WORD_LENGTH:
            return
        told = dumps([{"peer": line.peer, "messages": line.messages, "faults": line.faults} for line in lines]).decode()
        away = dumps([{"peer": one.peer, "why": one.why, "times": one.times, "last": micros(one.last)} for one in refused]).decode()
        with self._database.writing(_ACTOR, at=now) as store:
            values = {"process": self._process, "listen": self._listen, "at": micros(now), "lines": told, "refused": away}
            store.connection.execute(SET_FEED, values)
            store.connection.execute(delete(FEED).where(FEED.c.at < micros(now - 60 * GONE_AFTER)))
        self._said, self._when = shape, now


def listening(store: Store) -> list[Listening]:
    """Every process that listens now."""
    rows = store.connection.execute(select(FEED).where(FEED.c.at > micros(store.at - GONE_AFTER)).order_by(FEED.c.listen, FEED.c.process))
    return [
        Listening(
            row.process,
            row.listen,
            moment(row.at),
            tuple(OpenLine(**one) for one in loads(row.lines.encode())),
            tuple(
                Refused(one["peer"], one["why"], one["times"], moment(one["last"]).astimezone(store.zone))
                for one in loads((row.refused or "[]").encode())
            ),
        )
        for row in rows
    ]
