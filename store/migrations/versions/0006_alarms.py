"""What only the admin can mend"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("told_at", store.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("told", store.tables.Json, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alarms")),
    )


def downgrade() -> None:
    op.drop_table("alarms")
