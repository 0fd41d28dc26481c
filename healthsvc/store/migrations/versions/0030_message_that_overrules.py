"""A message that is told again may count against what was corrected here since"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty: it does not."""
    op.add_column("inbox", sa.Column("overrules", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """As it was."""
    op.drop_column("inbox", "overrules")
