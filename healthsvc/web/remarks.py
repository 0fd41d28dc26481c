"""What the hospital line remarks on a message, in the reader's language."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from healthsvc.web.words import remarks, say

_SLOT: Final = "{}"
_NAMED: Final = re.compile(r"\{(\d?)\}")


def remark_words(said: str, language: str = "zh") -> str:
    """The remarks of a message, which stand one behind the other, in Chinese; one that the table lacks stays as it was said.

    Empty where nothing of it is in the table: then its own text says it all.
    """
    if language != "zh":
        return ""
    told, known, rest = list[str](), False, said
    while rest:
        found = next(((match, words) for pattern, words in _patterns() if (match := pattern.match(rest))), None)
        if found is None:
            piece, _, rest = rest.partition("; ")
            told.append(piece)
            continue
        match, words = found
        told.append(_filled(words, [_slot(one) for one in match.groups()]))
        known, rest = True, rest[match.end() :]
    return "；".join(told) if known else ""


def _slot(said: str) -> str:
    return remarks().get(said) or say(said)


def _filled(words: str, slots: Sequence[str]) -> str:
    left = iter(slots)
    return _NAMED.sub(lambda slot: slots[int(slot[1])] if slot[1] else next(left), words)


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Those with most words of their own first, so that a shorter one does not take their beginning."""
    ordered = sorted(remarks().items(), key=lambda one: -len(one[0]))
    return [(re.compile("([^;]+?)".join(map(re.escape, said.split(_SLOT))) + r"(?:; |$)"), words) for said, words in ordered]
