"""Messages that are on disk and answered, on their way into the inbox"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table without an index besides its key: what is put there is only ever added at the end."""
    op.create_table(
        "arrived",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("control_id", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("listen", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Nothing on its way may be lost."""
    op.execute(
        "INSERT INTO inbox (link, sender, control_id, hash, event, listen, peer, received, raw, answer, code, state, due, reused, "
        "attempts) "
        "SELECT link, sender, control_id, hash, event, listen, peer, received, raw, answer, code, 'pending', 0, false, 0 FROM arrived "
        "WHERE true ORDER BY id ON CONFLICT DO NOTHING"
    )
    op.drop_table("arrived")
