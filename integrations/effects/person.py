"""Which of our people a hospital means, and what its word may change in that person's file."""

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from healthsvc.errors import Invalid, Refusal
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.remembered import Remembered
from healthsvc.fhir.systems import CITIZEN_ID, UNVERIFIED_CITIZEN_ID
from healthsvc.healthfile import citizen_id, names
from healthsvc.healthfile.resources import is_deceased, links, to_person
from healthsvc.healthfile.rules import Contact, ContactRole, Identifier, Person
from healthsvc.healthfile.service import Filed, follow, policy_of, register, today, update_file
from healthsvc.store import Store
from healthsvc.store.lookup import holding
from integrations.effects.corrected import has_kept, is_overruled
from integrations.effects.repeated import DEATH, MARITAL, repeated, warning, without
from integrations.hl7v2.person import Demographics, Number
from integrations.hl7v2.values import has_han
from integrations.hospitals.profile import Profile, Unknown

_NOTHING_NEW: Final[Remembered[tuple[Demographics, Profile, tuple[str, ...]]]] = Remembered(2048)
"""What a file was told and what that came to, where it was nothing new: it depends on the file's content, what was told, and the day alone.
Both are known by being the very same objects (a reading that comes again is one, see ``hl7v2/again.py``), and are held here."""


_VAGUE: Final = frozenset({"year", "month"})
"""Precision of a birth date that is no birthday."""
_DOOR = re.compile(r"\d|街(?!道)|[路巷弄村组队里苑园号幢栋楼室]|Street|Road|Lane|Ave", re.IGNORECASE)


class SetAside(Refusal):
    """A person must look at it: nothing was changed, and the message waits on the review list."""

    status = 409
    issue_code = "conflict"


class NotOurs(Exception):
    """The message is about somebody who is none of ours, and the link forgets such people."""


@dataclass(frozen=True, slots=True)
class Party:
    """The person of a message in our file."""

    id: str
    patient: Resource
    new: bool
    changed: bool
    warnings: tuple[str, ...]


def find(store: Store, numbers: tuple[Number, ...]) -> Resource | None:
    """The file that these numbers name, merged files leading to the surviving one.

    Raises:
        SetAside: the numbers belong to different people.
    """
    held = holding(store, "Patient", ((one.system, one.value) for one in identifiers(store, numbers)))
    found = {one["id"]: one for one in (follow(store, file["id"]) if links(file, "replaced-by") else file for file in held)}
    if len(found) > 1:
        raise SetAside(
            "the numbers belong to different health files; merge the files, or have the hospital mend the numbers",
            path="PID-3",
            reason="numbers-disagree",
        )
    return next(iter(found.values()), None)


def identifiers(store: Store, numbers: tuple[Number, ...]) -> list[Identifier]:
    """The numbers that may identify; a citizen id that cannot be one is looked up among the unverified."""
    return [Identifier(*_verified(store, number)) for number in numbers if number.identity]


def citizen_ids(patient: Resource) -> set[str]:
    """The citizen ids on a file."""
    return {one["value"] for one in patient.get("identifier", []) if one.get("system") == CITIZEN_ID and one.get("value")}


def _verified(store: Store, number: Number) -> tuple[str, str]:
    if number.system != CITIZEN_ID:
        return number.system, number.value
    try:
        return CITIZEN_ID, citizen_id.read(number.value, today(store), policy_of(store).oldest_age).number
    except Invalid:
        return UNVERIFIED_CITIZEN_ID, number.value


def admit_person(store: Store, known: Resource | None, told: Demographics, profile: Profile, *, overwrite: bool) -> Party:
    """Bring what a message says of a person into the file, or deal with an unknown one as the link's profile says.

    Args:
        store: an open writing transaction.
        known: the file that :func:`find` found; None where there is none.
        told: what the message says.
        profile: the link's profile.
        overwrite: the message's purpose is to tell particulars (A08, A28, A31); otherwise it only fills gaps.

    Raises:
        SetAside: somebody must decide. NotOurs: unknown, and the link forgets such people.
    """
    if known is None:
        return _unknown(store, told, profile)
    key = (blake2b(dumps(known), digest_size=16).digest(), id(told), id(profile), overwrite, today(store), policy_of(store).oldest_age)
    before = None if is_overruled(store) else _NOTHING_NEW.get(key)
    if before is not None and before[0] is told and before[1] is profile:
        return Party(known["id"], known, False, False, before[2])
    party = _told(store, known, told, profile, overwrite=overwrite)
    if not party.changed and not has_kept(store):  # what was kept for a message's age is kept from that message alone
        _NOTHING_NEW.put(key, (told, profile, party.warnings))
    return party


def _told(store: Store, known: Resource, told: Demographics, profile: Profile, *, overwrite: bool) -> Party:
    filed_as = to_person(known)
    _check_same(store, filed_as, told)
    values = _news(filed_as, _person(told)) if overwrite else _gaps(filed_as, _person(told))
    marital = _marital_said(told) if overwrite or not known.get(MARITAL) else None
    again = repeated(store, known, filed_as, told if overwrite else replace(told, erased=frozenset()), values, marital)
    filed = update_file(store, known, filed_as, without(values, filed_as, again))
    filed = _erase(store, filed, told, again) if overwrite else filed
    filed = _born(store, filed, told)
    filed = filed if MARITAL in again else _marital(store, filed, told, overwrite=overwrite)
    filed = filed if DEATH in again else _deceased(store, filed, told)
    return Party(filed.patient["id"], filed.patient, False, filed.changed, (*filed.warnings, *warning(again)))


def _unknown(store: Store, told: Demographics, profile: Profile) -> Party:
    if profile.unknown_person is Unknown.FORGET:
        raise NotOurs
    if profile.unknown_person is Unknown.REVIEW:
        raise SetAside("the person is not on file here; register the person and replay the message", path="PID-3", reason="unknown-person")
    if not identifiers(store, told.numbers):
        raise Invalid("the message names no number by which the person could be recognised again", path="PID-3", reason="no-number")
    if told.name is None:
        raise Invalid("the message gives no name for a person who is not on file yet", path="PID-5", reason="no-name")
    besides = {"maritalStatus": said} if (said := _marital_said(told)) else {}
    filed = register(store, _person(told), f"urn:healthsvc:link:{profile.name}", besides=besides)
    filed = _deceased(store, _born(store, _marital(store, filed, told, overwrite=False), told), told)
    return Party(filed.patient["id"], filed.patient, filed.new, True, filed.warnings)


def _check_same(store: Store, known: Person, told: Demographics) -> None:
    """Set the message aside where its particulars speak of another person than the file that its numbers name."""
    ids = {one.value for one in known.identifiers if one.system == CITIZEN_ID}
    stated = {one.value for one in identifiers(store, told.numbers) if one.system == CITIZEN_ID}
    if ids and stated and not ids & stated:
        raise SetAside(
            "the citizen id differs from the one on file under the same hospital number", path="PID-3", reason="citizen-id-differs"
        )
    name = names.normal(told.name.text) if told.name else ""
    birth = told.birth.at.date() if told.birth and told.birth.precision not in _VAGUE else None
    other_name = bool(name) and has_han(name) and has_han(known.name) and name != known.name
    other_birth = birth is not None and known.birth is not None and birth != known.birth
    if told.birth and birth is None and known.birth is not None:
        other_birth = not known.birth.isoformat().startswith(told.birth.fhir)
    if other_name and other_birth and not ids & stated:
        raise SetAside("name and birth date both differ from the file that the number names", path="PID-5", reason="another-person")


def _person(told: Demographics) -> Person:
    name = told.name.text if told.name else ""
    return Person(
        name=name,
        sex=told.sex or "unknown",
        sex_code=told.sex_sent if told.sex_sent in ("0", "1", "2", "9") else "",
        birth=told.birth.at.date() if told.birth and told.birth.precision not in _VAGUE else None,
        identifiers=tuple(Identifier(one.system, one.value) for one in told.numbers if one.identity),
        phones=tuple(phone.value for phone in told.phones),
        address=told.address,
        contacts=tuple(Contact(ContactRole.FAMILY, kin.name, kin.phone, kin.relation) for kin in told.kin[:1]),
        deceased=(told.died.at.date() if told.died else None),
    )


def is_wide(text: str) -> bool:
    """Whether an address ends with a town or a district: no street, no village, no number, and nobody finds the door by it."""
    return _DOOR.search(text) is None


def _news(known: Person, told: Person) -> Person:
    """What the message says, but a Chinese name on file is not replaced by its pinyin, nor an address with its door by a town alone."""
    vague = bool(known.address) and is_wide(told.address) and not is_wide(known.address)
    told = replace(told, address="") if vague else told
    return replace(told, name=known.name) if has_han(known.name) and not has_han(told.name) else told


def _gaps(known: Person, told: Person) -> Person:
    """Only what the file does not have yet; numbers are always added, and a death is always news."""
    family = any(contact.role is ContactRole.FAMILY for contact in known.contacts)
    return Person(
        name=told.name if has_han(told.name) and not has_han(known.name) else known.name,
        sex=told.sex if known.sex == "unknown" else known.sex,
        sex_code=told.sex_code if not known.sex_code and known.sex == "unknown" else known.sex_code,
        birth=known.birth or told.birth,
        identifiers=told.identifiers,
        phones=() if known.phones else told.phones,
        address="" if known.address else told.address,
        contacts=() if family else told.contacts,
        deceased=known.deceased or told.deceased,
    )


def _marital(store: Store, filed: Filed, told: Demographics, *, overwrite: bool) -> Filed:
    """PID-16 as the hospital words it; a file that has a word keeps it unless the message is about the person."""
    known = filed.patient.get("maritalStatus")
    if not told.marital or (known and not overwrite):
        return filed
    said = _marital_said(told)
    if known == said:
        return filed
    return Filed(store.put(filed.patient | {"maritalStatus": said}), filed.warnings, filed.new, changed=True)


def _marital_said(told: Demographics) -> Resource | None:
    if not told.marital:
        return None
    words = told.marital.text or told.marital.code
    coding = [{"system": told.marital_system, "code": told.marital.code}] if told.marital.code else []
    return {**({"coding": coding} if coding else {}), "text": words}


def _born(store: Store, filed: Filed, told: Demographics) -> Filed:
    """A year or a month of birth (PID-7 ``193205``), where the file has nothing as exact."""
    if told.birth is None or told.birth.precision not in _VAGUE or len(filed.patient.get("birthDate", "")) >= len(told.birth.fhir):
        return filed
    return Filed(store.put(filed.patient | {"birthDate": told.birth.fhir}), filed.warnings, filed.new, changed=True)


def _deceased(store: Store, filed: Filed, told: Demographics) -> Filed:
    """A death without a date (PID-30 only), and the hour of one whose day alone is on file."""
    died = told.died
    if died and died.precision in ("minute", "second") and filed.patient.get("deceasedDateTime") == died.day:
        news: Resource = {"deceasedDateTime": died.fhir}
    elif told.dead and not is_deceased(filed.patient):
        news = {"deceasedBoolean": True}
    else:
        return filed
    return Filed(store.put(filed.patient | news), filed.warnings, filed.new, changed=True)


def _erase(store: Store, filed: Filed, told: Demographics, again: frozenset[str]) -> Filed:
    """Take out what the sender erased with the null value; name, sex and birth date are never erased by a feed."""
    patient = dict(filed.patient)
    if "PID-13" in told.erased and not told.phones and "phones" not in again:
        patient["telecom"] = [one for one in patient.get("telecom", []) if one.get("system") != "phone"]
    if "PID-11" in told.erased and patient.get("address") and "address" not in again:
        home, *others = patient["address"]
        kept = {key: value for key, value in home.items() if key != "text"}
        patient["address"] = ([kept] if set(kept) - {"use"} else []) + others
    if "PID-16" in told.erased and MARITAL not in again:
        patient.pop("maritalStatus", None)
    for key in ("telecom", "address"):
        if not patient.get(key):
            patient.pop(key, None)
    if patient == filed.patient:
        return filed
    return Filed(store.put(patient), filed.warnings, changed=True)
