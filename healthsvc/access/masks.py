"""Which form of a name, number, telephone or address the actor of a transaction sees, by role and purpose (policy ``access.masking``)."""

from dataclasses import dataclass

from healthsvc.masking import Masks, masks_for
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class MaskingPolicy:
    """The table (access.toml)."""

    masking: tuple[str, ...]


def masks(store: Store, purpose: str) -> Masks:
    """The forms for whoever this transaction is for.

    Raises:
        Invalid: the site's table cannot be read.
    """
    policy = store.policy.fill(MaskingPolicy, "access", store.today)
    return masks_for(policy.masking, purpose, store.actor.roles)
