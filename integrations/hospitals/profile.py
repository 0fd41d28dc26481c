"""A link profile: what one hospital's line means by its fields, and what we do with what it sends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache

from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_CARD, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE, hospital_number
from integrations.hl7v2.ack import AckMode
from integrations.hl7v2.header import Header
from integrations.hl7v2.zones import zone_of
from integrations.hospitals.destination import Destination

DEFAULT = "default"
"""Name of the built-in profile that answers any sender on loopback."""

_NATIONAL = {
    "citizen": CITIZEN_ID,
    "health-card": HEALTH_CARD,
    "health-file": HEALTH_FILE_NUMBER,
    "lixiu-certificate": LIXIU_CERTIFICATE,
}
NUMBER_MEANINGS = frozenset({*_NATIONAL, "card", "inpatient", "outpatient", "index", "local", "own", "ignore"})
"""What a number can be: national ones by their systems; ``card`` is the hospital's main patient number (often called IDCard!);
``inpatient``, ``outpatient``, ``index`` (a patient index, EMPI) and ``local`` are its further series; ``own`` is named by the sender's
own word."""


class Unknown(StrEnum):
    """What a feed's word about a person who is not ours leads to."""

    REGISTER = "register"
    REVIEW = "review"
    FORGET = "forget"


class UnknownEvent(StrEnum):
    """What an event that is mapped to nothing gets as its answer."""

    ACCEPT = "accept"
    AE = "AE"
    AR = "AR"


@dataclass(frozen=True, slots=True)
class NumberRule:
    """One line of the PID-3 map: a word in CX.5 or CX.4 and what such a number is."""

    means: str
    kind: str = ""
    """CX.5, compared without regard to case; empty: any."""
    authority: str = ""
    """Any component or subcomponent of CX.4; empty: any."""
    identity: bool = True
    """Whether a person may be recognised by it."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which messages a profile is for; shell patterns, empty fits anything."""

    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    listen: tuple[str, ...] = ()
    """Listening addresses ``host:port``; empty: loopback only."""
    peers: tuple[str, ...] = ()
    """Peer addresses; empty: any."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One hospital line."""

    name: str
    version: int
    title: str
    hospital: str
    """Code of the hospital in our identifier systems; ``MSH-4`` takes the sending facility of each message (the default profile only)."""
    match: Match = Match()
    charset: str = ""
    """Used before MSH-18 where the bytes are not UTF-8."""
    charset_unlabelled: str = ""
    """Used where MSH-18 is empty or unknown."""
    ack: AckMode = AckMode.ORIGINAL
    ack_unasked: AckMode = AckMode.ORIGINAL
    """How an enhanced link answers a message whose MSH-15 and MSH-16 are both empty: by the standard ``original``, one AA."""
    unknown_person: Unknown = Unknown.REVIEW
    unknown_event: UnknownEvent = UnknownEvent.ACCEPT
    numbers: tuple[NumberRule, ...] = ()
    untyped: str = "card"
    """What a number without CX.5 and CX.4 is."""
    unlisted: str = "own"
    """What a number with a word that no rule names is."""
    pid_2: str = "card"
    pid_19: str = "citizen"
    sex: Mapping[str, str] = field(default_factory=dict)
    visit_class: Mapping[str, str] = field(default_factory=dict)
    """PV1-2 to an ActCode: IMP, AMB, EMER, OBSENC, PRENC, HH."""
    nothing: frozenset[str] = frozenset()
    """Words that mean an empty field."""
    vip: Mapping[str, str] = field(default_factory=dict)
    """PV1-16 to our green-channel reason; a word that is not listed stays the hospital's own."""
    patient_type: Mapping[str, str] = field(default_factory=dict)
    """PV1-18, likewise."""
    abnormal: Mapping[str, str] = field(default_factory=dict)
    """OBX-8 words of the site to table 0078 codes (``M`` for normal in Chinese laboratories)."""

    appointment: Mapping[str, str] = field(default_factory=dict)
    """SCH-25 and AIS-10 words of the site (upper case) to appointmentstatus, before those of table 0278."""
    transaction: Mapping[str, str] = field(default_factory=dict)
    """FT1-6 words of the site (upper case) to table 0017: CG, CD, PY, AJ, CO."""
    no_allergy: frozenset[str] = frozenset()
    """Words of AL1-3 and IAM-3 (folded), beside those that are known, which say that there is no allergy."""
    decimal_mark: str = "point"
    """``comma`` where the site writes 1,5 for one and a half in results and ranges; elsewhere such a text stays a text."""
    time_zone: str = ""
    """In which times without an offset are meant (``+0800``, ``Asia/Shanghai``); empty: in that of MSH-7, else in the site's own."""
    offsets: str = "believe"
    """``ignore`` where the sender writes its wall clock with an offset that is not its own (``+0000``)."""
    events: Mapping[str, str] = field(default_factory=dict)
    """The site's own events to those of the standard: ``ADT^ZP1`` is read as ``ADT^A28``."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Events whose sender expects another answer than ACK: ``ADT^ZP1`` is answered by ``RSP^K23``."""
    master: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict)
    """Where a site's own segments of master files carry what: ``staff`` and ``department``, each with ``segment`` and field positions."""
    infusion_routes: frozenset[str] = frozenset()
    """Words of RXR-1 (code or text, folded) that mean a drip into a vein: such an outpatient order is proposed for home infusion."""
    control_id: str = "required"
    """``required``: a message without MSH-10 is refused; ``optional``: it is taken, and known by its content alone."""
    missing_segment: str = "refuse"
    """A message without a segment that its kind cannot do without: ``refuse`` (AE, the sender mends it) or ``review`` (accepted, and
    somebody here looks at it: for senders that cannot mend anything and only repeat themselves)."""

    folder: str = ""
    """A folder in which the hospital leaves files of messages; empty: none."""
    silence_minutes: int | None = None
    """After so many minutes without a message the line counts as silent; 0: never; None: as the policy says."""
    unended_hours: Mapping[str, int] = field(default_factory=dict)
    """By class of visit: after so many hours without a word it is taken as ended; 0: never. What is not named is as the policy says."""
    send: Destination | None = None
    """Where the hospital takes messages from us; None: it takes none."""

    def hospital_of(self, header: Header) -> str:
        """The hospital code for a message."""
        if self.hospital != "MSH-4":
            return self.hospital
        return slug(header.sender[1].partition(header.cut.component or "\0")[0]) or DEFAULT

    def zone_of(self, header: Header, home: tzinfo) -> tzinfo:
        """In which zone the times of a message are meant; ``home`` is the site's own."""
        return zone_of(header, self.time_zone, home, believed=self.offsets == "believe")

    def system(self, means: str, hospital: str, word: str = "") -> str | None:
        """The identifier system of a number; None for one to be ignored."""
        if means == "ignore":
            return None
        if means in _NATIONAL:
            return _NATIONAL[means]
        if means == "card":
            return hospital_number(hospital)
        return hospital_number(f"{hospital}/{slug(word) or 'other'}" if means == "own" else f"{hospital}/{means}")

    def number(self, kind: str, authority: tuple[str, ...]) -> NumberRule:
        """What a number is by its CX.5 word and the words of CX.4; the first rule that fits decides."""
        words = {word.casefold() for word in authority if word}
        for rule in self.numbers:
            if rule.kind and rule.kind.casefold() != kind.casefold():
                continue
            if rule.authority and rule.authority.casefold() not in words:
                continue
            return rule
        return NumberRule(self.unlisted if kind else self.untyped)

    def fits(self, header: Header, listen: str, peer: str) -> int | None:
        """How closely the profile fits a message (more is closer); None where it does not."""
        cut = header.cut.component or "\0"
        wanted = self.match
        stated = (
            (wanted.sending_application, header.sender[0]),
            (wanted.sending_facility, header.sender[1]),
            (wanted.receiving_application, header.receiver[0]),
            (wanted.receiving_facility, header.receiver[1]),
        )
        score = 0
        for pattern, raw in stated:
            if pattern and not fnmatchcase(raw.partition(cut)[0], pattern):
                return None
            score += 10 * bool(pattern)
        if not self.listens_on(listen):
            return None
        if wanted.peers and not any(fnmatchcase(peer, pattern) for pattern in wanted.peers):
            return None
        return score + bool(wanted.listen) + bool(wanted.peers)

    def listens_on(self, address: str) -> bool:
        """Whether the profile may be used on a listening address ``host:port``."""
        if address == folder_listen(self.name) or address == HTTP_LISTEN:
            return True  # files lie in the line's own folder, and whoever posts has a token
        if not self.match.listen:
            return is_loopback(address)
        return any(fnmatchcase(address, pattern) for pattern in self.match.listen)


HTTP_LISTEN = "http"
"""What stands for a listening address where a message came by HTTP."""


def folder_listen(link: str) -> str:
    """What stands for a listening address where a message came from a line's folder."""
    return f"folder:{link}"


def is_loopback(address: str) -> bool:
    """Whether a listening address ``host:port`` can only be reached from the machine itself."""
    host = address.rpartition(":")[0].strip("[]").lower()
    return host == "localhost" or host == "::1" or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


@lru_cache(maxsize=1024)
def slug(word: str) -> str:
    """A word fit for a system's url: lower case letters, digits and dashes; other scripts stay as they are."""
    return re.sub(r"[^\w]+", "-", word.strip().casefold()).strip("-")
