"""对外提供 whose records may be handed on to others now: one condition on Patients, in SQL, after what the persons themselves have said.

A program that is not the centre's own, another system, a bulk export: whoever stands outside sees nobody who has refused or withdrawn
``hospital-sharing``, for all or for the organizations for whom it asks; no read, search, include, history, ``$everything`` or export
finds them. The rule is that of :func:`healthsvc.consent.service.forbids` (a test compares the two); here it is asked about everybody
at once, at the moment of sending.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from healthsvc.access.sight import both, seen_with
from healthsvc.fhir.systems import code_system
from healthsvc.store import Actor, Database, Store
from healthsvc.store.search import ast
from healthsvc.store.stored import micros

PURPOSE: Final = "hospital-sharing"
_PURPOSES: Final = code_system("consent-purpose")
_EFFECT: Final = "Consent.effect"


@dataclass(frozen=True, slots=True)
class HandingOnPolicy:
    """Who stands outside, and for what a permit is needed (consent.toml)."""

    needs_permit: tuple[str, ...]
    own_clients: tuple[str, ...]
    outside_roles: tuple[str, ...]


def policy_of(store: Store) -> HandingOnPolicy:
    """The policy values in force today."""
    return store.policy.fill(HandingOnPolicy, "consent", store.today)


def is_outside(actor: Actor, policy: HandingOnPolicy) -> bool:
    """Whether what this actor is shown leaves the house: it came through a program of others, or is another system itself."""
    if actor.client is not None:
        return actor.client not in policy.own_clients
    return bool(actor.roles) and actor.roles <= frozenset(policy.outside_roles)


def stands_outside(database: Database, actor: Actor, at: datetime) -> bool:
    """As :func:`is_outside`, before a store is open."""
    return is_outside(actor, database.policy.fill(HandingOnPolicy, "consent", at.date()))


def outside(store: Store) -> ast.Restrict | None:
    """What an actor outside may be shown of each type; None: the actor stands inside, or nobody has said anything that matters."""
    policy = policy_of(store)
    return limit(store, store.actor.areas or frozenset(), policy) if is_outside(store.actor, policy) else None


def limit(store: Store, recipients: Collection[str] = (), policy: HandingOnPolicy | None = None) -> ast.Restrict | None:
    """What may be handed on to these recipients (``Organization/x``); None: everything."""
    node = agreeing(store, recipients, policy)
    return None if node is None else seen_with(node)


def agreeing(store: Store, recipients: Collection[str] = (), policy: HandingOnPolicy | None = None) -> ast.Node | None:
    """The condition on Patients that lets them be handed on; None: nobody has ever said a word, and none is needed."""
    needed = PURPOSE in (policy or policy_of(store)).needs_permit
    if not needed and not _anybody(store, "deny"):
        return None
    agree: ast.Node = ast.Not(_said(store, "deny", recipients))
    return ast.All((agree, _said(store, "permit", recipients))) if needed else agree


def refusals_since(moment: int) -> ast.Node:
    """Words against handing on that were written at or after a moment (microseconds since 1970 UTC)."""
    return ast.All((_on_purpose(), _is("deny"), ast.Updated("ge", moment, moment + 1)))


def narrowed_by(base: ast.Restrict | None, further: ast.Restrict | None) -> ast.Restrict | None:
    """Both conditions."""
    return base if further is None else further if base is None else both(base, further)


def _anybody(store: Store, effect: str) -> bool:
    """Whether anybody has ever said so: where not, nothing is asked of the database for each question."""
    param = store.terms.find(_EFFECT)
    if param is None:
        return False
    mark = "?" if store.connection.dialect.name == "sqlite" else "%s"
    found = store.connection.exec_driver_sql(
        f"SELECT 1 FROM ix_token WHERE param = {mark} AND code = {mark} LIMIT 1",  # noqa: S608 - a mark, no value
        (param, effect),
    )
    return found.fetchone() is not None


def _said(store: Store, effect: str, recipients: Collection[str]) -> ast.Node:
    """Patients who have said so, themselves or in a file that was merged with theirs: of such two one is out of use.

    Two files that a hospital only links (``healthfile/linking.py``) may be two people's, and each says its own.
    """
    word = ast.All((_on_purpose(), _is(effect), _about(recipients), *_in_force(store.at, store)))
    theirs = ast.Referred("Consent", "Consent.patient", word)
    out_of_use = ast.Tokens(("Patient.active",), ((None, "false"),))
    merged = ast.Chained(("Patient.link",), "Patient", ast.All((theirs, out_of_use)))
    return ast.Any((theirs, merged, ast.All((out_of_use, ast.Chained(("Patient.link",), "Patient", theirs)))))


def _on_purpose() -> ast.Node:
    """Ours say the purpose; a general privacy consent that another system wrote is about handing on to others."""
    ours, any_of_ours = (ast.Tokens(("Consent.category",), ((_PURPOSES, code),)) for code in (PURPOSE, None))
    privacy = ast.Tokens(("Consent.scope",), ((None, "patient-privacy"),))
    return ast.All((ast.Tokens(("Consent.status",), ((None, "active"),)), privacy, ast.Any((ours, ast.Not(any_of_ours)))))


def _is(effect: str) -> ast.Node:
    return ast.Tokens((_EFFECT,), ((None, effect),))


def _about(recipients: Collection[str]) -> ast.Node:
    everyone = ast.Not(ast.Present("reference", ("Consent.actor",)))
    named = tuple(("Organization", one.rpartition("/")[2]) for one in sorted(recipients))
    return ast.Any((everyone, ast.References(("Consent.actor",), named))) if named else everyone


def _in_force(at: datetime, store: Store) -> tuple[ast.Node]:
    today = datetime.combine(at.astimezone(store.zone).date(), time.min, store.zone)
    begins, ends = micros(today), micros(today + timedelta(days=1))
    known = ("Consent.period",)
    within = ast.All((ast.Dates(known, "lt", ends, ends), ast.Dates(known, "gt", begins, begins)))
    return (ast.Any((ast.Not(ast.Present("date", known)), within)),)
