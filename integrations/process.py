"""One serving process from its start to its end, and what its supervisor (systemd) is told about it."""

import os
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from healthsvc.commands.shape import out
from healthsvc.documents.service import must_have_keys
from healthsvc.errors import Refusal
from healthsvc.installation import open_installation
from healthsvc.logs import settings_for, tell_of_ends
from healthsvc.store import Database
from healthsvc.store.anteroom import carry_over
from healthsvc.store.journals import carry_left
from integrations.address import Address
from integrations.apart import Apart, watch_parent
from integrations.doors import handed_down
from integrations.ending import Ending
from integrations.listening import limits_of
from integrations.repeating import Repeating
from integrations.roles import Role
from integrations.serving import Serving

log = structlog.get_logger()
SUPERVISOR: Final = "NOTIFY_SOCKET"
"""Where systemd hears, by sd_notify(3), how far a service of ``Type=notify`` is."""
WATCHDOG: Final = "WATCHDOG_USEC"
"""Within how many microseconds systemd wants a sign of life each time (sd_watchdog_enabled(3)); without one it ends the process."""
SIGNS_IN_TIME: Final = 3
"""So many are given in that time."""
LEFT_SECONDS: Final = 60.0
"""How often it is looked whether a process of lines has left a journal that is gone, and whoever started it too."""


class Supervisor:
    """Whoever started this process and wants to hear of it; nobody, where none has named a socket."""

    def __init__(self) -> None:
        told = os.environ.pop(SUPERVISOR, "")  # what this process starts is not to speak for it
        self._address = "\0" + told[1:] if told.startswith("@") else told
        within, of = os.environ.pop(WATCHDOG, ""), os.environ.pop("WATCHDOG_PID", "")
        self._within = int(within) / 1e6 if within.isdigit() and of in ("", str(os.getpid())) else 0.0

    def tell(self, *states: str) -> None:
        """Tell states such as ``READY=1`` (sd_notify(3)). A supervisor that does not listen stops nothing."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.connect(self._address)
                line.send("\n".join(states).encode())
        except OSError as error:
            log.warning("the supervisor could not be told", states=states, error=error.strerror)

    def give_signs_of_life(self) -> None:
        """From now on, where it wants them: a process that is stopped, or in which no thread gets on, gives none."""
        if self._within:
            threading.Thread(target=self._give_signs, name="signs-of-life", daemon=True).start()

    def _give_signs(self) -> None:
        while True:
            self.tell("WATCHDOG=1")
            time.sleep(self._within / SIGNS_IN_TIME)


def carry_what_is_left(database: Database) -> None:
    """What lines have answered whose process was killed comes into the inbox before anything else does.

    A database that cannot be written just now keeps nobody from starting: the messages stay where they are, on disk.
    """
    try:
        carry_over(database)
        carry_left(database)
    except Refusal as refusal:
        log.error("hospital messages stay in the journals of lines for now", reason=refusal.text)


def more_is_left(database: Database) -> bool:
    """Carry what lines have left meanwhile that are gone, and whoever started them too; there is never more to do at once."""
    carry_left(database)
    return False


def run(data: Path | None, http: Address, mllp: Address, only: Role | None, probes: Address | None) -> None:
    """Serve until SIGTERM or Ctrl-C; ends the process.

    Raises:
        Invalid, KeysLost: something has to be mended before it can start. Unavailable: not now (the database, an address that another has).
    """
    supervisor = Supervisor()
    settings = settings_for(data)
    tell_of_ends()
    ending = Ending(settings.stop_seconds)
    watch_parent(ending.begin)
    installation = open_installation(settings=settings)
    must_have_keys(installation.database)
    doors = handed_down()
    apart = None
    if settings.lines_apart and only is None:
        left = partial(carry_what_is_left, installation.database)
        apart = Apart(settings.data, mllp, settings.lines_apart, limits_of(settings), left)
    roles = frozenset((only,) if only else Role) - ({Role.FEEDS} if apart else set())
    serving = Serving(installation, http, mllp, roles, probes, doors, folders=False if doors else None if apart is None else True)
    left_behind = Repeating("journals left", partial(more_is_left, installation.database), breath=LEFT_SECONDS, rest=LEFT_SECONDS)
    try:
        carry_what_is_left(installation.database)
        left_behind.start()
        if apart is not None:
            apart.start()
        serving.start()
        ready = f"ready {serving.where()}{f' mllp://{apart.mllp}' if apart else ''}"
        out.print(ready, markup=False)
        supervisor.tell("READY=1", f"STATUS={ready}")
        supervisor.give_signs_of_life()
        ending.wait()
    finally:
        ending.begin()
        supervisor.tell("STOPPING=1", "STATUS=finishing what was begun")
        if apart is not None:
            apart.stop(settings.stop_seconds / 2)
        left_behind.stop()
        serving.stop()
        installation.close()
        ending.over()
    ending.leave()
