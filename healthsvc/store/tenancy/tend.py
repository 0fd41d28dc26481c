"""After the tables are laid out: a new county gets its partition, people follow their organizations, and it is said what is where."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection

from healthsvc.errors import NotFound
from healthsvc.store.tables import HOT, LAID_OUT
from healthsvc.store.tenancy import home, lay, shadow
from healthsvc.store.terms import OpenTerms

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

PORTION: Final = 20
"""Persons whose files are moved in one transaction."""
MOST_LATE: Final = 5
"""So often writers who knew the old part may come in between; whoever is left then, the next run moves."""
_PLACES: Final = """
SELECT c.relname, c.reltuples, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE i.inhparent = CAST(:name AS regclass)
"""
_MANAGING: Final = """
SELECT x.target, array_agg(DISTINCT x.part) FROM ix_reference x
WHERE x.param = (SELECT id FROM term WHERE text = 'Patient.organization') GROUP BY x.target ORDER BY x.target
"""
"""Organizations that manage people, and the parts in which these are."""
FORMER: Final = "~"
"""Before the name of a county that is none any more; no id of a resource has it. Its number stays: acts of its time stay in its part."""
_ELSEWHERE: Final = """
SELECT r.pk, r.id FROM ix_reference x JOIN resource r ON r.pk = x.pk AND r.part = x.part
WHERE x.param = (SELECT id FROM term WHERE text = 'Patient.organization') AND x.target = :organization AND x.part <> :part
ORDER BY r.pk LIMIT :most
"""
_HELD: Final = "SELECT part FROM tenant_home WHERE organization = :organization AND part <> :part FOR UPDATE"
_LEFT: Final = """
SELECT DISTINCT x.part FROM ix_reference x
WHERE x.param = (SELECT id FROM term WHERE text = 'Patient.organization') AND x.target = :organization
"""


class Place(NamedTuple):
    """One part: its number, the organization (None: what is nobody's), resources as last estimated, rows, bytes with all indexes."""

    part: int
    organization: str | None
    resources: int
    rows: int
    bytes: int


def tenants(connection: Connection) -> dict[int, str]:
    """Number and organization of every part (with ``~`` before it: it was one); empty where nothing is laid out."""
    return {row[0]: row[1] for row in shadow.run(connection, "SELECT number, organization FROM tenant ORDER BY number")}


def places(connection: Connection) -> list[Place]:
    """What is where; rows as PostgreSQL last estimated them."""
    numbers = tenants(connection)
    rows, size, resources = (dict.fromkeys(numbers, 0) for _ in range(3))
    for table in LAID_OUT if numbers else ():
        for name, estimated, total in shadow.run(connection, _PLACES, name=table):
            part = int(str(name).rpartition("_p")[2])
            rows[part] += max(int(estimated), 0)
            size[part] += int(total)
            resources[part] += max(int(estimated), 0) if table == "resource" else 0
    return [Place(part, name or None, resources[part], rows[part], size[part]) for part, name in numbers.items()]


def without_partition(connection: Connection, level: str) -> list[str]:
    """Organizations of the level that have no partition yet."""
    known = set(tenants(connection).values())
    return [one for one in lay.counties(connection, level) if one not in known]


def add(connection: Connection, organization: str) -> int:
    """Give a county its partition, while everybody goes on; gives its number."""
    number = int(shadow.run(connection, "SELECT max(number) + 1 FROM tenant").scalar_one())
    for table in LAID_OUT:
        part = f"{table}_p{number}"
        shadow.run(connection, f"CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS)")
        shadow.run(connection, f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES IN ({number})")
    shadow.run(connection, "INSERT INTO tenant VALUES (:number, :organization)", number=number, organization=organization)
    return number


def no_longer(connection: Connection, level: str) -> list[str]:
    """Organizations that have a partition and are of the level no more: joined with another county, or gone."""
    known = set(lay.counties(connection, level))
    return [one for number, one in tenants(connection).items() if number and not one.startswith(FORMER) and one not in known]


def dissolve(connection: Connection, organization: str) -> None:
    """A county is none any more: from now on its people belong to the nearest one above (then :func:`unsettled` names them).

    Raises:
        NotFound: the organization has no partition.
    """
    renamed = f"UPDATE tenant SET organization = left('{FORMER}' || number || '{FORMER}' || organization, 64) WHERE organization = :id"  # noqa: S608
    if not organization or shadow.run(connection, renamed, id=organization).rowcount == 0:
        raise NotFound(f"the organization {organization!r} has no partition")


def unsettled(database: "Database", connection: Connection) -> list[tuple[str, int]]:
    """Organizations whose people are not (all) where the tree of organizations would have them, each with the part where they belong."""
    terms = OpenTerms(database.terms, connection)
    known: dict[str, set[tuple[int, bool]]] = {}
    for organization, part, current in shadow.run(connection, "SELECT organization, part, is_current FROM tenant_home"):
        known.setdefault(organization, set()).add((part, current))
    found = []
    for organization, parts in shadow.run(connection, _MANAGING).all():
        part = home.county_above(connection, terms, organization)
        if known.get(organization, {(0, True)}) != {(part, True)} or set(parts) != {part}:
            found.append((organization, part))
    return found


def settle(database: "Database", organization: str, part: int) -> Iterator[int]:
    """Move the people of an organization to a part, some in one transaction, beside everybody; yields how many each time.

    Meanwhile they are known to be in either part; a run that was ended goes on with those who are left.
    """
    with database.plainly() as connection:
        note = "INSERT INTO tenant_home VALUES (:o, :p, TRUE) ON CONFLICT (organization, part) DO UPDATE SET is_current = TRUE"
        shadow.run(connection, "UPDATE tenant_home SET is_current = FALSE WHERE organization = :o AND part <> :p", o=organization, p=part)
        shadow.run(connection, note, o=organization, p=part)
    late = 0
    while late < MOST_LATE:
        with database.plainly() as connection:
            terms = OpenTerms(database.terms, connection)
            found = shadow.run(connection, _ELSEWHERE, organization=organization, part=part, most=PORTION).all()
            for pk, id in found:
                home.move_person(connection, terms, id, pk, part)
        if found:
            yield len(found)
            continue
        with database.plainly() as connection:
            shadow.run(connection, _HELD, organization=organization, part=part)  # whoever writes by what was known before, has ended now
            if set(shadow.run(connection, _LEFT, organization=organization).scalars()) <= {part}:
                shadow.run(connection, "DELETE FROM tenant_home WHERE organization = :o AND part <> :p", o=organization, p=part)
                return
        late += 1


_FAULTS: Final = {
    "rows of one resource in two parts": " UNION ALL ".join(
        f"SELECT 1 FROM {table} x JOIN resource r ON r.pk = x.pk WHERE x.part <> r.part"  # noqa: S608 - our own names
        for table in HOT
        if table != "resource"
    ),
    "resources that the directory does not know, or knows elsewhere": (
        "SELECT 1 FROM resource r LEFT JOIN directory d ON d.type = r.type AND d.id = r.id "
        "WHERE d.pk IS DISTINCT FROM r.pk OR d.part IS DISTINCT FROM r.part"
    ),
    "entries of the directory without a resource": (
        "SELECT 1 FROM directory d LEFT JOIN resource r ON r.pk = d.pk AND r.part = d.part WHERE r.pk IS NULL"
    ),
    "records that are neither with their person nor in the common part": (
        "SELECT 1 FROM ix_reference x JOIN directory d ON d.type = (SELECT id FROM term WHERE text = 'Patient') AND d.id = x.target "
        "WHERE x.param IN (SELECT id FROM term WHERE text LIKE '%.#patient' AND text <> 'Patient.#patient') "
        "AND x.part NOT IN (0, d.part)"
    ),
    "persons who are in none of the parts of their organization": (
        "SELECT 1 FROM ix_reference x WHERE x.param = (SELECT id FROM term WHERE text = 'Patient.organization') AND x.part > 0 "
        "AND NOT EXISTS (SELECT 1 FROM tenant_home h WHERE h.organization = x.target AND h.part = x.part)"
    ),
}


def faults(connection: Connection) -> dict[str, int]:
    """What is not where it should be, and how many; walks everything, so it takes as long as a backup."""
    counted = {said: int(shadow.run(connection, f"SELECT count(*) FROM ({sql}) AS f").scalar_one()) for said, sql in _FAULTS.items()}  # noqa: S608
    return {said: count for said, count in counted.items() if count}
