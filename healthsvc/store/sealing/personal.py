"""Which values name a person outright: the numbers of citizens, cards and telephones. One place decides, for the index and for searches."""

import re
from functools import lru_cache
from typing import Final

from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_CARD, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE, UNVERIFIED_CITIZEN_ID

SYSTEMS: Final = frozenset(
    {CITIZEN_ID, UNVERIFIED_CITIZEN_ID, HEALTH_CARD, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE, "phone", "fax", "sms", "pager", "email"}
)
"""Identifier systems whose values are personal whatever they look like, and the systems of FHIR's ContactPoint."""
TYPES: Final = frozenset(
    {"Patient", "Person", "RelatedPerson", "Practitioner"}
    | {"Binary", "Bundle", "Communication", "CommunicationRequest", "Composition", "DocumentReference", "Media", "MessageHeader"}
    | {"Account", "AuditEvent", "Consent", "Coverage", "Parameters", "QuestionnaireResponse"}
)
"""Resource types that say who people are, or carry whole documents and messages."""
_CONTACTS: Final = frozenset({"phone", "telecom", "email"})
SHORTEST: Final = 10
"""Characters of the shortest number that is known by its looks."""
_LOOKS: Final = re.compile(
    r"[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{14}"  # GB 11643, and its form before 1999
    r"|(?:\+?86)?[- ]?1[3-9][0-9]{9}|0[0-9]{2,3}[- ]?[2-9][0-9]{6,7}"  # mobile and fixed lines of the national numbering plan
)
_RUN: Final = re.compile(rb"[0-9]{7,}")
_CERTAIN: Final = 11
"""So many digits in a row are taken for a number of a person wherever they stand (a mobile number has eleven)."""
_AREA: Final = re.compile(rb"(?<![0-9A-Za-z-])0[0-9]{2,3}[- ]\Z")
_PART_OF_ID: Final = frozenset(b"abcdefABCDEF-")


@lru_cache(maxsize=4096)
def holds_numbers(param: str) -> bool:
    """Whether a search parameter (``identifier``, ``subject:identifier``, ``Patient.phone``) is about numbers of persons."""
    name = param.rpartition(".")[2]
    return "identifier" in name or name in _CONTACTS


def is_personal(param: str, system: str | None, code: str) -> bool:
    """Whether a token is kept as a keyed hash only: by its system, by how it looks, or because it stands with its type (``:of-type``)."""
    if holds_numbers(param) and (system in SYSTEMS or param.endswith(":of-type")):
        return True
    return looks_personal(code)


def looks_personal(code: str) -> bool:
    """Whether a text has the form of a citizen id or a telephone number."""
    return len(code) >= SHORTEST and _LOOKS.fullmatch(code) is not None


def carries_number(body: bytes) -> bool:
    """Whether something like a number of a person stands in a JSON text: a long run of digits that is no part of a UUID."""
    for run in _RUN.finditer(body):
        start, end = run.span()
        if end - start >= _CERTAIN or _AREA.search(body, max(0, start - 6), start):
            return True
        if body[start - 1] not in _PART_OF_ID and (end == len(body) or body[end] not in _PART_OF_ID):
            return True
    return False
