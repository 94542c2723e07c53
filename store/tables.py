"""The tables. A change here comes with a migration; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets time zones; this gives back what was put in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"naive datetime: {value}")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

members = Table(
    "members",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("wecom", String(64), unique=True),
    Column("dingtalk", String(64), unique=True),
    Column("regions", Json, nullable=False),
    Column("products", Json, nullable=False),
    Column("industries", Json, nullable=False),
    Column("grade", String(8), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    # The last turn of the round robin, and how far round it was.
    Column("turn_at", UtcDateTime),
    Column("turn", Float),
    # Turns for each one of somebody with 1.
    Column("weight", Integer, nullable=False, server_default="1"),
    # Who brought them: the configuration, or a platform's directory.
    Column("source", String(16), nullable=False, server_default="config"),
    Column("departments", Json, nullable=False, server_default="[]"),
    # "wecom:lilei" → when the platform said that this account has left.
    Column("gone", Json, nullable=False, server_default="{}"),
    # "wecom:lilei" → the time of the newest event that said that they came or left.
    Column("heard", Json, nullable=False, server_default="{}"),
)
# When somebody is away; who is back early ends it, so the past stays as it was.
leaves = Table(
    "leaves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("start_at", UtcDateTime, nullable=False),
    Column("end_at", UtcDateTime, nullable=False),
    Column("by_id", ForeignKey("members.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_leaves_end_at", "end_at"),
)
# Days the admin has declared off or on, over the configuration and the public calendar.
calendar_days = Table(
    "calendar_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("works", Boolean, nullable=False),
    Column("by_id", ForeignKey("members.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
# By which rules the deadlines stand, and how far they are derived anew after a change.
clocks = Table(
    "clocks",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("rules", String(64), nullable=False),
    # The last lead that is done; NULL when all are.
    Column("done_id", Integer),
)
leads = Table(
    "leads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("phone", String(64), nullable=False),
    Column("phone_sure", Boolean, nullable=False),
    Column("email", String(254), nullable=False),
    Column("wechat", String(64), nullable=False),
    Column("external_userid", String(64), nullable=False),
    Column("company", String(200), nullable=False),
    Column("title", String(100), nullable=False),
    Column("region", String(100), nullable=False),
    Column("industry", String(100), nullable=False),
    Column("product", String(200), nullable=False),
    Column("message", Text, nullable=False),
    Column("keyword", String(200), nullable=False),
    Column("campaign", String(200), nullable=False),
    Column("channel", String(100), nullable=False),
    Column("source", String(64), nullable=False),
    Column("external_id", String(200), nullable=False),
    Column("rep", String(64), nullable=False),
    Column("consent_text", Text, nullable=False),
    Column("consent_at", UtcDateTime),
    Column("opted_out_at", UtcDateTime),
    Column("utm", Json, nullable=False),
    Column("fields", Json, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("qualification", String(8), nullable=False),
    Column("score", Integer, nullable=False),
    Column("grade", String(1), nullable=False),
    Column("place", String(16), nullable=False),
    Column("owner_id", ForeignKey("members.id")),
    Column("tries", Integer, nullable=False),
    Column("refused", Json, nullable=False),
    Column("why", String(200), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("amount", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("captured_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime),
    Column("contacted_at", UtcDateTime),
    Column("followed_at", UtcDateTime),
    Column("closed_at", UtcDateTime),
    Column("next_at", UtcDateTime),
    Column("extended", Boolean, nullable=False),
    Column("swept_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("due", String(16), nullable=False),
    Column("doubles", Json, nullable=False),
    # Nobody of the team has this WeCom contact any more.
    Column("parted_at", UtcDateTime),
    # The version of the rules that judged it last; 0 = before there were versions.
    Column("rules", Integer, nullable=False, server_default="0"),
    # The learned probability of being won; nothing before enough was learned.
    Column("chance", Float),
    # This lead's person turned out to be that one's.
    Column("merged_into", ForeignKey("leads.id")),
    # When the last enquiry or lead was joined to it that can still be taken apart.
    Column("joined_at", UtcDateTime),
    # The same person's leads of other business lines.
    Column("linked", Json, nullable=False, server_default="[]"),
    # What the person or company was called besides: masked like the name.
    Column("other_names", Json, nullable=False, server_default="[]"),
    Column("line", String(64), nullable=False, server_default=text("''")),
    Column("channel_class", String(16), nullable=False, server_default=text("''")),
    # The last time its owner logged a contact.
    Column("called_at", UtcDateTime),
    # When the managers were told that nobody had called in time.
    Column("late_at", UtcDateTime),
    # When a manager gave one hour more, from which it runs.
    Column("grace_at", UtcDateTime),
    # Not reclaimed before that: changed rules must not take it without a warning.
    Column("spare_at", UtcDateTime),
    # The pool it belongs to: a [[pool.scope]], or "".
    Column("scope", String(64), nullable=False, server_default=text("''")),
    # Whoever presses first has it: no embargo, no cooldown.
    Column("grab", Boolean, nullable=False, server_default=text("false")),
    # Who was asked for help with it: member id → what they were asked.
    Column("experts", Json, nullable=False, server_default="{}"),
    # A to D by hand; "" leaves it to the rules.
    Column("importance", String(1), nullable=False, server_default=text("''")),
    # Where the score comes from: store.domain.lead.Part.
    Column("points", Json, nullable=False, server_default="[]"),
    # When the score is derived again, because what was done grows old.
    Column("cools_at", UtcDateTime),
    # The gate that keeps it from being given out.
    Column("hold", String(8), nullable=False, server_default=text("''")),
    Column("version", Integer, nullable=False),
    Index("ix_leads_closed_at", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    Index("ix_leads_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_leads_cools_at", "cools_at", postgresql_where=text("cools_at IS NOT NULL")),
    Index("ix_leads_owner_id_stage", "owner_id", "stage"),
    Index("ix_leads_place_id", "place", "id"),
    Index("ix_leads_captured_at", "captured_at"),
    Index("ix_leads_name", "name"),
    Index("ix_leads_merged_into", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
)
keys = Table(
    "keys",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", String(300), primary_key=True),
    Column("lead_id", ForeignKey("leads.id"), primary_key=True),
    Index("ix_keys_lead_id", "lead_id"),
)
# Two leads that may be one person, until somebody decides.
doubts = Table(
    "doubts",
    metadata,
    Column("lead_id", ForeignKey("leads.id"), primary_key=True),
    Column("other_id", ForeignKey("leads.id"), primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Column("by_id", ForeignKey("members.id")),
    Column("same", Boolean),
    Index("ix_doubts_settled_at", "settled_at"),
    Index("ix_doubts_other_id", "other_id"),
)
# What people agreed to and took back: every entry stays, whatever leads are joined.
consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("lead_id", ForeignKey("leads.id"), nullable=False),
    Column("given", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", String(64), nullable=False),
    # When the person said so, and when we were told.
    Column("at", UtcDateTime, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Index("ix_consents_lead_id", "lead_id"),
)
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("lead_id", ForeignKey("leads.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("by_id", ForeignKey("members.id")),
    Column("at", UtcDateTime, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Json, nullable=False),
    Index("ix_events_lead_id_id", "lead_id", "id"),
    Index("ix_events_kind_at", "kind", "at"),
    Index("ix_events_by_id_at", "by_id", "at"),
)
reminders = Table(
    "reminders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("lead_id", ForeignKey("leads.id"), nullable=False),
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("text", String(500), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("date_only", Boolean, nullable=False),
    # NULL once it has rung or been dropped.
    Column("due_at", UtcDateTime),
    Column("made_at", UtcDateTime, nullable=False),
    # "每周一9点": when it has rung it is due again. NULL: once.
    Column("every", String(64)),
    Index("ix_reminders_due_at", "due_at"),
    Index("ix_reminders_member_id_due_at", "member_id", "due_at"),
    Index("ix_reminders_lead_id", "lead_id"),
)
# What somebody did lately, with how things were before, so that it can be taken back.
actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("label", String(32), nullable=False),
    Column("steps", Json, nullable=False),
    Column("undone_at", UtcDateTime),
    Index("ix_actions_member_id_id", "member_id", "id"),
    Index("ix_actions_at", "at"),
)
journeys = Table(
    "journeys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("lead_id", ForeignKey("leads.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("step", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    # NULL once it has ended; ``ended`` says why.
    Column("due_at", UtcDateTime),
    Column("ended", String(32), nullable=False),
    Column("waits", String(64), nullable=False),
    Index("ix_journeys_due_at", "due_at"),
    Index("ix_journeys_lead_id", "lead_id"),
)
links = Table(
    "links",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("lead_id", ForeignKey("leads.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("label", String(100), nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Index("ix_links_lead_id", "lead_id"),
)
groups = Table(
    "groups",
    metadata,
    Column("platform", String(16), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("title", String(100), nullable=False),
    Column("by_id", ForeignKey("members.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
pictures = Table(
    "pictures",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("png", Text, nullable=False),  # base64: one type on both databases
    Column("made_at", UtcDateTime, nullable=False),
)
contacts = Table(
    "contacts",
    metadata,
    Column("external_userid", String(64), primary_key=True),
    Column("userid", String(64), primary_key=True),
    Column("state", String(100), nullable=False),
    Column("met_at", UtcDateTime, nullable=False),
    Column("gone_at", UtcDateTime),
    Column("gone", String(16), nullable=False),  # who ended it: "customer", "member"
)
ways = Table(
    "ways",
    metadata,
    Column("id", String(128), primary_key=True),  # WeCom's config_id or link_id
    Column("kind", String(16), nullable=False),
    Column("name", String(100), nullable=False),
    Column("url", Text, nullable=False),
    Column("userids", Json, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("gone_at", UtcDateTime),  # WeCom no longer has it
    Index("ix_ways_kind_name", "kind", "name"),
)
outbox = Table(
    "outbox",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("account", String(300), nullable=False),
    Column("payload", Json, nullable=False),
    Column("lead_id", ForeignKey("leads.id")),
    Column("member_id", ForeignKey("members.id")),
    Column("version", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("ring", Boolean, nullable=False),
    Column("ref", Json),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime),
    Column("lease", String(32)),
    Column("error", String(512)),
    Column("put_at", UtcDateTime, nullable=False),
    # What goes first: store.domain.quota.Rank.
    Column("rank", Integer, nullable=False, server_default="2"),
    # When a list named this lead, because there was no room for a card of its own.
    Column("listed_at", UtcDateTime),
    # The platform was asked for this payload and did not answer: it may be there.
    Column("unsure", Boolean, nullable=False, server_default=false()),
    Index("ix_outbox_account_put_at", "account", "put_at"),
    Index("ix_outbox_due_at", "due_at"),
    Index("ix_outbox_lead_id", "lead_id"),
    Index("ix_outbox_member_id", "member_id"),
    Index("ix_outbox_put_at", "put_at"),
)
# How much of what the platforms allow is used: one row per stretch of time, not per message.
sent = Table(
    "sent",
    metadata,
    Column("api", String(32), primary_key=True),
    Column("account", String(300), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("n", Integer, nullable=False),
    Index("ix_sent_at", "at"),
)
# What only the admin can mend, as long as it lasts.
alarms = Table(
    "alarms",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("text", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("told_at", UtcDateTime),
    # The messages that say so: who has to hear that it is over.
    Column("told", Json, nullable=False),
)
inbox = Table(
    "inbox",
    metadata,
    Column("id", String(300), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("reply", Json),
    Index("ix_inbox_at", "at"),
)
rule_versions = Table(
    "rule_versions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(64), nullable=False),
    Column("why", String(200), nullable=False),
    # What the rules in leadbot.toml were then.
    Column("file", String(64), nullable=False),
    Column("rules", Json, nullable=False),
)
models = Table(
    "models",
    metadata,
    Column("at", UtcDateTime, primary_key=True),
    Column("data", Json, nullable=False),
)
ticks = Table(
    "ticks",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
)
leases = Table(
    "leases",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
connections = Table(
    "connections",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
tokens = Table(
    "tokens",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)
