"""ADT: who comes, moves, goes, or turns out to be somebody else. Text to values."""

from dataclasses import dataclass, field, replace
from datetime import tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource, dumps, reread
from integrations.hl7v2.again import Again
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.header import Header, read_header
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.maps.take import whole
from integrations.hl7v2.maps.visit import DG1_MORE, EXPECTED_DISCHARGE, EXPECTED_URL, PV1_MORE, PV2_MORE, taking_part
from integrations.hl7v2.participation import in_visit
from integrations.hl7v2.person import Demographics, Number, demographics, numbers_in, person_of
from integrations.hl7v2.values import NOTHING_CODED, Coded, Moment, clean, coded, member_of_staff, moment, number_of
from integrations.hospitals.profile import Profile

VISIT_EVENTS = {
    "A01": "admit",
    "A02": "transfer",
    "A03": "discharge",
    "A04": "register",
    "A05": "pre-admit",
    "A06": "outpatient to inpatient",
    "A07": "inpatient to outpatient",
    "A08": "update",
    "A09": "departing",
    "A10": "arriving",
    "A11": "cancel admit",
    **{"A12": "cancel transfer", "A13": "cancel discharge"},
    "A14": "pending admit",
    "A15": "pending transfer",
    "A16": "pending discharge",
    "A17": "swap patients",
    "A21": "leave of absence",
    "A22": "return from leave",
    "A25": "cancel pending discharge",
    "A26": "cancel pending transfer",
    "A27": "cancel pending admit",
    **{"A32": "cancel arriving", "A33": "cancel departing"},
    "A38": "cancel pre-admit",
    **{"A52": "cancel leave of absence", "A53": "cancel return from leave"},
    "A54": "change attending doctor",
    "A55": "cancel change of attending doctor",
    **{"A61": "change consulting doctor", "A62": "cancel change of consulting doctor"},
}
CODING_EVENTS = frozenset({"P12"})
"""Events of BAR that say the diagnoses and procedures of a visit anew (HL7 v2.5 6.4.7)."""
PERSON_EVENTS = {"A28": "add person", "A31": "update person", "A60": "update allergies"}
MERGE_EVENTS = {
    **dict.fromkeys(("A18", "A30", "A34", "A36", "A39", "A40"), "merge"),
    **dict.fromkeys(("A46", "A47"), "change number"),
    **dict.fromkeys(("A35", "A41"), "join accounts"),
    "A42": "join visits",
    "A43": "move to another person",
    "A44": "move account",
    "A45": "move visit",
    "A49": "change account number",
    "A50": "change visit number",
    "A51": "change alternate visit number",
}
RENAME_EVENTS = frozenset({"A46", "A47"})
"""Of the merges, those that give one person another number and join no files."""
_PENDING = frozenset({"A16", "A25"})
"""Events before which nobody has left: what PV1-45 says is only expected."""
_CLASS_BY_EVENT = {"A01": "IMP", "A06": "IMP", "A07": "AMB"}
"""What an event says of the class where PV1-2 does not: somebody is admitted, becomes an inpatient, becomes an outpatient."""
JOIN_EVENTS = frozenset({"A35", "A41", "A42"})
"""Of these, those by which two visits or two accounts of one person become one."""
MOVE_EVENTS = JOIN_EVENTS | {"A44", "A45", "A49", "A50", "A51"}
"""Of these, those that join or move a visit or an account, or give it another number, and leave the persons as they are."""


@dataclass(frozen=True, slots=True)
class Stay:
    """The visit of a message (PV1): a stay on a ward, an outpatient visit, an emergency."""

    number: str = ""
    """PV1-19, else PV1-50, else the account (PID-18); empty where the sender gives none."""
    code: str = "IMP"
    """ActCode of the class: IMP, AMB, EMER, OBSENC, PRENC, HH."""
    class_told: bool = True
    """Whether PV1-2 by a word that the link knows, or the event itself, says of what class it is; else ``code`` is only assumed."""
    class_sent: str = ""
    """PV1-2 in words, else its code."""
    department: Coded = NOTHING_CODED
    """PV1-3.1 with the words of PV1-3.5 or .9, as sites fill them."""
    bed: str = ""
    facility: str = ""
    attending: Coded = NOTHING_CODED
    vip: str = ""
    """PV1-16 as sent: no standard codes."""
    patient_type: str = ""
    """PV1-18 as sent: no standard codes."""
    admitted: Moment | None = None
    discharged: Moment | None = None
    reason: str = ""
    """PV2-3 as words."""
    more: Resource = field(default_factory=dict)
    """What else PV1 and PV2 say, as pieces of an Encounter."""
    erased: frozenset[str] = frozenset()
    """HL7 positions of PV1 and PV2 that carried the null ``""``: what stood there is to go."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One DG1."""

    code: Coded
    kind: Coded = NOTHING_CODED
    """DG1-6."""
    rank: int | None = None
    """DG1-15, 1 for the main one."""
    deleted: bool = False
    """DG1-21 is D."""
    more: Resource = field(default_factory=dict)
    """What else DG1 says, as pieces of a Condition."""


@dataclass(frozen=True, slots=True)
class Merge:
    """One person of an A40: who stays, and the numbers under which they were also known."""

    survivor: Demographics
    prior: tuple[Number, ...]
    account: str = ""
    """MRG-3, where an account is joined, moved or renamed."""
    visit: str = ""
    """MRG-5, where a visit is joined, moved or gets another number; for A51 MRG-6."""
    new_account: str = ""
    """PID-18: the account as it is known from now on."""
    new_visit: str = ""
    """PV1-19, else PV1-50, else PID-18, of the PV1 behind the MRG: the visit as it is known from now on; empty where there is none."""


@dataclass(frozen=True, slots=True)
class AdtEvent:
    """One ADT message."""

    event: str
    """MSH-9.2, for example ``A01``."""
    person: Demographics
    happened: Moment | None
    """When it happened: EVN-6, else EVN-2, else MSH-7."""
    recorded: Moment | None
    """When the sender recorded it: EVN-2, else MSH-7; by this its events are put in order."""
    stay: Stay | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    merges: tuple[Merge, ...] = ()


def read_adt(message: Message, header: Header, profile: Profile, zone: tzinfo) -> AdtEvent:
    """Read an ADT message.

    Raises:
        Invalid: it has no PID, or a merge has no MRG with a number; the path is the HL7 position.
    """
    if "PID" not in message:
        raise Invalid("the message has no PID segment, so it is about nobody", path="PID", reason="no-person")
    evn = message["EVN"]
    view = View(profile.hospital_of(header), zone, profile.nothing)
    occurred, noted, sent = (moment(part.component(1).text, zone) for part in (evn[6], evn[2], message["MSH"][7]))
    return AdtEvent(
        event=header.trigger or clean(evn[1].text),
        person=demographics(message, header, profile, zone),
        happened=occurred or noted or sent,
        recorded=noted or sent,
        stay=stay_of(message, profile, zone) if "PV1" in message else None,
        diagnoses=tuple(diagnosis_of(segment, profile, view) for segment in message.all("DG1") if segment[3] or segment[4]),
        merges=_merges(message, header, profile, zone) if header.trigger in MERGE_EVENTS else (),
    )


def stay_of(message: Message, profile: Profile, zone: tzinfo) -> Stay:
    """Read PV1, with PV2-3 as the reason."""
    pv1, pv2, header = message["PV1"], message["PV2"], message["MSH"]
    team = tuple(one.raw for _, one, _ in in_visit(message))
    evn = message["EVN"]
    also = (message.cut, message["PID"][18].raw, header[4].raw, header[9].raw, evn[1].raw, evn[3].raw, zone, team)
    stay, more = _STAYS.read(profile, (pv1.raw, pv2.raw), also, lambda: _read_stay(message, profile, zone))
    return replace(stay, more=reread(more))  # pieces of an Encounter are changed by whoever gets them


ERASABLE = {
    "PV1": tuple(sorted({3, 4, 7, 16, 44, 45, *(row.field for row in PV1_MORE)})),
    "PV2": tuple(sorted({3, *(row.field for row in PV2_MORE)})),
}
"""Fields whose null deletes something of the Encounter; a visit's class (PV1-2) and number (PV1-19) are never deleted by a feed."""
_STAYS: Again[tuple[Stay, bytes]] = Again()


def _read_stay(message: Message, profile: Profile, zone: tzinfo) -> tuple[Stay, bytes]:
    pv1, nothing = message["PV1"], profile.nothing
    sent, said = (clean(pv1[2].component(n).text, nothing) for n in (1, 2))
    event = read_header(message).event
    trigger = profile.events.get(event, event).partition("^")[2]
    known = profile.visit_class.get(sent.casefold()) or profile.visit_class.get(said.casefold()) or _CLASS_BY_EVENT.get(trigger)
    place = pv1[3]
    words = next((text for n in (9, 5, 1) if (text := clean(place.component(n).text, nothing))), "")
    unit = clean(place.component(1).subcomponent(1).text, nothing)
    attending = name_and_number(pv1, 7)
    if not attending:
        attending = next((name_and_number(segment, n) for part, segment, n in in_visit(message) if part == "ATND"), attending)
    number = next(
        (text for part in (pv1[19], pv1[50], message["PID"][18]) if (text := number_of(part.component(1).text, nothing))),
        "",
    )
    erased = {f"{name}-{n}" for name, fields in ERASABLE.items() for n in fields if message[name][n].is_null}
    stay = Stay(
        number=number,
        code=known or ("AMB" if trigger == "A04" else "IMP"),
        class_told=known is not None,
        class_sent=said or sent,
        department=Coded(unit, words if words != unit else ""),
        bed=clean(place.component(3).text, nothing),
        facility=clean(place.component(4).subcomponent(1).text, nothing),
        attending=attending,
        vip=clean(pv1[16].component(1).text, nothing),
        patient_type=clean(pv1[18].component(1).text, nothing),
        admitted=moment(pv1[44].component(1).text, zone),
        discharged=None if trigger in _PENDING else moment(pv1[45].component(1).text, zone),
        reason=coded(message["PV2"][3], nothing).text or coded(message["PV2"][3], nothing).code,
        erased=frozenset(erased | ({"PV2-9"} if trigger == "A25" else set())),
    )
    return stay, dumps(_more(message, profile, zone, pv1, trigger))


def _more(message: Message, profile: Profile, zone: tzinfo, pv1: Segment, trigger: str) -> Resource:
    found: Resource = {}
    view = View(profile.hospital if profile.hospital != "MSH-4" else profile.hospital_of(read_header(message)), zone, profile.nothing)
    for name, rows in (("PV1", PV1_MORE), ("PV2", PV2_MORE)):
        segment = message.get(name)
        if segment is not None:
            pour(found, segment, rows if trigger != "A25" else [row for row in rows if row.take is not EXPECTED_DISCHARGE], view)
    if trigger == "A16":
        _expect(found, message, pv1, view)
    team = found.get("participant", [])
    told = {code for one in team for typed in one["type"] for coding in typed["coding"] for code in [coding["code"]]}
    for part, segment, n in in_visit(message):
        if part != "ATND" and part not in told:
            team += [one for one in taking_part(part)(segment, n, view) if one not in team]
    return found | ({"participant": team} if team else {})


def _expect(found: Resource, message: Message, pv1: Segment, view: View) -> None:
    """When a pending discharge (A16) is expected, where PV2-9 does not say it: EVN-3, and of senders before 2.3 PV1-45."""
    said = found.get("extension", [])
    if any(one["url"] == EXPECTED_URL for one in said):
        return
    if (one := EXPECTED_DISCHARGE(message["EVN"], 3, view) or EXPECTED_DISCHARGE(pv1, 45, view)) is not None:
        found["extension"] = [*said, one]


def name_and_number(segment: Segment, position: int) -> Coded:
    """A person of the staff (XCN): number and name."""
    first = segment[position]
    number = clean(first.component(1).text)
    words = " ".join(text for n in (2, 3) if (text := clean(first.component(n).text)))
    return Coded(*member_of_staff(number, words.replace(" ", "") if any(ord(c) > 0x3000 for c in words) else words))


def diagnosis_of(segment: Segment, profile: Profile, view: View) -> Diagnosis:
    """Read one DG1."""
    code = coded(segment[3], profile.nothing)
    words = clean(segment[4].text, profile.nothing)
    return Diagnosis(
        replace(code, text=code.text or words, system=code.system or clean(segment[2].text)),
        coded(segment[6], profile.nothing),
        whole(segment, 15, view),
        clean(segment[21].text).upper() == "D",
        pour({}, segment, DG1_MORE, view),
    )


def _merges(message: Message, header: Header, profile: Profile, zone: tzinfo) -> tuple[Merge, ...]:
    """Every PID with each MRG that follows it: one message may merge several persons (HL7 v2.5 3.3.40), or move several visits of one
    (3.3.45); the PV1 behind an MRG belongs to it."""
    found: list[Merge] = []
    pid: Segment | None = None
    for segment in message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG" and pid is not None:
            prior = list(numbers_in(segment[1], "MRG-1", header, profile)) + list(numbers_in(segment[4], "MRG-4", header, profile))
            visit = 6 if header.trigger == "A51" else 5
            moved = [clean(segment[n].component(1).text, profile.nothing) for n in (3, visit)]
            if header.trigger in MOVE_EVENTS and not any(moved):
                text = f"MRG-3 and MRG-{visit} are empty, so neither account nor visit can be moved"
                raise Invalid(text, path="MRG-3", reason="no-prior")
            if not prior and header.trigger not in MOVE_EVENTS:
                raise Invalid("MRG-1 names no number that this link knows, so nothing can be merged", path="MRG-1", reason="no-prior")
            now = number_of(pid[18].component(1).text, profile.nothing)
            found.append(Merge(person_of(pid, [], header, profile, zone), tuple(prior), moved[0], moved[1], now))
        elif segment.name == "PV1" and found and not found[-1].new_visit:
            numbers = (number_of(segment[n].component(1).text, profile.nothing) for n in (19, 50))
            found[-1] = replace(found[-1], new_visit=next(filter(None, numbers), "") or found[-1].new_account)
    if not found:
        raise Invalid("a merge needs an MRG segment after its PID", path="MRG", reason="no-merge")
    return tuple(found)
