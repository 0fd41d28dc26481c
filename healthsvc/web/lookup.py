"""Names behind references, read once a page."""

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import replaced
from healthsvc.infusion.evidence import says_none
from healthsvc.store import Store
from healthsvc.web.standing import is_over

_NOBODY = Person("")


class Directory:
    """People and staff that a page names; each is read at most once. Every person that is looked up is noted as read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._people: dict[str, Person] = {}
        self._staff: dict[str, str] = {}

    def person(self, id: str) -> Person:
        """The person of a file; empty values where the file is not there (any more)."""
        if id not in self._people:
            patient = self._store.find("Patient", id)
            if patient is not None:
                self._store.audit("read", f"Patient/{id}", patient=id, purpose="list")
            self._people[id] = _NOBODY if patient is None else to_person(patient)
        return self._people[id]

    def staff(self, reference: str | None) -> str:
        """The name of a member of the staff by ``Practitioner/x``; empty where nobody is named."""
        if not reference:
            return ""
        if reference not in self._staff:
            kind, _, id = reference.partition("/")
            found = self._store.find(kind, id) if kind == "Practitioner" else None
            self._staff[reference] = name_of(found) if found else ""
        return self._staff[reference]


def name_of(resource: Resource) -> str:
    """The name of a person or organization as written."""
    name = resource.get("name")
    if isinstance(name, str):
        return name
    first = name[0] if isinstance(name, list) and name else {}
    return str(first.get("text") or f"{first.get('family', '')}{''.join(first.get('given', []))}" or resource.get("id", ""))


def phone_of(store: Store, reference: str) -> str:
    """The telephone number of a member of the staff; empty where the directory gives none."""
    kind, _, id = reference.partition("/")
    found = store.find(kind, id) or {}
    return next((one["value"] for one in found.get("telecom", []) if one.get("system") == "phone" and "value" in one), "")


def staff_of(store: Store) -> list[tuple[str, str]]:
    """All doctors and nurses of ours, ``Practitioner/x`` and name, by name; a hospital's own staff are not among them."""
    ours = (one for one in store.select("Practitioner") if not is_of_hospital(one))
    return sorted(((f"Practitioner/{one['id']}", name_of(one)) for one in ours), key=lambda one: one[1])


def is_of_hospital(resource: Resource) -> bool:
    """Whether a directory entry came from a hospital's master file."""
    return any(one.get("system") == code_system("origin") for one in resource.get("meta", {}).get("tag", ()))


def by_role(store: Store, role: str) -> list[tuple[str, str]]:
    """The staff who have a role (doctor, nurse) in the directory, and those of whom it names none; by name."""
    roles: dict[str, set[str]] = {}
    for one in store.select("PractitionerRole"):
        held = roles.setdefault(one.get("practitioner", {}).get("reference", ""), set())
        held |= {c.get("code", "") for concept in one.get("code", []) for c in concept.get("coding", [])}
    return [(who, name) for who, name in staff_of(store) if not roles.get(who) or role in roles[who]]


def allergies_of(store: Store, patient: str) -> list[str]:
    """What a person is allergic to, as written; merged files count too; an entry that says "none known" or is over does not."""
    found = []
    for one in store.select("AllergyIntolerance", patient=[patient, *replaced(store, patient)]):
        concept: Resource = one.get("code", {})
        if not says_none(one) and not is_over(one):
            found.append(str(concept.get("text") or next((code.get("display", "") for code in concept.get("coding", [])), "")))
    return found
