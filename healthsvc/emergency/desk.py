"""一键通 The desk: every way to raise and work an alarm passes here. It is on disk first, then in the database, and never only in a head.

Where the database cannot be written (read-only, a full disk, a restart) the journal takes what is done, and whoever asks sees both.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from healthsvc.emergency import rules, service
from healthsvc.emergency.journal import Call, Journal
from healthsvc.emergency.rules import Act, Alarm, EmergencyPolicy, Line, Status
from healthsvc.errors import NotFound, Refusal, Unavailable
from healthsvc.healthfile.service import follow
from healthsvc.store import Actor, Database, Store

FOLDER = "alarms"
"""Folder of the journal in the data directory."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What became of a call: the alarm as far as it is known, and whether the database holds it."""

    id: str
    alarm: Alarm | None
    stored: bool


class Desk:
    """Works alarms in somebody's name."""

    def __init__(self, database: Database, data: Path, actor: Actor, now: Callable[[], datetime]) -> None:
        self.database = database
        self.journal = Journal(data / FOLDER, database.sealer)
        self.actor = actor
        self._now = now

    def raise_alarm(self, call: Call) -> Raised:
        """Take a call in. What this returns is on the disk; the first of the chain is called in the same moment where it can be written.

        Raises:
            Refusal: nobody could act on it (no such kind, no such person or device); nothing is kept.
            Unavailable: neither the database nor the journal can be written.
        """
        at = self._now()
        service.check_call(call, self._policy(at))
        id = service.alarm_id(call)
        self.journal.open(id, call)
        try:
            with self.database.writing(self.actor, at=at) as store:
                alarm = service.take_in(store, call)
        except Unavailable:
            return Raised(id, self._seen(id), stored=False)
        except Refusal:
            self._forget(id)
            raise
        self._forget(id)
        return Raised(alarm.id, alarm, stored=True)

    def act(self, alarm_id: str, act: Act, who: str, text: str = "") -> Alarm:
        """Take, hand over, note or close an alarm.

        Raises:
            NotFound: there is no such alarm. RuleViolation: it cannot follow.
        """
        at = self._now()
        line = Line(act, at, who, text=text)
        if self.journal.kept(alarm_id) is None:
            with suppress(Unavailable), self.database.writing(self.actor, at=at) as store:
                return service.act(store, alarm_id, line)
        service.check_line(line, self._policy(at))
        alarm = self._known(alarm_id)
        line = replace(line, at=max(at, alarm.log[-1].at))
        alarm = rules.add(alarm, line)
        self.journal.add(alarm_id, [line])
        return alarm

    def answer(self, alarm_id: str, who: str, *, comes: bool, text: str = "") -> Alarm:
        """Whoever was called says whether they come: then nobody else is called, else the next is called at once."""
        if comes:
            return self.act(alarm_id, Act.TAKE, who, text)
        alarm, at = self._known(alarm_id), self._now()
        current = max((line.round for line in alarm.log if line.act is Act.CALL and line.who == who), default=0)
        if not current:
            raise NotFound("nobody of this name was called for this alarm")
        if self.journal.kept(alarm_id) is None:
            with suppress(Unavailable), self.database.writing(self.actor, at=at) as store:
                return service.not_reached(store, alarm_id, who, current, at, text or "declined")
        line = Line(Act.NOT_REACHED, max(at, alarm.log[-1].at), who, current, text or "declined")
        changed = rules.add(alarm, line)
        self.journal.add(alarm_id, [line])
        return changed

    def read(self, alarm_id: str) -> Alarm:
        """One alarm as the database and the journal together have it."""
        return self._known(alarm_id)

    def all_open(self) -> list[Alarm]:
        """Everybody's alarms that are not closed, latest first; those whose person nobody knows yet are not among them."""
        with self.database.reading(self.actor, at=self._now()) as store:
            known = {alarm.id: alarm for alarm in service.all_open(store)}
            for id in self.journal.waiting():
                alarm = overlay(store, self.journal, id)
                if alarm is not None:
                    known[id] = alarm
        found = (alarm for alarm in known.values() if alarm.status is not Status.CLOSED)
        return sorted(found, key=lambda alarm: alarm.raised, reverse=True)

    def _known(self, alarm_id: str) -> Alarm:
        alarm = self._seen(alarm_id)
        if alarm is None:
            raise NotFound("there is no such alarm")
        return alarm

    def _seen(self, alarm_id: str) -> Alarm | None:
        try:
            with self.database.reading(self.actor, at=self._now()) as store:
                return overlay(store, self.journal, alarm_id)
        except Unavailable:
            return None

    def _forget(self, alarm_id: str) -> None:
        kept = self.journal.kept(alarm_id)
        if kept is not None and not kept.lines:
            self.journal.take_out(kept)

    def _policy(self, at: datetime) -> EmergencyPolicy:
        return self.database.policy.fill(EmergencyPolicy, "emergency", at.date())


def overlay(store: Store, journal: Journal, alarm_id: str) -> Alarm | None:
    """An alarm as the database and the journal together have it; None where neither knows whose it is."""
    kept = journal.kept(alarm_id)
    try:
        alarm = service.read(store, alarm_id)
    except NotFound:
        if kept is None or kept.call is None:
            return None
        call = kept.call
        with suppress(NotFound):
            whom = call.patient or service.patient_of_device(store, call.device_system or service.DEVICE_NUMBER, call.device or "")
            begun = Alarm(alarm_id, str(follow(store, whom)["id"]), call.kind, call.source)
            return service.overlaid(rules.add(begun, Line(Act.RAISE, call.at, call.source, text=call.text)), kept.lines)
        return None
    return service.overlaid(alarm, kept.lines) if kept else alarm
