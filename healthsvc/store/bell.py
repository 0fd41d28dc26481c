"""A bell between the processes of one database: whoever waits for something new is woken, instead of looking again and again.

On PostgreSQL it is LISTEN and NOTIFY. The word is sent after the commit, by a connection of its own and many rings at once: NOTIFY inside
a writing transaction would make all commits of the server queue behind one lock. Beside an embedded database it is a file for each topic,
whose time of change is set to a number drawn at random: whoever waits looks at that, twenty times a second, which costs no descriptor and
no read. So a ring may get lost with its process or its connection; whoever waits therefore looks by itself now and then, rarely where the
bell is heard, often where it is not. What a ring means is always read from the tables; it carries no data.
"""

import contextlib
import os
import secrets
import threading
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy import Engine

from healthsvc.store.postgres import ServerUse, connect_arguments, conninfo

log = structlog.get_logger()

INBOX: Final = "inbox"
"""A hospital's message is on disk."""
CHANGES: Final = "changes"
"""A resource was written."""
OUTBOX: Final = "outbox"
"""Something is due to go out."""
WORK: Final = "work"
"""Long work was left, has moved on or has ended."""
SELDOM_SECONDS: Final = 2.0
"""How often somebody looks who would be rung."""
_CHANNEL: Final = "healthsvc"
_TOGETHER_SECONDS: Final = 0.01
_LOOK_SECONDS: Final = 0.25
_FILE_SECONDS: Final = 0.05
_MARK_BITS: Final = 60
"""Of a time in nanoseconds: some 36 years, which every file system keeps, so that marks differ also where it keeps seconds only."""
_AGAIN_SECONDS: Final = 1.0


class Bell:
    """One process's end of it. Its threads begin with the first who waits or rings."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._between = engine.dialect.name == "postgresql"
        self._file = None if self._between else Path(engine.url.database or "")
        self._marks: dict[str, int] = {}
        """By topic: what we have set on its file."""
        self._seen: dict[str, int] = {}
        """By topic: what stood on its file when we last looked, from before its first subscriber was told that it waits."""
        self._waiting: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._heard = False
        self._rung: set[str] = set()
        self._ringing = threading.Event()
        self._listener: threading.Thread | None = None
        self._sender: threading.Thread | None = None
        self._own: int | None = None

    def subscribe(self, topic: str) -> threading.Event:
        """An event that is set whenever the bell rings for a topic, in whatever process; the caller clears it."""
        event = threading.Event()
        with self._lock:
            if not self._between:  # here and not by the thread's first look: a ring right after this call would be taken for an old one
                self._seen.setdefault(topic, self._marked(topic))
            self._waiting.setdefault(topic, []).append(event)
            if self._listener is None:
                listen = self._listen if self._between else self._look
                self._listener = threading.Thread(target=listen, name="bell-listens", daemon=True)
                self._listener.start()
        return event

    def leave(self, topic: str, event: threading.Event) -> None:
        """Whoever subscribed does not wait any more."""
        with self._lock:
            self._waiting[topic] = [one for one in self._waiting.get(topic, ()) if one is not event]

    def ring(self, topic: str) -> None:
        """Wake whoever waits; call it after the commit. Returns at once."""
        self._wake(topic)
        if not self._between:
            self._mark(topic)
            return
        if topic in self._rung:
            return
        with self._lock:
            self._rung.add(topic)
            if self._sender is None and not self._closing.is_set():
                self._sender = threading.Thread(target=self._send, name="bell-rings", daemon=True)
                self._sender.start()
        self._ringing.set()

    def patience(self, seconds: float) -> float:
        """How long to wait before looking by oneself, for somebody who would look every ``seconds`` without a bell."""
        return max(seconds, SELDOM_SECONDS) if self._heard else seconds

    def close(self) -> None:
        """Ring what is to be rung, then be still."""
        self._closing.set()
        self._ringing.set()
        for thread in (self._sender, self._listener):
            if thread is not None:
                thread.join()

    def _wake(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()

    def _connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(conninfo(self._engine.url), autocommit=True, **connect_arguments(ServerUse()))

    def _path(self, topic: str) -> Path:
        assert self._file is not None
        return self._file.with_name(f".{self._file.name}.bell-{topic}")

    def _mark(self, topic: str) -> None:
        """Ring for the other processes beside an embedded database."""
        path, mark = self._path(topic), secrets.randbits(_MARK_BITS)
        # set down before it stands there: our own looks need not wake those whom we have just woken. Should it cover another's mark that we
        # have not seen yet, whoever waits here has been woken after that other's commit all the same
        self._marks[topic] = mark
        try:
            try:
                os.utime(path, ns=(mark, mark))
            except FileNotFoundError:  # it gets its name with its mark, so that nobody sees the time of its making and wakes twice
                fresh = path.with_name(f"{path.name}.{mark}")
                fresh.touch(mode=0o600)
                os.utime(fresh, ns=(mark, mark))
                fresh.replace(path)
        except OSError as error:
            log.warning("the bell could not be rung; the others look by themselves", error=type(error).__name__)

    def _look(self) -> None:
        """Listen beside an embedded database."""
        self._heard = True
        while not self._closing.wait(_FILE_SECONDS):
            for topic in list(self._waiting):
                mark = self._marked(topic)
                if mark not in (self._seen[topic], self._marks.get(topic)):
                    self._wake(topic)
                self._seen[topic] = mark

    def _marked(self, topic: str) -> int:
        try:
            return os.stat(self._path(topic)).st_mtime_ns
        except OSError:
            return 0

    def _listen(self) -> None:
        told = False
        while not self._closing.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._heard, told = True, False
                    for topic in list(self._waiting):  # what was rung while nobody listened
                        self._wake(topic)
                    while not self._closing.is_set():
                        for notice in connection.notifies(timeout=_LOOK_SECONDS):
                            if notice.pid != self._own:
                                self._wake(notice.payload)
            except psycopg.Error as error:
                self._heard = False
                if not told:
                    log.warning("the bell is not heard; looking more often until it is", error=type(error).__name__)
                told = True
                self._closing.wait(_AGAIN_SECONDS)

    def _send(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while not (self._closing.is_set() and not self._rung):
            self._ringing.wait()
            self._ringing.clear()
            with self._lock:
                topics, self._rung = self._rung, set()
            try:
                if connection is None:
                    connection = self._connect()
                    connection.execute("SET synchronous_commit = off")  # a ring is worth no disk
                    self._own = connection.info.backend_pid
                for topic in topics:
                    connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, topic))
            except psycopg.Error as error:
                log.warning("the bell could not be rung; the others look by themselves", error=type(error).__name__)
                with contextlib.suppress(psycopg.Error):
                    if connection is not None:
                        connection.close()
                connection = None
            self._closing.wait(_TOGETHER_SECONDS)
        if connection is not None:
            connection.close()
