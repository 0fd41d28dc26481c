"""Only what a person has not forbidden is told: Consents count at the moment of sending, as they do for hospitals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healthsvc.store import Store
from healthsvc.subscription.resources import Event, Terms
from integrations.consent import objection


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told, as far as a Consent can mean it."""

    organization: str | None

    def is_meant(self, reference: str) -> bool:
        """Whether an actor of a Consent is the organization that the subscription names."""
        return self.organization is not None and reference.rpartition("/")[2] == self.organization.rpartition("/")[2]


def agreed(store: Store, events: Sequence[Event], terms: Terms) -> Iterator[Event]:
    """The events about persons who do not object (and about none at all)."""
    recipient = Recipient(terms.organization)
    refused: dict[str, bool] = {}
    for event in events:
        current = store.get(event.type, event.id)
        patients = store.patients_of(current) if current is not None else []
        people = [event.id] if event.type == "Patient" else patients
        for person in people:
            if person not in refused:
                refused[person] = objection(store, person, recipient) is not None
        if not any(refused[person] for person in people):
            yield event
