"""健康问题: what a person's files say of illnesses, but for what was taken back or has been ruled out."""

from collections.abc import Sequence
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.store import Store

_GONE: Final = frozenset({"entered-in-error", "refuted"})
"""condition-ver-status of what nobody says any more."""


def is_gone(condition: Resource) -> bool:
    """Whether it was an error, or has been ruled out."""
    return any(one.get("code") in _GONE for one in condition.get("verificationStatus", {}).get("coding", ()))


def problems_of(store: Store, files: Sequence[str]) -> list[Resource]:
    """The Conditions of these files (Patient ids) that still stand, past ones among them."""
    return [one for one in store.select("Condition", patient=list(files)) if not is_gone(one)]
