"""QBP^Q22 in, RSP^K22 out (Q23: K23): the hospital window asks who somebody is and whether the green channel 绿色通道 is open to them.

The question carries numbers (citizen id, hospital number) and perhaps a name, as QPD-3 pairs ``@PID.3.1^value`` (HL7 v2.5 5.5.4, IHE
PDQ) or, from simpler windows, as a plain CX. The answer repeats QPD, says OK, NF or AE in QAK, and gives PID and ZGC for everyone found.

ZGC, our own segment: 1 set id; 2, 3, 4 priority consultation, settlement, dispensing (Y/N); 5 valid from; 6 valid to; 7 reasons as
code^words^system, strongest first; 8 the person's cadre category; 9 standing (entitled, not-entitled, expired,
withdrawn, deceased). A window that does not know ZGC may ignore it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.systems import CITIZEN_ID
from integrations.hl7v2.compose import STANDARD
from integrations.hl7v2.delimiters import Delimiters
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.escapes import escape
from integrations.hl7v2.header import Header
from integrations.hl7v2.person import Number, numbers_in
from integrations.hl7v2.values import Moment, clean, day_of, has_han
from integrations.hospitals.profile import Profile

QUERY_EVENTS = frozenset({"Q21", "Q22", "Q23"})
RESPONSE = {"Q21": "K21", "Q22": "K22", "Q23": "K23"}
STRUCTURE = {"Q21": "RSP_K21", "Q22": "RSP_K21", "Q23": "RSP_K23"}
RIGHTS = ("consultation", "settlement", "dispensing")


@dataclass(frozen=True, slots=True)
class Query:
    """What a window wants to know."""

    tag: str
    """QPD-2, repeated in the answer, raw."""
    name: str
    """QPD-1, raw."""
    qpd: str
    """The whole QPD segment, raw, to be repeated."""
    numbers: tuple[Number, ...] = ()
    any_value: str = ""
    """A number without a word on its kind: to be looked for among all of this hospital's numbers and citizen ids."""
    full_name: str = ""
    birth: Moment | None = None
    limit: int = 10
    """RCP-2 quantity; how many persons at most."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The green channel of one person as the answer gives it."""

    rights: frozenset[str]
    valid_from: date | None = None
    valid_to: date | None = None
    reasons: tuple[tuple[str, str], ...] = ()
    """Code and Chinese words, strongest first."""
    category: str = ""
    standing: str = ""
    """entitled, not-entitled, expired, not-yet, withdrawn or deceased."""


@dataclass(frozen=True, slots=True)
class Found:
    """One person who fits the question."""

    numbers: tuple[tuple[str, str], ...]
    """(value, word for CX.5) in the words of the hospital that asks."""
    name: str
    birth: date | None
    sex: str
    phone: str
    address: str
    note: str = ""
    """Where the person stands, in words for MSA-3."""
    channel: Channel = field(default_factory=lambda: Channel(frozenset()))


def read_query(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Query:
    """Read QBP^Q22 (or Q21).

    Raises:
        Invalid: there is no QPD, or it asks by nothing that we can look up.
    """
    if "QPD" not in message:
        raise Invalid("a query needs a QPD segment", path="QPD", reason="no-query")
    qpd = message["QPD"]
    pairs: dict[str, list[str]] = {}
    plain = []
    for repetition in qpd[3].repetitions:
        key = repetition.component(1).text.strip()
        if key.startswith("@"):
            pairs.setdefault(key.lstrip("@").upper(), []).append(clean(repetition.component(2).text, profile.nothing))
        else:
            plain.append(repetition)
    numbers = list(_numbers(pairs, header, profile))
    if plain:
        numbers += numbers_in(qpd[3], "QPD-3", header, profile)
    if not numbers:
        numbers += numbers_in(qpd[4], "QPD-4", header, profile)
    bare = next((v for v in pairs.get("PID.3.1", pairs.get("PID.3", [])) if v), "") if not numbers else ""
    full_name = "".join(next(iter(pairs.get(key, [])), "") for key in ("PID.5.1", "PID.5.1.1", "PID.5.2", "PID.5"))
    if not numbers and plain and not bare:
        bare = clean(plain[0].component(1).text, profile.nothing)
    birth = day_of(next(iter(pairs.get("PID.7", pairs.get("PID.7.1", []))), ""))
    if not numbers and not bare and not (full_name and birth):
        raise Invalid(
            "the query names no number (@PID.3.1) and not both name (@PID.5.1) and birth date (@PID.7); ask by one of them",
            path="QPD-3",
            reason="query-empty",
        )
    quantity = message["RCP"][2].component(1).text.strip()
    return Query(
        tag=qpd[2].raw,
        name=qpd[1].raw,
        qpd=qpd.raw.strip(),
        numbers=tuple(numbers),
        any_value=bare,
        full_name=full_name if has_han(full_name) else full_name.strip(),
        birth=birth,
        limit=max(1, min(int(quantity), 50)) if quantity.isdigit() else 10,
    )


def _numbers(pairs: dict[str, list[str]], header: Header, profile: Profile) -> list[Number]:
    found = []
    hospital = profile.hospital_of(header)
    values = [value for value in pairs.get("PID.3.1", pairs.get("PID.3", [])) if value]
    kinds = pairs.get("PID.3.5", [])
    authorities = pairs.get("PID.3.4", []) + pairs.get("PID.3.4.1", []) + pairs.get("PID.3.4.2", [])
    for index, value in enumerate(values):
        kind = kinds[index] if index < len(kinds) else ""
        authority = (authorities[index],) if index < len(authorities) and authorities[index] else ()
        if not kind and not authority:
            continue
        rule = profile.number(kind, authority)
        system = profile.system(rule.means, hospital, kind or next(iter(authority), ""))
        if system:
            found.append(Number(system, value.upper() if system == CITIZEN_ID else value, place="QPD-3"))
    found += [Number(CITIZEN_ID, value.upper(), place="QPD-3") for value in pairs.get("PID.19", []) if value]
    return found


def response_body(query: Query, found: Sequence[Found], header: Header, *, failed: bool = False) -> tuple[str, ...]:
    """QAK, QPD and one PID and ZGC for every person; ``failed`` says AE where the question could not be dealt with."""
    cut = header.cut
    state = "AE" if failed else "OK" if found else "NF"
    lines = [cut.field.join(("QAK", query.tag, state, query.name, *([str(len(found))] * 2), "0")), query.qpd]
    for index, person in enumerate(found, start=1):
        lines += _pid(index, person, cut), zgc(index, person.channel, cut=cut)
    return tuple(lines)


def _pid(index: int, person: Found, cut: Delimiters) -> str:
    c, repeat = cut.component, cut.repetition
    numbers = repeat.join(escape(value, cut) + c * 4 + escape(word, cut) for value, word in person.numbers)
    birth = person.birth.strftime("%Y%m%d") if person.birth else ""
    sex = {"male": "M", "female": "F", "other": "O"}.get(person.sex, "U")
    fields = ["PID", str(index), "", numbers, "", escape(person.name, cut), "", birth, sex, "", "", escape(person.address, cut)]
    return cut.field.join([*fields, "", escape(person.phone, cut)]).rstrip(cut.field)


def zgc(index: int, channel: Channel, name: str = "ZGC", cut: Delimiters = STANDARD) -> str:
    """The green channel as a segment of its own."""
    rights = ["Y" if right in channel.rights else "N" for right in RIGHTS]
    days = [day.strftime("%Y%m%d") if day else "" for day in (channel.valid_from, channel.valid_to)]
    reasons = cut.repetition.join(cut.component.join((code, escape(words, cut), "green-channel-reason")) for code, words in channel.reasons)
    return cut.field.join([name, str(index), *rights, *days, reasons, channel.category, channel.standing]).rstrip(cut.field)
