"""How a score came about, what keeps a lead from being given out, and whose turn it is"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import store.tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True).with_variant(
        postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
    )
    moment = store.tables.UtcDateTime(timezone=True)
    op.add_column(
        "leads",
        sa.Column("importance", sa.String(length=1), server_default=sa.text("''"), nullable=False),
    )
    op.add_column("leads", sa.Column("points", json, server_default="[]", nullable=False))
    op.add_column("leads", sa.Column("cools_at", moment, nullable=True))
    op.add_column(
        "leads",
        sa.Column("hold", sa.String(length=8), server_default=sa.text("''"), nullable=False),
    )
    op.create_index(
        "ix_leads_cools_at",
        "leads",
        ["cools_at"],
        unique=False,
        postgresql_where=sa.text("cools_at IS NOT NULL"),
    )
    op.add_column("members", sa.Column("turn", sa.Float(), nullable=True))
    op.add_column("members", sa.Column("weight", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("members", "weight")
    op.drop_column("members", "turn")
    op.drop_index("ix_leads_cools_at", table_name="leads")
    for name in ("hold", "cools_at", "points", "importance"):
        op.drop_column("leads", name)
