"""What a hospital tells of a person once more after somebody here has corrected it: its old value is no news, and ours stays.

A hospital's register sends all it has with every message. Without this rule a telephone number that a nurse has put right would be wrong
again with the next registration, and a death that was taken back would be recorded anew.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from healthsvc.fhir.json import Resource
from healthsvc.healthfile import names
from healthsvc.healthfile.resources import is_deceased, to_person
from healthsvc.healthfile.rules import ContactRole, Person
from healthsvc.store import Store
from integrations.effects.corrected import corrected, is_overruled
from integrations.hl7v2.person import Demographics

DEATH: Final = "death"
MARITAL: Final = "maritalStatus"
_ERASES: Final = {"phones": ("PID-13", ()), "address": ("PID-11", ""), MARITAL: ("PID-16", None)}
"""What each is where a hospital has erased it."""
_UNDATED: Final = "undated"
_SHOWN: Final = {"phones": "telecom", "sex": "gender", "birth": "birthDate", "family": "contact", DEATH: "deceased"}


def repeated(
    store: Store, known: Resource, filed_as: Person, told: Demographics, values: Person, marital: Resource | None
) -> frozenset[str]:
    """Which particulars of a file a message would change back to what stood there before somebody here corrected it.

    Args:
        store: an open writing transaction.
        known: the file.
        filed_as: the person whom it describes.
        told: what the message says, with what it erases.
        values: what it would write; empty values say nothing.
        marital: its marital status where it would be written.
    """
    here = _told(filed_as, known)
    news: dict[str, Any] = {
        "name": names.normal(values.name),
        "sex": "" if values.sex == "unknown" else values.sex,
        "birth": values.birth,
        "phones": values.phones,
        "address": values.address,
        "family": _family(values),
        MARITAL: marital,
        DEATH: _death(told, known=is_deceased(known)),
    }
    asked = {name: value for name, value in news.items() if value and value != here[name]}
    gone = {name: nothing for name, (place, nothing) in _ERASES.items() if place in told.erased and not news[name] and here[name]}
    stored = store.get("Patient", known["id"]) if asked or gone else None
    if stored is None or is_overruled(store):
        return frozenset()
    ours = corrected(store, stored, 0, _said)
    again = {name for name, value in (asked | gone).items() if name in ours and value in ours[name].before}
    if asked.get(DEATH) == _UNDATED and any(ours[DEATH].before if DEATH in ours else ()):
        again.add(DEATH)
    return frozenset(again)


def without(values: Person, known: Person, again: frozenset[str]) -> Person:
    """What is written of a person: of what is told again, what the file has."""
    kept = {name: getattr(known, name) for name in again & {"name", "birth", "phones", "address"}}
    if "sex" in again:
        kept |= {"sex": known.sex, "sex_code": known.sex_code}
    if "family" in again:
        kept["contacts"] = tuple(one for one in values.contacts if one.role is not ContactRole.FAMILY)
    if DEATH in again:
        kept["deceased"] = None
    return replace(values, **kept)


def warning(again: frozenset[str]) -> tuple[str, ...]:
    """What the operator reads: elements, no values."""
    shown = ", ".join(sorted(_SHOWN.get(name, name) for name in again))
    return (f"the sender's old value was told again and ours, corrected here since, was left: {shown}",) if shown else ()


def _said(patient: Resource) -> Mapping[str, Any]:
    return _told(to_person(patient), patient)


def _told(person: Person, patient: Resource) -> Mapping[str, Any]:
    return {
        "name": person.name,
        "sex": person.sex,
        "birth": person.birth,
        "phones": person.phones,
        "address": person.address,
        "family": _family(person),
        MARITAL: patient.get("maritalStatus"),
        DEATH: str(patient.get("deceasedDateTime", ""))[:10] or (_UNDATED if is_deceased(patient) else ""),
    }


def _family(person: Person) -> tuple[Any, ...]:
    return tuple(one for one in person.contacts if one.role is ContactRole.FAMILY)


def _death(told: Demographics, *, known: bool) -> str:
    """The day, or that it has no day; that somebody has died is told once."""
    return told.died.at.date().isoformat() if told.died else _UNDATED if told.dead and not known else ""
