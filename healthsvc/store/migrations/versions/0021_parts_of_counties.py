"""Parts of the hot tables by county, and where each resource is"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

HOT = ("resource", "history", "ix_token", "ix_string", "ix_date", "ix_reference", "ix_quantity", "ix_uri")


def upgrade() -> None:
    """A column that is 0 until the tables are laid out, and three tables that are empty until then. No row is rewritten."""
    for name in HOT:
        op.add_column(name, sa.Column("part", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_table(
        "tenant",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("organization", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("organization"),
    )
    op.create_table(
        "tenant_home",
        sa.Column("organization", sa.String(64), nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "part"),
    )
    op.create_table(
        "directory",
        sa.Column("type", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("pk", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("type", "id"),
    )


def downgrade() -> None:
    """Take them away."""
    for name in ("directory", "tenant_home", "tenant"):
        op.drop_table(name)
    for name in HOT:
        op.drop_column(name, "part")
