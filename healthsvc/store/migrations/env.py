"""How Alembic runs our migrations: always on the connection that the store hands over."""

from alembic import context

from healthsvc.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
