"""Whether a hospital may be told about a person at all, asked at the moment of sending: FHIR Consents that forbid it, or must permit it."""

from dataclasses import dataclass
from typing import Protocol

from healthsvc.consent.rules import Purpose
from healthsvc.consent.service import forbids
from healthsvc.healthfile.service import today
from healthsvc.store import Store


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

    A refusal forbids, and wins over a permit. It is about every recipient, or about those Organizations that it names.
    """

    def needs_permit() -> bool:
        return store.policy.fill(SharingPolicy, "hospital", today(store)).sharing_needs_permit

    return forbids(store, patient, Purpose.HOSPITAL_SHARING, destination.is_meant, needs_permit)
