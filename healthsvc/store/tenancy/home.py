"""Where a person's file belongs, and its way there: rows follow the person from county to county, in the transaction of the transfer."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from healthsvc.fhir.json import Resource
from healthsvc.store.driver import run
from healthsvc.store.tables import HOT
from healthsvc.store.terms import OpenTerms

DEEPEST: Final = 20
"""Steps up a tree of organizations; a ring ends there."""
_KNOWN: Final = (
    "SELECT EXISTS (SELECT 1 FROM tenant), "
    "(SELECT part FROM tenant_home WHERE organization = %s AND is_current ORDER BY part LIMIT 1 FOR KEY SHARE)"
)
"""The row stays until we end: who moves the people of an organization waits for those who write by what was known before. Two writers who
see the tree of organizations before and after a change may both make theirs known; one is taken, and ``healthsvc partition`` settles it."""
UP: Final = """
WITH RECURSIVE up(id, depth) AS (
  SELECT CAST(%(id)s AS varchar) COLLATE "C", 0
  UNION
  SELECT CAST(x.target AS varchar) COLLATE "C", up.depth + 1 FROM up
  JOIN resource r ON r.part = 0 AND r.type = %(type)s AND r.id = up.id AND NOT r.deleted
  JOIN ix_reference x ON x.part = 0 AND x.pk = r.pk AND x.param = %(param)s
  WHERE up.depth < %(deepest)s
)
SELECT t.number FROM up JOIN tenant t ON t.organization = up.id AND t.number > 0 ORDER BY up.depth LIMIT 1
"""
"""The nearest county above an organization, itself included."""
_SETTLE: Final = "INSERT INTO tenant_home (organization, part, is_current) VALUES (%s, %s, TRUE) ON CONFLICT DO NOTHING"
_MEMBERS: Final = (
    "SELECT DISTINCT pk FROM ix_reference WHERE param IN "
    "(SELECT id FROM term WHERE text LIKE '%%.#patient' AND text <> 'Patient.#patient') AND target = %s AND pk <> %s"
)
"""What is about a person; another person who is linked with them is where their own organization is."""
_WHERE: Final = """
SELECT x.pk, CASE WHEN min(d.part) = max(d.part) THEN min(d.part) ELSE 0 END FROM ix_reference x
JOIN directory d ON d.type = %s AND d.id = x.target COLLATE "default"
WHERE x.pk = ANY(%s) AND x.param IN (SELECT id FROM term WHERE text LIKE '%%.#patient') GROUP BY x.pk
"""
"""Where each of some resources belongs: with its persons, if they are all of one county."""
_OF_PEOPLE: Final = "SELECT part FROM directory WHERE type = %s AND id = ANY(%s) FOR SHARE"


def is_laid_out(connection: Connection) -> bool:
    """Whether the tables are laid out by county."""
    return connection.dialect.name == "postgresql" and bool(run(connection, "SELECT EXISTS (SELECT 1 FROM tenant)", ()).fetchone()[0])


def part_of_person(connection: Connection, terms: OpenTerms, person: Resource) -> int:
    """Where a person's file belongs by their managing organization; 0 where nothing is laid out, or no county is above it."""
    reference = (person.get("managingOrganization") or {}).get("reference")
    if not isinstance(reference, str) or not reference.startswith("Organization/"):
        return 0
    id = reference.removeprefix("Organization/").partition("/")[0]
    laid, known = run(connection, _KNOWN, (id,)).fetchone()
    if not laid:
        return 0
    if known is not None:
        return int(known)
    part = county_above(connection, terms, id)
    run(connection, _SETTLE, (id, part))
    return part


def county_above(connection: Connection, terms: OpenTerms, organization: str) -> int:
    """The part of the nearest county above an organization, itself included; 0 where there is none."""
    names = {"type": terms.find("Organization") or 0, "param": terms.find("Organization.partof") or 0}
    found = run(connection, UP, {"id": organization, "deepest": DEEPEST, **names}).fetchone()
    return 0 if found is None else int(found[0])


def part_of(connection: Connection, terms: OpenTerms, people: Sequence[str]) -> int:
    """Where something about these persons belongs; nobody of them changes county before this transaction ends."""
    type = terms.find("Patient")
    found = {row[0] for row in run(connection, _OF_PEOPLE, (type, list(people))).fetchall()} if people and type is not None else set()
    return int(found.pop()) if len(found) == 1 else 0


def move_person(connection: Connection, terms: OpenTerms, id: str, pk: int, part: int) -> None:
    """Move a person's file to another part: first the person, for whom writers of their records now wait, then all that is about them."""
    type = terms.find("Patient")
    run(connection, "UPDATE directory SET part = %s WHERE type = %s AND id = %s", (part, type, id))
    move(connection, [pk], part)
    members = [row[0] for row in run(connection, _MEMBERS, (id, pk)).fetchall()]
    targets: dict[int, list[int]] = {}
    for member, wanted in run(connection, _WHERE, (type, members)).fetchall() if members else ():
        targets.setdefault(wanted, []).append(member)
    for wanted, pks in targets.items():
        move(connection, pks, wanted)


def move(connection: Connection, pks: Collection[int], part: int) -> None:
    """Move the rows of some resources: the current version, the former ones, the index entries."""
    keys: tuple[Any, ...] = (part, part, list(pks), part)
    run(connection, "UPDATE directory d SET part = %s FROM resource r WHERE r.pk = d.pk AND r.type = d.type AND r.id = d.id "
        "AND d.part <> %s AND r.pk = ANY(%s) AND r.part <> %s", keys)  # fmt: skip
    for table in HOT:
        run(connection, f"UPDATE {table} SET part = %s WHERE pk = ANY(%s) AND part <> %s", (part, list(pks), part))  # noqa: S608
