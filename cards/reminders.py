"""Reminders: one at its minute, or all of a day in one morning card."""

from collections.abc import Sequence

from cards.lead import reach_for, shown_name
from cards.limits import fit
from cards.lists import ROW
from cards.model import Button, Card
from store.domain.lead import Lead
from store.domain.masking import redacted, sees_whole
from store.domain.team import Member

SHOWN = 4


def reminder_card(lead: Lead, text: str, reader: Member, *, again: bool = False) -> Card:
    """What was to be done now. ``again``: it comes round until somebody stops it."""
    if not sees_whole(lead, reader):
        return _pooled_card(lead, text)
    if not lead.open:
        return occasion_card(lead, text, reader)
    rows = (
        ("电话" if lead.phone else "联系", reach_for(lead, reader)),
        ("公司", fit(lead.company, ROW)),
        ("想要", fit(lead.product, ROW)),
        ("阶段", lead.stage.label),
    )
    return Card(
        title=f"到点了 #{lead.id} {shown_name(lead)}",
        note=text,
        rows=tuple(row for row in rows if row[1]),
        buttons=(
            Button("打通了", f"/跟进 {lead.id} 电话 接通了", primary=True),
            Button("没接通", f"/跟进 {lead.id} 电话 没接通"),
            Button("明天再说", f"/提醒 {lead.id} 明天 再联系"),
            Button("不再提醒", f"/提醒 {lead.id} 取消")
            if again
            else Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )


def _pooled_card(lead: Lead, text: str) -> Card:
    """Nobody has claimed it: who it is stays hidden, also from who wrote the reminder."""
    return Card(
        title=f"到点了 #{lead.id} {shown_name(lead, hidden=True)}",
        note=redacted(text, lead),
        rows=(("阶段", f"{lead.stage.label}，还没有人跟"),),
        buttons=(Button("查看", f"/线索 {lead.id} 详情", primary=True),),
    )


def occasion_card(lead: Lead, text: str, reader: Member) -> Card:
    """A day to remember a customer by: there is nothing to log, only to say hello."""
    reach = reach_for(lead, reader)
    rows = (("电话" if lead.phone else "联系", reach), ("公司", fit(lead.company, ROW)))
    return Card(
        title=f"记得问候 #{lead.id} {shown_name(lead)}",
        note=text,
        rows=tuple(row for row in rows if row[1]),
        buttons=(Button("查看", f"/线索 {lead.id} 详情", primary=True),),
    )


def _line(lead: Lead, text: str, reader: Member) -> str:
    text = text if sees_whole(lead, reader) else redacted(text, lead)
    return fit(f"{fit(_name(lead, reader), 8)} {text}".strip(), ROW)


def _name(lead: Lead, reader: Member) -> str:
    return shown_name(lead, hidden=not sees_whole(lead, reader))


def morning_card(items: Sequence[tuple[Lead, str]], reader: Member) -> Card:
    return Card(
        title=f"今天要联系 {len(items)} 位",
        rows=tuple((f"#{lead.id}", _line(lead, text, reader)) for lead, text in items[:6]),
        buttons=(
            *(
                Button(fit(f"#{lead.id} {_name(lead, reader)}", 10), f"/线索 {lead.id}")
                for lead, _ in items[:3]
            ),
            Button("今日全部", "/今日"),
        ),
    )
