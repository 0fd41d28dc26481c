"""What a database holds, counted: the same question to the snapshot that is saved and to what comes back."""

from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text

from healthsvc.backup.manifest import Contents


def contents(connection: Connection) -> Contents:
    """Schema, rows of every table and the head of the audit, as this connection's transaction sees them."""
    tables = inspect(connection).get_table_names()
    quote = connection.dialect.identifier_preparer.quote
    rows = {
        name: int(connection.execute(text(f"SELECT count(*) FROM {quote(name)}")).scalar_one())  # noqa: S608 - names of the schema itself
        for name in sorted(tables)
    }
    migration = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() if "alembic_version" in tables else ""
    last = connection.execute(text("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")).first() if "audit" in tables else None
    seq, head = (int(last.seq), bytes(last.hash).hex()) if last is not None else (0, "")
    return Contents(str(migration), rows, seq, head)


def contents_of_file(path: Path) -> Contents:
    """The contents of an embedded database that nobody else has open."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            return contents(connection)
    finally:
        engine.dispose()


def differences(told: Contents, found: Contents) -> list[str]:
    """Where what came back is not what was saved, one sentence each."""
    wrong = []
    if told.migration != found.migration:
        wrong.append(f"schema {found.migration} instead of {told.migration}")
    for name in sorted(told.rows.keys() | found.rows.keys()):
        there, here = told.rows.get(name), found.rows.get(name)
        if there != here:
            wrong.append(f"table {name}: {'missing' if here is None else here} instead of {'none' if there is None else there} rows")
    if (told.audit_seq, told.audit_head) != (found.audit_seq, found.audit_head):
        wrong.append(f"the audit ends at {found.audit_seq} instead of {told.audit_seq}, or with another hash")
    return wrong
