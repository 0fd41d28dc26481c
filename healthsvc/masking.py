"""遮蔽 how much of a name, a number, a telephone or an address somebody sees: pure rules, and one table (policy ``access.masking``).

A row of the table is ``PURPOSE ROLE ROLE: name=ends number=hidden``; ``*`` stands for every role. The first row counts whose purpose is
meant and one of whose roles is held; what it does not name, and what no row is about, is hidden.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from healthsvc.errors import Invalid
from healthsvc.surnames import DOUBLE_SURNAMES

STAR: Final = "*"
HIDDEN: Final = STAR * 3


class Kind(StrEnum):
    """What is masked."""

    NAME = "name"
    NUMBER = "number"
    PHONE = "phone"
    ADDRESS = "address"


class Form(StrEnum):
    """How much shows."""

    FULL = "full"
    SURNAME = "surname"
    """欧阳**: the surname of a name."""
    ENDS = "ends"
    """王*强, 330***********9014: first and last character of a name; three and four of a number."""
    TAIL = "tail"
    """*******0001: the last four characters of a number or telephone."""
    HEAD = "head"
    """33029919300101****: a number without its last four characters: whether two are alike still shows."""
    AREA = "area"
    """浙江省宁波市海曙区****: an address down to its district or county."""
    SHAPE = "shape"
    """某x9: every character by its kind."""
    HIDDEN = "hidden"


FITS: Final[Mapping[Kind, frozenset[Form]]] = {
    Kind.NAME: frozenset({Form.FULL, Form.SURNAME, Form.ENDS, Form.SHAPE, Form.HIDDEN}),
    Kind.NUMBER: frozenset({Form.FULL, Form.ENDS, Form.TAIL, Form.HEAD, Form.SHAPE, Form.HIDDEN}),
    Kind.PHONE: frozenset({Form.FULL, Form.TAIL, Form.SHAPE, Form.HIDDEN}),
    Kind.ADDRESS: frozenset({Form.FULL, Form.AREA, Form.SHAPE, Form.HIDDEN}),
}
_AREA: Final = re.compile(r".*?(?:[区县旗]|自治州|市(?!.*[区县旗]))")
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z.\-])(?:1[3-9]\d{9}|[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx])(?![0-9A-Za-z])"
)
"""A mobile number, a citizen id: told from control ids and times by how they begin and by the birth date inside."""
_SHOWN_OF_NUMBER: Final = (3, 4)


@dataclass(frozen=True, slots=True)
class Masks:
    """The forms that hold for one reader and one purpose."""

    forms: Mapping[Kind, Form] = field(default_factory=dict)

    def form(self, kind: Kind) -> Form:
        """How much of a kind shows."""
        return self.forms.get(kind, Form.HIDDEN)

    def name(self, value: str) -> str:
        """A name as this reader may see it."""
        return mask(value, Kind.NAME, self.form(Kind.NAME))

    def number(self, value: str) -> str:
        """A number of a person (citizen id, certificate) as this reader may see it."""
        return mask(value, Kind.NUMBER, self.form(Kind.NUMBER))

    def phone(self, value: str) -> str:
        """A telephone number as this reader may see it."""
        return mask(value, Kind.PHONE, self.form(Kind.PHONE))

    def address(self, value: str) -> str:
        """An address as this reader may see it."""
        return mask(value, Kind.ADDRESS, self.form(Kind.ADDRESS))


def masks_for(rows: Iterable[str], purpose: str, roles: Collection[str]) -> Masks:
    """The forms that a table gives to whoever holds these roles, for this purpose.

    Raises:
        Invalid: a row of the table cannot be read; the text says which and why.
    """
    for row in rows:
        meant, whose, forms = read_row(row)
        if meant == purpose and ("*" in whose or not whose.isdisjoint(roles)):
            return Masks(forms)
    return Masks()


def read_row(row: str) -> tuple[str, frozenset[str], dict[Kind, Form]]:
    """Purpose, roles and forms of one row.

    Raises:
        Invalid: it is not ``PURPOSE ROLE ...: KIND=FORM ...``, or a form does not fit its kind.
    """
    head, mark, tail = row.partition(":")
    purpose, *whose = head.split() or [""]
    if not mark or not whose:
        raise Invalid(f"a row of access.masking is written PURPOSE ROLE ...: name=ends ..., not {row[:80]!r}")
    forms: dict[Kind, Form] = {}
    for cell in tail.split():
        kind, _, form = cell.partition("=")
        try:
            forms[Kind(kind)] = Form(form)
        except ValueError:
            raise Invalid(f"access.masking, row {row[:60]!r}: there is no {cell[:30]!r}; {' '.join(Kind)} = {' '.join(Form)}") from None
        if Form(form) not in FITS[Kind(kind)]:
            raise Invalid(f"access.masking, row {row[:60]!r}: a {kind} has no form {form}, but {', '.join(sorted(FITS[Kind(kind)]))}")
    return purpose, frozenset(whose), forms


def mask(value: str, kind: Kind, form: Form) -> str:
    """A value in a form; what is hidden is not in it. An empty value stays empty: there is nothing to hide.

    >>> mask("欧阳修远", Kind.NAME, Form.SURNAME), mask("王国强", Kind.NAME, Form.ENDS), mask("10000000001", Kind.PHONE, Form.TAIL)
    ('欧阳**', '王*强', '*******0001')
    """
    if not value or form is Form.FULL:
        return value
    if form is Form.SHAPE:
        return shape(value)
    if form is Form.SURNAME:
        return _first(value, family_length(value))
    if form is Form.HEAD:
        return value[:-4] + STAR * min(len(value), 4)
    if form is Form.TAIL:
        return _ends(value, 0, _SHOWN_OF_NUMBER[1])
    if form is Form.ENDS:
        return _ends(value, *((1, 1) if kind is Kind.NAME else _SHOWN_OF_NUMBER))
    if form is Form.AREA and (found := _AREA.match(value)) is not None:
        return found[0] + STAR * 4
    return HIDDEN


def family_length(name: str) -> int:
    """How many characters of a name are the surname, as far as lists may show it."""
    return 2 if len(name) > 2 and name[:2] in DOUBLE_SURNAMES else 1


def shape(value: str) -> str:
    """A value by its shape: every Han character 某, every other letter x, every digit 9; the rest as it is."""
    return "".join(map(_sign, value))


def scrubbed(event: Mapping[str, Any]) -> dict[str, Any]:
    """What a log says, in case a number of a person has come into it: citizen ids and mobile numbers by their shape."""
    return {name: _NUMBER.sub(lambda found: shape(found[0]), one) if isinstance(one, str) else one for name, one in event.items()}


def _first(value: str, shown: int) -> str:
    return value[:shown] + STAR * max(len(value) - shown, 1)


def _ends(value: str, first: int, last: int) -> str:
    """So many characters at both ends; of a value that is not longer than they are, fewer, so that something is hidden."""
    if len(value) <= first + last:
        return _first(value, min(1, first)) if first else STAR * len(value)
    return value[:first] + STAR * (len(value) - first - last) + value[len(value) - last :]


def _sign(character: str) -> str:
    kind = unicodedata.category(character)
    return "9" if kind[0] == "N" else "某" if kind == "Lo" else "x" if kind[0] in "LM" else character
