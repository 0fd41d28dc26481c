"""Bulk exports"""

import sqlalchemy as sa
from alembic import op

revision = "0004_exports"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table of exports."""
    op.create_table(
        "export",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_export_state", "export", ["state", "created"])
    op.create_index("ix_export_actor", "export", ["actor"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("export")
