"""How far a reader of the changes has come, what each hospital was last told, the open lines of each process"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table("reader_place", sa.Column("reader", sa.String(), primary_key=True), sa.Column("seq", sa.BigInteger(), nullable=False))
    op.create_table(
        "told",
        sa.Column("destination", sa.String(), primary_key=True),
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "feed",
        sa.Column("process", sa.String(), primary_key=True),
        sa.Column("listen", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    """Take them away."""
    for table in ("feed", "told", "reader_place"):
        op.drop_table(table)
