"""The primitive types of R4: what may stand there, by the regular expressions of the definitions and the calendar.

Each check takes a JSON value and returns what is wrong in words, or None.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from healthsvc.fhir.narrative import wrong_narrative

Check: TypeAlias = Callable[[Any], str | None]

YEAR = r"(?:[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9])"
DAY = r"-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
PARTIAL = rf"{YEAR}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?"
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
INTEGERS = range(-(1 << 31), 1 << 31)
LONGEST = 1 << 20
"""Most characters of a string (R4 2.24.0.1: "Strings SHALL NOT exceed 1MB in size")."""


def text(pattern: str, form: str) -> Check:
    """A string that must follow a pattern entirely."""
    matches = re.compile(pattern, re.ASCII).fullmatch

    def check(value: Any) -> str | None:
        if type(value) is not str:
            return f"must be a JSON string, not {kind(value)}"
        return None if matches(value) else f"must be {form}" if value else "must not be empty"

    return check


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def string(value: Any) -> str | None:
    """Any text with at least one visible character, without control characters."""
    if type(value) is not str:
        return f"must be a JSON string, not {kind(value)}"
    if not value or value.isspace():
        return "must not be empty"
    if len(value) > LONGEST:
        return "is longer than 1 MB"
    return "contains control characters or halves of characters" if CONTROL.search(value) else None


def boolean(value: Any) -> str | None:
    """true or false."""
    return None if type(value) is bool else f"must be true or false, not {kind(value)}"


def integer(least: int, most: int = INTEGERS[-1]) -> Check:
    """A whole number within bounds, written without a fraction."""

    def check(value: Any) -> str | None:
        if type(value) is not int:
            return "must be a whole number" if not isinstance(value, str) else "must be a JSON number, not a string"
        return None if least <= value <= most else f"must be from {least} to {most}"

    return check


def decimal(value: Any) -> str | None:
    """A number."""
    if isinstance(value, (int, float, Decimal)) and type(value) is not bool:
        return None
    return f"must be a JSON number, not {kind(value)}"


def calendar(pattern: str, form: str) -> Check:
    """A date that follows the pattern and exists in the calendar."""
    follows = text(pattern, form)

    def check(value: Any) -> str | None:
        wrong = follows(value)
        if wrong is None and len(value) >= 10:
            try:
                date(int(value[:4]), int(value[5:7]), int(value[8:10]))
            except ValueError:
                return "is a day that does not exist"
        return wrong

    return check


BASE64 = re.compile(r"[0-9A-Za-z+/]*={0,2}", re.ASCII)


def base64(value: Any) -> str | None:
    """Base64 with correct padding; white space is allowed."""
    if type(value) is not str:
        return f"must be a JSON string, not {kind(value)}"
    packed = "".join(value.split())
    if not packed:
        return "must not be empty"
    return None if len(packed) % 4 == 0 and BASE64.fullmatch(packed) else "is not base64"


WHITE = re.compile(r"\s")
"""What ``str.isspace`` calls white space."""


def uri(value: Any) -> str | None:
    """A URI: no white space, not empty."""
    if type(value) is not str:
        return f"must be a JSON string, not {kind(value)}"
    if not value:
        return "must not be empty"
    if WHITE.search(value):
        return "must not contain white space"
    if value.startswith("urn:uuid:") and not UUID(value):
        return "is not a UUID after urn:uuid:"
    if value.startswith("urn:oid:") and not OID(value):
        return "is not an OID after urn:oid:"
    return None


UUID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII).fullmatch
OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9]\d*))+", re.ASCII).fullmatch

CHECKS: dict[str, Check] = {
    "base64Binary": base64,
    "boolean": boolean,
    "canonical": uri,
    "code": text(r"[^\s]+( [^\s]+)*", "a code: no space at the ends, single spaces inside"),
    "date": calendar(PARTIAL, "a date: YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": calendar(
        rf"{PARTIAL}|{YEAR}{DAY}T{TIME}{ZONE}", "a dateTime: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz (with seconds and zone)"
    ),
    "decimal": decimal,
    "id": text(r"[A-Za-z0-9\-.]{1,64}", "an id: 1 to 64 letters, digits, '-' and '.'"),
    "instant": calendar(rf"{YEAR}{DAY}T{TIME}{ZONE}", "an instant: YYYY-MM-DDThh:mm:ss.sss+zz:zz"),
    "integer": integer(INTEGERS[0]),
    "markdown": string,
    "oid": text(r"urn:oid:[0-2](\.(0|[1-9]\d*))+", "an OID: urn:oid:1.2.3"),
    "positiveInt": integer(1),
    "string": string,
    "time": text(TIME, "a time: hh:mm:ss"),
    "unsignedInt": integer(0),
    "uri": uri,
    "url": uri,
    "uuid": text(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "a UUID: urn:uuid: and small hexadecimal digits"
    ),
    "xhtml": wrong_narrative,
}
