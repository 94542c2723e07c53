"""The quota ledger; what matters most goes first"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sent",
        sa.Column("api", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=300), nullable=False),
        sa.Column("at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("api", "account", "at", name=op.f("pk_sent")),
    )
    op.create_index(op.f("ix_sent_at"), "sent", ["at"])
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("rank", sa.Integer(), nullable=False, server_default="2"))
        outbox.add_column(
            sa.Column("listed_at", store.tables.UtcDateTime(timezone=True), nullable=True)
        )
        outbox.create_index(op.f("ix_outbox_member_id"), ["member_id"])


def downgrade() -> None:
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_index(op.f("ix_outbox_member_id"))
        outbox.drop_column("listed_at")
        outbox.drop_column("rank")
    op.drop_index(op.f("ix_sent_at"), table_name="sent")
    op.drop_table("sent")
