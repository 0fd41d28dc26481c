"""Two link profiles on the same messages: what a new one would change, per message and as counts. Names places, not people's values."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    """What would be read otherwise."""
    handled: tuple[Change, ...] = ()
    """What would become of it otherwise though it is read as before: its answer, an unknown person, a drip."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All messages under two profiles."""

    before: str
    after: str
    messages: tuple[Compared, ...]
    settings: tuple[Change, ...] = ()
    """Settings of the profiles that differ, whether these messages show it or not."""

    def counts(self) -> dict[str, Any]:
        """How many messages change, and by what."""
        return {
            "messages": sum(bool(one.index) for one in self.messages),
            "changed": sum(bool(one.changes) for one in self.messages),
            "handled": sum(bool(one.handled) for one in self.messages),
            "changes": dict(Counter(str(change) for one in self.messages for change in {*one.changes, *one.handled}).most_common()),
        }

    def as_json(self) -> dict[str, Any]:
        """Counts, and every message that changes."""
        changed = [asdict(one) for one in self.messages if one.changes or one.handled]
        settings = [asdict(one) for one in self.settings]
        return {"before": self.before, "after": self.after, "counts": self.counts(), "settings": settings, "messages": changed}

    def lines(self) -> Iterator[str]:
        """As text: each message that changes, then the counts."""
        for one in self.messages:
            if one.changes or one.handled:
                yield f"{one.file} #{one.index}: {one.event} " + "; ".join(map(str, (*one.changes, *one.handled)))
        counts = self.counts()
        told = f"{counts['changed']} of {counts['messages']} messages would be read otherwise, {counts['handled']} handled otherwise"
        yield f"{self.after} instead of {self.before}: {told}"
        for what, number in counts["changes"].items():
            yield f"  {number:>6}  {what}"
        if self.settings:
            yield "settings that differ: " + "; ".join(map(str, self.settings))


def compare(
    paths: Iterable[Path],
    after: Profile,
    before: Profile | Callable[[bytes], Profile],
    progress: Progress | None = None,
    *,
    handling: Callable[[bytes, Profile], Mapping[str, str]] = lambda raw, profile: {},
    settings: Callable[[Profile, Profile], Iterable[Change]] = lambda before, after: (),
) -> Comparison:
    """Read every message of files and folders under both profiles; nothing is stored.

    Args:
        paths: files and folders of messages.
        after: the new profile.
        before: the present one, or what chooses it for a message.
        progress: told how many files are done, and of how many.
        handling: what becomes of a message under a profile, beyond what is read.
        settings: in what two profiles differ.
    """
    found = []
    presents: list[Profile] = [before] if isinstance(before, Profile) else []
    for done, source in enumerate(sources(paths), start=1):
        try:
            messages = split(source.read()).messages
        except Refusal as refusal:
            found.append(Compared(source.name, 0, "", (Change("not read", _NOTHING, refusal.text),)))
            continue
        for index, raw in enumerate(messages, start=1):
            present = before if isinstance(before, Profile) else before(raw)
            presents += [present] if not any(one is present for one in presents) else []
            old, old_values = read_under(raw, source.name, index, present)
            new, new_values = read_under(raw, source.name, index, after)
            changes = tuple(_changes(old, old_values, new, new_values))
            found.append(Compared(source.name, index, new.event or old.event, changes, tuple(_handled(handling, raw, present, after))))
        if progress is not None:
            progress(done, None)
    differ = dict.fromkeys(change for present in presents for change in settings(present, after))
    return Comparison(before.name if isinstance(before, Profile) else "the profiles in force", after.name, tuple(found), tuple(differ))


def _handled(handling: Callable[[bytes, Profile], Mapping[str, str]], raw: bytes, before: Profile, after: Profile) -> Iterator[Change]:
    was, now = handling(raw, before), handling(raw, after)
    for what in dict.fromkeys((*was, *now)):
        if was.get(what) != now.get(what):
            yield Change(what, was.get(what, _NOTHING), now.get(what, _NOTHING))


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
