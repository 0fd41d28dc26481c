"""How far a sender's sequence numbers (MSH-13) have come, and which are missing"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One row a sender that numbers its messages; most do not."""
    op.create_table(
        "line_sequence",
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("missing", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("link", "sender"),
    )


def downgrade() -> None:
    """Take it away: the next message begins anew."""
    op.drop_table("line_sequence")
