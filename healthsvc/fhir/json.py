"""JSON that keeps numbers as they were written: ``0.40`` stays ``0.40``, ``1.0E2`` stays ``1.0E2``.

FHIR R4 says of decimals: "The precision of the decimal value has significance" (2.24.0.1). Python floats lose it.
"""

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
import orjson

from healthsvc.errors import Malformed

Resource: TypeAlias = dict[str, Any]
"""A FHIR resource (or element) as JSON values: dict, list, str, bool, None, int and :class:`Lexical` for numbers with a fraction."""


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Lexical(Decimal):
    """A decimal that remembers how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Lexical":
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __deepcopy__(self, memo: Any) -> "Lexical":
        return self

    def __reduce__(self) -> tuple[type["Lexical"], tuple[str]]:
        return Lexical, (self.text,)


def loads(raw: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        Malformed: not UTF-8 or not JSON; the text gives line and column.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        value = json.loads(text, parse_float=Lexical, parse_constant=_no_constant, object_pairs_hook=_once)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False, default=str).encode()
        return value
    except UnicodeEncodeError:
        raise Malformed("the body has half a character (a single \\uD800 to \\uDFFF escape); send whole characters") from None
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8 (byte {error.start}); send it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, ArithmeticError):
        raise Malformed("the body has a number that is too long to be one") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply to be a FHIR resource") from None


_DECODER = msgspec.json.Decoder(float_hook=Lexical)


def reread(body: bytes) -> Any:
    """Parse what :func:`dumps` has written: the same values as :func:`loads`, in a quarter of its time.

    What a sender may get wrong (a name that stands twice, half a character) was refused when it was written, so it is not looked for.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return loads(body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; JSON leaves open what a name that stands twice means, so it is refused instead of losing one."""
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        shown = twice if twice.isascii() and twice.isidentifier() and len(twice) <= 64 else "a property"
        raise Malformed(f"{shown} stands twice in one object; send it once")
    return made


def dumps(value: Any, *, pretty: bool = False, sort_keys: bool = False) -> bytes:
    """Serialise to UTF-8 JSON, numbers as they were written."""
    option = (orjson.OPT_INDENT_2 if pretty else 0) | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        return orjson.dumps(value, default=_number, option=option)
    except TypeError:
        return orjson.dumps(_bounded(value), default=_number, option=option)


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Lexical):
        return orjson.Fragment(value.text.encode())
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _bounded(value: Any) -> Any:
    """Integers beyond 64 bits are legal JSON that orjson refuses: hand them over as written."""
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    if type(value) is int and not -(1 << 63) <= value < 1 << 64:
        return orjson.Fragment(str(value).encode())
    return value


def _no_constant(name: str) -> Any:
    raise Malformed(f"the body contains {name}, which JSON does not have")
