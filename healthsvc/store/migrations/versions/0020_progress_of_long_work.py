"""Progress of long work: who asked, about what, since when, and what was handed over"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns that may be empty, and the two ways by which work is looked for."""
    op.add_column("work", sa.Column("begun", sa.BigInteger(), nullable=True))
    op.add_column("work", sa.Column("owner", sa.String(), nullable=False, server_default=""))
    op.add_column("work", sa.Column("about", sa.String(), nullable=False, server_default=""))
    op.add_column("work", sa.Column("paper", sa.LargeBinary(), nullable=True))
    op.create_index("ix_work_owner", "work", ["owner", "created"])
    op.create_index("ix_work_about", "work", ["kind", "about", "created"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_work_about", "work")
    op.drop_index("ix_work_owner", "work")
    for name in ("paper", "about", "owner", "begun"):
        op.drop_column("work", name)
