"""Follow-up, reminders and hand-over"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("steps", store.tables.Json, nullable=False),
        sa.Column("undone_at", store.tables.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_actions_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
    )
    op.create_index(op.f("ix_actions_member_id_id"), "actions", ["member_id", "id"])
    op.create_index(op.f("ix_actions_at"), "actions", ["at"])
    with op.batch_alter_table("leads") as leads:
        leads.add_column(
            sa.Column("experts", store.tables.Json, nullable=False, server_default="{}")
        )
    with op.batch_alter_table("reminders") as reminders:
        reminders.add_column(sa.Column("every", sa.String(length=64), nullable=True))
        reminders.create_index(op.f("ix_reminders_member_id_due_at"), ["member_id", "due_at"])


def downgrade() -> None:
    with op.batch_alter_table("reminders") as reminders:
        reminders.drop_index(op.f("ix_reminders_member_id_due_at"))
        reminders.drop_column("every")
    with op.batch_alter_table("leads") as leads:
        leads.drop_column("experts")
    op.drop_index(op.f("ix_actions_at"), table_name="actions")
    op.drop_index(op.f("ix_actions_member_id_id"), table_name="actions")
    op.drop_table("actions")
