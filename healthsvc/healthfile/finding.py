"""查找 find a person by what one types: a character, a name, pinyin, initials, the tail of a number."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from healthsvc.access import looks
from healthsvc.fhir import pinyin
from healthsvc.fhir.json import Resource
from healthsvc.fhir.text import fold, has_han, is_han
from healthsvc.healthfile.resources import links
from healthsvc.store import Store
from healthsvc.store.lookup import ending
from healthsvc.store.sealing.sealer import TAIL_LENGTHS

SHORTEST_TAIL: Final = min(TAIL_LENGTHS)
"""Digits that a tail needs: fewer would list half the town."""
_ANYWHERE: Final = 3
"""Letters that pinyin in the middle of a name needs; fewer fit nearly everybody."""
_MERGED: Final = 8
"""Read beyond what is wanted, since merged files fall out."""
_NUMBER: Final = re.compile(r"(?=.*[0-9])[0-9X-]+")


class Kind(StrEnum):
    """What was typed."""

    NUMBER = "number"
    NAME = "name"
    LETTERS = "letters"
    MIXED = "mixed"
    NOTHING = "nothing"


def kind_of(typed: str) -> tuple[Kind, str]:
    """What was typed, and in which form it is looked for: folded, without spaces inside Chinese, digits and X without dashes.

    >>> kind_of("王 建国"), kind_of("Wáng Jiàn")
    ((<Kind.NAME: 'name'>, '王建国'), (<Kind.LETTERS: 'letters'>, 'wang jian'))
    >>> kind_of("１２３ｘ"), kind_of("王jg")
    ((<Kind.NUMBER: 'number'>, '123X'), (<Kind.MIXED: 'mixed'>, '王jg'))
    """
    bare = "".join(one for one in fold(typed) if one not in " '’·")
    if not bare:
        return Kind.NOTHING, ""
    if _NUMBER.fullmatch(bare.upper()):
        return Kind.NUMBER, bare.upper().replace("-", "")
    if not has_han(bare):
        return Kind.LETTERS, fold(typed).strip()
    return (Kind.NAME if all(map(is_han, bare)) else Kind.MIXED), bare


def find_people(store: Store, typed: str, most: int) -> list[Resource]:
    """Up to ``most`` Patients that fit, the best fit first: one's own people, names that begin with it, names that hold it.

    What the actor may not see is not found; a merged file stands under the surviving one only. Whom it shows is
    noted, nothing of what was typed.
    """
    kind, wanted = kind_of(typed)
    ways = {Kind.NUMBER: _by_number, Kind.NAME: _by_name, Kind.LETTERS: _by_letters, Kind.MIXED: _by_mixed}
    found: dict[str, Resource] = {}
    for patient in ways[kind](store, wanted, most) if kind in ways else ():
        if not links(patient, "replaced-by"):
            found.setdefault(patient["id"], patient)
        if len(found) == most:
            break
    many = looks.named(store, found, "search")
    store.audit("search", "Patient?name,identifier,phone", purpose=f"search: {many} files")
    return list(found.values())


def _by_number(store: Store, wanted: str, most: int) -> Iterator[Resource]:
    yield from ending(store, wanted, most + _MERGED)


def _by_name(store: Store, wanted: str, most: int) -> Iterator[Resource]:
    for modifier in ("name", "name:contains"):
        yield from _own_first(store, modifier, wanted, most)


def _by_letters(store: Store, wanted: str, most: int) -> Iterator[Resource]:
    """Pinyin or initials from the start; then pinyin of the given name; then names that are written in letters."""
    bare = "".join(one for one in wanted if one not in " '’")
    yield from _own_first(store, "pinyin", bare, most)
    if len(bare) >= _ANYWHERE:
        yield from _search(store, "pinyin:contains", bare, most)
    yield from _search(store, "name:contains" if len(bare) >= _ANYWHERE else "name", wanted, most)


def _by_mixed(store: Store, wanted: str, most: int) -> Iterator[Resource]:
    """Some characters and the letters of what follows: 王jg, 欧阳xiu."""
    han = [one for one in wanted if is_han(one)]
    spelled = "".join(pinyin.family_readings(one)[0] if is_han(one) else one for one in wanted)
    fits = _search(store, "pinyin", spelled, 4 * most)
    yield from (one for one in fits if all(part in _name(one) for part in han))
    yield from _search(store, "name:contains", wanted, most)


def _own_first(store: Store, param: str, wanted: str, most: int) -> Iterator[Resource]:
    if store.actor.id.startswith("Practitioner/"):
        yield from _search(store, param, wanted, most, [("general-practitioner", store.actor.id)])
    yield from _search(store, param, wanted, most)


def _search(store: Store, param: str, wanted: str, most: int, more: Iterable[tuple[str, str]] = ()) -> list[Resource]:
    """One search; a comma or a dollar in what was typed is not FHIR's."""
    plain = re.sub(r"([\\,$|])", r"\\\1", wanted)
    return list(store.search("Patient", [(param, plain), *more, ("_count", str(most + _MERGED))]).resources)


def _name(patient: Resource) -> str:
    return "".join(str(one.get("text") or f"{one.get('family', '')}{''.join(one.get('given', []))}") for one in patient.get("name", []))
