"""Backups by the clock: the timer asks, this thread makes them, so that no transaction stays open meanwhile."""

import threading
from pathlib import Path

import structlog

from healthsvc import clock
from healthsvc.backup.make import BackupPolicy, make
from healthsvc.backup.parts import recipient
from healthsvc.config import Settings
from healthsvc.errors import Refusal
from healthsvc.policy import Policy

log = structlog.get_logger()


class Keeper:
    """Makes a backup whenever it is asked to; one that fails is told in the log and by the age of the newest one."""

    def __init__(self, settings: Settings, policy: Policy, target: Path) -> None:
        self._settings = settings
        self._policy = policy
        self._target = target
        self._asked = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="backups")

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def ask(self, _asker: object = None) -> None:
        """A backup is due; returns at once. Asked again while one is being made, another follows."""
        self._asked.set()

    def stop(self) -> None:
        """End; a backup that is being made is finished first."""
        self._stopping = True
        self._asked.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._stopping:
                return
            try:
                self._make()
            except Refusal as refusal:
                log.error("backup failed", reason=refusal.text)
            except Exception as error:  # noqa: BLE001 - tomorrow's backup must not fall to today's surprise
                log.error("backup failed", reason=type(error).__name__)

    def _make(self) -> None:
        here = self._settings
        closed_to = recipient(here.backup_recipient) if here.backup_recipient else None
        keep = self._policy.fill(BackupPolicy, "backup", clock.today(clock.zone(here.zone))).keep
        make(here, self._target, clock.utc_now(), keep=keep, keys_to=here.backup_keys_to, to=closed_to)
