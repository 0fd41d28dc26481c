"""What is told of a person: made clean, compared with what is known, and joined with it."""

from dataclasses import fields, replace
from datetime import date
from typing import Final

from healthsvc.errors import Invalid
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, UNVERIFIED_CITIZEN_ID
from healthsvc.healthfile import citizen_id, names
from healthsvc.healthfile.rules import Contact, ContactRole, Identifier, Person, check_file_number

_JOINED: Final = frozenset({"identifiers", "contacts", "tags", "phones", "background"})
_ONE_OF_A_KIND: Final = frozenset({CITIZEN_ID, HEALTH_FILE_NUMBER})
"""A person has one of these; a new one replaces the old one. Of hospital numbers a person may have several."""


def clean(person: Person, on: date, oldest: int, *, strict: bool) -> tuple[Person, tuple[str, ...]]:
    """Normalise name and numbers, read birth date and sex from the citizen id where they are missing, warn where they disagree.

    Args:
        person: as it was told.
        on: the day.
        oldest: greatest age believed, years.
        strict: refuse a wrong citizen id (a list that can be mended), or keep it as unverified with a warning (a hospital's feed).
    """
    warnings: list[str] = []
    numbers: list[Identifier] = []
    birth, sex = person.birth, person.sex
    if birth is not None and birth > on:
        raise Invalid("the birth date lies in the future", reason="birth-future", path="Patient.birthDate")
    for one in person.identifiers:
        value = one.value.strip()
        if one.system == CITIZEN_ID:
            try:
                read = citizen_id.read(value, on, oldest)
            except Invalid as wrong:
                if strict:
                    raise
                warnings.append(f"{wrong.text}; the number is kept as unverified")
                numbers.append(Identifier(UNVERIFIED_CITIZEN_ID, value))
                continue
            warnings += read.warnings
            if birth is not None and birth != read.birth:
                warnings.append("the birth date differs from the one in the citizen id; both are kept")
            if sex in ("male", "female") and sex != read.sex:
                warnings.append("the sex differs from the one in the citizen id; both are kept")
            birth = birth or read.birth
            sex = read.sex if sex == "unknown" and not person.sex_code else sex
            numbers.append(Identifier(CITIZEN_ID, read.number, one.converted or read.converted))
            continue
        if one.system == HEALTH_FILE_NUMBER and (warning := check_file_number(value)):
            warnings.append(warning)
        numbers.append(replace(one, value=value))
    cleaned = replace(person, name=names.normal(person.name), birth=birth, sex=sex, identifiers=tuple(dict.fromkeys(numbers)))
    return cleaned, tuple(dict.fromkeys(warnings))


def joined(known: Person, told: Person) -> Person:
    """What is known after something was told: what was told wins, what was not told stays, lists are joined."""
    plain = {
        field.name: getattr(told, field.name)
        for field in fields(Person)
        if field.name not in _JOINED and getattr(told, field.name) not in (None, "", "unknown")
    }
    roles = {one.role for one in told.contacts}
    codes = {one.code for one in told.tags if one.by_hand}
    return replace(
        known,
        **plain,
        identifiers=_numbers(known.identifiers, told.identifiers),
        phones=told.phones or known.phones,
        background=known.background.with_told(told.background),
        contacts=_in_order(tuple(one for one in known.contacts if one.role not in roles) + told.contacts),
        tags=tuple(one for one in known.tags if one.code not in codes) + tuple(one for one in told.tags if one.by_hand),
    )


def _in_order(contacts: tuple[Contact, ...]) -> tuple[Contact, ...]:
    order = list(ContactRole)
    return tuple(sorted(contacts, key=lambda one: order.index(one.role)))


def _numbers(known: tuple[Identifier, ...], told: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    """All numbers in a steady order: what is known first, a new citizen id in the place of the old one."""
    there = {(one.system, one.value): one for one in known}
    new = {one.system: there.get((one.system, one.value), one) for one in told if one.system in _ONE_OF_A_KIND}
    numbers = [new.get(one.system, one) for one in known]
    numbers += [new.get(one.system) or there.get((one.system, one.value), one) for one in told]
    if any(one.system == CITIZEN_ID for one in numbers):
        numbers = [one for one in numbers if one.system != UNVERIFIED_CITIZEN_ID]
    return tuple(dict.fromkeys(numbers))
