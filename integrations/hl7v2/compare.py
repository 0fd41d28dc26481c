"""Two link profiles on the same messages: what a new one would change, per message and as counts. Names places, not people's values."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from healthsvc.errors import Refusal
from healthsvc.fhir.systems import BASE
from integrations.hl7v2.batch import split
from integrations.hl7v2.check import Checked, Progress, read_under
from integrations.hl7v2.files import sources
from integrations.hospitals.profile import Profile

_SHOWN = frozenset({"system", "sex", "flags", "identity", "charset", "mapped", "rejected", "reason", "place", "event"})
"""Values that are codes and say nothing of who a person is: shown before and after. Of all others only the place is named."""
_ALSO = frozenset({"stay.code", "stay.class_told"})
_WHOLE = ("charset", "mapped", "rejected", "reason", "place", "event")
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would be read otherwise."""

    what: str
    """``person.numbers.system``, ``mapped`` ..."""
    before: str = ""
    after: str = ""
    """Both empty where the value may be a person's."""

    def __str__(self) -> str:
        """As the command prints it."""
        return f"{self.what}: {self.before} -> {self.after}" if self.before or self.after else f"{self.what}: another value"


@dataclass(frozen=True, slots=True)
class Compared:
    """One message under two profiles."""

    file: str
    index: int
    event: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All messages under two profiles."""

    before: str
    after: str
    messages: tuple[Compared, ...]

    def counts(self) -> dict[str, Any]:
        """How many messages change, and by what."""
        return {
            "messages": sum(bool(one.index) for one in self.messages),
            "changed": sum(bool(one.changes) for one in self.messages),
            "changes": dict(Counter(str(change) for one in self.messages for change in set(one.changes)).most_common()),
        }

    def as_json(self) -> dict[str, Any]:
        """Counts, and every message that changes."""
        changed = [asdict(one) for one in self.messages if one.changes]
        return {"before": self.before, "after": self.after, "counts": self.counts(), "messages": changed}

    def lines(self) -> Iterator[str]:
        """As text: each message that changes, then the counts."""
        for one in self.messages:
            if one.changes:
                yield f"{one.file} #{one.index}: {one.event} " + "; ".join(map(str, one.changes))
        counts = self.counts()
        yield f"{self.after} instead of {self.before}: {counts['changed']} of {counts['messages']} messages would be read otherwise"
        for what, number in counts["changes"].items():
            yield f"  {number:>6}  {what}"


def compare(
    paths: Iterable[Path],
    after: Profile,
    before: Profile | Callable[[bytes], Profile],
    progress: Progress | None = None,
) -> Comparison:
    """Read every message of files and folders under both profiles; nothing is stored.

    Args:
        paths: files and folders of messages.
        after: the new profile.
        before: the present one, or what chooses it for a message.
        progress: told how many files are done, and of how many.
    """
    found = []
    for done, source in enumerate(sources(paths), start=1):
        try:
            messages = split(source.read()).messages
        except Refusal as refusal:
            found.append(Compared(source.name, 0, "", (Change("not read", _NOTHING, refusal.text),)))
            continue
        for index, raw in enumerate(messages, start=1):
            present = before if isinstance(before, Profile) else before(raw)
            old, old_values = read_under(raw, source.name, index, present)
            new, new_values = read_under(raw, source.name, index, after)
            found.append(Compared(source.name, index, new.event or old.event, tuple(_changes(old, old_values, new, new_values))))
        if progress is not None:
            progress(done, None)
    return Comparison(before.name if isinstance(before, Profile) else "the profiles in force", after.name, tuple(found))


def _changes(old: Checked, old_values: object, new: Checked, new_values: object) -> Iterator[Change]:
    for name in _WHOLE:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(name, str(before) or _NOTHING, str(after) or _NOTHING)
    if old_values is not None and new_values is not None:
        before_leaves, after_leaves = Counter(_leaves(old_values, "")), Counter(_leaves(new_values, ""))
        gone, come = before_leaves - after_leaves, after_leaves - before_leaves
        for what in sorted({what for what, _ in (*gone, *come)}):
            if what in _ALSO or what.rpartition(".")[2] in _SHOWN:
                was, now = (sorted({value.removeprefix(f"{BASE}/") for name, value in side if name == what}) for side in (gone, come))
                yield Change(what, ", ".join(was) or _NOTHING, ", ".join(now) or _NOTHING)
            else:
                yield Change(what)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every plain value with the names that lead to it; places in lists do not count."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name), f"{path}.{field.name}" if path else field.name)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}")
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _leaves(one, path)
    elif value not in (None, ""):
        yield path, str(value)
