"""Escape sequences of HL7 v2 text: what a sender had to write where the value contains a delimiter (HL7 v2.5 2.7)."""

import re
from collections.abc import Callable
from typing import Protocol


class Cut(Protocol):
    """The delimiters of a message."""

    @property
    def field(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def repetition(self) -> str: ...
    @property
    def escape(self) -> str: ...
    @property
    def subcomponent(self) -> str: ...
    @property
    def truncation(self) -> str: ...
    @property
    def codec(self) -> str: ...


_LETTER: dict[str, Callable[[Cut], str]] = {
    "F": lambda cut: cut.field,
    "S": lambda cut: cut.component,
    "T": lambda cut: cut.subcomponent,
    "R": lambda cut: cut.repetition,
    "E": lambda cut: cut.escape,
    "P": lambda cut: cut.truncation,
    "H": lambda cut: "",
    "N": lambda cut: "",
}
_SPACING = re.compile(r"\.(br|sp|ce)\+?(\d{0,3})$")
_SKIP = re.compile(r"\.sk\+?(\d{1,3})$")
_LAYOUT = re.compile(r"\.(?:fi|nf|in[+-]?\d{1,3}|ti[+-]?\d{1,3})$")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_LONGEST = 1024


def unescape(raw: str, cut: Cut) -> str:
    """Resolve the escapes of a value. What is no known escape stays as it was written: a lone backslash is text to most senders."""
    mark = cut.escape
    pieces: list[str] = []
    at = 0
    while (start := raw.find(mark, at)) >= 0:
        stop = raw.find(mark, start + 1, start + _LONGEST)
        known = _resolve(raw[start + 1 : stop], cut) if stop > start + 1 else None
        if known is None:
            pieces.append(raw[at : start + 1])
            at = start + 1
        else:
            pieces += raw[at:start], known
            at = stop + 1
    pieces.append(raw[at:])
    return "".join(pieces)


def _resolve(code: str, cut: Cut) -> str | None:
    if code in _LETTER:
        return (_LETTER[code](cut) or None) if code == "P" else _LETTER[code](cut)
    if spacing := _SPACING.match(code):
        return "\n" * max(1, int(spacing[2] or 1))
    if skip := _SKIP.match(code):
        return " " * int(skip[1])
    if _LAYOUT.match(code):
        return ""
    if digits := _HEX.match(code):
        try:
            meant = bytes.fromhex(digits[1]).decode(cut.codec)
        except UnicodeDecodeError:
            return None
        return None if _CONTROL.search(meant) else meant
    return None


def without_controls(text: str, delimiters: str) -> str:
    """A text without the control characters that no value may have; tab and line ends stay, and what the message itself cuts by."""
    if not _CONTROL.search(text):
        return text
    return _CONTROL.sub(lambda found: found[0] if found[0] in delimiters else "", text)


def escape(value: str, cut: Cut) -> str:
    """Write a value so that none of its characters cuts the message; line ends become ``.br``."""
    mark = cut.escape
    if not mark:
        for delimiter in (cut.field, cut.component, cut.repetition, cut.subcomponent, "\r", "\n"):
            value = value.replace(delimiter, " ") if delimiter else value
        return value
    value = value.replace(mark, f"{mark}E{mark}")
    for delimiter, code in ((cut.field, "F"), (cut.component, "S"), (cut.repetition, "R"), (cut.subcomponent, "T"), (cut.truncation, "P")):
        if delimiter and delimiter != mark:
            value = value.replace(delimiter, f"{mark}{code}{mark}")
    return re.sub("\r\n|\r|\n", lambda _: f"{mark}.br{mark}", value)
