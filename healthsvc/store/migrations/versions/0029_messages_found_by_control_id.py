"""A message is found by its control id (MSH-10) alone, however many have come"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The unique key begins with the link, which who asks for a number does not know."""
    op.create_index("ix_inbox_control_id", "inbox", ["control_id", "id"])


def downgrade() -> None:
    """As it was."""
    op.drop_index("ix_inbox_control_id", table_name="inbox")
