"""Where a hospital takes messages from us and in which form: the ``[send]`` part of a link profile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from healthsvc.errors import Invalid
from integrations.hl7v2.ack import AckMode
from integrations.hl7v2.charset import codec_of

VERSIONS = ("2.4", "2.5", "2.5.1", "2.6")
"""Versions that we write; older ones have no structure for half of what we tell."""
APPLICATION_ANSWERS = ("AL", "NE", "ER", "SU")
"""Table 0155."""
_FLAG_FIELDS = frozenset({"PV1-16", "PV1-18"})


class Topic(StrEnum):
    """What a hospital may be told."""

    PERSON = "person"
    """ADT A28, A31: who the person is, and the green channel."""
    MERGE = "merge"
    """ADT A40, and A37 where a merge was taken back."""
    REFERRAL = "referral"
    """REF I12, I13, I14: a referral up, its change, its withdrawal."""
    RESULTS = "results"
    """ORU R01: what the quarterly checkup at home found."""
    BOOKING = "booking"
    """SIU S12 to S15, S26: a visit to the hospital that was booked here."""


class People(StrEnum):
    """About whom a hospital is told."""

    KNOWN = "known"
    """Whom it knows by one of its own numbers, or who was referred to it."""
    ALL = "all"
    """Everybody on file: a designated hospital (定点医院) of all."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Where a site wants our green channel, and in which words. No field: it is not sent at all."""

    field: str = ""
    """``PV1-16``, ``PV1-18`` or the name of a Z segment."""
    yes: str = ""
    no: str = ""
    """Written where a person no longer has the green channel; empty: the null value, which erases."""
    pay_later: tuple[str, ...] = ()
    """Fields in which this site keeps its own 绿色通道 (treat first, pay later); our priority never goes there."""

    @property
    def is_segment(self) -> bool:
        """Whether it goes into a segment of its own."""
        return self.field.startswith("Z")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a hospital takes messages from us."""

    name: str
    """The profile's name."""
    host: str
    port: int
    seconds: float = 10.0
    """How long to wait for an answer."""
    hospital: str = ""
    """Code of the hospital in our identifier systems."""
    organization: str = ""
    """Id of the hospital's Organization in our directory; empty: the hospital code."""
    sender: tuple[str, str] = ("HEALTHSVC", "COMMUNITY")
    """MSH-3 and MSH-4."""
    receiver: tuple[str, str] = ("", "")
    """MSH-5 and MSH-6."""
    version: str = "2.4"
    charset: str = "UTF-8"
    charset_label: str = ""
    """MSH-18 as the site wants it; empty where the site declares nothing."""
    topics: frozenset[Topic] = frozenset()
    people: People = People.KNOWN
    flag: Flag = Flag()
    sex: Mapping[str, str] = field(default_factory=dict)
    """FHIR gender to the site's word; M F O U where it says nothing."""
    own_number: str = ""
    """CX.5 word under which our own file id goes into PID-3; empty: it does not."""
    tls: bool = False
    ca: str = ""
    """File of the certificates that may sign the hospital's; empty: the system's."""
    certificate: str = ""
    key: str = ""
    """Our own certificate and key for mutual TLS."""

    ack: AckMode = AckMode.ORIGINAL
    """``enhanced``: our messages ask for a commit answer (MSH-15 AL), and for an application answer as said next."""
    application_answer: str = "AL"
    """MSH-16 in enhanced mode: AL always, NE never, ER on error, SU on success."""

    @property
    def asks(self) -> tuple[str, str]:
        """MSH-15 and MSH-16 of what we send; in original mode both stay empty."""
        return ("AL", self.application_answer) if self.ack is AckMode.ENHANCED else ("", "")

    @property
    def awaits_application(self) -> bool:
        """Whether a message is only done with its application answer."""
        return self.ack is AckMode.ENHANCED and self.application_answer != "NE"

    @property
    def codec(self) -> str:
        """Python's name of the character set."""
        return codec_of(self.charset) or "utf-8"

    def is_meant(self, reference: str) -> bool:
        """Whether a reference names this hospital."""
        return reference == f"Organization/{self.organization or self.hospital}"


_PLAIN = {"organization", "version", "charset", "charset_label", "own_number", "ca", "certificate", "key"}
_NAMES = {"sending_application", "sending_facility", "receiving_application", "receiving_facility"}
_KEYS = {"host", "port", "seconds", "topics", "people", "green_channel", "sex", "tls", "ack", "application_answer", *_PLAIN, *_NAMES}


def read_destination(value: Any, name: str, hospital: str, wrong: Callable[[str, str], Invalid], charset: str = "") -> Destination | None:
    """Read the ``[send]`` table of a profile; None where there is none. ``wrong`` makes the refusal, naming file and key.

    Args:
        charset: in which the hospital writes to us; a message to it is written in the same unless the table says otherwise.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong("send", "must be a table [send] with host and port")
    if strange := sorted(set(value) - _KEYS):
        raise wrong(f"send.{strange[0]}", f"is not a setting; known are {', '.join(sorted(_KEYS))}")
    if hospital == "MSH-4":
        raise wrong("send", "needs one hospital: give the profile a hospital code of its own instead of MSH-4")
    host, port, seconds = value.get("host"), value.get("port"), value.get("seconds", 10)
    if not isinstance(host, str) or not host:
        raise wrong("send.host", "must be the address of the hospital's listener, in quotes")
    if type(port) is not int or not 0 < port < 65536:
        raise wrong("send.port", "must be a number from 1 to 65535")
    if not isinstance(seconds, (int, float)) or not 0 < seconds <= 600:
        raise wrong("send.seconds", "must be a number of seconds up to 600")
    texts = {key: _text(value, key, wrong) for key in (_PLAIN | _NAMES) & set(value)}
    if texts.get("version", VERSIONS[0]) not in VERSIONS:
        raise wrong("send.version", f"is one of {', '.join(VERSIONS)}")
    if codec_of(texts.get("charset", "UTF-8")) is None:
        raise wrong("send.charset", "is no known character set; use UTF-8, GB18030, GBK, GB2312, BIG-5 or 8859/1")
    wanted = value.get("application_answer", "AL")
    if wanted not in APPLICATION_ANSWERS:
        raise wrong("send.application_answer", f"is one of {', '.join(APPLICATION_ANSWERS)} (MSH-16)")
    if charset:
        texts.setdefault("charset", charset)
    ours = Destination(name, host, port)
    return Destination(
        name,
        host,
        port,
        float(seconds),
        hospital,
        **{key: text for key, text in texts.items() if key in _PLAIN},
        sender=(texts.get("sending_application", ours.sender[0]), texts.get("sending_facility", ours.sender[1])),
        receiver=(texts.get("receiving_application", ""), texts.get("receiving_facility", hospital)),
        topics=frozenset(_among(value.get("topics", []), Topic, "send.topics", wrong)),
        people=next(iter(_among([value.get("people", "known")], People, "send.people", wrong))),
        flag=_flag(value.get("green_channel"), wrong),
        sex=_sexes(value.get("sex", {}), wrong),
        ack=next(iter(_among([value.get("ack", "original")], AckMode, "send.ack", wrong))),
        application_answer=wanted,
        tls=value.get("tls", False) is True or bool(texts.get("ca")),
    )


def _text(value: dict[str, Any], key: str, wrong: Callable[[str, str], Invalid]) -> str:
    if not isinstance(value[key], str):
        raise wrong(f"send.{key}", "must be a text in quotes")
    return str(value[key])


def _among(value: Any, kind: type[Any], key: str, wrong: Callable[[str, str], Invalid]) -> list[Any]:
    known = [each.value for each in kind]
    if not isinstance(value, list) or not all(one in known for one in value):
        raise wrong(key, f"names {', '.join(known)}")
    return [kind(one) for one in value]


def _flag(value: Any, wrong: Callable[[str, str], Invalid]) -> Flag:
    """The green channel's place; a field that the site uses for its own meaning is refused here, before anything is ever sent."""
    if value is None:
        return Flag()
    known = {one.name for one in fields(Flag)}
    if not isinstance(value, dict) or set(value) - known:
        raise wrong("send.green_channel", f"is a table of {', '.join(sorted(known))}")
    later = value.get("pay_later", [])
    if not isinstance(later, list) or not all(isinstance(one, str) for one in later):
        raise wrong("send.green_channel.pay_later", 'is a list of fields such as ["PV1-16"]')
    place = value.get("field", "")
    is_segment = isinstance(place, str) and len(place) == 3 and place.startswith("Z") and place.isalnum() and place.isupper()
    if place and place not in _FLAG_FIELDS and not is_segment:
        raise wrong("send.green_channel.field", "is PV1-16, PV1-18 or the name of a Z segment such as ZGC")
    if place in later:
        raise wrong("send.green_channel.field", f"{place} carries the site's own 绿色通道 (treat first, pay later); choose another field")
    if place in _FLAG_FIELDS and not value.get("yes"):
        raise wrong("send.green_channel.yes", f"is missing: the word that {place} carries for a person with the green channel")
    if not all(isinstance(value.get(key, ""), str) for key in ("yes", "no")):
        raise wrong("send.green_channel", "has yes and no as texts in quotes")
    return Flag(place, value.get("yes", ""), value.get("no", ""), tuple(later))


def _sexes(value: Any, wrong: Callable[[str, str], Invalid]) -> Mapping[str, str]:
    if (
        not isinstance(value, dict)
        or set(value) - {"male", "female", "other", "unknown"}
        or not all(isinstance(v, str) for v in value.values())
    ):
        raise wrong("send.sex", "is a table of male, female, other, unknown = the site's word")
    return value
