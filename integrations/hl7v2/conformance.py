"""A second opinion on what we write: hl7apy reads it and checks it against HL7's own structures of that version.

Its parser needs milliseconds a message and refuses much that is sent in earnest, so it judges only messages of our own making.
"""

import re

from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

TOLERANT = 2
_PLACE = re.compile(r"[A-Z][A-Z0-9]{2}(?:[._-][A-Z0-9_]+)*")
"""Names of segments, fields and groups: all that may be repeated of an error's words, which may quote a value."""


def problems(text: str, *, own_segments: bool = True) -> list[str]:
    """What does not conform in one of our messages: its groups, segments, fields and data types. Names places, never values.

    ``own_segments``: Z segments are left out before the check, since no standard knows them.
    """
    lines = [line for line in text.split("\r") if line and not (own_segments and line.startswith("Z"))]
    people = [line for line in lines if line.startswith("PID")]
    if "^ADT_A37|" in lines[0] and len(people) == 2:
        # hl7apy's table of A37 has one place for its two PIDs: each is judged in a message of its own
        return _wrong([line for line in lines if line is not people[1]]) or _wrong([line for line in lines if line is not people[0]])
    return _wrong(lines)


def _wrong(lines: list[str]) -> list[str]:
    plain = "\r".join(lines) + "\r"
    try:
        parsed = parse_message(plain, validation_level=TOLERANT, find_groups=True)
        # without MSH-9.3 hl7apy does not know most structures; then each segment is judged for itself
        for part in [parsed] if parsed.structure_by_name is not None else parsed.children:
            Validator.validate(part)
    except HL7apyException as error:
        return [f"{type(error).__name__}: {', '.join(dict.fromkeys(_PLACE.findall(str(error)))) or 'message'}"]
    return []
