"""Whom an actor may see: the people of their area, their signed people, those they visit today, and whoever they broke the glass for.

One condition on Patients says it; every other resource is seen with the person whose it is. The store applies it in SQL to whatever is
read, searched, included, chained through, listed or written (:attr:`healthsvc.store.Store.restrict`), so that no page and no endpoint
has to think of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias, cast

from healthsvc.access.rules import DIRECTORY_TYPES
from healthsvc.access.smart.scopes import Scope, granted
from healthsvc.fhir.registry import Registry
from healthsvc.store import Actor, Store
from healthsvc.store.reindex import is_current
from healthsvc.store.search import ast
from healthsvc.store.search.parse import Parser
from healthsvc.store.search.values import Setting
from healthsvc.store.stored import micros
from healthsvc.store.tenancy.within import Reach

NOBODYS = frozenset(
    {"ActivityDefinition", "Device", "List", "Measure", "MeasureReport", "Medication", "PlanDefinition", "Schedule", "Slot", "Subscription"}
)
"""Types of which those that belong to no person (the day's plan, a station's rota, a drug) are everybody's who may read at all."""
CONTEXTS = ("Composition", "DiagnosticReport", "DocumentReference", "Encounter", "Media", "Observation", "QuestionnaireResponse")
"""What the bytes of a Binary may belong to, besides a Patient: they are seen by whoever may see that."""
_AHEAD = timedelta(days=1)
_WRITE_UP = timedelta(hours=12)
_NAMED_BY = ("Patient.general-practitioner", "Contract.signed-doctor", "Contract.paired-nurse", "Task.owner", "Encounter.participant")
_Names: TypeAlias = tuple[tuple[str | None, str], ...]


def restriction_of(actor: Actor, at: datetime, glass: Sequence[str] = ()) -> ast.Restrict | None:
    """What an actor may see of a resource type; None where they may see everybody.

    Args:
        actor: with ``areas`` None nothing is narrowed.
        at: now; whom one visits today counts.
        glass: ids of the Patients for whom the actor has broken the glass, and still may look.
    """
    if actor.areas is None:
        return None
    return seen_with(people_of(actor, at, glass))


def seen_with(who: ast.Node) -> ast.Restrict:
    """What is seen of each resource type where one may see the Patients who fulfil a condition."""
    people = ast.Whole(who)

    def restrict(type: str) -> ast.Node | None:
        if type in DIRECTORY_TYPES:
            return None
        if type == "Patient":
            return people
        compartment = f"{type}.{ast.COMPARTMENT}"
        theirs = ast.Whole(ast.Chained((compartment,), "Patient", people))
        if type == "Binary":  # seen as what its securityContext names
            contexts = [ast.Chained(("Binary.security-context",), one, ast.All(of(one))) for one in CONTEXTS]
            return ast.Any((theirs, *map(ast.Whole, contexts)))
        if type in NOBODYS:
            return ast.Any((theirs, ast.Not(ast.Present("reference", (compartment,)))))
        return theirs

    def of(type: str) -> tuple[ast.Node, ...]:
        limit = restrict(type)
        return () if limit is None else (limit,)

    return restrict


def both(one: ast.Restrict, other: ast.Restrict) -> ast.Restrict:
    """What two conditions leave together."""

    def restrict(type: str) -> ast.Node | None:
        nodes = tuple(node for node in (one(type), other(type)) if node is not None)
        return None if not nodes else nodes[0] if len(nodes) == 1 else ast.All(nodes)

    return restrict


def under_scopes(store: Store, base: ast.Restrict | None) -> ast.Restrict:
    """What is left of ``base`` under the SMART scopes of the actor: ``patient/`` scopes see the one person, a scope with a search what
    the search finds. Whether a type may be read or written at all is asked elsewhere, for each letter (``rest/permitted.py``)."""
    actor = store.actor
    rights = granted(actor.scopes or frozenset())

    def restrict(type: str) -> ast.Node | None:
        limit = base(type) if base is not None else None
        kinds = [_reach(store, one, type) for one in rights.reading(type)]
        if any(node is None for node in kinds):
            return limit
        narrower = ast.Any(tuple(node for node in kinds if node is not None))
        return narrower if limit is None else ast.All((limit, narrower))

    return restrict


def _reach(store: Store, scope: Scope, type: str) -> ast.Node | None:
    """What one scope reaches of a type; None: everything."""
    limits: list[ast.Node] = []
    if scope.compass == "patient" and type not in DIRECTORY_TYPES:
        patient = store.actor.patient
        limits.append(ast.NOTHING if patient is None else ast.in_patient_compartment(type, (patient,)))
    if scope.query and type == scope.type:
        registry = cast(Registry, store.database.language)
        parsed = Parser(registry, Setting(store.zone.key, store.at, derives=partial(is_current, store))).parse([type], list(scope.query))
        if parsed.issues:
            return ast.NOTHING  # a condition that is not understood gives no right
        limits += [ast.Whole(node) for node in parsed.nodes]
    return ast.All(tuple(limits)) if limits else None


def people_of(actor: Actor, at: datetime, glass: Sequence[str]) -> ast.Node:
    """The condition on Patients."""
    areas = tuple(sorted(reference.rpartition("/")[2] for reference in actor.areas or ()))
    kinds: list[ast.Node] = []
    if areas:
        # a tree: who looks after a county sees the people of its streets and communities, whatever is founded below it later
        kinds.append(ast.Under(("Patient.organization",), "Organization", areas, "Organization.partof"))
    if glass:
        kinds.append(ast.Ids(tuple(sorted(glass))))
    kind, _, id = actor.id.partition("/")
    if kind == "Practitioner":
        me: _Names = ((kind, id),)
        kinds.append(ast.References(("Patient.general-practitioner",), me))
        kinds.append(ast.Referred("Contract", "Contract.patient", _mine_by_contract(me)))
        kinds.append(ast.Referred("Task", "Task.patient", _mine_by_task(me, at)))
        kinds.append(ast.Referred("Encounter", "Encounter.patient", _mine_by_visit(me, at)))
    return ast.Any(tuple(kinds))


def reach_of(actor: Actor, glass: Sequence[str]) -> Reach:
    """By what :func:`people_of` leads to people: every record that refers to the actor counts, so it never reaches less far."""
    kind, _, id = actor.id.partition("/")
    areas = tuple(sorted(reference.rpartition("/")[2] for reference in actor.areas or ()))
    return Reach(areas, tuple(sorted(glass)), (kind, id) if kind == "Practitioner" else None, _NAMED_BY)


def _mine_by_contract(me: _Names) -> ast.Node:
    """Signed with me or nursed by me, and in force."""
    team = ast.Any((ast.References(("Contract.signed-doctor",), me), ast.References(("Contract.paired-nurse",), me)))
    return ast.All((team, ast.Tokens(("Contract.status",), ((None, "executed"),))))


def _mine_by_task(me: _Names, at: datetime) -> ast.Node:
    """Mine to do, in a window that is open now or opens within a day."""
    open_ = ast.Tokens(("Task.status",), tuple((None, code) for code in ("requested", "received", "accepted", "ready", "in-progress")))
    return ast.All((ast.References(("Task.owner",), me), open_, *_around("Task.window", at)))


def _mine_by_visit(me: _Names, at: datetime) -> ast.Node:
    """Planned for me or under way, from now to a day ahead: whoever stands in for another sees whom they go to."""
    open_ = ast.Tokens(("Encounter.status",), ((None, "planned"), (None, "arrived"), (None, "in-progress")))
    return ast.All((ast.References(("Encounter.participant",), me), open_, *_around("Encounter.date", at)))


def _around(param: str, at: datetime) -> tuple[ast.Node, ast.Node]:
    """A period that begins within a day and has not ended half a day ago (what was visited today is still written up)."""
    ended, begins = micros(at - _WRITE_UP), micros(at + _AHEAD)
    return ast.Dates((param,), "lt", begins, begins), ast.Dates((param,), "gt", ended, ended)
