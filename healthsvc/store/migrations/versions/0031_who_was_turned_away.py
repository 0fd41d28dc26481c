"""A listening process shows who was turned away, and why"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty: nobody that is known of."""
    op.add_column("feed", sa.Column("refused", sa.Text(), nullable=True))


def downgrade() -> None:
    """As it was."""
    op.drop_column("feed", "refused")
