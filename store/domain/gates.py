"""What must be true before a lead is given to somebody by itself; a manager may always give it."""

from datetime import datetime
from typing import NamedTuple

from store.domain.calendar import WorkCalendar, opening_of
from store.domain.conditions import value_of
from store.domain.consent import LEFT_ALONE
from store.domain.lead import CONSENT, FIELDS, NIGHT, SCORE, Lead
from store.domain.routing import Choice
from store.domain.rules import Gates
from store.domain.scoring import MOST

LABELS = {
    "name": "姓名", "phone": "电话", "email": "邮箱", "wechat": "微信", "company": "公司",
    "title": "职位", "region": "地区", "industry": "行业", "product": "产品", "message": "需求",
    "company_size": "公司规模", "keyword": "关键词", "campaign": "活动", "channel": "渠道",
    "source": "来源", "external_userid": "企业微信好友",
}  # fmt: skip


class Gate(NamedTuple):
    """A closed one: its name, and what is waited for."""

    name: str
    why: str


def closed(
    lead: Lead, gates: Gates, calendar: WorkCalendar, now: datetime, mql: int = MOST
) -> Gate | None:
    """The first gate that keeps ``lead``; None: it may go out.

    ``mql``: the points that open the gate of the score, however many it asks for.
    """
    if lead.left_alone:
        return Gate(CONSENT, LEFT_ALONE)
    missing = [LABELS.get(name, name) for name in gates.required if not value_of(name, lead)]
    if missing:
        return Gate(FIELDS, f"等资料：{'、'.join(missing)}")
    if gates.consent and not (lead.consent_text or lead.consent_at):
        return Gate(CONSENT, "等客户同意联系")
    least = min(gates.min_score, mql)
    if lead.score < least and lead.qualification == "UQL":
        return Gate(SCORE, f"{lead.score} 分，到 {least} 分再派")
    if gates.working_time and (at := opening_of(now, calendar)) > now:
        local = at.astimezone(calendar.zone)
        return Gate(NIGHT, f"等开门，{local.month}月{local.day}日 {local:%H:%M} 派")
    return None


def brought(lead: Lead) -> bool:
    """Whether its ``rep`` typed it in, or has the contact in WeCom: to them nothing is given out."""
    return bool(lead.rep) and (
        lead.source == "chat" or (lead.source == "wecom" and bool(lead.external_userid))
    )


def keeps(lead: Lead, choice: Choice) -> bool:
    """Whether it goes to who has it already; to anybody else it is given like every other."""
    return brought(lead) and choice.to is not None and choice.to.name == lead.rep
