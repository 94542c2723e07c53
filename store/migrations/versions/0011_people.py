"""Merges, channels and business lines"""

import sqlalchemy as sa
from alembic import op

from store.tables import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_leads()
    _make_doubts()
    _make_consents()


def _widen_leads() -> None:
    json = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("leads") as leads:
        leads.add_column(sa.Column("merged_into", sa.Integer(), nullable=True))
        leads.add_column(sa.Column("joined_at", UtcDateTime(timezone=True), nullable=True))
        leads.add_column(sa.Column("linked", json, nullable=False, server_default="[]"))
        leads.add_column(
            sa.Column("line", sa.String(64), nullable=False, server_default=sa.text("''"))
        )
        leads.add_column(
            sa.Column("channel_class", sa.String(16), nullable=False, server_default=sa.text("''"))
        )
        leads.create_foreign_key(
            op.f("fk_leads_merged_into_leads"), "leads", ["merged_into"], ["id"]
        )
        leads.create_index(
            "ix_leads_merged_into",
            ["merged_into"],
            postgresql_where=sa.text("merged_into IS NOT NULL"),
        )


def _make_doubts() -> None:
    op.create_table(
        "doubts",
        sa.Column("lead_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("settled_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("same", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_doubts_lead_id_leads")),
        sa.ForeignKeyConstraint(["other_id"], ["leads.id"], name=op.f("fk_doubts_other_id_leads")),
        sa.ForeignKeyConstraint(["by_id"], ["members.id"], name=op.f("fk_doubts_by_id_members")),
        sa.PrimaryKeyConstraint("lead_id", "other_id", name=op.f("pk_doubts")),
    )
    op.create_index(op.f("ix_doubts_settled_at"), "doubts", ["settled_at"])
    op.create_index(op.f("ix_doubts_other_id"), "doubts", ["other_id"])


def _make_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.Integer(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_consents_lead_id_leads")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_lead_id"), "consents", ["lead_id"])
    # What was agreed to before there was a ledger is its beginning.
    op.execute(
        "INSERT INTO consents (lead_id, given, text, source, at, made_at) "
        "SELECT id, true, consent_text, source, COALESCE(consent_at, captured_at), captured_at "
        "FROM leads WHERE consent_text <> ''"
    )
    op.execute(
        "INSERT INTO consents (lead_id, given, text, source, at, made_at) "
        "SELECT id, false, '', source, opted_out_at, opted_out_at "
        "FROM leads WHERE opted_out_at IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_consents_lead_id"), table_name="consents")
    op.drop_table("consents")
    op.drop_index(op.f("ix_doubts_other_id"), table_name="doubts")
    op.drop_index(op.f("ix_doubts_settled_at"), table_name="doubts")
    op.drop_table("doubts")
    with op.batch_alter_table("leads") as leads:
        leads.drop_index("ix_leads_merged_into")
        leads.drop_constraint(op.f("fk_leads_merged_into_leads"), type_="foreignkey")
        for name in ("channel_class", "line", "linked", "joined_at", "merged_into"):
            leads.drop_column(name)
