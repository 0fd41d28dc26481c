"""Bring a database to the newest schema."""

from sqlalchemy import Engine

from healthsvc.store import access_tables, lease_tables  # noqa: F401 - every table must be known to the metadata
from healthsvc.store.tables import metadata


def upgrade(engine: Engine) -> None:
    """Create what is missing."""
    metadata.create_all(engine)
