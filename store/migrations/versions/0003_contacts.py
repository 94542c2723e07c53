"""WeCom contacts: channel codes, tags, relations"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import store.tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("external_userid", sa.String(length=64), nullable=False),
        sa.Column("userid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=100), nullable=False),
        sa.Column("met_at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.Column("gone_at", store.tables.UtcDateTime(timezone=True), nullable=True),
        sa.Column("gone", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("external_userid", "userid", name=op.f("pk_contacts")),
    )
    op.create_table(
        "ways",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "userids",
            sa.JSON(none_as_null=True).with_variant(
                postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), "postgresql"
            ),
            nullable=False,
        ),
        sa.Column("made_at", store.tables.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ways")),
    )
    op.create_index("ix_ways_kind_name", "ways", ["kind", "name"], unique=False)
    op.add_column(
        "leads",
        sa.Column("parted_at", store.tables.UtcDateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("leads", "parted_at")
    op.drop_index("ix_ways_kind_name", table_name="ways")
    op.drop_table("ways")
    op.drop_table("contacts")
