"""Indexes for the walks of the search: resources of a type in order, date and number ranges by their upper end"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_resource_type": ("resource", ["type", "deleted", "pk"]),
    "ix_date_high": ("ix_date", ["param", "high", "low", "pk"]),
    "ix_quantity_high": ("ix_quantity", ["param", "high", "low", "pk"]),
}


def upgrade() -> None:
    """Make the indexes."""
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Take them away."""
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
