"""A search as a client writes it, read into a tree. Nothing is skipped in silence: what is not understood becomes an issue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from healthsvc.errors import Issue
from healthsvc.fhir import derived
from healthsvc.fhir.registry import Registry, SearchParameter
from healthsvc.store.search import ast
from healthsvc.store.search import values as read
from healthsvc.store.search.text import plain, split
from healthsvc.store.search.values import BadValue, Codes, Setting

NOT_OFFERED = ("_text", "_content", "_filter", "_query")
LEAF_KINDS = {"number": "quantity", "special": "quantity"}
"""Index table of a parameter kind where it is not named like the kind."""
MOST_VALUES = 1000
"""Alternatives in one parameter: more would not fit the statement (SQLite takes 32,766 values, PostgreSQL 65,535)."""


class NotUnderstood(Exception):
    """A parameter or modifier that we do not offer; carries the issue.

    ``grave``: R4 wants it refused whatever the client prefers not to say (3.1.1.4.1: a modifier that is not supported), because what
    would be found without it is not what was asked for.
    """

    def __init__(self, text: str, path: str, *, grave: bool = False) -> None:
        super().__init__(text)
        self.issue = Issue(text, "not-supported", shown(path), "error" if grave else "warning")


@dataclass(slots=True)
class Parsed:
    """The filters of a search, what was applied as it was written, and what was not understood."""

    nodes: list[ast.Node] = field(default_factory=list)
    applied: list[tuple[str, str]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def shown(name: str) -> str:
    """A parameter name fit to be repeated in an answer or a log: a mistyped one may be anything, even a person's name."""
    known = len(name) <= 64 and name.isascii() and all(c.isalnum() or c in "_-.:$" for c in name)
    return name if known else "(not a name of FHIR's form)"


def must_be_texts(pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse a value with a character that no record has, and with which PostgreSQL takes no text.

    Raises:
        BadValue: it has a NUL.
    """
    for name, value in pairs:
        if "\0" in value:
            raise BadValue("the value has a NUL character, which no record has; leave it out", path=shown(name))


class Parser:
    """Reads the filters of one search over some resource types."""

    def __init__(self, registry: Registry, setting: Setting) -> None:
        self.registry = registry
        self.setting = setting

    def parse(self, types: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Parsed:
        """Read all filters.

        Raises:
            BadValue: a value cannot be read, whatever the handling preferred.
        """
        parsed = Parsed()
        for name, value in pairs:
            if value == "":
                parsed.issues.append(
                    Issue(f"search parameter {shown(name)} has no value and was ignored", "invalid", shown(name), "warning")
                )
                continue
            try:
                parsed.nodes.append(self.filter(types, name, value))
                parsed.applied.append((name, value))
            except NotUnderstood as unknown:
                parsed.issues.append(unknown.issue)
        return parsed

    def filter(self, types: Sequence[str], name: str, value: str) -> ast.Node:
        """One parameter with its alternatives."""
        if name.startswith("_has:"):
            return self.has(types, name, value)
        head, dot, rest = name.partition(".")
        code, colon, modifier = head.partition(":")
        if dot:
            return self.chain(types, code, modifier, rest, value)
        values = split(value, ",")
        if len(values) > MOST_VALUES:
            raise BadValue(f"{len(values)} alternatives; at most {MOST_VALUES} fit one search", path=shown(code))
        special = self.special(types, code, modifier, values)
        if special is not None:
            return special
        return self.simple(self.known(types, code, name), types, code, modifier if colon else "", values)

    def known(self, types: Sequence[str], code: str, name: str) -> SearchParameter:
        """The parameter, which all the types must have."""
        found = [self.registry.parameter(type, code) for type in types]
        if not found or None in found or code in NOT_OFFERED:
            where = types[0] if len(types) == 1 else "all the resource types that are searched"
            text = f"search parameter {shown(name)} is not offered for {where} and was ignored"
            raise NotUnderstood(text, name, grave=code in NOT_OFFERED)
        return cast(SearchParameter, found[0])

    def special(self, types: Sequence[str], code: str, modifier: str, values: Sequence[str]) -> ast.Node | None:
        """Parameters that are columns of the store or lists of it."""
        if code == "_id" and modifier in ("", "not"):
            node: ast.Node = ast.Ids(tuple(map(plain, values)))
        elif code == "_lastUpdated" and not modifier:
            return read.either([ast.Updated(*read.date_range(one, self.setting, code)) for one in values])
        elif code == "_list" and not modifier:
            if any(one.startswith("$") for one in values):
                raise NotUnderstood("functional lists ($current-...) are not kept here; _list takes ids of Lists", "_list", grave=True)
            member = ast.Ids(tuple(plain(one).removeprefix("List/") for one in values))
            return ast.Referred("List", "List.item", member)
        elif code == "_type" and not modifier:
            unknown = [one for one in values if not self.registry.is_type(one)]
            if unknown:
                raise BadValue("_type names something that is not an R4 resource type", path="_type")
            node = ast.OfType(tuple(values))
        else:
            return None
        return ast.Not(node) if modifier == "not" else node

    def simple(self, found: SearchParameter, types: Sequence[str], code: str, modifier: str, values: Sequence[str]) -> ast.Node:
        """A parameter of the types themselves."""
        params = self.filed(types, code)
        kind = found.type
        if modifier == "missing":
            if list(values) == ["true"] and all(code in derived.ABSENCE.get(type, ()) for type in types) and self.setting.derives():
                return ast.Tokens(tuple(map(derived.absence, params)), (("", derived.MISSING),))
            return self.missing(params, kind, values)
        if modifier == "contains" and all((type, code) in derived.INSIDE for type in types) and self.setting.derives():
            return read.strings((*params, *map(derived.inside, params)), values)
        if kind == "composite":
            if modifier:
                raise self.no_modifier(code, modifier)
            return read.either([self.composite(found, types, one) for one in values])
        if modifier in read.CHOSEN and kind == "token" and self.setting.codes is not None:
            member = ast.Tokens(params, self.member(self.setting.codes, values, code, modifier))
            return ast.Not(member) if modifier == "not-in" else member
        if modifier == "not" and kind in ("token", "reference", "uri", "string"):
            return ast.Not(self.simple(found, types, code, "", values))
        if kind == "reference":
            return self.reference(found, params, modifier, values)
        if modifier in read.MODIFIED.get(kind, {}):
            return read.MODIFIED[kind][modifier](params, values)
        if modifier:
            raise self.no_modifier(code, modifier)
        return read.moments(params, values, self.setting) if kind == "date" else read.PLAIN[kind](params, values)

    def filed(self, types: Sequence[str], code: str) -> tuple[str, ...]:
        """The names under which the index has a parameter of these types."""
        return tuple(one for type in types for one in self.registry.filed_under(type, code))

    @staticmethod
    def member(codes: Codes, values: Sequence[str], code: str, modifier: str) -> tuple[tuple[str | None, str | None], ...]:
        """System and code of whatever is in one of these value sets, or above or below one of these codes."""
        found = tuple(dict.fromkeys(pair for one in values for pair in codes(modifier, one)))
        if len(found) > MOST_VALUES:
            raise BadValue(f"these are {len(found)} codes; at most {MOST_VALUES} fit one search", path=f"{code}:{modifier}")
        return found

    def no_modifier(self, code: str, modifier: str) -> NotUnderstood:
        """The refusal of a modifier."""
        return NotUnderstood(
            f"modifier :{shown(modifier)} is not offered for {shown(code)}; the parameter was ignored", f"{code}:{modifier}", grave=True
        )

    def missing(self, params: tuple[str, ...], kind: str, values: Sequence[str]) -> ast.Node:
        """``:missing=true`` or ``false``."""
        if list(values) not in (["true"], ["false"]):
            raise BadValue("':missing' takes true or false", path=params[0].partition(".")[2])
        if kind == "special":
            params = tuple(f"{one}:latitude" for one in params)
        if kind == "composite":
            params = tuple(f"{one}$*" for one in params)
            present: ast.Node = ast.Any(tuple(ast.Present(table, params) for table in ("token", "string", "date", "reference", "quantity")))
        else:
            present = ast.Present(cast(ast.Kind, LEAF_KINDS.get(kind, kind)), params)
        if kind == "reference":
            present = ast.Any((present, ast.Present("token", tuple(f"{one}:identifier" for one in params))))
        return ast.Not(present) if values[0] == "true" else present

    def reference(self, found: SearchParameter, params: tuple[str, ...], modifier: str, values: Sequence[str]) -> ast.Node:
        """A reference by id, by type and id, by url or by the identifier that it carries."""
        if modifier == "identifier":
            return read.tokens(tuple(f"{one}:identifier" for one in params), values)
        if modifier and not self.registry.is_type(modifier):
            raise self.no_modifier(found.code, modifier)
        if modifier and found.targets and modifier not in found.targets:
            raise NotUnderstood(f"{found.code} cannot refer to {modifier}; the parameter was ignored", f"{found.code}:{modifier}")
        return read.references(params, values, self.setting, [modifier] if modifier else sorted(found.targets))

    def composite(self, found: SearchParameter, types: Sequence[str], text: str) -> ast.Node:
        """``first$second``: the second part is filed under the token of the first (see ``fhir/extract.py``)."""
        parts = split(text, "$")
        if len(parts) != len(found.components):
            raise BadValue(f"{found.code} has {len(found.components)} parts, separated by $", path=found.code)
        system, bar, code = plain(parts[0]).rpartition("|")
        head = f"{system}|{code}" if bar else f"*|{code}"
        nodes = []
        for place, ((_, kind, _), part) in enumerate(zip(found.components[1:], parts[1:], strict=True), start=1):
            name = "" if place == 1 else f"${place}"
            params = tuple(f"{one}{name}${head}" for one in self.filed(types, found.code))
            if kind == "date":
                nodes.append(read.moments(params, [part], self.setting))
            elif kind == "reference":
                nodes.append(read.references(params, [part], self.setting, ()))
            else:
                nodes.append(read.PLAIN[kind](params, [part]))
        return nodes[0] if len(nodes) == 1 else ast.All(tuple(nodes))

    def chain(self, types: Sequence[str], code: str, modifier: str, rest: str, value: str) -> ast.Node:
        """``subject:Patient.name=...``: through the reference to what it points to, as many steps as wanted."""
        name = f"{code}{':' + modifier if modifier else ''}.{rest}"
        found = self.known(types, code, name)
        if found.type != "reference":
            raise NotUnderstood(f"{shown(code)} is not a reference and cannot be followed; {shown(name)} was ignored", name)
        targets = [modifier] if modifier else sorted(found.targets or self.registry.types)
        params = tuple(f"{type}.{code}" for type in types)
        nodes: list[ast.Node] = []
        refused: NotUnderstood | None = None
        for target in targets:
            try:
                nodes.append(ast.Chained(params, target, self.filter((target,), rest, value)))
            except NotUnderstood as unknown:
                refused = unknown
        if not nodes:
            raise refused or NotUnderstood(f"{shown(name)} leads nowhere and was ignored", name)
        return read.either(nodes)

    def has(self, types: Sequence[str], name: str, value: str) -> ast.Node:
        """``_has:Observation:patient:code=...``: somebody refers here who fulfils the rest."""
        parts = name.split(":", 3)
        if len(parts) != 4 or not self.registry.is_type(parts[1]):
            raise NotUnderstood(f"{shown(name)} is not of the form _has:Type:reference:parameter and was ignored", name)
        _, source, code, rest = parts
        found = self.registry.parameter(source, code)
        if found is None or found.type != "reference" or (found.targets and not found.targets.intersection(types)):
            raise NotUnderstood(f"{shown(name)}: {shown(code)} is not a reference of {source} to what is searched; it was ignored", name)
        return ast.Referred(source, f"{source}.{code}", self.filter((source,), rest, value))
