"""The hospital window 窗口 asks over HL7 (QBP^Q22) who somebody is and whether the green channel is open; answered at once and audited."""

from collections.abc import Iterable
from datetime import date

from healthsvc import clock
from healthsvc.errors import Conflict, Invalid, Refusal
from healthsvc.fhir.elements import codes, extensions
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER
from healthsvc.greenchannel.disclosure import Asks, may_be_told
from healthsvc.greenchannel.resources import flag_id
from healthsvc.greenchannel.rules import REASON_NAMES, STANDING_NAMES, Answer
from healthsvc.greenchannel.service import CODE_MARK, answer_for, by_code, channel_of
from healthsvc.healthfile import citizen_id
from healthsvc.healthfile.resources import CADRE_CATEGORY, to_person
from healthsvc.healthfile.rules import Identifier
from healthsvc.healthfile.service import follow, identify, today
from healthsvc.store import Actor, Database, Store
from integrations.arrival import Question
from integrations.hl7v2.ack import AckCode, Problem, answer, encode_answer
from integrations.hl7v2.qbp import RESPONSE, STRUCTURE, Channel, Found, Query, read_query, response_body
from integrations.hospitals.profile import Profile

PURPOSE = "hospital-window"


def ask(database: Database, question: Question) -> bytes:
    """Answer a window's query: RSP^K22 with everyone found, or with AE in MSA and QAK and the reason."""
    read, at = question.read, clock.now(clock.zone(database.zone))
    header, profile = read.header, read.profile
    kind = header.cut.component.join(part for part in ("RSP", RESPONSE.get(header.trigger, "K22"), STRUCTURE.get(header.trigger)) if part)
    actor = Actor(f"link/{profile.name}", profile.title, frozenset({"hospital"}), "hl7")
    problem, code, found, query = None, AckCode.AA, [], None
    try:
        query = read_query(read.message, header, profile, profile.zone_of(header, clock.zone(database.zone)))
        with database.reading(actor, at=at) as store:
            found = _look_up(store, query, profile, profile.hospital_of(header))
    except Refusal as refusal:
        code, problem = AckCode.AE, Problem(refusal.text, refusal.issues[0].path or "QPD-3", "207")
    empty = Query(tag=read.message["QPD"][2].raw, name=read.message["QPD"][1].raw, qpd=read.message["QPD"].raw.strip())
    body = response_body(query or empty, found, header, failed=problem is not None)
    note = found[0].note if len(found) == 1 else ""
    text = answer(header, code, at=at, number=question.number, problem=problem, kind=kind, body=body, note=note)
    return encode_answer(text, read.decoded.codec)


def _look_up(store: Store, query: Query, profile: Profile, hospital: str) -> list[Found]:
    """Find who is meant. Every person found, and the fact that nobody was, is noted in the audit."""
    day = today(store)
    files = _files(store, query, profile, hospital, day)[: query.limit]
    if not files:
        store.audit("green-channel", None, outcome="unknown-person", purpose=PURPOSE)
    asks = profile.send.is_meant if profile.send else f"Organization/{hospital}".__eq__
    return [_found(store, file, profile, hospital, day) for file in files if _may_know(store, file, query, asks)]


def _may_know(store: Store, file: Resource, query: Query, asks: Asks) -> bool:
    """Whether the person lets this hospital be told; a code that they show at its window is their own word."""
    if query.any_value.upper().startswith(CODE_MARK) or may_be_told(store, file["id"], asks):
        return True
    store.audit("withhold", f"Flag/{flag_id(file['id'])}", patient=file["id"], outcome="consent-denied", purpose=PURPOSE)
    return False


def _files(store: Store, query: Query, profile: Profile, hospital: str, day: date) -> list[Resource]:
    if query.numbers:
        numbers = [(n.system, _readable(n.value, day) if n.is_citizen_id else n.value) for n in query.numbers]
        file = identify(store, [(system, value) for system, value in numbers if value])
        return [file] if file else []
    if query.any_value.upper().startswith(CODE_MARK):
        told = by_code(store, query.any_value, day)
        return [store.read("Patient", told.patient)] if told.entitled and told.patient else []
    if query.any_value:
        return _by_bare_number(store, query.any_value, profile, hospital, day)
    if query.full_name and query.birth:
        found = store.select("Patient", name=query.full_name, birthdate=query.birth.day, active="true")
        return [one for one in found if to_person(one).name == query.full_name]
    return []


def _by_bare_number(store: Store, value: str, profile: Profile, hospital: str, day: date) -> list[Resource]:
    """A number without a word on its kind: a citizen id if it is one, else any of this hospital's numbers."""
    read = _readable(value, day)
    series = [profile.system(means, hospital) for means in ("card", "inpatient", "outpatient", "index", "local")]
    systems = [(CITIZEN_ID, read)] if read else [(system, value) for system in (*series, HEALTH_FILE_NUMBER) if system]
    try:
        file = identify(store, systems)
    except Conflict:
        raise Conflict("the number stands for several people; say of which kind it is (@PID.3.5)", path="QPD-3") from None
    return [file] if file else []


def _readable(value: str, day: date) -> str:
    try:
        return citizen_id.read(value, day).number
    except Invalid:
        return ""


def _found(store: Store, file: Resource, profile: Profile, hospital: str, day: date) -> Found:
    told = answer_for(store, file["id"], day)
    store.audit("green-channel", f"Flag/{flag_id(file['id'])}", patient=file["id"], outcome=told.standing.value, purpose=PURPOSE)
    return describe(store, follow(store, file["id"]), profile, hospital, told)


def describe(store: Store, file: Resource, profile: Profile, hospital: str, told: Answer) -> Found:
    """A person as one hospital may know him or her: particulars, the numbers in its own words, the green channel."""
    person = to_person(file)
    return Found(
        numbers=tuple(words_of(person.identifiers, profile, hospital)),
        name=person.name,
        birth=person.birth,
        sex=person.sex,
        phone=person.phones[0] if person.phones else "",
        address=person.address,
        channel=_channel(store, file, told),
        note=STANDING_NAMES[told.standing][1],
    )


def words_of(identifiers: Iterable[Identifier], profile: Profile, hospital: str) -> list[tuple[str, str]]:
    """The person's numbers in the words of the hospital that asks; other hospitals' numbers are none of its business."""
    words: dict[str, str] = {}
    for rule in profile.numbers:
        system = profile.system(rule.means, hospital, rule.kind)
        if system and rule.kind:
            words.setdefault(system, rule.kind)
    return [(one.value, words[one.system]) for one in identifiers if one.system in words]


def _channel(store: Store, file: Resource, told: Answer) -> Channel:
    channel = channel_of(store, file["id"])
    category = next(
        (code for one in extensions(file, "cadre-category") for code in codes(one.get("valueCodeableConcept"), CADRE_CATEGORY)), ""
    )
    reasons = channel.decision.reasons if channel else ()
    return Channel(
        rights=frozenset(right.value for right in told.rights),
        valid_from=channel.decision.valid_from if channel else None,
        valid_to=told.valid_to or (channel.decision.valid_to if channel else None),
        reasons=tuple((reason.value, REASON_NAMES[reason][0]) for reason in reasons),
        category=category,
        standing=told.standing.value,
    )
