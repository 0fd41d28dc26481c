"""A second opinion on what we write: hl7apy reads it and checks it against HL7's own structures of that version.

Its parser needs milliseconds a message and refuses much that is sent in earnest, so it judges only messages of our own making.
"""

from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

TOLERANT = 2


def problems(text: str, *, own_segments: bool = True) -> list[str]:
    """What does not conform in one of our messages; empty where all does. Names positions, never values.

    ``own_segments``: Z segments are left out before the check, since no standard knows them.
    """
    lines = [line for line in text.split("\r") if line and not (own_segments and line.startswith("Z"))]
    try:
        parsed = parse_message("\r".join(lines) + "\r", validation_level=TOLERANT, find_groups=True)
    except HL7apyException as error:
        return [type(error).__name__]
    found = []
    for segment in parsed.children:
        try:
            Validator.validate(segment)
        except HL7apyException as error:
            found.append(f"{segment.name}: {type(error).__name__}")
    missing = [name for name in ("MSH",) if not getattr(parsed, name.lower())]
    return found + [f"{name}: missing" for name in missing]
