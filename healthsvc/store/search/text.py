"""The small grammar of search values: separators, escapes and comparison prefixes (R4 3.1.1.4 and 3.1.1.5)."""

import re
from typing import cast, get_args

from healthsvc.store.search.ast import Op

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d.+-])")
OPS: tuple[Op, ...] = get_args(Op)


def split(text: str, separator: str) -> list[str]:
    """Cut at a separator that no backslash protects; escapes stay, so that the parts can be cut again.

    >>> split(r"a\\,b,c", ",")
    ['a\\\\,b', 'c']
    """
    if "\\" not in text:
        return text.split(separator)
    parts, part, place = [], "", 0
    while place < len(text):
        character = text[place]
        if character == "\\" and place + 1 < len(text):
            part += text[place : place + 2]
            place += 2
            continue
        if character == separator:
            parts.append(part)
            part = ""
        else:
            part += character
        place += 1
    return [*parts, part]


def plain(text: str) -> str:
    r"""Take the escapes ``\, \| \$ \\`` away."""
    return re.sub(r"\\([,|$\\])", r"\1", text) if "\\" in text else text


def escaped(text: str) -> str:
    r"""Protect a literal value: the inverse of :func:`plain`."""
    return re.sub(r"([,|$\\])", r"\\\1", text)


def prefixed(text: str) -> tuple[Op, str]:
    """``ge2026-01`` as operator and value; no prefix means equal.

    >>> prefixed("ge2026-01")
    ('ge', '2026-01')
    """
    found = _PREFIX.match(text)
    return (cast(Op, found[1]), text[2:]) if found else ("eq", text)
