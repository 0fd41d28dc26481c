"""What is plain of that which arrives goes through this process's journal; all else through the database, behind what waits here.

The journal's lines wait for no writer of the database. What is known is read from it without its writers' lock, and from memory what
waits in this journal. Sent again to another process in the moment before it is carried, a message gets a second answer of the same
meaning and is kept once (``healthsvc.store.journals``).
"""

import threading
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Connection

from healthsvc.errors import Refusal
from healthsvc.store import Database, inbox_rows
from healthsvc.store.inbox_rows import Key
from healthsvc.store.journals import LineJournal
from integrations import metrics
from integrations.arrival import Arrival
from integrations.hl7v2.ack import AckCode
from integrations.keep import arrived

log = structlog.get_logger()
_There = dict[bytes, tuple[bytes, str]]
"""By its hash: the answer that a message got, and its code."""


def goes_in(arrival: Arrival) -> bool:
    """Whether a message is plain enough for a journal, by all that can be told without a look at what is known."""
    return arrival.plain and arrival.sequence is None


class Journaling:
    """The journal of one process with the eyes on the database that it needs."""

    def __init__(self, database: Database, journal: LineJournal) -> None:
        self.journal = journal
        journal.tell_reused = lambda link, messages: metrics.REUSED.labels(link).inc(messages)  # those that came to two processes
        self._database = database
        self._reading: Connection | None = None
        self._one = threading.Lock()

    def take(self, arrivals: Sequence[Arrival]) -> bool:
        """Keep a group, or give what is known its old answer; False where it has to go through the database: nothing has happened then."""
        if not self.journal.sound or not all(map(goes_in, arrivals)):
            return False
        with self._one:
            return self._take(arrivals)

    def _take(self, arrivals: Sequence[Arrival]) -> bool:
        asked = {arrival.key: arrival for arrival in arrivals}
        fresh: Sequence[Arrival] = arrivals
        again: list[tuple[Arrival, bytes, AckCode]] = []
        # first what waits here, then the inbox: what is carried in between is found there
        if self.journal.knows_none_of(asked):
            waiting: dict[Key, _There] = {}
        else:
            waiting = {key: self.journal.under(key) for key in asked}
        inbox = self._inbox(asked)
        if waiting or inbox or len(asked) < len(arrivals):
            for key, before in inbox.items():
                waiting.setdefault(key, {}).update(before)
            parted = _parted(arrivals, waiting)
            if parted is None:
                return False
            fresh, again = parted
        if fresh and not self._keep(fresh):
            return False
        for arrival, answer, code in again:
            arrival.answer, arrival.code = answer, code
            metrics.DUPLICATES.labels(arrival.link).inc()
        return True

    def close(self) -> None:
        """Let go of the journal and the connection."""
        if self._reading is not None:
            self._reading.close()
        self.journal.close()

    def _keep(self, fresh: Sequence[Arrival]) -> bool:
        sealer = self._database.sealer
        try:
            self.journal.append([arrived(arrival, sealer) for arrival in fresh])
        except Refusal as refusal:
            log.warning("hl7 messages go past the journal", reason=refusal.text, messages=len(fresh))
            return False
        except OSError as error:
            log.error("the journal of the hospital lines cannot be written", reason=error.strerror or str(error), messages=len(fresh))
            return False
        return True

    def _inbox(self, asked: Mapping[Key, object]) -> dict[Key, _There]:
        self._reading = self._reading or self._database.engine.connect()
        found: dict[Key, _There] = {}
        for row in inbox_rows.known(self._reading, list(asked)):
            found.setdefault(row[1:4], {})[row.hash] = row.answer, row.code
        return found


def _parted(arrivals: Sequence[Arrival], there: dict[Key, _There]) -> tuple[list[Arrival], list[tuple[Arrival, bytes, AckCode]]] | None:
    """Those that are new, and those that come again with their old answer; None where one is out of the ordinary: a number used again for
    other content, one that was refused before, or one in enhanced mode, whose second answer may be due again."""
    fresh: list[Arrival] = []
    again: list[tuple[Arrival, bytes, AckCode]] = []
    for arrival in arrivals:
        others = there.setdefault(arrival.key, {})
        before = others.get(arrival.hash)
        if before is None and others:
            return None
        if before is None:
            others[arrival.hash] = arrival.answer, arrival.code.value
            fresh.append(arrival)
        elif before[1] == AckCode.AA.value:
            again.append((arrival, before[0], AckCode.AA))
        else:
            return None
    return fresh, again
