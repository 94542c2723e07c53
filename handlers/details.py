"""Filling in what is known of a lead, from the chat."""

from collections.abc import Mapping

from cards.lead import dialled
from handlers import reach
from handlers.assign import went_on
from handlers.follow import About
from handlers.reply import Reply
from handlers.score import happened
from store.db import Tx
from store.domain.custom import FieldRule, missing, read, said
from store.domain.errors import BadCommand
from store.domain.lead import Lead
from store.domain.masking import hidden, sees_whole, told_field
from store.domain.reach import WAYS, way_of
from store.domain.scoring import filled_in
from store.domain.team import Member

OWN: Mapping[str, str] = {
    "姓名": "name", "公司": "company", "职位": "title", "地区": "region", "行业": "industry",
    "产品": "product",
}  # fmt: skip
LONGEST = 100


async def fill(tx: Tx, by: Member, about: About) -> Reply:
    """One field of the lead, by its name; without one, what there is and what is missing."""
    lead = await tx.leads.get(about.lead_id)
    name, _, words = about.words.partition(" ")
    lead.check_fills(by)
    if not about.words:
        return Reply(text=_overview(lead, by, tx.rules.fields), private=True)
    if name not in _names(tx) and (way := way_of(about.words)) and way[1]:
        return await reach.add(tx, by, lead, *way)
    if not words.strip():
        raise BadCommand(f"{name}填什么？例如：资料 {lead.id} {name} …")
    value = _value(tx, lead, name, words.strip())
    change = lead.fill(by, name, OWN.get(name, ""), value, tx.now)
    after = await happened(tx, change, was=lead, stops="assigned", back=filled_in)
    return Reply(text=f"#{lead.id} {name}：{value}{went_on(lead, after)}", told=True)


def _names(tx: Tx) -> set[str]:
    return {rule.name for rule in tx.rules.fields} | OWN.keys()


def _value(tx: Tx, lead: Lead, name: str, words: str) -> str | int | float:
    rules = tx.rules.fields
    rule = next((rule for rule in rules if rule.name == name), None)
    if rule is None and name not in OWN:
        names = "、".join([*(rule.name for rule in rules), *OWN, *WAYS])
        raise BadCommand(f"没有「{name[:20]}」这一项，可以填：{names}")
    if rule is None:
        return words[:LONGEST]
    try:
        return read(rule, words, tx.now.astimezone(tx.rules.zone).date())
    except ValueError as why:
        raise BadCommand(f"{name}{why}，例如：资料 {lead.id} {name} {_example(rule)}") from None


def _example(rule: FieldRule) -> str:
    samples = {"number": "20万", "date": "2026-03-02"}
    return rule.choices[0] if rule.choices else samples.get(rule.type, "…")


def _told(lead: Lead, rule: FieldRule, *, whole: bool) -> str:
    value = said(lead.fields, rule.name)
    if not value:
        return "没填"
    return value if whole else "领取后可见" if rule.hidden else str(told_field(lead, rule))


def _overview(lead: Lead, by: Member, rules: tuple[FieldRule, ...]) -> str:
    whole = sees_whole(lead, by)
    told = lead if whole else hidden(lead)
    lines = [f"{rule.name}：{_told(lead, rule, whole=whole)}" for rule in rules]
    facts = {name: getattr(told, name) for name in OWN.values()}
    facts |= {"phone": dialled(told), "email": told.email, "wechat": told.wechat}
    named = {**OWN, **WAYS}.items()
    lines += [f"{label}：{facts[name] or '没填'}" for label, name in named]
    lacks = missing(rules, lead.fields)
    ask = lacks[0] if lacks else "公司"
    return "\n".join([f"#{lead.id} 的资料", *lines, f"要改就发：资料 {lead.id} {ask} …"])
