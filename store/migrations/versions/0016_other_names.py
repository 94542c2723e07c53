"""What a lead's person was called besides, which is masked like the name"""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NAMING = ("name", "company", "wechat", "email")
leads = sa.table(
    "leads",
    sa.column("id", sa.Integer),
    sa.column("merged_into", sa.Integer),
    sa.column("other_names", json),
    *(sa.column(name, sa.String) for name in NAMING),
)


def upgrade() -> None:
    with op.batch_alter_table("leads") as table:
        table.add_column(sa.Column("other_names", json, nullable=False, server_default="[]"))
    _fill(op.get_bind())


def _fill(conn: sa.Connection) -> None:
    """What was merged before says its names to whom it went to."""
    merged = conn.execute(sa.select(leads).where(leads.c.merged_into.is_not(None))).all()
    into = {row.id: row.merged_into for row in merged}
    names: dict[int, set[str]] = defaultdict(set)
    for row in merged:
        root = row.merged_into
        while root in into:
            root = into[root]
        names[root] |= {getattr(row, name) for name in NAMING} - {""}
    for root, known in names.items():
        change = sa.update(leads).where(leads.c.id == root)
        conn.execute(change.values(other_names=sorted(known)))


def downgrade() -> None:
    with op.batch_alter_table("leads") as table:
        table.drop_column("other_names")
