"""住院诊断、手术操作 the diagnoses of a stay in the words of the hospital, each with its part in it, and what was done during it."""

from collections.abc import Mapping
from typing import Final

from healthsvc.fhir.elements import performed, reference_id, words_of
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.problems import is_gone
from healthsvc.store import Store
from healthsvc.store.lookup import pointing

_PARTS: Final = {"AD": "入院诊断", "DD": "出院诊断"}
"""diagnosis-role; what has no such part is 诊断."""
_NOT_DONE: Final = frozenset({"entered-in-error", "not-done"})
_LAST: Final = 1 << 30
"""Where a diagnosis without a rank stands: behind all that have one."""


def diagnoses(encounter: Resource, conditions: Mapping[str, Resource]) -> tuple[tuple[str, str], ...]:
    """Part and words of the diagnoses of a stay, the main one first in each; ``conditions`` by id, what is not there is left out."""
    found: dict[str, list[tuple[int, str]]] = {part: [] for part in (*_PARTS.values(), "诊断")}
    for one in encounter.get("diagnosis", ()):
        condition = conditions.get(reference_id(one.get("condition"), "Condition") or "")
        if condition is not None and not is_gone(condition) and (words := words_of(condition.get("code"))):
            role = next((code for coding in one.get("use", {}).get("coding", ()) if (code := coding.get("code")) in _PARTS), "")
            found[_PARTS.get(role, "诊断")].append((one.get("rank", _LAST), words))
    return tuple((part, "、".join(dict.fromkeys(words for _, words in sorted(listed)))) for part, listed in found.items() if listed)


def performers(record: Resource) -> str:
    """Who did it, each with their part, in the words of the hospital."""
    found = [(words_of(one.get("function")), one.get("actor", {}).get("display", "")) for one in record.get("performer", ())]
    return "、".join(f"{name}（{part}）" if part else str(name) for part, name in found if name)


def operations(store: Store, encounter: str) -> tuple[str, ...]:
    """What was done during a stay, with its day, the first first; what was taken back or was not done is left out."""
    found = [known for id in pointing(store, "Procedure", "encounter", encounter) if (known := store.find("Procedure", id)) is not None]
    told = [(performed(one)[:10], words_of(one.get("code"))) for one in found if one.get("status") not in _NOT_DONE]
    return tuple(" ".join(filter(None, (words, day))) for day, words in sorted(told))
