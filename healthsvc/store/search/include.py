"""What a search brings along: resources that its matches refer to, and resources that refer to its matches."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from healthsvc.errors import Issue
from healthsvc.fhir.registry import Registry
from healthsvc.store.search.leaf import all_of, among
from healthsvc.store.search.options import Include
from healthsvc.store.search.rows import COLUMNS, Rows
from healthsvc.store.search.sql import LIVE, Writer
from healthsvc.store.stored import Stored
from healthsvc.store.tables import NO_TERM

MOST = 5000
"""Resources that one page brings along; beyond, the answer says that it stopped."""
CHUNK = 500
"""Keys in one statement."""

T = TypeVar("T")


class Includer:
    """Follows the includes of one search; only living, current and permitted resources are found."""

    def __init__(self, registry: Registry, rows: Rows, writer: Writer) -> None:
        self.registry = registry
        self.rows = rows
        self.writer = writer

    def follow(self, matches: Sequence[Stored], includes: Sequence[Include]) -> tuple[list[Stored], list[Issue]]:
        """All that the includes add, each once and not what is a match itself."""
        seen = {one.pk for one in matches}
        added: list[Stored] = []
        frontier, steps = list(matches), list(includes)
        while frontier and steps:
            wanted: set[int] = set()
            for step in steps:
                wanted |= self._back(frontier, step) if step.reverse else self._forth(frontier, step)
            wanted -= seen
            room = MOST - len(added)
            frontier = self._permitted(sorted(wanted))[:room]
            seen |= wanted
            added += frontier
            if len(wanted) > room:
                return added, [Issue(f"more than {MOST} resources would be included; the rest was left out", "too-costly", None, "warning")]
            steps = [step for step in includes if step.again]
        return added, []

    def _forth(self, frontier: Sequence[Stored], step: Include) -> set[int]:
        """What they refer to."""
        found: set[int] = set()
        for type, members in _by_type(frontier).items():
            if step.source not in (None, type):
                continue
            names = [step.param] if step.param else [one.code for one in self.registry.parameters(type).values() if one.type == "reference"]
            params = self.rows.params([f"{type}.{name}" for name in names])
            urls = self.rows.params([f"{target}.url" for name in names for target in self._targets(type, name, step.target)])
            if not params:
                continue
            target = [among("r.type", self.rows.terms([step.target]))] if step.target else []
            for some in _chunks([one.pk for one in members]):
                known = all_of((among("x.pk", some), among("x.param", params)))
                ours = all_of((known, *target))
                there = f"r.type=x.target_type AND r.id=x.target{self.writer.as_id}"
                sql = f"SELECT DISTINCT r.pk FROM ix_reference x JOIN resource r ON {there} WHERE {ours.sql}"
                found.update(row[0] for row in self.rows.run(sql, ours.args))
                if urls:
                    by_url = all_of((known, among("u.param", urls)))
                    joined = f"ix_reference x JOIN ix_uri u ON u.uri=x.target AND x.target_type={NO_TERM}"
                    sql = f"SELECT DISTINCT u.pk FROM {joined} WHERE {by_url.sql}"
                    found.update(row[0] for row in self.rows.run(sql, by_url.args))
        return found

    def _targets(self, type: str, name: str, only: str | None) -> Iterable[str]:
        parameter = self.registry.parameter(type, name)
        targets = parameter.targets if parameter else frozenset()
        return [one for one in sorted(targets) if only in (None, one)]

    def _back(self, frontier: Sequence[Stored], step: Include) -> set[int]:
        """What refers to them."""
        found: set[int] = set()
        for type, members in _by_type(frontier).items():
            if step.target not in (None, type):
                continue
            params = self.rows.params(list(self._names_back(type, step)))
            if not params:
                continue
            for some in _chunks([one.id for one in members]):
                known = all_of((among("x.param", params), among("x.target", some), among("x.target_type", self.rows.terms([type]))))
                found.update(row[0] for row in self.rows.run(f"SELECT DISTINCT x.pk FROM ix_reference x WHERE {known.sql}", known.args))
        return found

    def _names_back(self, type: str, step: Include) -> Iterable[str]:
        """The reference parameters by which something may refer to the type."""
        for source in [step.source] if step.source else sorted(self.registry.types):
            for one in self.registry.parameters(source).values():
                if one.type == "reference" and step.param in (None, one.code) and (not one.targets or type in one.targets):
                    yield f"{source}.{one.code}"

    def _permitted(self, pks: Sequence[int]) -> list[Stored]:
        """The living ones that the actor may see."""
        kept = []
        for some in _chunks(pks):
            known = among("r.pk", some)
            kept += [
                self.rows.stored(row)
                for row in self.rows.run(f"SELECT {COLUMNS} FROM resource r WHERE {known.sql} AND r.{LIVE}", known.args)
            ]
        if self.writer.restrict is None:
            return kept
        allowed: set[int] = set()
        for type, members in _by_type(kept).items():
            limit = self.writer.restrict(type)
            if limit is None:
                allowed.update(one.pk for one in members)
                continue
            for some in _chunks([one.pk for one in members]):
                known = all_of((among("r.pk", some), self.writer.bracketed(limit, "r")))
                allowed.update(row[0] for row in self.rows.run(f"SELECT r.pk FROM resource r WHERE {known.sql}", known.args))
        return [one for one in kept if one.pk in allowed]


def _by_type(resources: Iterable[Stored]) -> dict[str, list[Stored]]:
    grouped: dict[str, list[Stored]] = {}
    for one in resources:
        grouped.setdefault(one.type, []).append(one)
    return grouped


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
