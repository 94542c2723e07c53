"""When the platforms last said that somebody came or left"""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("members") as members:
        members.add_column(
            sa.Column("heard", store.tables.Json, nullable=False, server_default="{}")
        )


def downgrade() -> None:
    with op.batch_alter_table("members") as members:
        members.drop_column("heard")
