"""Tokens and clients that are bound to a certificate"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is bound yet."""
    op.add_column("access_token", sa.Column("certificate", sa.String(), nullable=True))
    op.add_column("oauth_client", sa.Column("certificate", sa.String(), nullable=True))
    op.add_column("oauth_grant", sa.Column("bound", sa.String(), nullable=True))


def downgrade() -> None:
    """Take it away."""
    for table, column in (("oauth_grant", "bound"), ("oauth_client", "certificate"), ("access_token", "certificate")):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(column)
