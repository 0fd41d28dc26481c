"""The one administrator becomes three; who was one lets people in"""

from alembic import op

revision = "0005"
down_revision = "0004_exports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Accounts and tokens of the former role keep the accounts; somebody gives the other two to others."""
    op.execute(
        "UPDATE access_user SET roles = trim(replace(' ' || roles || ' ', ' admin ', ' security-admin ')) "
        "WHERE ' ' || roles || ' ' LIKE '% admin %'"
    )
    op.execute("UPDATE access_token SET role = 'security-admin' WHERE role = 'admin'")


def downgrade() -> None:
    """Back to one."""
    op.execute(
        "UPDATE access_user SET roles = trim(replace(' ' || roles || ' ', ' security-admin ', ' admin ')) "
        "WHERE ' ' || roles || ' ' LIKE '% security-admin %'"
    )
    op.execute("UPDATE access_token SET role = 'admin' WHERE role = 'security-admin'")
