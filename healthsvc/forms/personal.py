"""个人基本信息表 and the person's file: the form shows what the file says, and changes what is answered otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from healthsvc.fhir.elements import derived_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE, ONE_KEY_DEVICE
from healthsvc.forms.rules import Answers, Code, Form, Item
from healthsvc.healthfile.circumstances import Allowance, Background
from healthsvc.healthfile.resources import to_patient, to_person
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Identifier, Living, Person, RiskTag, check_phone, derive_tags
from healthsvc.healthfile.service import findings_of, follow, policy_of, today, update_demographics
from healthsvc.store import Store

_NUMBERS: Final = {"citizen_id": CITIZEN_ID, "file_number": HEALTH_FILE_NUMBER, "certificate": LIXIU_CERTIFICATE}
_TEXTS: Final = ("former_unit", "ethnicity", "occupation", "keeper", "carer", "household", "education", "marital")
_SEX: Final = {"1": "male", "2": "female"}


def known_values(store: Store, file: Resource) -> dict[str, Any]:
    """What the file says, by the names that the forms' items carry in ``fill``."""
    person, background = to_person(file), to_person(file).background
    told: dict[str, Any] = {name: getattr(background, name) for name in _TEXTS}
    told |= {name: next((one.value for one in person.identifiers if one.system == system), "") for name, system in _NUMBERS.items()}
    told |= {"name": person.name, "birth": person.birth, "address": person.address, "payment": background.payment}
    told |= {"sex_code": person.sex_code or {"male": "1", "female": "2"}.get(person.sex, "0")}
    told |= {"category": person.category, "managing_unit": person.managing_unit, "residence_area": person.residence_area}
    told |= {"resettled": person.resettled, "living": person.living, "phone": next(iter(person.phones), "")}
    for contact in reversed(person.contacts):
        for part in ("name", "relation", "phone"):
            told[f"contact:{contact.role.value}:{part}"] = getattr(contact, part)
    if background.allowance is not None:
        one = background.allowance
        told |= {"allowance_approved": one.approved, "allowance_amount": one.amount, "allowance_from": one.start, "allowance_to": one.end}
    device = next((one for one in store.select("Device", patient=file["id"], status="active")), {})
    told["tags"] = tuple(tag.code for tag in person.tags if tag.by_hand)
    told["device"] = next((str(one.get("value", "")) for one in device.get("identifier", ())), "")
    return told


def update_file(store: Store, response: Resource, found: Any) -> None:
    """Change the file where the form says otherwise; a form without items of the file changes nothing.

    Raises:
        Invalid: a citizen id that cannot be, a date of birth that lies ahead: the whole form is refused.
    """
    told = _told(found.form, found.answers)
    if not told:
        return
    patient = response["subject"]["reference"].rpartition("/")[2]
    file = follow(store, patient)
    known = to_person(file)
    for key, value in told.items():
        if key == "phone" or key.endswith(":phone"):
            check_phone(value)
    update_demographics(store, file["id"], _person(known, told), strict=True)
    _forget(store, file["id"], found.form, told, known)
    if told.get("device"):
        _one_key(store, file["id"], told["device"])


def _told(form: Form, answers: Answers) -> dict[str, Any]:
    told: dict[str, Any] = {}
    _collect(form.items, answers, told)
    return told


def _collect(items: tuple[Item, ...], answers: Answers, told: dict[str, Any]) -> None:
    for item in items:
        given = answers.get(item.link, ())
        if item.fill and given:
            values = tuple(one.code if isinstance(one, Code) else one for one in given)
            told[item.fill] = values if item.repeats else values[0]
        for one in given:
            if isinstance(one, Mapping):
                _collect(item.items, one, told)


def _person(known: Person, told: dict[str, Any]) -> Person:
    """What was told as a person, of whom nothing else is said."""
    sex = str(told.get("sex_code", ""))
    allowance = None
    if "allowance_approved" in told:
        amount, start, end = (told.get(f"allowance_{part}") for part in ("amount", "from", "to"))
        allowance = Allowance(told["allowance_approved"], amount, start, end)
    background = Background(
        **{name: str(told[name]) for name in _TEXTS if name in told}, payment=tuple(told.get("payment", ())), allowance=allowance
    )
    contacts = []
    for role in ContactRole:
        parts = {part: told.get(f"contact:{role.value}:{part}", "") for part in ("name", "relation", "phone")}
        if any(parts.values()):
            contacts.append(Contact(role, parts["name"], parts["phone"], parts["relation"]))
    others = known.phones[1:] if told.get("phone") else ()
    return Person(
        told.get("name", ""),
        sex=_SEX.get(sex, "unknown"),
        sex_code=sex,
        birth=told.get("birth"),
        identifiers=tuple(Identifier(system, told[name]) for name, system in _NUMBERS.items() if told.get(name)),
        phones=((told["phone"], *others) if told.get("phone") else ()),
        address=told.get("address", ""),
        contacts=tuple(contacts),
        category=Category(told["category"]) if told.get("category") else None,
        managing_unit=told.get("managing_unit", ""),
        residence_area=told.get("residence_area", ""),
        resettled=told.get("resettled"),
        living=Living(told["living"]) if told.get("living") else None,
        tags=tuple(RiskTag(code, "人工标注", by_hand=True) for code in told.get("tags", ())),
        background=background,
    )


def _forget(store: Store, id: str, form: Form, told: dict[str, Any], before: Person) -> None:
    """What the form shows and was emptied is emptied in the file too (a phone that is no longer theirs, a contact who has died).

    Whoever has moved is no longer where the old coordinate says: with another address it goes too.
    """
    shown = {item.fill for item in form.walk() if item.fill}
    if "name" not in shown:
        return
    file = store.read("Patient", id)
    person = to_person(file)
    gone = {name for name in _TEXTS if name in shown and name not in told}
    roles = {role for role in ContactRole if not any(f"contact:{role.value}:{part}" in told for part in ("name", "phone"))}
    emptied: dict[str, Any] = dict.fromkeys(gone - {"marital"}, "")
    background = replace(person.background, **emptied, payment=tuple(told.get("payment", ())))
    offered = {option.code.code for item in form.walk() if item.fill == "tags" for option in item.options}
    kept = replace(
        person,
        tags=tuple(one for one in person.tags if one.code not in offered or one.code in told.get("tags", ())),
        phones=person.phones if told.get("phone") else (),
        address=person.address if told.get("address") else "",
        position=person.position if told.get("address", "") == before.address else None,
        residence_area=person.residence_area if told.get("residence_area") else "",
        managing_unit=person.managing_unit if told.get("managing_unit") else "",
        living=person.living if told.get("living") else None,
        contacts=tuple(one for one in person.contacts if one.role not in roles),
        background=background,
    )
    kept = replace(kept, tags=derive_tags(kept, policy_of(store), today(store), findings_of(store, id)))
    if kept != person:
        store.put(to_patient(kept, id, file))


def _one_key(store: Store, patient: str, number: str) -> None:
    """The one-key device in the person's home; a former one is out of use from now on."""
    number = number.strip()
    for one in store.select("Device", patient=patient, status="active"):
        if not any(other.get("value") == number for other in one.get("identifier", ())):
            store.put(one | {"status": "inactive"})
    known = store.first("Device", patient=patient, identifier=f"{ONE_KEY_DEVICE}|{number}")
    made = known or {
        "resourceType": "Device",
        "id": derived_id("one-key", f"{patient}-{number}")[:64].replace(" ", "-"),
        "identifier": [{"system": ONE_KEY_DEVICE, "value": number}],
        "patient": {"reference": f"Patient/{patient}"},
        "type": {"text": "一键通"},
    }
    store.put(made | {"status": "active"})
