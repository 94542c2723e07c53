"""Leave, duty and escalation"""

import sqlalchemy as sa
from alembic import op

from store.tables import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENTS = ("called_at", "late_at", "grace_at", "spare_at")


def upgrade() -> None:
    op.create_table(
        "leaves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("start_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("end_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_leaves_member_id_members")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["members.id"], name=op.f("fk_leaves_by_id_members")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leaves")),
    )
    op.create_index(op.f("ix_leaves_end_at"), "leaves", ["end_at"])
    op.create_table(
        "calendar_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["by_id"], ["members.id"], name=op.f("fk_calendar_days_by_id_members")
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_days")),
    )
    op.create_table(
        "clocks",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.Column("done_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clocks")),
    )
    with op.batch_alter_table("leads") as leads:
        for name in MOMENTS:
            leads.add_column(sa.Column(name, UtcDateTime(timezone=True), nullable=True))
        leads.add_column(
            sa.Column("scope", sa.String(length=64), nullable=False, server_default=sa.text("''"))
        )
        leads.add_column(
            sa.Column("grab", sa.Boolean(), nullable=False, server_default=sa.text("false"))
        )
    op.execute("UPDATE leads SET called_at = coalesce(followed_at, contacted_at)")


def downgrade() -> None:
    with op.batch_alter_table("leads") as leads:
        for name in ("grab", "scope", *MOMENTS):
            leads.drop_column(name)
    op.drop_table("clocks")
    op.drop_table("calendar_days")
    op.drop_index(op.f("ix_leaves_end_at"), table_name="leaves")
    op.drop_table("leaves")
