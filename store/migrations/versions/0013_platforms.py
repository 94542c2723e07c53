"""What the platforms said"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ways") as ways:
        ways.add_column(
            sa.Column("gone_at", store.tables.UtcDateTime(timezone=True), nullable=True)
        )
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(
            sa.Column("unsure", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        outbox.create_index("ix_outbox_account_put_at", ["account", "put_at"])


def downgrade() -> None:
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_index("ix_outbox_account_put_at")
        outbox.drop_column("unsure")
    with op.batch_alter_table("ways") as ways:
        ways.drop_column("gone_at")
