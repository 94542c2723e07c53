"""The learned probability"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "models",
        sa.Column("at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("data", store.tables.Json, nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_models")),
    )
    op.add_column("leads", sa.Column("chance", sa.Float(), nullable=True))
    op.create_index(
        op.f("ix_leads_closed_at"),
        "leads",
        ["closed_at"],
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_leads_closed_at"), table_name="leads")
    op.drop_column("leads", "chance")
    op.drop_table("models")
