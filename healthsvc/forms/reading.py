"""Forms are written as tables, one item a line; here the lines become items.

``link | kind | 中文 | English | attributes``, two spaces deeper for what is in a group. Attributes: ``req`` required, ``rep`` repeats,
``carry``, ``future``, ``obs`` becomes an Observation, ``x=..`` becomes something else, ``own`` (code of our own, the link), ``code=LOINC``,
``unit=written:ucum``, ``opt=option set``, ``range=name``, ``when=link=code|code`` (also ``when=link>=3``), ``part=..``, ``cat=..``,
``site=..``, ``below=..``, ``sum=a,b``, ``fill=..``.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from healthsvc.fhir.systems import BASE, LOINC, code_system
from healthsvc.forms.rules import Code, Form, Item, Kind, Option, When

ITEMS: Final = code_system("form-item")
_FLAGS: Final = {"req": "required", "rep": "repeats", "carry": "carry", "future": "future"}
_CATEGORIES: Final = {"social": "social-history", "lab": "laboratory", "vital": "vital-signs"}
_PLAIN: Final = {"range": "range", "x": "extract", "part": "part", "site": "site", "below": "below", "fill": "fill"}
_WHEN: Final = re.compile(r"([a-z0-9-]+)(>=|<=|!=|=|>|<)(.+)")
Sets = Mapping[str, tuple[Option, ...]]


def options(name: str, text: str, system: str | None = None) -> tuple[Option, ...]:
    """An option set from lines ``code | 中文 | English [| points]``; codes of our CodeSystem ``form-NAME`` unless told otherwise."""
    found = []
    for line in text.strip().splitlines():
        code, zh, en, *points = (part.strip() for part in line.split("|"))
        found.append(Option(Code(system or code_system(f"form-{name}"), code, zh, en), int(points[0]) if points else None))
    return tuple(found)


def form(name: str, zh: str, en: str, text: str, sets: Sets, *, bands: str = "", source: str = "") -> Form:
    """A form from its lines."""
    lines = [line for line in text.splitlines() if line.strip()]
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    items, rest = _items([line[margin:] for line in lines], 0, sets)
    if rest:
        raise ValueError(f"form {name}: the indentation of {rest[0]!r} leads nowhere")
    return Form(name, f"{BASE}/Questionnaire/{name}", zh, en, items, bands=bands, source=source)


def _items(lines: list[str], depth: int, sets: Sets) -> tuple[tuple[Item, ...], list[str]]:
    found = []
    while lines and len(lines[0]) - len(lines[0].lstrip()) == depth:
        line, lines = lines[0], lines[1:]
        inner: tuple[Item, ...] = ()
        if lines and len(lines[0]) - len(lines[0].lstrip()) > depth:
            inner, lines = _items(lines, depth + 2, sets)
        found.append(_item(line.strip(), inner, sets))
    return tuple(found), lines


def _item(line: str, inner: tuple[Item, ...], sets: Sets) -> Item:
    link, kind, zh, en, *rest = (part.strip() for part in line.split(" | "))
    told: dict[str, Any] = {}
    whens: list[When] = []
    for word in rest[0].split() if rest else ():
        key, _, value = word.partition("=")
        if key in _FLAGS and not value:
            told[_FLAGS[key]] = True
        elif word == "obs":
            told["extract"] = "observation"
        elif key == "cat":
            told["category"] = _CATEGORIES.get(value, value)
        elif key in _PLAIN:
            told[_PLAIN[key]] = value
        elif key == "own":
            told["code"] = Code(ITEMS, value or link, zh, en)
        elif key == "code":
            told["code"] = _code(value, zh, en)
        elif key == "unit":
            told["unit"], _, ucum = value.partition(":")
            told["ucum"] = ucum or told["unit"]
        elif key == "opt":
            told["options"] = sets[value]
        elif key == "sum":
            told["sum"] = tuple(value.split(","))
        elif key == "when":
            met = _WHEN.fullmatch(value)
            if met is None:
                raise ValueError(f"{link}: {word}")
            whens.append(When(met[1], met[2], tuple(met[3].split("|"))))
        else:
            raise ValueError(f"{link}: no attribute {word!r}")
    return Item(link, Kind(kind), zh, en, when=tuple(whens), items=inner, **told)


def _code(text: str, zh: str, en: str) -> Code:
    system, _, code = text.rpartition("#")
    return Code(code_system(system) if system else LOINC, code, zh, en)
