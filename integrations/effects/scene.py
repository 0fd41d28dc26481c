"""What every chapter of the story needs: the transaction, the message, whose line it came on; and how a person comes into it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import is_same_person, today
from healthsvc.store import Store
from healthsvc.store.stored import micros
from integrations.effects.care import HospitalPolicy, Outcome
from integrations.effects.followed import follow, is_stale
from integrations.effects.person import Party, admit_person, find
from integrations.effects.stay import opaque
from integrations.effects.which import encounter_id
from integrations.hl7v2.adt import Stay
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps.row import ERASED
from integrations.hl7v2.person import Demographics
from integrations.hospitals.profile import Profile


@dataclass(frozen=True, slots=True)
class Scene:
    """One message inside the transaction that gives it its effect."""

    store: Store
    message: Message
    header: Header
    profile: Profile
    hospital: str
    policy: HospitalPolicy
    zone: tzinfo
    """In which the message's times are meant that carry no offset."""

    def meet(self, told: Demographics, at: datetime | None) -> tuple[Party, Outcome]:
        """The person of a message that is about something else: what it says of the person only fills gaps."""
        party = admit_person(self.store, find(self.store, told.numbers), told, self.profile, overwrite=False)
        return party, begun(party, told, at or self.store.at)

    def id(self, kind: str, *numbers: str) -> str:
        """An id made of the hospital and its numbers; without any number, of this very message."""
        known = [number for number in numbers if number]
        return f"{kind}-{opaque(self.hospital, *known)}" if known else f"{kind}-{opaque(self.hospital, self.header.control_id, *numbers)}"

    def own_id(self, type: str, id: str, patient: str) -> str:
        """An id made of a hospital's number, for this person; a number that the hospital has given to somebody else too is another thing.

        What was withdrawn goes over to the person of whom it is told now, unless that person has one of their own.
        """
        known = self.store.find(type, id)
        if known is None:
            return id
        named = [known.get("subject"), *(one.get("actor") for one in known.get("participant", ()))]
        whose = next((person for one in flat(named) if (person := reference_id(one, "Patient"))), patient)
        own = f"{id.partition('-')[0]}-{opaque(id, patient)}"
        if is_same_person(self.store, whose, patient):
            return id
        free = known.get("status") == "entered-in-error" and self.store.find(type, own) is None
        return id if free else own

    def is_late(self, key: str, at: datetime | None, outcome: Outcome, what: str) -> bool:
        """Whether a later word on the same thing has been followed already; then this one is left aside, with a remark."""
        moment = micros(at or self.store.at)
        if is_stale(self.store, key, moment):
            outcome.remarks.append(f"{what} is older than what is on file and was left aside")
            return True
        follow(self.store, key, moment, self.header.event)
        return False

    def stay(self, patient: str, stay: Stay | None, at: datetime | None) -> str | None:
        """The stay on file that something belongs to; only ADT opens one."""
        if stay is None:
            return None
        id = encounter_id(self.store, patient, stay, self.hospital, at or self.store.at)
        return id if self.store.get("Encounter", id) else None


def scene_of(store: Store, message: Message, header: Header, profile: Profile) -> Scene:
    """Set the scene."""
    policy = store.policy.fill(HospitalPolicy, "hospital", today(store))
    hospital, zone = profile.hospital_of(header), profile.zone_of(header, store.zone)
    return Scene(store, message, header, profile, hospital, policy, zone)


def begun(party: Party, told: Demographics, happened: datetime) -> Outcome:
    """The outcome as it begins: what was odd about the person, and the file where it changed."""
    outcome = Outcome(party.id, happened=happened)
    outcome.remarks += [*party.warnings, *(f"{place} could not be read" for place in told.doubts)]
    if party.changed:
        outcome.wrote(party.patient)
    return outcome


def flat(entries: Iterable[Any]) -> Iterator[Any]:
    """Entries one by one, where some of them are lists (Account.subject is one, Encounter.subject is not)."""
    for entry in entries:
        yield from entry if isinstance(entry, list) else [entry]


def joined(known: Resource | None, told: Resource, lists: Iterable[str] = ("identifier",)) -> Resource:
    """What is newly told over what is on file; these lists grow instead of being replaced, and what the message erases goes."""
    made = {**(known or {}), **told}
    for key in lists:
        held = (known or {}).get(key, [])
        added = [one for one in told.get(key, []) if one not in held]
        if held or added:
            made[key] = [*held, *added]
    for key in made.pop(ERASED, ()):
        if key not in told:
            made.pop(key, None)
    made.pop("meta", None)
    if known and "meta" in known:
        made["meta"] = known["meta"]
    return made
