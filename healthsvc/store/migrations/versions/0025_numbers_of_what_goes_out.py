"""By what a hospital names a message of ours whose answer comes later"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there already keeps none: its answers come at once or not at all."""
    op.add_column("outbox", sa.Column("number", sa.String(), nullable=True))
    op.create_index("ix_outbox_number", "outbox", ["number", "kind"])


def downgrade() -> None:
    """Take it away: later answers are then kept and have no effect."""
    op.drop_index("ix_outbox_number", "outbox")
    op.drop_column("outbox", "number")
