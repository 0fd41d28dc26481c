"""References as FHIR has them: relative (``Patient/1``), absolute, of one version, ``urn:uuid:...``, ``#contained``, canonical."""

import re
from dataclasses import dataclass
from functools import lru_cache

RESTFUL = re.compile(r"((?:https?:)//[^\s?#]+/)?([A-Z][A-Za-z]{2,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?(?:#.*)?")
"""The form of R4 2.3.0.1 for references to a resource on a FHIR server; the type name is checked by whoever knows the types."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference, taken apart. ``type`` and ``id`` are None where it does not follow the RESTful form."""

    text: str
    type: str | None = None
    id: str | None = None
    version: str | None = None
    base: str | None = None
    """Base url of an absolute reference without the last slash; None for a relative one."""

    @property
    def relative(self) -> bool:
        """Written as ``Type/id``."""
        return self.type is not None and self.base is None

    @property
    def contained(self) -> bool:
        """Points into the resource itself (``#id``)."""
        return self.text.startswith("#")


@lru_cache(maxsize=16384)
def parse(text: str) -> Reference:
    """Take a reference apart; anything that is not RESTful keeps only its text.

    >>> parse("Patient/1/_history/2").version
    '2'
    """
    found = RESTFUL.fullmatch(text)
    if not found:
        return Reference(text)
    base, kind, name, version = found.groups()
    return Reference(text, kind, name, version, base[:-1] if base else None)


def canonical(text: str) -> tuple[str, str | None]:
    """The url and the version of a canonical reference ``url|version#fragment``."""
    url, _, version = text.partition("#")[0].partition("|")
    return url, version or None
