"""The tables of before and those that are being laid out beside them: how the one are made like the other, filled, and put in their place.

Everything of a run is named ``..._laid`` until the switch, and what was there before it is named ``..._before`` afterwards.
"""

import re
from typing import Any, Final

from sqlalchemy import Connection, text

from healthsvc.store.tables import HOT, LAID_OUT

DEEPEST: Final = 20
MEMBERS: Final = "SELECT id FROM term WHERE text LIKE '%.#patient'"
_MAKE: Final = (
    "CREATE TABLE laying (name varchar PRIMARY KEY, value bigint NOT NULL)",
    "CREATE TABLE laid_dirty (pk bigint NOT NULL)",
    "CREATE TABLE laid_dirty_audit (seq bigint NOT NULL)",
    "CREATE TABLE tenant_laid (LIKE tenant INCLUDING ALL)",
    "CREATE TABLE tenant_home_laid (LIKE tenant_home INCLUDING ALL)",
    "CREATE TABLE directory_laid (LIKE directory INCLUDING ALL)",
    "INSERT INTO tenant_laid VALUES (0, '')",
    "CREATE FUNCTION laid_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "INSERT INTO laid_dirty SELECT DISTINCT pk FROM changed; RETURN NULL; END $$",
    "CREATE FUNCTION laid_new_act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "INSERT INTO laid_dirty_audit SELECT seq FROM changed; RETURN NULL; END $$",
)
_LOGS: Final = {"pk": "laid_new", "seq": "laid_new_act"}
DIRTY: Final = {"pk": "laid_dirty", "seq": "laid_dirty_audit"}
_WRITES: Final = (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))
_HOMES: Final = f"""
WITH RECURSIVE down(id, number, depth) AS (
  SELECT organization, number, 0 FROM tenant_laid WHERE number > 0
  UNION ALL
  SELECT CAST(r.id AS varchar(64)), down.number, down.depth + 1 FROM down
  JOIN ix_reference x ON x.param = (SELECT id FROM term WHERE text = 'Organization.partof') AND x.target = down.id
  JOIN resource r ON r.pk = x.pk AND NOT r.deleted
  WHERE down.depth < {DEEPEST}
)
INSERT INTO tenant_home_laid SELECT DISTINCT ON (id) id, number, TRUE FROM down ORDER BY id, depth ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own names only
CHUNK_OF_RANGE: Final = "pk > :after AND pk <= :up_to"
CHUNK_OF_KEYS: Final = "pk = ANY(:keys)"
_CHUNK: Final = """
CREATE TEMPORARY TABLE laid_chunk ON COMMIT DROP AS
WITH patient AS (SELECT id FROM term WHERE text = 'Patient'),
chosen AS (SELECT pk, type, id FROM resource WHERE {chosen}),
people AS (
  SELECT c.pk, CAST(c.id AS varchar) AS id FROM chosen c WHERE c.type IN (SELECT id FROM patient)
  UNION ALL
  SELECT c.pk, x.target FROM chosen c JOIN ix_reference x ON x.pk = c.pk AND x.param IN ({members})
  WHERE c.type NOT IN (SELECT id FROM patient)
),
homes AS (
  SELECT p.id, coalesce(h.part, 0) AS part FROM (SELECT DISTINCT id FROM people) p
  JOIN resource r ON r.type = (SELECT id FROM patient) AND r.id = p.id AND NOT r.deleted
  LEFT JOIN ix_reference o ON o.pk = r.pk AND o.param = (SELECT id FROM term WHERE text = 'Patient.organization')
  LEFT JOIN tenant_home_laid h ON h.organization = o.target AND h.is_current
)
SELECT c.pk, c.type, c.id, CAST(coalesce(g.part, 0) AS smallint) AS part FROM chosen c LEFT JOIN (
  SELECT people.pk, CASE WHEN min(h.part) = max(h.part) THEN min(h.part) ELSE 0 END AS part
  FROM people JOIN homes h ON h.id = people.id GROUP BY people.pk
) g ON g.pk = c.pk
"""
"""Some resources, each with the part where it belongs: with its persons, if they are all of one county."""
_PATIENTS: Final = f"""
SELECT DISTINCT x.pk FROM resource r JOIN ix_reference x ON x.target = r.id AND x.param IN ({MEMBERS})
WHERE r.pk = ANY(:keys) AND r.type = (SELECT id FROM term WHERE text = 'Patient')
"""  # noqa: S608 - our own names only
"""What is about the persons among some resources: it goes where they go."""
_DIRECTORY: Final = (
    """CREATE OR REPLACE FUNCTION directory_enter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO directory (type, id, pk, part) VALUES (NEW.type, NEW.id, NEW.pk, NEW.part)
  ON CONFLICT (type, id) DO UPDATE SET part = excluded.part WHERE directory.pk = excluded.pk;
  IF NOT FOUND THEN RAISE unique_violation USING MESSAGE = 'there is a resource of this type and id already'; END IF;
  RETURN NULL; END $$""",
    """CREATE OR REPLACE FUNCTION directory_leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  DELETE FROM directory WHERE type = OLD.type AND id = OLD.id AND pk = OLD.pk AND part = OLD.part;
  RETURN NULL; END $$""",
    "CREATE TRIGGER directory_enter AFTER INSERT ON resource FOR EACH ROW EXECUTE FUNCTION directory_enter()",
    "CREATE TRIGGER directory_leave AFTER DELETE ON resource FOR EACH ROW EXECUTE FUNCTION directory_leave()",
)
"""A row that moves to another partition leaves one and enters the other; whoever moves it has written so in the directory before."""


def run(connection: Connection, sql: str, **values: Any) -> Any:
    """Run a statement with ``:name`` marks."""
    return connection.execute(text(sql), values)


def exists(connection: Connection, table: str) -> bool:
    """Whether there is such a table."""
    return bool(run(connection, "SELECT to_regclass(:name) IS NOT NULL", name=table).scalar())


def columns(connection: Connection, table: str) -> list[str]:
    """The columns of a table but for its part, in their order."""
    found = run(
        connection,
        "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        name=table,
    )
    return [name for name in found.scalars() if name != "part"]


def keys(connection: Connection, table: str) -> list[str]:
    """The columns of its primary key but for its part."""
    sql = (
        "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(n, place) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE i.indrelid = CAST(:name AS regclass) AND i.indisprimary "
        "ORDER BY k.place"
    )
    return [name for name in run(connection, sql, name=table).scalars() if name != "part"]


def make(connection: Connection, counties: list[str]) -> None:
    """The tables of a run, each county with its number, and empty tables laid out for them."""
    for statement in _MAKE:
        run(connection, statement)
    for number, organization in enumerate(counties, 1):
        run(connection, "INSERT INTO tenant_laid VALUES (:number, :organization)", number=number, organization=organization)
    for table in LAID_OUT:
        run(connection, f"CREATE TABLE {table}_laid (LIKE {table} INCLUDING DEFAULTS) PARTITION BY LIST (part)")
        run(
            connection,
            f"ALTER TABLE {table}_laid ADD CONSTRAINT {table}_laid_pkey PRIMARY KEY ({', '.join(keys(connection, table))}, part)",
        )
        for number in range(len(counties) + 1):
            run(connection, f"CREATE TABLE {table}_p{number} PARTITION OF {table}_laid FOR VALUES IN ({number})")


def watch(connection: Connection, table: str) -> None:
    """From now on it is noted which resources are written to this table."""
    for name, rows in _WRITES:
        run(
            connection,
            f"CREATE OR REPLACE TRIGGER laid_{name} AFTER {name} ON {table} REFERENCING {rows} TABLE AS changed "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_LOGS[LAID_OUT[table]]}()",
        )


def settle_organizations(connection: Connection) -> None:
    """Give every organization below a county its home, where it has none yet."""
    run(connection, _HOMES)


def copy(connection: Connection, chosen: str, **values: Any) -> int:
    """Copy some resources with all their rows; how many."""
    run(connection, _CHUNK.format(chosen=chosen, members=MEMBERS), **values)
    run(connection, "ANALYZE laid_chunk")
    for table in HOT:
        names = columns(connection, table)
        run(
            connection,
            f"INSERT INTO {table}_laid ({', '.join(names)}, part) "  # noqa: S608 - names of the catalogue
            f"SELECT {', '.join(f't.{name}' for name in names)}, c.part FROM laid_chunk c JOIN {table} t ON t.pk = c.pk",
        )
    return int(run(connection, "INSERT INTO directory_laid (type, id, pk, part) SELECT type, id, pk, part FROM laid_chunk").rowcount)


def copy_acts(connection: Connection, chosen: str, **values: Any) -> int:
    """Copy some rows of the audit to where their persons are now; how many."""
    names = columns(connection, "audit")
    sql = (
        f"INSERT INTO audit_laid ({', '.join(names)}, part) SELECT {', '.join(f'a.{name}' for name in names)}, coalesce(d.part, 0) "  # noqa: S608
        "FROM audit a LEFT JOIN directory_laid d ON d.type = (SELECT id FROM term WHERE text = 'Patient') AND d.id = a.patient "
        f"WHERE {chosen}"
    )
    return int(run(connection, sql, **values).rowcount)


def replay_acts(connection: Connection, most: int | None) -> int:
    """Copy anew what has been written to the audit, or taken out of it, since it was copied; how many."""
    wanted = _taken(connection, "seq", most)
    if wanted:
        run(connection, "DELETE FROM audit_laid WHERE seq = ANY(:keys)", keys=wanted)
        copy_acts(connection, "a.seq = ANY(:keys)", keys=wanted)
    return len(wanted)


def _taken(connection: Connection, key: str, most: int | None) -> list[int]:
    """Some of what was noted, and it is no longer noted."""
    limit, table = "" if most is None else f"LIMIT {most}", DIRTY[key]
    taken = f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} {limit}) RETURNING {key}"  # noqa: S608 - our own names
    return sorted(set(run(connection, taken).scalars()))


def replay(connection: Connection, most: int | None) -> int:
    """Copy anew what has been written since it was copied, with what is about the persons among it; how many."""
    wanted = set(_taken(connection, "pk", most))
    if not wanted:
        return 0
    settle_organizations(connection)
    wanted |= set(run(connection, _PATIENTS, keys=list(wanted)).scalars())
    some = list(wanted)
    for table in HOT:
        run(connection, f"DELETE FROM {table}_laid WHERE pk = ANY(:keys)", keys=some)  # noqa: S608
    run(connection, "DELETE FROM directory_laid d USING resource r WHERE r.pk = ANY(:keys) AND d.type = r.type AND d.id = r.id", keys=some)
    copy(connection, CHUNK_OF_KEYS, keys=some)
    return len(some)


def indexes(connection: Connection) -> list[tuple[str, str]]:
    """What finds rows besides the primary keys and is not there yet: name and statement."""
    sql = (
        "SELECT c.relname, t.relname, pg_get_indexdef(i.indexrelid), i.indisunique FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_class t ON t.oid = i.indrelid WHERE t.oid = CAST(:name AS regclass) AND NOT i.indisprimary ORDER BY c.relname"
    )
    found = []
    for table in LAID_OUT:
        for name, of, made, unique in run(connection, sql, name=table):
            if exists(connection, f"laid_{name}"):
                continue
            _, _, how = str(made).partition(" USING ")
            if unique:
                inside = re.sub(r"^btree \((.*)\)$", r"\1", how)
                found.append((name, f"ALTER TABLE {of}_laid ADD CONSTRAINT laid_{name} UNIQUE ({inside}, part)"))
            else:
                found.append((name, f"CREATE INDEX laid_{name} ON {of}_laid USING {how}"))
    return found


def put_in_place(connection: Connection) -> None:
    """The names change: what was there before stays beside, what was laid out is what everybody reads and writes."""
    for table in LAID_OUT:
        names = run(
            connection,
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = CAST(:name AS regclass)",
            name=table,
        )
        renamed = list(names.scalars())
        for name, _ in _WRITES:
            run(connection, f"DROP TRIGGER laid_{name} ON {table}")
        run(connection, f"ALTER TABLE {table} RENAME TO {table}_before")
        run(connection, f"ALTER TABLE {table}_laid RENAME TO {table}")
        for name in renamed:
            run(connection, f"ALTER INDEX {name} RENAME TO {name}_before")
            laid = f"{table}_laid_pkey" if name == f"{table}_pkey" else f"laid_{name}"
            run(connection, f"ALTER INDEX {laid} RENAME TO {name}")
    for table, key in (("resource", "pk"), ("audit", "seq")):
        run(connection, f"ALTER SEQUENCE {table}_{key}_seq OWNED BY {table}.{key}")
        run(connection, f"ALTER TABLE {table}_before ALTER COLUMN {key} DROP DEFAULT")
    run(connection, "DROP TABLE directory")
    run(connection, "ALTER TABLE directory_laid RENAME TO directory")
    run(connection, "ALTER INDEX directory_laid_pkey RENAME TO directory_pkey")
    for statement in _DIRECTORY:
        run(connection, statement)
    for table in ("tenant", "tenant_home"):
        run(connection, f"INSERT INTO {table} SELECT * FROM {table}_laid")  # noqa: S608
    for table in ("tenant_laid", "tenant_home_laid", *DIRTY.values(), "laying"):
        run(connection, f"DROP TABLE {table}")
    for name in _LOGS.values():
        run(connection, f"DROP FUNCTION {name}()")


def undo(connection: Connection) -> None:
    """Take away what a run that was not ended has left; nothing else is touched."""
    for table in LAID_OUT:
        for name, _ in _WRITES:
            run(connection, f"DROP TRIGGER IF EXISTS laid_{name} ON {table}")
        run(connection, f"DROP TABLE IF EXISTS {table}_laid")
    for table in ("tenant_laid", "tenant_home_laid", "directory_laid", *DIRTY.values(), "laying"):
        run(connection, f"DROP TABLE IF EXISTS {table}")
    for name in _LOGS.values():
        run(connection, f"DROP FUNCTION IF EXISTS {name}()")
