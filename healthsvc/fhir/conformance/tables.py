"""The shapes of the tables."""

from dataclasses import dataclass
from typing import Any

PUBLISHED_ON = "2026-11-22"
VERSION = "0.1.0"
PUBLISHER = "healthsvc contributors"


@dataclass(frozen=True, slots=True)
class Code:
    """One code with its Chinese and English words."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A code system. ``closed``: these codes and no others; otherwise sites and policies may add some."""

    name: str
    zh: str
    en: str
    codes: tuple[Code, ...]
    closed: bool = True


def codes(name: str, zh: str, en: str, rows: str, *, closed: bool = True) -> CodeTable:
    """A code system from lines ``code | 中文 | English``."""
    parts = ([part.strip() for part in line.split("|")] for line in rows.strip().splitlines())
    return CodeTable(name, zh, en, tuple(Code(*part) for part in parts), closed)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a complex extension."""

    url: str
    type: str
    min: int = 0
    max: str = "1"


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension. ``types``: of its value; ``parts`` where it is complex; ``codes``: our code system that its value comes from."""

    name: str
    zh: str
    en: str
    contexts: tuple[str, ...]
    types: tuple[str, ...] = ()
    codes: str | None = None
    targets: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a profile demands of one element. ``path`` is relative to the resource; ``x`` limits a choice to a type.

    ``codes``: at least one coding (or the code) is of this code system of ours, and known there; ``pattern``: the value contains this;
    ``values``: the code is one of these; ``targets``: resource types that a reference may point to.
    """

    path: str
    min: int = 0
    max: str | None = None
    x: str | None = None
    codes: str | None = None
    pattern: Any = None
    values: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    short: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of one resource type: rules for elements, and extensions with their cardinality (``name`` -> ``"1..1"``)."""

    name: str
    type: str
    zh: str
    en: str
    rules: tuple[Rule, ...]
    extensions: dict[str, str]
    base: str | None = None
    """Our profile that this one narrows further."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One parameter of an operation. ``type`` is a FHIR type (or a resource type); empty where it consists of ``parts``."""

    name: str
    type: str
    min: int
    max: str
    zh: str
    en: str
    targets: tuple[str, ...] = ()
    codes: str | None = None
    """Our code system that its value comes from."""
    parts: tuple["Operand", ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A use case of a room as a FHIR operation of a resource type, or of one resource (``instance``)."""

    code: str
    resource: str
    instance: bool
    writes: bool
    zh: str
    en: str
    takes: tuple[Operand, ...]
    gives: tuple[Operand, ...]
    both: bool = False
    """Whether it can be asked of the type too, and not of one resource alone."""

    @property
    def id(self) -> str:
        """Id of its OperationDefinition: ``Contract-sign``."""
        return f"{self.resource}-{self.code}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What makes an event. ``previous`` and ``current`` are searches on the version before and after; None: any.

    ``both``: each must hold; otherwise one is enough (R5 queryCriteria). A version that is not there does not hold.
    """

    type: str
    interactions: frozenset[str]
    """create, update, delete."""
    current: str | None = None
    previous: str | None = None
    both: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic to which others subscribe. ``filters``: search parameters by which a subscription may narrow it."""

    name: str
    zh: str
    en: str
    triggers: tuple[Trigger, ...]
    filters: tuple[str, ...]
