"""Whether a hospital may be told about a person at all, asked at the moment of sending: FHIR Consents that forbid it, or must permit it."""

from dataclasses import dataclass
from typing import Protocol

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import replaced, today
from healthsvc.store import Store

_SCOPE = "patient-privacy"


@dataclass(frozen=True, slots=True)
class SharingPolicy:
    """Filled from ``policy/hospital.toml``."""

    sharing_needs_permit: bool


class Recipient(Protocol):
    """Whoever is told."""

    def is_meant(self, reference: str) -> bool:
        """Whether an actor of a Consent is this one."""


def objection(store: Store, patient: str, destination: Recipient) -> str | None:
    """Why this hospital must not be told about this person now; None where nothing stands against it.

    An active Consent with scope ``patient-privacy`` counts: ``deny`` forbids, and wins over ``permit``. It is about every recipient, or
    about those Organizations that its provision names as actors.
    """
    consents = [one for file in (patient, *replaced(store, patient)) for one in store.select("Consent", patient=file, status="active")]
    told = {_says(one) for one in consents if _is_about(one, destination) and _in_force(one, store)}
    if "deny" in told:
        return "consent-denied"
    if "permit" not in told and store.policy.fill(SharingPolicy, "hospital", today(store)).sharing_needs_permit:
        return "consent-missing"
    return None


def _says(consent: Resource) -> str:
    return str(consent.get("provision", {}).get("type", ""))


def _is_about(consent: Resource, destination: Recipient) -> bool:
    if not any(one.get("code") == _SCOPE for one in consent.get("scope", {}).get("coding", [])):
        return False
    actors = [one.get("reference", {}).get("reference", "") for one in consent.get("provision", {}).get("actor", [])]
    return not actors or any(destination.is_meant(one) for one in actors)


def _in_force(consent: Resource, store: Store) -> bool:
    period = consent.get("provision", {}).get("period", {})
    day = today(store).isoformat()
    return str(period.get("start", ""))[:10] <= day and (not period.get("end") or day <= str(period["end"])[:10])
