"""公民身份号码 GB 11643: check, read and upgrade citizen identity numbers, of very old people too.

Area codes were given when the cards were issued, from 1984 on, and change; the code of a person's birth year proves nothing.
So an unknown area is a warning and never a refusal (handbook 3.2: a well-known library turns away 23 of 26 people born in 1930).
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from healthsvc.config_values import PROVINCE
from healthsvc.errors import Invalid
from healthsvc.healthfile.rules import age

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK: Final = "10X98765432"
_EIGHTEEN: Final = re.compile(r"[0-9]{17}[0-9X]")
_FIFTEEN: Final = re.compile(r"[0-9]{15}")
_CENTENARIANS: Final = frozenset({"996", "997", "998", "999"})
"""Sequence numbers that 15-digit cards reserved for people of a hundred years and more, hence born in the 1800s."""


@dataclass(frozen=True, slots=True)
class CitizenId:
    """A number that passed: in 18 characters, with what it says of its holder."""

    number: str
    birth: date
    sex: str
    """FHIR code: male or female."""
    converted: bool = False
    """It was written with 15 digits and has been upgraded."""
    warnings: tuple[str, ...] = ()


def check_digit(first: str) -> str:
    """The last character for the first 17 digits (ISO 7064 MOD 11-2)."""
    return _CHECK[sum(int(digit) * weight for digit, weight in zip(first, _WEIGHTS, strict=True)) % 11]


def read(text: str, on: date, oldest: int = 125) -> CitizenId:
    """Check a citizen identity number and read birth date and sex from it.

    Args:
        text: 18 characters, or 15 digits of the old kind; spaces around it and a small x are forgiven.
        on: the day on which it is checked (a birth date after it is refused).
        oldest: the greatest age that is believed, years (policy ``healthfile.oldest_age``).

    Raises:
        Invalid: with reason ``citizen-id-length``, ``-digits``, ``-date``, ``-future``, ``-age`` or ``-check-digit``. The text never
            repeats the number.
    """
    number = text.strip().upper()
    converted = False
    if _FIFTEEN.fullmatch(number):
        century = "18" if number[12:15] in _CENTENARIANS else "19"
        number = number[:6] + century + number[6:]
        number += check_digit(number)
        converted = True
    if len(number) != 18:
        raise _wrong("length", f"a citizen id has 18 characters (15 on old cards), this one has {len(number)}")
    if not _EIGHTEEN.fullmatch(number):
        raise _wrong("digits", "a citizen id consists of digits, and may end in X")
    birth = _birth(number[6:14])
    if birth > on:
        raise _wrong("future", "the citizen id says that the person is not yet born; check digits 7 to 14")
    if age(birth, on) > oldest:
        raise _wrong("age", f"the citizen id says that the person is older than {oldest}; check digits 7 to 14")
    if not converted and check_digit(number[:17]) != number[17]:
        raise _wrong("check-digit", "the last character of the citizen id does not match the others; one of them is mistyped")
    warnings = () if PROVINCE.match(number) else ("the area part of the citizen id is not a province that is known here",)
    return CitizenId(number, birth, "male" if int(number[16]) % 2 else "female", converted, warnings)


def _birth(digits: str) -> date:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise _wrong("date", "digits 7 to 14 of the citizen id are not a date") from None


def _wrong(reason: str, text: str) -> Invalid:
    return Invalid(text, reason=f"citizen-id-{reason}", path="Patient.identifier")
