"""Visits on the phone"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables of phones that carry visits, and of the records that came from them."""
    op.create_table(
        "pocket",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_pocket_login", "pocket", ["login"])
    op.create_table(
        "pocket_record",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("clashes", sa.String(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("handled", sa.BigInteger(), nullable=True),
        sa.Column("handler", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_pocket_record_task", "pocket_record", ["task"])
    op.create_index("ix_pocket_record_waiting", "pocket_record", ["outcome", "handled"])


def downgrade() -> None:
    """Take them away."""
    op.drop_table("pocket_record")
    op.drop_table("pocket")
