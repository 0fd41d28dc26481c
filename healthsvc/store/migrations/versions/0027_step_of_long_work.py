"""What long work does before anything can be counted"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there already names none."""
    op.add_column("work", sa.Column("step", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("work", "step")
