"""Folding of text for comparison: full-width and half-width, upper and lower case, accents and runs of space are made one."""

import unicodedata
from functools import lru_cache

REMEMBERED = 64
"""Longest text whose folded form is remembered: names and displays come again and again, narratives do not."""


def fold(text: str) -> str:
    """Return ``text`` as the index compares it: NFKC, case-folded, accents dropped, white space made single spaces.

    >>> fold("Ｊosé\\u3000 GARCÍA")
    'jose garcia'
    """
    return remembered(text) if len(text) <= REMEMBERED else folded(text)


def folded(text: str) -> str:
    """The work of :func:`fold`."""
    if text.isascii():
        return " ".join(text.lower().split())
    split = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(one for one in split if not unicodedata.combining(one))
    return " ".join(unicodedata.normalize("NFKC", bare).split())


remembered = lru_cache(maxsize=16384)(folded)


def is_han(character: str) -> bool:
    """Whether a character is a Chinese one (CJK ideographs with their extensions and compatibility forms)."""
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or "\U00020000" <= character <= "\U0003ffff"


def has_han(text: str) -> bool:
    """Whether a text has at least one Chinese character."""
    return not text.isascii() and any(map(is_han, text))
