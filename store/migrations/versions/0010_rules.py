"""Versions of the rules"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_versions",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("file", sa.String(length=64), nullable=False),
        sa.Column("rules", store.tables.Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_versions")),
    )
    op.add_column("leads", sa.Column("rules", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("leads", "rules")
    op.drop_table("rule_versions")
