"""A follow-up said back, with what can be corrected; what still has to be asked."""

from collections.abc import Sequence
from datetime import datetime

from cards.lead import shown_name
from cards.limits import fit, plain
from cards.lists import ROW
from cards.model import Button, Card
from cards.words import dated, exact, money
from store.domain.followup import METHODS, OBJECTIONS, OUTCOMES, FollowUp, amount_to_ask
from store.domain.lead import Lead
from store.domain.mend import FIELDS
from store.domain.money import find_amounts
from store.domain.rules import Rules
from store.domain.sop import Question, missing
from store.domain.times import find_times

MOST = 4
OFTEN = ("明天9点", "后天9点", "下周一9点")
FIRST, SECOND = FIELDS[2:5], FIELDS[5:]
"""The fields of the two cards behind 改其他; time and method have buttons of their own."""


def followed_card(lead: Lead, log: FollowUp, now: datetime, rules: Rules) -> Card:
    """What was understood, and a press for what was not."""
    head = "，".join(part for part in (log.method, log.outcome) if part) or "一条跟进"
    ask = missing(lead, rules.sops)
    return Card(
        title=f"记下 #{lead.id} {shown_name(lead)}：{head}",
        note=_next(lead, log, now, rules),
        rows=tuple(
            (name, fit(plain(value), ROW))
            for name, value in (("金额", _amount(log, now, rules)), *_values(log)[1:])
            if value
        ),
        why=f"还要问：{'、'.join(q.label for q in ask)}" if ask else "",
        buttons=(
            Button("改时间", f"/改 {lead.id} 时间", primary=bool(log.question)),
            Button("改方式", f"/改 {lead.id} 方式"),
            Button("改其他", f"/改 {lead.id}"),
            Button("撤销", f"/撤销 {lead.id}"),
        ),
    )


def _next(lead: Lead, log: FollowUp, now: datetime, rules: Rules) -> str:
    if log.question:
        return log.question
    if log.next_at is not None:
        return f"{dated(log.next_at, now, rules.zone)} 提醒你"
    if lead.next_at is not None and lead.next_at > now:
        return f"下次联系 {dated(lead.next_at, now, rules.zone)}"
    return "下次联系还没定"


def _amount(log: FollowUp, now: datetime, rules: Rules) -> str:
    """What is booked, and what it was said as where that is more; or what has to be asked."""
    if (doubt := amount_to_ask(log, now, rules.zone)) is not None:
        return f"「{doubt.words}」{'是外币，没记' if doubt.foreign else '没记，是多少？'}"
    if log.amount is None:
        return ""
    ends = [a.upper for a in find_amounts(log.text) if a.yuan == log.amount and a.upper]
    return money(log.amount) + (f"到 {money(ends[0])}，按低的记" if ends else "")


def _values(log: FollowUp) -> tuple[tuple[str, str], ...]:
    return (
        ("金额", money(log.amount) if log.amount is not None else ""),
        ("标签", " ".join(f"#{tag}" for tag in log.tags)),
        ("异议", log.objection),
        ("痛点", "、".join(log.pains)),
        ("下一步", log.step),
    )


def more_card(lead: Lead, log: FollowUp, *, more: bool) -> Card:
    """Which part of the follow-up is wrong?"""
    known = dict(_values(log)) | {"结果": log.outcome}
    names = SECOND if more else FIRST
    rest = () if more else (Button("更多", f"/改 {lead.id} 更多"),)
    return Card(
        title=f"#{lead.id} {shown_name(lead)} 改哪一项",
        note=f"也可以直接写：改 {lead.id} 金额 15万",
        rows=tuple((name, fit(plain(known[name]), ROW) or "无") for name in names),
        buttons=(*(Button(f"改{name}", f"/改 {lead.id} {name}") for name in names), *rest),
    )


def choice_card(lead: Lead, field: str, log: FollowUp, now: datetime, rules: Rules) -> Card:
    """What it should be instead; what was said offers the choices."""
    options = [one for one in _options(field, log, now, rules) if one][: MOST - 1]
    return Card(
        title=f"#{lead.id} {shown_name(lead)} {field}改成什么",
        note=f"也可以直接写：改 {lead.id} {field} {EXAMPLES[field]}",
        buttons=(
            *(
                Button(fit(_short(field, one), 10), f"/改 {lead.id} {field} {one}")
                for one in options
            ),
            Button("不提醒" if field == "时间" else "清掉", f"/改 {lead.id} {field} 无"),
        ),
    )


EXAMPLES = {
    "时间": "下周三下午3点", "方式": "微信", "结果": "有意向", "金额": "15万", "标签": "#关注价格",
    "异议": "价格", "痛点": "对账太慢", "下一步": "发方案",
}  # fmt: skip


def _short(field: str, option: str) -> str:
    """An amount is said short on the button; the line it sends has every yuan."""
    return money(int(option.removesuffix("元"))) if field == "金额" else option


def _options(field: str, log: FollowUp, now: datetime, rules: Rules) -> Sequence[str]:
    text = log.text
    if field == "时间":
        ahead = [one for one in find_times(text, now, rules.zone) if not one.past]
        others = [text[a.start : a.end] for a in ahead if a.at != log.next_at and not a.ambiguous]
        return [*others, *OFTEN]
    if field == "金额":
        return [exact(a.yuan) for a in find_amounts(text) if a.yuan != log.amount]
    if field == "标签":
        return [
            " ".join(f"#{t}" for t in log.tags if t != gone)
            for gone in log.tags
            if len(log.tags) > 1
        ]
    words = {"方式": METHODS, "结果": OUTCOMES, "异议": OBJECTIONS}.get(field)
    if words is not None:
        known = {log.method, log.outcome, log.objection}
        return [name for name in _often_first(field, words) if name not in known]
    return [part for part in _clauses(text) if part not in (*log.pains, log.step)]


def _often_first(field: str, words: dict[str, str]) -> Sequence[str]:
    first = {
        "方式": ("电话", "微信", "拜访", "视频"),
        "结果": ("接通", "未接通", "有意向", "拒绝"),
    }
    often = first.get(field, ())
    return [*often, *(name for name in words if name not in often)]


def _clauses(text: str) -> Sequence[str]:
    parts = plain(text).replace("，", " ").replace("。", " ").split()
    return [part for part in parts if 3 < len(part) <= 20 and not part.startswith("#")]


def asked_card(lead: Lead, questions: Sequence[Question], *, done: str = "", to: str = "") -> Card:
    """What still has to be asked before the stage is left."""
    names = "、".join(q.label for q in questions)
    first = questions[0]
    head = f"记下 {done}" if done else f"先问到{names}"
    title = f"#{lead.id} {shown_name(lead)} {head}"
    options = first.options[: MOST - 1]
    return Card(
        title=title,
        note=f"离开「{lead.stage.label}」之前还要问：{names}",
        why=f"问到就发：答 {lead.id} {first.label} …" + (f"，然后 {to}" if to else ""),
        buttons=(
            *(
                Button(fit(f"{first.label} {one}", 10), f"/答 {lead.id} {first.label} {one}")
                for one in options
            ),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )
