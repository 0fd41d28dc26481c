"""Whose records a transaction has read for its answer, so that the look can be noted without every page thinking of it."""

from collections.abc import Iterable
from typing import Final

from healthsvc.fhir.json import Resource

_WHOSE: Final = ("subject", "patient", "for", "beneficiary")
"""Where R4 keeps the person whom a record is about."""


class Looked:
    """Collects ids of Patients; what the rooms' rules read for themselves (``Store.wholly``) is no look."""

    __slots__ = ("_people",)

    def __init__(self) -> None:
        self._people: dict[str, None] = {}

    @property
    def people(self) -> tuple[str, ...]:
        """Ids of the Patients whose records were read, in the order in which they came up."""
        return tuple(self._people)

    def add(self, people: Iterable[str]) -> None:
        """Note people whom an answer shows though their records were read past what the actor may see (an alarm is everybody's)."""
        self._people.update(dict.fromkeys(people))

    def saw(self, resource: Resource) -> Resource:
        """Note whose record this is; gives it back."""
        self._people.update(dict.fromkeys(whose(resource)))
        return resource

    def all(self, resources: list[Resource]) -> list[Resource]:
        """As :meth:`saw`, for many."""
        for one in resources:
            self.saw(one)
        return resources


class _NotAsked(Looked):
    """Where nobody looks: timers, the worker, rules, the lane of everyday FHIR calls (it notes what it answers itself)."""

    def add(self, people: Iterable[str]) -> None:
        return

    def saw(self, resource: Resource) -> Resource:
        return resource

    def all(self, resources: list[Resource]) -> list[Resource]:
        return resources


NOBODY_LOOKS: Final = _NotAsked()


def whose(resource: Resource) -> Iterable[str]:
    """Ids of the Patients whom a resource is about: itself, or whom it names as subject, patient, beneficiary or ``for``."""
    if resource.get("resourceType") == "Patient":
        yield str(resource.get("id", ""))
        return
    for name in _WHOSE:
        named = resource.get(name)
        for one in named if isinstance(named, list) else (named,):
            reference = one.get("reference") if isinstance(one, dict) else None
            if isinstance(reference, str) and reference.startswith("Patient/"):
                yield reference.removeprefix("Patient/")
