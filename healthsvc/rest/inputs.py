"""What is wrong with an input of an operation, in words that say how to mend it and never repeat the value."""

from collections.abc import Mapping
from typing import Any, Final

_WORDS: Final = {
    "missing": "is missing; send it",
    "extra_forbidden": "is not known here; remove it or check its spelling",
    "json_invalid": "the body is not JSON",
    "model_attributes_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "needs at least {min_length} characters",
    "string_too_long": "has room for {max_length} characters",
    "too_short": "needs at least {min_length} entries",
    "too_long": "has room for {max_length} entries",
    "timezone_aware": "needs a time zone, for example 2026-01-05T08:00:00+08:00",
}
_FAMILIES: Final = (
    ("datetime_", "must be a time with its zone, for example 2026-01-05T08:00:00+08:00"),
    ("date_", "must be a date: YYYY-MM-DD"),
    ("time_", "must be a time of day: HH:MM"),
    ("int_", "must be a whole number"),
    ("float_", "must be a number"),
    ("decimal_", "must be a number"),
    ("bool_", "must be true or false"),
)


def said(error: Mapping[str, Any]) -> str:
    """One finding of pydantic in our words. Its own context holds limits and codes of ours, only ``error`` may hold more."""
    kind = str(error["type"])
    context = error.get("ctx") or {}
    if kind in _WORDS:
        return _WORDS[kind].format_map(context)
    if kind == "value_error" and tuple(error.get("loc", ())) == ("body",):
        return str(context.get("error", "the fields contradict each other"))  # our own sentence about the whole
    family = next((words for start, words in _FAMILIES if kind.startswith(start)), None)
    return family or f"is not valid ({kind.replace('_', ' ')})"
