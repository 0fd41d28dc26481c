"""Signing in at an identity provider, and sessions that can be told apart"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No account has a person of a provider yet; open sessions go on, without a word on their browser."""
    with op.batch_alter_table("access_user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("expected", sa.String(64), nullable=True))
        batch_op.add_column(sa.Column("subject", sa.String(), nullable=True))
        batch_op.create_unique_constraint("uq_access_user_expected", ["expected"])
        batch_op.create_unique_constraint("uq_access_user_subject", ["subject"])
    with op.batch_alter_table("access_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("agent", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("place", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("provided", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("strong", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("sid", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("hint", sa.LargeBinary(), nullable=True))
        batch_op.create_index("ix_access_session_sid", ["sid"])
    op.create_table(
        "access_handover",
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("back", sa.String(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_index("ix_access_handover_expires", "access_handover", ["expires"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("access_handover")
    with op.batch_alter_table("access_session", schema=None) as batch_op:
        batch_op.drop_index("ix_access_session_sid")
        for column in ("hint", "sid", "strong", "provided", "place", "agent"):
            batch_op.drop_column(column)
    with op.batch_alter_table("access_user", schema=None) as batch_op:
        batch_op.drop_constraint("uq_access_user_subject", type_="unique")
        batch_op.drop_constraint("uq_access_user_expected", type_="unique")
        batch_op.drop_column("subject")
        batch_op.drop_column("expected")
