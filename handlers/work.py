"""What a rep does with a lead."""

from dataclasses import dataclass, replace
from datetime import datetime

from cards.lead import dialled
from cards.lists import reason_card
from cards.words import dated, moment, money
from handlers import todos
from handlers.announce import record
from handlers.assign import pass_on
from handlers.journeys import begin
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, Refused
from store.domain.followup import FollowUp, read_follow_up
from store.domain.lead import (
    REASONS,
    STAGES,
    Change,
    Event,
    Kind,
    Lead,
    LeadId,
    Stage,
    reason_code,
    spelled,
)
from store.domain.money import find_amount
from store.domain.team import Member, Role
from store.domain.times import find_time


@dataclass(frozen=True, slots=True)
class About:
    """A lead and what was said about it."""

    lead_id: LeadId
    words: str


async def claim(tx: Tx, by: Member, ids: tuple[LeadId, ...]) -> Reply:
    """One or several, each on its own: what another one took does not cost the rest."""
    answers = [await _claim(tx, by, lead_id, alone=len(ids) == 1) for lead_id in ids]
    return Reply(text="\n".join(answers), told=len(ids) == 1)


async def _claim(tx: Tx, by: Member, lead_id: LeadId, *, alone: bool) -> str:
    try:
        return await _claim_one(tx, by, lead_id)
    except Refused as refusal:
        if alone:
            raise
        return str(refusal)


async def _claim_one(tx: Tx, by: Member, lead_id: LeadId) -> str:
    lead = await tx.leads.get(lead_id)
    if lead.owner is None:
        await _check_claim(tx, by)
    change = lead.claim(by, tx.now)
    await tx.journeys.stop(lead_id, "claimed")
    await record(tx, change)
    verb = "接受" if change.event.kind == Kind.ACCEPTED else "领取"
    # In a group everybody reads along: who and how to reach them stands on the card.
    reach = _reach(lead) if tx.group is None else "怎么联系在你的卡片上"
    return f"已{verb} #{lead_id}，{reach}"


def _reach(lead: Lead) -> str:
    reach = dialled(lead) or lead.wechat or lead.email
    return f"{lead.name or '客户'} {reach}".strip()


async def _check_claim(tx: Tx, by: Member) -> None:
    """The private cap and the claims of the local day."""
    await tx.lock("dispatch")
    limits = tx.rules.limits
    held = (await tx.leads.loads()).get(by.id, 0)
    if held >= by.capacity:
        raise Refused(f"手上已有 {held} 条，上限 {by.capacity}，先放回或推进几条再领")
    midnight = tx.now.astimezone(tx.rules.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    claimed = await tx.leads.claims_since(by, midnight)
    if limits.daily_claims and claimed >= limits.daily_claims:
        raise Refused(f"今天已领 {claimed} 条，每天最多 {limits.daily_claims} 条，明天再来")


async def log(tx: Tx, by: Member, about: About) -> Reply:
    """A follow-up in one sentence; what was understood is said back."""
    lead = await tx.leads.get(about.lead_id)
    if not about.words:
        raise BadCommand(f"聊了什么？例如：跟进 {lead.id} 电话 聊了报价 下周三下午3点再约")
    follow_up = read_follow_up(about.words, tx.now, tx.rules.zone)
    if follow_up.next_at is not None:
        at = _moment(tx, follow_up.next_at, date_only=follow_up.next_date_only)
        follow_up = replace(follow_up, next_at=at)
    [stored] = await record(tx, lead.follow(by, follow_up, tx.now))
    if follow_up.next_at is not None:
        await tx.reminders.drop(lead.id, "next")
        await tx.reminders.add(
            lead.id, by.id, follow_up.next_at, follow_up.text, "next",
            date_only=follow_up.next_date_only,
        )  # fmt: skip
        await todos.settle(tx, stored)
    asked = f"\n{follow_up.question}" if follow_up.question else ""
    return Reply(
        text=f"记下 #{lead.id}：{_understood(tx, follow_up)}{asked}", told=not follow_up.question
    )


def _moment(tx: Tx, at: datetime, *, date_only: bool) -> datetime:
    """A date alone is the opening of that working day, or of the next one."""
    return tx.rules.calendar.opens(at) if date_only else at


def _understood(tx: Tx, follow_up: FollowUp) -> str:
    parts = [follow_up.method, follow_up.outcome]
    if follow_up.amount is not None:
        parts.append(money(follow_up.amount))
    parts += [f"#{tag}" for tag in follow_up.tags]
    if follow_up.next_at is not None:
        parts.append(f"{moment(follow_up.next_at, tx.now, tx.rules.zone)} 提醒你")
    return "，".join(part for part in parts if part) or "一条跟进"


async def move(tx: Tx, by: Member, about: About) -> Reply:
    """To another stage, named in Chinese or English."""
    lead = await tx.leads.get(about.lead_id)
    stage = _stage(about.words)
    if stage == Stage.WON:
        return await won(tx, by, About(lead.id, ""))
    if stage == Stage.LOST:
        return await lost(tx, by, About(lead.id, ""))
    await record(tx, lead.move(by, stage, tx.now))
    return Reply(text=f"#{lead.id} 已到「{STAGES[stage]}」", told=True)


def _stage(words: str) -> Stage:
    folded = words.strip().casefold()
    for stage, label in STAGES.items():
        if folded and (folded in {stage.value, label} or label.removeprefix("已") == folded):
            return stage
    raise BadCommand("阶段可以是跟进中、意向、已报价，例如：阶段 42 意向")


async def won(tx: Tx, by: Member, about: About) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    found = find_amount(about.words)
    amount = found.yuan if found else int(about.words) if about.words.isdecimal() else None
    if amount is None:
        raise BadCommand(f"成交多少？例如：成交 {lead.id} 12万")
    await _end(tx, lead.close(by, Stage.WON, tx.now, text=money(amount), amount=amount))
    return Reply(text=f"#{lead.id} 成交 {money(amount)}，辛苦了", told=True)


async def lost(tx: Tx, by: Member, about: About) -> Reply:
    return await _close(tx, by, about, Stage.LOST, "选了别家")


async def invalid(tx: Tx, by: Member, about: About) -> Reply:
    return await _close(tx, by, about, Stage.INVALID, "空号")


async def _close(tx: Tx, by: Member, about: About, stage: Stage, example: str) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    label = STAGES[stage]
    if not about.words:
        raise BadCommand(f"为什么{label}？例如：{label} {lead.id} {example}")
    await _end(tx, lead.close(by, stage, tx.now, text=about.words))
    return Reply(text=f"#{lead.id} 记为{label}：{about.words}", told=True)


async def _end(tx: Tx, change: Change) -> None:
    await tx.reminders.drop(change.lead.id)
    await tx.journeys.stop(change.lead.id, change.lead.stage)
    await record(tx, change)


async def give_back(tx: Tx, by: Member, about: About) -> Reply:
    """Back to marketing with a reason, which chooses the journey. Without one, it is asked."""
    lead = await tx.leads.get(about.lead_id)
    reason = reason_code(about.words) if about.words else ""
    change = lead.give_back(by, reason, about.words, tx.now)
    if not reason:
        return Reply(card=reason_card(lead), asks=True, private=True)
    await tx.reminders.drop(lead.id)
    if reason == "not_mine":
        passed = await pass_on(tx, lead, by)
        [after] = await record(tx, *passed)
        return Reply(text=f"#{lead.id} {_went_to(after)}", told=True)
    await record(tx, change)
    started = await begin(tx, change.lead)
    then = "，市场会继续培育" if started else ""
    return Reply(text=f"#{lead.id} 已退回市场（{REASONS[reason][0]}）{then}", told=True)


def _went_to(lead: Lead) -> str:
    return f"转给了 {lead.owner.name}" if lead.owner else "已请主管分配"


async def release(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    lead = await tx.leads.get(lead_id)
    await tx.reminders.drop(lead_id)
    await record(tx, lead.release(by, tx.now))
    return Reply(text=f"#{lead_id} 已放回公海，历史都在", told=True)


async def transfer(tx: Tx, by: Member, about: About) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    to = await colleague(tx, about.words, f"转交 {lead.id} 韩梅")
    change = lead.transfer(by, to, tx.now)
    await tx.lock("dispatch")
    held = (await tx.leads.loads()).get(to.id, 0)
    if held >= to.capacity:
        raise Refused(f"{to.name} 手上已有 {held} 条，满了，换个人或请主管分配")
    await tx.reminders.hand_over(lead.id, to.id)
    await record(tx, change)
    return Reply(text=f"#{lead.id} 已转给 {to.name}，跟进和提醒一起过去了", told=True)


async def colleague(tx: Tx, name: str, example: str) -> Member:
    """The member of that name. Raises BadCommand, with the names there are."""
    name = name.strip().lstrip("@")
    sales = [m for m in await tx.members.active(Role.REP, Role.MANAGER) if m.phone]
    found = next((m for m in sales if m.name == name), None)
    if found is None:
        team = "、".join(m.name for m in sales)
        raise BadCommand(
            f"团队里没有「{name}」，可以是：{team}" if name else f"给谁？例如：{example}"
        )
    return found


async def extend(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    lead = await tx.leads.get(lead_id)
    span = tx.rules.limits.extend
    await record(tx, lead.extend(by, tx.now, span))
    return Reply(text=f"#{lead_id} 已延期 {spelled(span)}，只能延一次", told=True)


async def remind(tx: Tx, by: Member, about: About) -> Reply:
    """A reminder at that minute."""
    lead = await tx.leads.get(about.lead_id)
    if not lead.owned_by(by) and not by.manages:
        lead.check_mine(by)
    found = find_time(about.words, tx.now, tx.rules.zone)
    example = f"例如：提醒 {lead.id} 明天9点 打电话"
    if found is None:
        raise BadCommand(f"什么时候提醒？{example}")
    if found.ambiguous or (found.past and not found.date_only):
        raise BadCommand(f"{found.ambiguous or '这个时间已经过了。'}{example}")
    words = (about.words[: found.start] + about.words[found.end :]).strip() or "联系一下"
    at = _moment(tx, found.at, date_only=found.date_only)
    await tx.reminders.add(lead.id, by.id, at, words, "asked", date_only=found.date_only)
    said = moment(at, tx.now, tx.rules.zone)
    when = dated(at, tx.rules.zone)
    event = Event(kind=Kind.REMINDER, by=by.id, at=tx.now, text=f"{when} {words}")
    await record(tx, Change(_planned(lead, by, at, tx.now), event))
    return Reply(text=f"好，{said} 提醒你 #{lead.id} {words}", told=True)


def _planned(lead: Lead, by: Member, at: datetime, now: datetime) -> Lead:
    """The owner's reminder is the next contact, unless an earlier one is agreed."""
    agreed = lead.next_at is not None and now < lead.next_at < at
    if agreed or not lead.owned_by(by) or not lead.open:
        return lead
    return replace(lead, next_at=at)
