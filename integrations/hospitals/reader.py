"""Reads one file of a link profile; every mistake is told with its file, its key and how to mend it."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from healthsvc import sitefile
from healthsvc.errors import Invalid
from integrations.hl7v2.ack import AckMode
from integrations.hl7v2.charset import codec_of
from integrations.hospitals.destination import read_destination
from integrations.hospitals.incoming import read_folder, read_silence, read_time_zone, read_unended
from integrations.hospitals.profile import NUMBER_MEANINGS, Match, NumberRule, Profile, Unknown, UnknownEvent

SHIPPED = Path(__file__).parent
SEXES = frozenset({"male", "female", "other", "unknown"})
CLASSES = frozenset({"IMP", "ACUTE", "AMB", "EMER", "OBSENC", "PRENC", "SS", "HH", "VR", "FLD"})
REASONS = frozenset({"lixiu", "age", "disability", "veteran", "other"})
FLAGS = frozenset({"N", "A", "AA", "H", "HH", "L", "LL", "POS", "NEG", "IND", ""})
BOOKINGS = frozenset(
    {"proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error", "checked-in", "waitlist"}
)
TRANSACTIONS = frozenset({"CG", "CD", "PY", "AJ", "CO"})
_TEXT_KEYS = frozenset({"profile", "title", "hospital", "charset", "charset_unlabelled", "untyped", "unlisted", "pid_2", "pid_19"})
KEYS = _TEXT_KEYS | {
    "extends", "version", "match", "ack", "ack_unasked", "unknown_person", "unknown_event", "missing_segment", "control_id", "decimal_mark",
    "number", "sex", "visit_class", "nothing", "vip", "patient_type", "abnormal", "appointment", "send", "events", "answers", "transaction",
    "time_zone", "offsets", "master", "infusion_routes", "no_allergy", "silence_minutes", "unended_hours", "receive",
}  # fmt: skip

LAYOUTS = {
    "staff": frozenset({"number", "name", "department", "title", "phone"}),
    "department": frozenset({"number", "name", "parent"}),
}
EVENT = re.compile(r"[A-Z0-9]{3}\^[A-Z0-9]{3}")


Document = dict[str, Any]
T = TypeVar("T", bound=StrEnum)


def shipped() -> list[str]:
    """Names of the profiles that come with the product."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read(path: Path) -> Profile:
    """Read and check one profile file."""
    return _Reader(path.name, _document(path)).profile()


def _document(path: Path) -> Document:
    try:
        document = sitefile.read(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"link profile {path.name} cannot be read: {error}") from None
    base = document.get("extends")
    if base is None:
        return document
    if not isinstance(base, str) or not (SHIPPED / f"{base}.toml").is_file():
        raise Invalid(f"link profile {path.name}: extends names no shipped profile; use one of {', '.join(shipped())}")
    below = {key: value for key, value in _document(SHIPPED / f"{base}.toml").items() if key != "match"}
    merged = below | document
    for key in ("sex", "visit_class", "vip", "patient_type", "abnormal", "appointment", "transaction", "events", "answers", "master"):
        if isinstance(below.get(key), dict) and isinstance(document.get(key), dict):
            merged[key] = below[key] | document[key]
    if isinstance(document.get("number"), list):
        merged["number"] = document["number"] + below.get("number", [])
    return merged


class _Reader:
    """Turns one file into a profile, naming file, key and remedy of whatever is wrong."""

    def __init__(self, file: str, document: Document) -> None:
        self.file = file
        self.document = document

    def wrong(self, key: str, said: str) -> Invalid:
        return Invalid(f"link profile {self.file}: {key} {said}", path=key)

    def profile(self) -> Profile:
        unknown = sorted(set(self.document) - KEYS)
        if unknown:
            raise self.wrong(unknown[0], f"is not a setting; known are {', '.join(sorted(KEYS))}")
        texts = {key: self.text(key) for key in _TEXT_KEYS & set(self.document)}
        for key in ("profile", "title", "hospital"):
            if not texts.get(key):
                raise self.wrong(key, "is missing")
        for key in ("charset", "charset_unlabelled"):
            if texts.get(key) and codec_of(texts[key]) is None:
                raise self.wrong(key, "is no known character set; use UTF-8, GB18030, GBK, GB2312, BIG-5 or 8859/1")
        for key in ("untyped", "unlisted", "pid_2", "pid_19"):
            if key in texts:
                self.among(key, texts[key], NUMBER_MEANINGS)
        version = self.document.get("version")
        if type(version) is not int or version < 1:
            raise self.wrong("version", "must be a whole number from 1; raise it with every change")
        name = texts.pop("profile")
        return Profile(
            name=name,
            version=version,
            **texts,
            match=self.match(),
            ack=self.choice("ack", AckMode, AckMode.ORIGINAL),
            ack_unasked=self.choice("ack_unasked", AckMode, AckMode.ORIGINAL),
            unknown_person=self.choice("unknown_person", Unknown, Unknown.REVIEW),
            unknown_event=self.choice("unknown_event", UnknownEvent, UnknownEvent.ACCEPT),
            numbers=tuple(self.number(index, entry) for index, entry in enumerate(self.entries("number"), start=1)),
            sex=self.table("sex", SEXES),
            visit_class=self.table("visit_class", CLASSES),
            vip=self.table("vip", REASONS),
            patient_type=self.table("patient_type", REASONS),
            abnormal=self.table("abnormal", FLAGS, fold=str.upper),
            appointment=self.table("appointment", BOOKINGS, fold=str.upper),
            transaction=self.table("transaction", TRANSACTIONS, fold=str.upper),
            silence_minutes=read_silence(self.document.get("silence_minutes"), self.wrong),
            unended_hours=read_unended(self.document.get("unended_hours", {}), CLASSES, texts["hospital"], self.wrong),
            folder=read_folder(self.document.get("receive", {}), self.wrong),
            send=read_destination(self.document.get("send"), name, texts.get("hospital", ""), self.wrong, texts.get("charset", "")),
            events=self.event_table("events"),
            answers=self.event_table("answers"),
            master=self.master(),
            infusion_routes=frozenset(word.casefold() for word in self.words("infusion_routes", self.document.get("infusion_routes", []))),
            no_allergy=frozenset(word.casefold() for word in self.words("no_allergy", self.document.get("no_allergy", []))),
            control_id=self.among("control_id", self.document.get("control_id", "required"), ("required", "optional")),
            missing_segment=self.among("missing_segment", self.document.get("missing_segment", "refuse"), ("refuse", "review")),
            decimal_mark=self.among("decimal_mark", self.document.get("decimal_mark", "point"), ("point", "comma")),
            time_zone=read_time_zone(self.document.get("time_zone", ""), self.wrong),
            offsets=self.among("offsets", self.document.get("offsets", "believe"), ("believe", "ignore")),
            nothing=frozenset(self.words("nothing", self.document.get("nothing", []))),
        )

    def text(self, key: str) -> str:
        value = self.document[key]
        if not isinstance(value, str):
            raise self.wrong(key, "must be a text in quotes")
        return value

    def among(self, key: str, value: object, allowed: Iterable[str]) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise self.wrong(key, f"is one of {', '.join(sorted(filter(None, allowed)))}")
        return value

    def choice(self, key: str, kind: type[T], otherwise: T) -> T:
        return kind(self.among(key, self.document[key], [each.value for each in kind])) if key in self.document else otherwise

    def words(self, key: str, value: object) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.wrong(key, 'must be a list of texts, for example ["a", "b"]')
        return value

    def table(self, key: str, allowed: Iterable[str], fold: Callable[[str], str] = str.casefold) -> Mapping[str, str]:
        value = self.document.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table of sender's word = our code")
        return {fold(word): self.among(f"{key}.{word}", code, allowed) for word, code in value.items()}

    def event_table(self, key: str) -> Mapping[str, str]:
        value = self.document.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, 'must be a table of events, for example "ADT^ZP1" = "ADT^A28"')
        for theirs, ours in value.items():
            if not isinstance(ours, str) or not EVENT.fullmatch(theirs) or not EVENT.fullmatch(ours):
                raise self.wrong(f"{key}.{theirs}", 'names events as CODE^TRIGGER, for example "ADT^ZP1" = "ADT^A28"')
        return value

    def master(self) -> Mapping[str, Mapping[str, str | int]]:
        value = self.document.get("master", {})
        if not isinstance(value, dict) or set(value) - set(LAYOUTS):
            raise self.wrong("master", "has the tables [master.staff] and [master.department]")
        for what, layout in value.items():
            known = LAYOUTS[what]
            if not isinstance(layout, dict) or not isinstance(layout.get("segment"), str) or set(layout) - known - {"segment"}:
                raise self.wrong(f"master.{what}", f"needs segment, and positions for {', '.join(sorted(known))}")
            for key in set(layout) - {"segment"}:
                if type(layout[key]) is not int or not 0 < layout[key] < 1000:
                    raise self.wrong(f"master.{what}.{key}", "must be the position of a field, from 1")
        return value

    def entries(self, key: str) -> list[Document]:
        value = self.document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.wrong(key, f"must be written as [[{key}]] entries")
        return value

    def number(self, index: int, entry: Document) -> NumberRule:
        where = f"number {index}"
        strange = sorted(set(entry) - {"means", "kind", "authority", "identity"})
        if strange:
            raise self.wrong(where, f"has an unknown setting {strange[0]}; known are means, kind, authority, identity")
        if not (entry.get("kind") or entry.get("authority")):
            raise self.wrong(where, "needs kind (CX.5) or authority (CX.4)")
        self.among(f"{where}.means", entry.get("means"), NUMBER_MEANINGS)
        if not all(isinstance(entry.get(key, ""), str) for key in ("kind", "authority")) or type(entry.get("identity", True)) is not bool:
            raise self.wrong(where, "has kind and authority as texts in quotes, identity as true or false")
        return NumberRule(**entry)

    def match(self) -> Match:
        value = self.document.get("match", {})
        if not isinstance(value, dict):
            raise self.wrong("match", "must be a table [match]")
        lists = {key: tuple(self.words(f"match.{key}", value[key])) for key in ("listen", "peers") if key in value}
        texts = {key: item for key, item in value.items() if key not in lists}
        known = {"sending_application", "sending_facility", "receiving_application", "receiving_facility"}
        for key, item in texts.items():
            if key not in known:
                raise self.wrong(f"match.{key}", f"is not a setting; known are {', '.join(sorted(known))}, listen, peers")
            if not isinstance(item, str):
                raise self.wrong(f"match.{key}", "must be a text in quotes")
        return Match(**texts, listen=lists.get("listen", ()), peers=lists.get("peers", ()))
