"""Whether the hospital that asks may be told about a person: their own word on sharing with hospitals counts at the moment of asking."""

from collections.abc import Callable
from typing import TypeAlias

from healthsvc.access.rules import Action, allows
from healthsvc.consent.rules import Purpose
from healthsvc.consent.service import forbids
from healthsvc.greenchannel.resources import flag_id
from healthsvc.greenchannel.rules import Answer, Standing
from healthsvc.store import Store

Asks: TypeAlias = Callable[[str], bool]
"""Whether a reference to an Organization is the hospital that asks."""


def unless_forbidden(store: Store, told: Answer, asks: Asks | None = None) -> Answer:
    """The answer; or, where the person does not want this hospital to be told, the one for somebody whom nobody knows."""
    if told.patient is None or may_be_told(store, told.patient, asks):
        return told
    store.audit("withhold", f"Flag/{flag_id(told.patient)}", patient=told.patient, outcome="consent-denied", purpose="green-channel")
    return Answer(Standing.UNKNOWN)


def may_be_told(store: Store, patient: str, asks: Asks | None = None) -> bool:
    """Whether the person lets the hospital that asks be told; whoever looks after people here is no hospital.

    Args:
        asks: None: the hospital is one of the actor's own areas.
    """
    if asks is None:
        if allows(store.actor.roles, Action.READ_CLINICAL, "Patient"):
            return True
        asks = (store.actor.areas or frozenset()).__contains__
    return forbids(store, patient, Purpose.HOSPITAL_SHARING, asks) is None
