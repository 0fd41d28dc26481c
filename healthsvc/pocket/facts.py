"""随身 what matters of a visit, read from the store; and as JSON that the phone hands back unread."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from healthsvc.fhir.json import Resource
from healthsvc.forms import service as forms
from healthsvc.healthfile.inpatient import stays_of
from healthsvc.healthfile.service import follow, replaced
from healthsvc.infusion.records import given_id, is_given, to_given
from healthsvc.infusion.rules.bedside import Entry
from healthsvc.pocket.rules import Facts
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit


def facts_of(store: Store, task: str, form_names: Iterable[str]) -> Facts:
    """What is known of a visit now, whoever may see it."""
    visit = visits.read(store, task)
    encounter = planned_of(store, visit)
    period = (encounter or {}).get("period", {})
    planned = encounter is not None and encounter.get("status") not in ("cancelled", "entered-in-error")
    return Facts(
        status=visit.status.value,
        reason=visit.reason or "",
        day=datetime.fromisoformat(period["start"]).astimezone(store.zone).date() if planned and "start" in period else None,
        staff=frozenset(staff_in(encounter)) if planned else frozenset(),
        admitted=admitted_since(store, visit.person),
        forms={name: form_digest(store, name) for name in sorted(set(form_names))},
        steps=steps_of(store, task),
    )


def planned_of(store: Store, visit: Visit) -> Resource | None:
    """The Encounter of a visit, planned or made."""
    return store.find(*visit.encounter.split("/", 1)) if visit.encounter else None


def staff_in(encounter: Resource | None) -> list[str]:
    """``Practitioner/x`` of everybody who takes part."""
    return [one["individual"]["reference"] for one in (encounter or {}).get("participant", []) if "individual" in one]


def admitted_since(store: Store, patient: str) -> datetime | None:
    """Since when a person is in a ward; None where they are not."""
    file = follow(store, patient)["id"]
    stays = [
        datetime.fromisoformat(one["period"]["start"])
        for one in stays_of(store, [file, *replaced(store, file)])
        if "T" in str(one.get("period", {}).get("start", ""))
    ]
    return min(stays, default=None)


def steps_of(store: Store, task: str) -> tuple[str, ...]:
    """Digests of the bedside log of a visit; empty where it has none."""
    record = store.find("MedicationAdministration", given_id(task))
    if record is None or not is_given(record):
        return ()
    return tuple(step_digest(entry) for entry in to_given(record).bedside.log)


def step_digest(entry: Entry) -> str:
    """One line of the log, short: act, second, person, words and numbers."""
    said = [entry.act.value, int(entry.at.timestamp()), entry.by, entry.text, list(entry.matched)]
    if entry.vitals:
        vitals = entry.vitals
        said += [str(one) for one in (vitals.systolic, vitals.diastolic, vitals.pulse, vitals.temperature, vitals.spo2)]
    return _short(said)


def form_digest(store: Store, name: str) -> str:
    """What a form asks and within which limits; another digest is another form."""
    form, limits = forms.named(store, name)
    return _of_form(repr(form), repr(sorted(limits.items())))


@lru_cache(maxsize=64)
def _of_form(form: str, limits: str) -> str:
    return _short([form, limits])


def to_json(facts: Facts) -> dict[str, Any]:
    """Facts as the phone keeps them."""
    return {
        "status": facts.status,
        "reason": facts.reason,
        "day": facts.day.isoformat() if facts.day else None,
        "staff": sorted(facts.staff),
        "admitted": facts.admitted.isoformat() if facts.admitted else None,
        "forms": dict(facts.forms),
        "steps": list(facts.steps),
    }


def of_json(kept: Mapping[str, Any]) -> Facts:
    """Facts as the phone hands them back.

    Raises:
        KeyError, TypeError, ValueError: they are not ours.
    """
    return Facts(
        status=str(kept["status"]),
        reason=str(kept["reason"]),
        day=date.fromisoformat(kept["day"]) if kept["day"] else None,
        staff=frozenset(map(str, kept["staff"])),
        admitted=datetime.fromisoformat(kept["admitted"]) if kept["admitted"] else None,
        forms={str(name): str(digest) for name, digest in dict(kept["forms"]).items()},
        steps=tuple(map(str, kept["steps"])),
    )


def digest(facts: Facts) -> str:
    """Facts in a word: what was seen when something was decided."""
    return _short(to_json(facts))


def _short(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:24]
