"""Former versions are indexed by their type first: a page of a history is read in its order, whatever was written before"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The index by time alone told no type, so a page sorted all there was."""
    op.create_index("ix_history_type", "history", ["type", "updated", "pk", "version"])
    op.drop_index("ix_history_updated", table_name="history")


def downgrade() -> None:
    """As it was."""
    op.create_index("ix_history_updated", "history", ["updated"])
    op.drop_index("ix_history_type", table_name="history")
