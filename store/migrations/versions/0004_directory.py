"""The platforms' directories"""

import sqlalchemy as sa
from alembic import op

from store.tables import Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "members", sa.Column("source", sa.String(16), nullable=False, server_default="config")
    )
    op.add_column("members", sa.Column("departments", Json, nullable=False, server_default="[]"))
    op.add_column("members", sa.Column("gone", Json, nullable=False, server_default="{}"))


def downgrade() -> None:
    for name in ("gone", "departments", "source"):
        op.drop_column("members", name)
