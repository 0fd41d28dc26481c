"""Several chains of the audit side by side"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

PARTS = {"ix_audit_chain": (["chain", "seq"], "chain > 0"), "ix_audit_anchor": (["seq"], "action = 'anchor'")}


def upgrade() -> None:
    """What is there is the first chain."""
    op.add_column("audit", sa.Column("chain", sa.Integer(), nullable=False, server_default="0"))
    for name, (columns, part) in PARTS.items():
        op.create_index(name, "audit", columns, sqlite_where=sa.text(part), postgresql_where=sa.text(part))


def downgrade() -> None:
    """Back to one; only where there never was another."""
    for name in PARTS:
        op.drop_index(name, table_name="audit")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_column("chain")
