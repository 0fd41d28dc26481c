"""One message that a hospital shall get, and what it was told before: the same is never told twice, nor back to who told us."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import select

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.greenchannel.service import answer_for
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.reader_tables import SET_TOLD, TOLD
from healthsvc.store.stored import micros
from integrations.hl7v2.outgoing import SEX, FlagPlace
from integrations.hl7v2.qbp import Found
from integrations.hospitals.destination import Destination, People, Topic
from integrations.hospitals.profile import Profile
from integrations.window import describe

OWN_NUMBER = "PI"
"""CX.5 of our own file id where the site names no word and the person has no number that the hospital would know (table 0203)."""


@dataclass(frozen=True, slots=True)
class Telling:
    """A message before it is written."""

    person: str
    """Patient id: messages about one person keep their order."""
    topic: Topic
    event: tuple[str, str, str]
    """MSH-9."""
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a hospital was last told about something."""

    digest: str
    event: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A hospital that takes messages from us, as the builders of messages need it."""

    profile: Profile
    destination: Destination

    @property
    def sex(self) -> dict[str, str]:
        """Words for the sex."""
        return {**SEX, **self.destination.sex}

    @property
    def flag(self) -> FlagPlace:
        """Where the green channel goes."""
        flag = self.destination.flag
        return FlagPlace(flag.field, flag.yes, flag.no)

    def knows(self, file: Resource) -> bool:
        """Whether the hospital knows the person by a number of its own."""
        own = hospital_number(self.destination.hospital)
        return any(one.get("system") == own or str(one.get("system", "")).startswith(f"{own}/") for one in file.get("identifier", []))

    def concerns(self, file: Resource) -> bool:
        """Whether the hospital is told of a person at all."""
        return self.destination.people is People.ALL or self.knows(file)

    def describe(self, store: Store, file: Resource, on: date | None = None) -> Found:
        """A person in the hospital's own words."""
        told = answer_for(store, file["id"], on or today(store))
        found = describe(store, file, self.profile, self.destination.hospital, told)
        if not self.destination.own_number and found.numbers:
            return found
        return replace(found, numbers=(*found.numbers, (str(file["id"]), self.destination.own_number or OWN_NUMBER)))


def digest(segments: Sequence[str]) -> str:
    """A short trace of what was told; the person cannot be read from it."""
    return hashlib.blake2b("\r".join(segments).encode(), digest_size=16).hexdigest()


def last_told(store: Store, listener: Listener, subject: str) -> Told | None:
    """What the hospital was last told about something; None for nothing yet."""
    wanted = (TOLD.c.destination == listener.destination.name) & (TOLD.c.subject == subject)
    row = store.connection.execute(select(TOLD.c.digest, TOLD.c.event).where(wanted)).first()
    return Told(row.digest, row.event) if row else None


def remember(store: Store, listener: Listener, subject: str, trace: str, event: str) -> None:
    """Note what the hospital knows now; ``event`` is empty where it had told us itself."""
    values = {"destination": listener.destination.name, "subject": subject, "digest": trace, "event": event, "at": micros(store.at)}
    store.connection.execute(SET_TOLD, values)
