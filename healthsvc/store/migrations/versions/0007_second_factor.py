"""A second factor at sign-in"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Accounts have none yet; open sessions go on."""
    with op.batch_alter_table("access_user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("factor", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("factor_waiting", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("factor_step", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("recovery", sa.String(), nullable=True))
    with op.batch_alter_table("access_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("confirmed", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("access_session", schema=None) as batch_op:
        batch_op.drop_column("confirmed")
    with op.batch_alter_table("access_user", schema=None) as batch_op:
        for column in ("recovery", "factor_step", "factor_waiting", "factor"):
            batch_op.drop_column(column)
