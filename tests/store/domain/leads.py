"""Leads and people to try the rules on."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.config import parse
from bot.wiring import rules
from store.domain.enquiry import start
from store.domain.intake import read_fields
from store.domain.lead import Lead, LeadId, Stage
from store.domain.team import Member, MemberId, Role

CALENDAR_NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # Monday, 10:00 in Shanghai
RULES = rules(parse({"mail": {"from": "hello@example.com"}}))
LI = Member(id=MemberId(1), name="李雷", role=Role.REP, wecom="lilei")
HAN = Member(id=MemberId(2), name="韩梅", role=Role.REP, dingtalk="hanmei")
CHEN = Member(id=MemberId(3), name="陈主管", role=Role.MANAGER, wecom="chenzg")
ZHOU = Member(id=MemberId(4), name="周市场", role=Role.MARKETING, wecom="zhousc")


def lead(
    *,
    owner: Member | None = None,
    accepted: bool = False,
    contacted: bool = False,
    at: datetime = CALENDAR_NOW,
    **more: Any,
) -> Lead:
    """Lead 42, 王五, captured on Monday at 10:00."""
    new = read_fields({"name": "王五", "phone": "19912340042", "message": "想要报价"}, "website")
    made = start(new, at, RULES).lead
    values: dict[str, Any] = {"id": LeadId(42)}
    if owner is not None:
        values |= {"owner": owner, "place": "owner", "stage": Stage.ASSIGNED}
    if accepted:
        values["accepted_at"] = at
    if contacted:
        values |= {"contacted_at": at, "followed_at": at, "called_at": at}
    return replace(made, **(values | more))
