"""Numbers are compared by an indexed middle; long ranges of dates have an index of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LONG = "high - low > 172800000000"
TWO_ENDS = "CASE WHEN low > -1e308 OR high < 1e308 THEN (low + high) / 2 END"
"""Ranges that are open at both ends have no middle."""


def upgrade() -> None:
    """Add and fill the middle; change the indexes."""
    op.add_column("ix_quantity", sa.Column("middle", sa.Float(), nullable=True))
    op.execute(f"UPDATE ix_quantity SET middle = {TWO_ENDS}")  # noqa: S608 - our own text
    op.drop_index("ix_quantity_high", table_name="ix_quantity")
    op.create_index("ix_quantity_middle", "ix_quantity", ["param", "middle", "pk"])
    columns, where = ["param", "high", "low", "pk"], sa.text(LONG)
    op.create_index("ix_date_long", "ix_date", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """As it was."""
    op.drop_index("ix_date_long", table_name="ix_date")
    op.drop_index("ix_quantity_middle", table_name="ix_quantity")
    op.create_index("ix_quantity_high", "ix_quantity", ["param", "high", "low", "pk"])
    op.drop_column("ix_quantity", "middle")
