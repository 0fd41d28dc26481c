"""The audit can be laid out by county, too"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that is 0 until the tables are laid out. No row is rewritten."""
    op.add_column("audit", sa.Column("part", sa.SmallInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("audit", "part")
