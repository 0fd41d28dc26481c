"""The migrations make exactly the tables that the code declares, on both engines."""

from importlib import import_module
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

import healthsvc.store
from healthsvc.store import Database
from healthsvc.store.migrate import head
from healthsvc.store.tables import metadata


def test_migrated_tables_are_the_declared_ones(bare_url: str) -> None:
    for path in Path(healthsvc.store.__file__).parent.glob("*_tables.py"):
        import_module(f"healthsvc.store.{path.stem}")
    Database.open(bare_url, validate=lambda _: []).close()
    engine = create_engine(bare_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == head()
        differences = compare_metadata(context, metadata)
        if engine.dialect.name == "sqlite":
            assert connection.execute(text("SELECT count(*) FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")).scalar_one() == 6
    engine.dispose()
    assert differences == [], "declare the change in a new file of store/migrations/versions"


def test_opening_twice_changes_nothing(bare_url: str) -> None:
    for _ in range(2):
        Database.open(bare_url, validate=lambda _: []).close()
