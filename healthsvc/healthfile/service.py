"""健康档案: find, open, change and read a person's file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import blake2b
from typing import Final

from healthsvc.errors import Conflict, Invalid
from healthsvc.fhir.elements import is_active
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, code_system
from healthsvc.healthfile.demographics import clean, joined
from healthsvc.healthfile.resources import links, to_patient, to_person
from healthsvc.healthfile.rules import Completeness, FilePolicy, Findings, Identifier, Person, completeness, derive_tags
from healthsvc.store import Store
from healthsvc.store.lookup import holding

SELF_CARE_TOTAL: Final = f"{code_system('self-care')}|total"


@dataclass(frozen=True, slots=True)
class Filed:
    """A file as it now stands, and what was odd about what was told."""

    patient: Resource
    warnings: tuple[str, ...] = ()
    new: bool = False
    changed: bool = False


def policy_of(store: Store) -> FilePolicy:
    """The health file policy in force on the day of the transaction."""
    return store.policy.fill(FilePolicy, "healthfile", today(store))


def today(store: Store) -> date:
    """The day of the transaction in the site's zone."""
    return store.today


def identify(store: Store, identifiers: Iterable[Identifier | tuple[str, str]]) -> Resource | None:
    """Find the one file that these numbers name; None where there is none. Merged files lead to the surviving one.

    Raises:
        Conflict: the numbers name different people (reason ``patient-identifiers-disagree``).
    """
    numbers = [(one.system, one.value) if isinstance(one, Identifier) else one for one in identifiers]
    found: dict[str, Resource] = {}
    for patient in _holding(store, [(system, value) for system, value in numbers if value]):
        survivor = follow(store, patient["id"])
        found[survivor["id"]] = survivor
    if len(found) > 1:
        raise Conflict(
            "the numbers given belong to different health files; merge the files or mend the numbers", reason="patient-identifiers-disagree"
        )
    return next(iter(found.values()), None)


def _holding(store: Store, numbers: Sequence[tuple[str, str]]) -> Iterator[Resource]:
    """The files that carry these numbers; for an actor who sees some only, those."""
    if store.restrict is None:
        yield from holding(store, "Patient", numbers)
        return
    for system, value in numbers:
        yield from store.select("Patient", identifier=f"{system}|{value}")


def register(store: Store, values: Person, source: str, *, strict: bool = False, besides: Resource | None = None) -> Filed:
    """Open a file for a person, or update the one that the numbers name; telling the same again changes nothing.

    Args:
        store: an open writing transaction.
        values: what is told of the person; empty values say nothing.
        source: by whom it is told, a URI (``urn:healthsvc:roster``, ``urn:healthsvc:link:NAME``); goes into meta.source of a new file.
        strict: refuse a wrong citizen id (lists) instead of keeping it as unverified (feeds).
        besides: elements of a Patient that a :class:`Person` does not hold; they go into a new file, as one version with the rest.
    """
    told, warnings = clean(values, today(store), policy_of(store).oldest_age, strict=strict)
    if not told.name:
        raise Invalid("a health file needs a name", reason="name-missing", path="Patient.name")
    known = identify(store, told.identifiers)
    if known is not None:
        return _update(store, known, to_person(known), told, warnings)
    person = replace(told, tags=derive_tags(told, policy_of(store), today(store)))
    patient = to_patient(person, "")
    patient["meta"] = {**patient.get("meta", {}), "source": source}
    return Filed(store.create(patient | (besides or {})), warnings, new=True, changed=True)


def update_demographics(store: Store, patient: str, values: Person, *, strict: bool = False) -> Filed:
    """Write what is newly told of a person whose file is known; what is not told stays."""
    told, warnings = clean(values, today(store), policy_of(store).oldest_age, strict=strict)
    file = follow(store, patient)
    return _update(store, file, to_person(file), told, warnings)


def update_file(store: Store, file: Resource, known: Person, values: Person) -> Filed:
    """As :func:`update_demographics`, for a file in force that this transaction has just read, and the person whom it describes."""
    told, warnings = clean(values, today(store), policy_of(store).oldest_age, strict=False)
    return _update(store, file, known, told, warnings)


def follow(store: Store, patient: str) -> Resource:
    """The file that is in force for a person: the surviving one where files have been merged."""
    seen = [patient]
    file = store.read("Patient", patient)
    while after := links(file, "replaced-by"):
        if after[0] in seen:
            raise Conflict("these health files replace each other in a circle; undo one of the merges", reason="patient-merge-circle")
        seen.append(after[0])
        survivor = store.find("Patient", after[0])
        if survivor is None:
            break  # a link to a file that is not kept here
        file = survivor
    return file


def is_same_person(store: Store, former: str, now: str) -> bool:
    """Whether two files are one person: the first leads to the second, or is just being merged into it."""
    return former == now or store.holder(merge_key(former)) == f"Patient/{now}" or follow(store, former)["id"] == now


def merge_key(retired: str) -> str:
    """What the survivor of a merge holds: a file is replaced by one other only. Taken before the link is stored."""
    return f"merge:{retired}"


def replaced(store: Store, patient: str, file: Resource | None = None) -> list[str]:
    """Ids of all files that this one (``file``, where the caller has just read it) has taken up, however many merges ago."""
    found = list(dict.fromkeys(links(file, "replaces"))) if file is not None else []
    queue = [patient] if file is None else [*found]
    while queue:
        for former in _replaces(store, queue.pop()):
            if former not in found:
                found.append(former)
                queue.append(former)
    return found


def _replaces(store: Store, id: str) -> list[str]:
    """Ids of the files that a file names as its former ones; one whose text has no such word is not parsed."""
    stored = store.get("Patient", id)
    if stored is None or stored.deleted:
        return []
    store.looked.add((id,))
    return links(stored.resource, "replaces") if b'"replaces"' in stored.body else []


def responsible_doctor(store: Store, patient: str) -> str | None:
    """``Practitioner/x`` who is responsible for a person; None where nobody is."""
    return to_person(follow(store, patient)).doctor


def completeness_of(store: Store, patient: str) -> Completeness:
    """How complete a person's file is, and what is missing."""
    return completeness(to_person(follow(store, patient)), policy_of(store))


def refresh_tags(store: Store) -> int:
    """Derive all risk tags anew (birthdays pass); returns how many files changed. A timer calls this once a day."""
    changed = 0
    for patient in store.select("Patient", active="true"):
        person = to_person(patient)
        tags = derive_tags(person, policy_of(store), today(store), findings_of(store, patient["id"]))
        if set(tags) != set(person.tags):
            store.put(to_patient(replace(person, tags=tags), patient["id"], patient))
            changed += 1
    return changed


def retag(store: Store, patient: str) -> Resource:
    """Derive the risk tags of one person anew: an assessment or an illness has been recorded."""
    file = follow(store, patient)
    person = to_person(file)
    tags = derive_tags(person, policy_of(store), today(store), findings_of(store, file["id"]))
    return file if set(tags) == set(person.tags) else store.put(to_patient(replace(person, tags=tags), file["id"], file))


def findings_of(store: Store, patient: str) -> Findings:
    """What the records beside the file say: the latest self-care assessment, how many different illnesses are active."""
    files = [patient, *replaced(store, patient)]
    scored = [one for one in store.select("Observation", patient=files, code=SELF_CARE_TOTAL) if one.get("status") != "entered-in-error"]
    latest = max(scored, key=lambda one: datetime.fromisoformat(str(one.get("effectiveDateTime") or "0001-01-01T00:00+00:00")), default={})
    level = next((c.get("code", "") for one in latest.get("interpretation", ()) for c in one.get("coding", ())), "")
    ill = {_illness(one) for one in store.select("Condition", patient=files) if is_active(one)}
    return Findings(level, latest.get("valueInteger"), len(ill - {""}))


def _illness(condition: Resource) -> str:
    """One name for one illness: its ICD category, else its words."""
    concept = condition.get("code", {})
    icd = next((str(c.get("code", ""))[:3].upper() for c in concept.get("coding", ()) if "icd" in str(c.get("system", "")).lower()), "")
    return icd or str(concept.get("text") or "")


def claims_of(patient: Resource) -> set[str]:
    """What a file holds alone: its citizen id and its health file number, hashed (a claim shows in no page, but rests in a table)."""
    return {
        f"identifier:{blake2b(f'{number.system}|{number.value}'.encode(), digest_size=16).hexdigest()}"
        for number in to_person(patient).identifiers
        if number.system in (CITIZEN_ID, HEALTH_FILE_NUMBER)
    }


def _update(store: Store, patient: Resource, known: Person, told: Person, warnings: tuple[str, ...]) -> Filed:
    _check_same_citizen(known, told)
    person = joined(known, told)
    if person == known:
        return Filed(patient, warnings)  # the tags follow birthdays and findings by themselves (`refresh_tags`, `retag`)
    person = replace(person, tags=derive_tags(person, policy_of(store), today(store), findings_of(store, patient["id"])))
    stored = store.put(to_patient(person, patient["id"], patient))
    return Filed(stored, warnings, changed=stored["meta"]["versionId"] != patient["meta"]["versionId"])


def _check_same_citizen(known: Person, told: Person) -> None:
    """Two valid citizen ids are two people, whatever other number they share: a list never turns one file into another person's."""
    held, stated = ({one.value for one in person.identifiers if one.system == CITIZEN_ID} for person in (known, told))
    if held and stated and not held & stated:
        raise Conflict(
            "the file that the other numbers name carries another citizen id; mend the wrong number",
            reason="patient-citizen-id-differs",
            path="Patient.identifier",
        )
