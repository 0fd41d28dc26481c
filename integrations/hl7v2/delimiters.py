"""The delimiters of a message, as its own header states them (MSH-1, MSH-2), and whether they can cut it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from healthsvc.errors import Malformed

HEADERS: Final = ("MSH", "FHS", "BHS")
ENDS: Final = re.compile(r"\r\n|\r|\n")
_DEFAULT_ENCODING: Final = "^~\\&"
_DOUBLED: Final = "^~\\\\&"
"""As programs write it that have escaped the backslash once too often."""


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The characters that cut a message, as its own header states them; an empty text where the header states none."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    encoding: str = _DEFAULT_ENCODING
    """MSH-2 as written."""
    codec: str = "utf-8"
    """Character set of the bytes that hexadecimal escapes stand for."""


@lru_cache(maxsize=256)
def _delimiters(field: str, encoding: str, codec: str) -> Delimiters:
    meant = _DEFAULT_ENCODING if encoding in ("", _DOUBLED) else encoding
    padded = meant + "\0" * 5
    component, repetition, escape, subcomponent, truncation = (c if c != "\0" else "" for c in padded[:5])
    return Delimiters(field, component, repetition, escape, subcomponent, truncation, encoding, codec)


def flaw_of(cut: Delimiters) -> str:
    """What is wrong with the encoding characters (MSH-2) that a message states; empty where they can cut it.

    HL7 v2.5 2.5.4: the component and repetition separators, the escape character, the subcomponent separator; from v2.7 the truncation
    character. The last ones may be left out by who does not use them; a header that states none at all means the usual ones.
    """
    stated = cut.encoding
    if stated in ("", _DOUBLED):
        return ""
    if not 2 <= len(stated) <= 5:
        return f"they are {len(stated)}, and HL7 has two to five"
    if len({*stated, cut.field}) <= len(stated):
        return "one of them stands there twice"
    if any(one.isalnum() or one.isspace() or ord(one) < 0x20 or one == '"' for one in stated):
        return "letters, digits, blanks and quotation marks stand in values"
    return ""


def usual(cut: Delimiters) -> Delimiters:
    """The usual encoding characters behind a message's field separator, for who answers a message whose own cannot be used."""
    encoding = "".join("|" if one == cut.field else one for one in _DEFAULT_ENCODING)
    return _delimiters(cut.field, encoding, cut.codec)


def find_delimiters(text: str, codec: str = "utf-8") -> Delimiters:
    """Read the delimiters that a message states in its first characters.

    Raises:
        Malformed: the text has no message header.
    """
    start = 0 if text[:3] in HEADERS else len(text) - len(text.lstrip())
    if text[start : start + 3] not in HEADERS or len(text) < start + 4 or text[start + 3] in "\r\n":
        raise Malformed("the message does not begin with MSH and a field separator; send HL7 v2 in pipe-and-hat form", path="MSH-1")
    separator = text[start + 3]
    if separator.isalnum():
        raise Malformed("a letter or digit cannot be the field separator (MSH-1); send HL7 v2 in pipe-and-hat form", path="MSH-1")
    stop = text.find(separator, start + 4, start + 14)
    encoding = text[start + 4 : stop] if stop >= 0 else ENDS.split(text[start + 4 : start + 9], maxsplit=1)[0]
    return _delimiters(separator, encoding, codec)
