"""Areas of accounts and tokens, and who looked past them in an emergency"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; accounts that were there keep seeing everybody."""
    for table in ("access_user", "access_token"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("areas", sa.String(), nullable=True))
    op.create_table(
        "access_glass",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=True),
        sa.Column("reviewed", sa.BigInteger(), nullable=True),
        sa.Column("justified", sa.Boolean(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("access_glass", schema=None) as batch_op:
        batch_op.create_index("ix_access_glass_actor", ["actor", "until"], unique=False)
        batch_op.create_index("ix_access_glass_reviewed", ["reviewed", "at"], unique=False)


def downgrade() -> None:
    """Take them away."""
    op.drop_table("access_glass")
    for table in ("access_user", "access_token"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("areas")
