"""What somebody here has corrected by hand, against a hospital's older word, and against its old value told again.

Two rules. A message never changes back what was corrected after it had come (a replay, a late retry): :class:`Corrections`, for all that
hospitals tell of people. And a hospital that tells of a person again what was corrected here since says nothing new (:func:`corrected`
with ``since`` 0, used in ``effects/person.py``): only a value that is neither the old one nor ours is news. An operator may say that the
hospital's word counts; then neither rule holds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension
from healthsvc.store import Store
from healthsvc.store.driver import for_driver, run
from healthsvc.store.stored import Stored
from integrations.effects.care import Outcome

ACTION: Final = "hl7-kept"
TOLD: Final = frozenset(
    {
        *("Account", "AllergyIntolerance", "ChargeItem", "Condition", "Coverage", "DiagnosticReport", "DocumentReference", "Encounter"),
        *("FamilyMemberHistory", "Immunization", "MedicationAdministration", "MedicationDispense", "MedicationRequest"),
        *("MedicationStatement", "Observation", "Patient", "Procedure", "RelatedPerson", "Specimen"),
    }
)
"""Records of a person. Visits, referrals and appointments are no record but work under way: their own lives say what may follow."""
_NOT_BY_HAND: Final = "('hl7', 'timer', 'system')"
"""Doors of the audit: a hospital's word, and our rules."""
_NO_VALUE: Final = frozenset({"resourceType", "id", "meta", "text", "link", "active"})
"""Not corrected but led: a merge and its undoing write the last two."""
_CHOICES: Final = ("abatement", "deceased", "effective", "medication", "multipleBirth", "occurrence", "onset", "performed", "value")
"""Elements of several kinds, ``value[x]``: of one thing there is one."""
_WITH: Final = {"dataAbsentReason": "value"}
"""R4 obs-6: a result has a value or says why not."""
_LED: Final = extension("risk-tag")
"""Derived from the rest of the file."""
_WRITERS: Final = (
    "SELECT version FROM audit WHERE patient IN ({people}) AND subject = ? AND version IS NOT NULL AND at >= ? "  # noqa: S608 - our own names and marks
    f"AND door NOT IN {_NOT_BY_HAND}"
)


@dataclass(slots=True)
class Correction:
    """One element that somebody here has changed by hand, and no hospital since."""

    at: int
    """When last, microseconds since 1970 UTC."""
    before: list[Any] = field(default_factory=list)
    """What had stood there, newest first; None where nothing had."""


def parts_of(resource: Resource) -> dict[str, Any]:
    """The elements of a resource that may be corrected one by one; an extension is one by its name."""
    found: dict[str, Any] = {}
    for key, value in resource.items():
        if key == "extension":
            for one in value:
                if one.get("url") != _LED:
                    found.setdefault(_named(one), []).append(one)
        elif key not in _NO_VALUE:
            found.setdefault(_stem(key), {})[key] = value
    return found


def corrected(store: Store, stored: Stored, since: int, read: Callable[[Resource], Mapping[str, Any]] = parts_of) -> dict[str, Correction]:
    """Which elements of a current version somebody here has changed by hand after ``since`` (microseconds), and no hospital since.

    Who opened a record has corrected nothing. What is in no person's file has no corrections.

    Args:
        store: an open transaction.
        stored: the current version.
        since: what was changed before does not count; 0: all counts.
        read: a resource to its elements, by which two versions are set beside each other.
    """
    if stored.updated <= since or not (hands := _by_hand(store, stored, since)):
        return {}
    found: dict[str, Correction] = {}
    settled: set[str] = set()
    for newer, older in pairwise(store.history(stored.type, stored.id)):
        if newer.updated <= since or newer.deleted or older.deleted:
            break
        now, then = read(newer.resource), read(older.resource)
        changed = {key for key in now.keys() | then.keys() if now.get(key) != then.get(key)} - settled
        if newer.version not in hands:
            settled |= changed
            continue
        for key in changed:
            found.setdefault(key, Correction(newer.updated)).before.append(then.get(key))
    return found


class Corrections:
    """Keeps one message from changing back what somebody has corrected since it came."""

    def __init__(self, store: Store, received: int, *, overruled: bool = False) -> None:
        """``received``: when the message came, microseconds since 1970 UTC; ``overruled``: its word counts all the same."""
        self.overruled = overruled
        self.kept: dict[str, tuple[str, ...]] = {}
        """By reference, the elements that were left as they are."""
        self._store, self._received = store, received
        self._found: dict[str, dict[str, Correction]] = {}

    def over(self, old: Stored, new: Resource) -> Resource:
        """What is written instead of ``new`` over a current version; each element that is kept is noted in the audit."""
        if self.overruled or old.type not in TOLD or old.updated <= self._received:
            return new
        reference = f"{old.type}/{old.id}"
        if reference not in self._found:
            self._found[reference] = corrected(self._store, old, self._received)
        ours = self._found[reference]
        here, told = parts_of(old.resource) if ours else {}, parts_of(new) if ours else {}
        if not any(here.get(key) != told.get(key) for key in ours):
            return new
        made = _joined(old.resource, new, ours)
        kept = tuple(sorted(key for key in ours if told.get(key) != parts_of(made).get(key)))
        if kept and self.kept.get(reference) != kept:
            self.kept[reference] = kept
            patients = self._store.patients_of(old)
            self._store.audit(ACTION, reference, patient=patients[0] if patients else None, purpose=", ".join(kept))
        return made

    def tell(self, outcome: Outcome) -> None:
        """Say it to the operator: kinds of records and elements, no values."""
        kinds = sorted({f"{reference.partition('/')[0]} {element}" for reference, kept in self.kept.items() for element in kept})
        if kinds:
            outcome.remarks.append(f"left as corrected here since the message came: {', '.join(kinds)}")


def is_overruled(store: Store) -> bool:
    """Whether an operator has said that the word of the message at hand counts, whatever was corrected since."""
    return isinstance(store.defers, Corrections) and store.defers.overruled


def has_kept(store: Store) -> bool:
    """Whether the message at hand has left anything as it is for its age."""
    return isinstance(store.defers, Corrections) and bool(store.defers.kept)


def _joined(old: Resource, new: Resource, ours: Mapping[str, Correction]) -> Resource:
    """The new version with our elements as they are. Numbers are added all the same, but for those that were taken out here."""
    made = {key: value for key, value in new.items() if key in _NO_VALUE or key == "extension" or _stem(key) not in ours}
    made |= {key: value for key, value in old.items() if key not in _NO_VALUE and key != "extension" and _stem(key) in ours}
    if "identifier" in ours:
        known = list(old.get("identifier", ()))
        out = [one for before in ours["identifier"].before for one in (before or {}).get("identifier", ()) if one not in known]
        made["identifier"] = [*known, *(one for one in new.get("identifier", ()) if one not in known and one not in out)]
    besides = [one for one in new.get("extension", ()) if _named(one) not in ours]
    besides += [one for one in old.get("extension", ()) if _named(one) in ours]
    made |= {"extension": besides} if besides else {}
    for name in ("extension", "identifier"):
        if not made.get(name):
            made.pop(name, None)
    return made


def _named(one: Resource) -> str:
    return f"extension {str(one.get('url', '')).rpartition('/')[2]}"


def _stem(key: str) -> str:
    """``birthDate`` of ``_birthDate``, ``value`` of ``valueQuantity``."""
    name = key.removeprefix("_")
    chosen = next((one for one in _CHOICES if name.startswith(one) and name[len(one) :][:1].isupper()), name)
    return _WITH.get(chosen, chosen)


def _by_hand(store: Store, stored: Stored, since: int) -> frozenset[int]:
    """The versions after a moment that somebody has written by a page, the API or a command, as the audit has it."""
    return frozenset(_versions(store, stored, since))


def _versions(store: Store, stored: Stored, since: int) -> Iterator[int]:
    if people := store.patients_of(stored):
        asked = for_driver(store.connection, _WRITERS.format(people=", ".join("?" * len(people))))
        values = (*people, f"{stored.type}/{stored.id}", since)
        yield from (int(row[0]) for row in run(store.connection, asked, values).fetchall())
