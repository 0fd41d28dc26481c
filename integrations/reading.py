"""A stored message as its link reads it: bytes to text to segments."""

from functools import lru_cache

from integrations.hl7v2.charset import decode
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.escapes import without_controls
from integrations.hl7v2.header import Header, read_header
from integrations.hospitals.profile import Profile

SHORT = 2048
"""Bytes of a message that is kept for its second reading: once for its place in the queue, soon after for its effect."""


def read(raw: bytes, profile: Profile) -> tuple[Message, Header]:
    """Decode and cut a message.

    Raises:
        Malformed: its characters cannot be read, or it has no header.
    """
    return (_read_short if len(raw) <= SHORT else _read)(raw, profile.charset or None, profile.charset_unlabelled or None)


def _read(raw: bytes, charset: str | None, unlabelled: str | None) -> tuple[Message, Header]:
    decoded = decode(raw, charset, unlabelled)
    message = Message(decoded.text, decoded.codec)
    plain = without_controls(decoded.text, message.cut.field + message.cut.encoding)
    if plain is not decoded.text:
        message = Message(plain, decoded.codec)  # the message as it came is kept with the Provenance
    return message, read_header(message)


_read_short = lru_cache(maxsize=2048)(_read)
