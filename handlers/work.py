"""What a rep does with a lead."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cards.follow import asked_card
from cards.lead import dialled
from cards.lists import amount_card, reason_card
from cards.words import dated, exact, moment, money
from handlers import tasks
from handlers.announce import record
from handlers.assign import pass_on, went
from handlers.claims import check_claim
from handlers.follow import About
from handlers.nurture import begin
from handlers.reply import Reply
from store.db import Tx
from store.domain.asking import deal
from store.domain.deadlines import Limits, extendable, extension, hard_end, reclaim_at
from store.domain.errors import BadCommand, Refused
from store.domain.lead import (
    REASONS,
    STAGES,
    Change,
    Kind,
    Lead,
    LeadId,
    Place,
    Stage,
    reason_code,
    spelled,
)
from store.domain.money import find_amount
from store.domain.numerals import normalise
from store.domain.pools import may_claim
from store.domain.sop import missing
from store.domain.team import Member, Role, off_duty

SMALL = 1000  # yuan: a bare number below may as well mean 万


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
    change = lead.claim(by, tx.now)
    if lead.owner is None:
        await check_claim(tx, by, lead)
    await tx.journeys.stop(lead_id, "claimed")
    await record(tx, change)
    verb = "接受" if change.event.kind == Kind.ACCEPTED else "领取"
    # In a group everybody reads along: who and how to reach them stands on the card.
    reach = _reach(lead) if tx.group is None else "怎么联系在你的卡片上"
    return f"已{verb} #{lead_id}，{reach}"


def _reach(lead: Lead) -> str:
    reach = dialled(lead) or lead.wechat or lead.email
    return f"{lead.name or '客户'} {reach}".strip()


async def delete(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    """Nothing is lost: what a rep does not want any more goes to the pool with its history."""
    lead = await tx.leads.get(lead_id)
    change = lead.release(by, tx.now, "删除")
    await tasks.let_go(tx, change.lead, by.id)
    [after] = await record(tx, change)
    return Reply(text=f"#{lead_id} 不删，进了{_put(after)}，历史都在", told=True)


async def move(tx: Tx, by: Member, about: About) -> Reply:
    """To another stage, named in Chinese or English."""
    lead = await tx.leads.get(about.lead_id)
    stage = _stage(about.words, tx.rules.stages)
    if stage == Stage.WON:
        return await won(tx, by, About(lead.id, ""))
    if stage == Stage.LOST:
        return await lost(tx, by, About(lead.id, ""))
    change = lead.move(by, stage, tx.now, tx.rules.stages)
    if ask := missing(lead, tx.rules.sops):
        then = f"阶段 {lead.id} {stage.label}"
        return Reply(card=asked_card(lead, ask, to=then), private=True)
    await record(tx, change._replace(lead=await tasks.enter(tx, change.lead)))
    return Reply(text=f"#{lead.id} 已到「{stage.label}」{await _task(tx, lead)}", told=True)


async def _task(tx: Tx, lead: Lead) -> str:
    """What the new stage will remind of."""
    due = [r for r in await tx.reminders.of(lead.id) if r.kind == "task"]
    said = (f"{moment(r.due_at, tx.now, tx.rules.zone)} 提醒你{r.text}" for r in due)
    return "".join(f"，{one}" for one in said)


def _stage(words: str, stages: Sequence[Stage]) -> Stage:
    folded = words.strip().casefold()
    for stage in dict.fromkeys([*stages, *STAGES]):
        names = {stage.casefold(), stage.label.casefold(), stage.label.removeprefix("已")}
        if folded and folded in names:
            return stage
    named = "、".join(stage.label for stage in stages)
    raise BadCommand(f"阶段可以是{named}，例如：阶段 42 {stages[-1].label}")


async def won(tx: Tx, by: Member, about: About) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    if lead.amount and not about.words:
        return Reply(card=amount_card(lead), asks=True, private=True)
    amount = _paid(lead, about.words)
    if ask := missing(lead, tx.rules.sops):
        then = f"成交 {lead.id} {exact(amount)}"
        return Reply(card=asked_card(lead, ask, to=then), private=True)
    await _end(tx, lead.close(by, Stage.WON, tx.now, text=money(amount), amount=amount))
    return Reply(text=f"#{lead.id} 成交 {money(amount)}，辛苦了", told=True)


def _paid(lead: Lead, words: str) -> int:
    """Whole yuan of a deal. Raises BadCommand for what may be another amount."""
    found, bare = deal(words, words) or find_amount(words), normalise(words).strip()
    if bare.isdecimal() and 0 < int(bare) < SMALL:
        raise BadCommand(f"{int(bare)} 元还是 {int(bare)} 万？写上单位，例如：成交 {lead.id} 12万")
    if found is None:
        raise BadCommand(f"成交多少？例如：成交 {lead.id} 12万")
    if not found.exact:
        raise BadCommand(f"成交要一个准数，例如：成交 {lead.id} 12万")
    return found.yuan


async def lost(tx: Tx, by: Member, about: About) -> Reply:
    return await _close(tx, by, about, Stage.LOST, "选了别家")


async def invalid(tx: Tx, by: Member, about: About) -> Reply:
    return await _close(tx, by, about, Stage.INVALID, "空号")


async def _close(tx: Tx, by: Member, about: About, stage: Stage, example: str) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    label = stage.label
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
    if reason == "not_mine":  # what was agreed with the customer goes to whoever has it next
        passed = await pass_on(tx, lead, by)
        [after] = await record(tx, *passed)
        return Reply(text=f"#{lead.id} {went(after, '转给了')}", told=True)
    await tasks.let_go(tx, change.lead, by.id)
    await record(tx, change)
    started = await begin(tx, change.lead)
    then = "，市场会继续培育" if started else ""
    return Reply(text=f"#{lead.id} 已退回市场（{REASONS[reason][0]}）{then}", told=True)


async def release(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    lead = await tx.leads.get(lead_id)
    change = lead.release(by, tx.now)
    await tasks.let_go(tx, change.lead, by.id)
    [after] = await record(tx, change)
    return Reply(text=f"#{lead_id} 已放回{_put(after)}，历史都在", told=True)


def _put(lead: Lead) -> str:
    """Where it lies now."""
    return f"市场（{lead.why}）" if lead.place == Place.MARKETING else "公海"


async def transfer(tx: Tx, by: Member, about: About) -> Reply:
    lead = await tx.leads.get(about.lead_id)
    to = await colleague(tx, about.words, f"转交 {lead.id} 韩梅")
    change = lead.transfer(by, to, tx.now)
    await tx.lock("dispatch")
    held = (await tx.leads.loads()).get(to.id, 0)
    why = off_duty(to, tx.now) or (f"手上已有 {held} 条，满了" if held >= to.capacity else "")
    if why:
        raise Refused(f"{to.name} {why}，换个人或请主管分配")
    [after] = await record(tx, change)
    # Scopes say who claims, not who works: the lead keeps its pool, whoever has it.
    other = not may_claim(to, after, tx.rules.limits)
    back = f"，放回时还进「{after.scope}」" if other and after.scope else ""
    return Reply(text=f"#{lead.id} 已转给 {to.name}，跟进和提醒一起过去了{back}", told=True)


async def colleague(tx: Tx, name: str, example: str) -> Member:
    """The member of that name. Raises BadCommand, with the names there are."""
    name = name.strip().lstrip("@")
    sales = [m for m in await tx.members.active(Role.REP, Role.MANAGER) if m.phone]
    found = next((m for m in sales if m.name == name), None)
    if found is None:
        raise BadCommand(await _who_else(tx, name, sales) if name else f"给谁？例如：{example}")
    return found


async def _who_else(tx: Tx, name: str, sales: Sequence[Member]) -> str:
    """Why nobody of that name can have a lead, and who can."""
    if not sales:
        return "团队里还没有能跟线索的人，请管理员加上销售"
    team = "、".join(m.name for m in sales)
    known = [m for m in (await tx.members.all()).values() if m.name == name]
    there = [m for m in known if m.active]
    if not known:
        return f"团队里没有「{name}」，可以是：{team}"
    if not there:
        return f"{name} 不在团队里了，可以是：{team}"
    sells = any(m.role in {Role.REP, Role.MANAGER} for m in there)
    why = "收不到卡片" if sells else "不跟线索"
    return f"{name} {why}，可以是：{team}"


async def extend(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    """Reclaimed later, once, and never past the hard maximum: the answer says until when."""
    lead = await tx.leads.get(lead_id)
    limits, calendar = tx.rules.limits, tx.rules.calendar
    span = extension(lead, limits, calendar)
    lead.check_mine(by)
    if not extendable(lead, limits, calendar):
        raise Refused(_why_no_later(tx, lead))
    change = lead.extend(by, tx.now, span)
    await record(tx, change)
    at, _ = reclaim_at(change.lead, limits, calendar) or (tx.now, "")
    most = "，已经到了最长期限" if at == hard_end(lead, limits) else ""
    until = f"{dated(at, tx.now, tx.rules.zone)} 到期{most}"
    return Reply(text=f"#{lead_id} 已延期 {spelled(span)}，{until}，只能延一次", told=True)


def _most(lead: Lead, limits: Limits, last: datetime) -> str:
    """How long it is kept at most, and what of the time until ``last`` has not counted."""
    plain = hard_end(replace(lead, owner=None, opted_out_at=None), limits)
    span = spelled(plain - lead.contacted_at) if plain and lead.contacted_at else ""
    return span if plain == last else f"{span}（请假的日子不算）"


def _why_no_later(tx: Tx, lead: Lead) -> str:
    """Why an extension would change nothing, and until when it is kept."""
    limits = tx.rules.limits
    reclaim = reclaim_at(lead, limits, tx.rules.calendar)
    if reclaim is None:
        return f"#{lead.id} 现在不会被回收，不用延期"
    until, last = dated(reclaim[0], tx.now, tx.rules.zone), hard_end(lead, limits)
    if last is not None and reclaim[0] >= last:
        return f"#{lead.id} 首次联系后最长 {_most(lead, limits, last)}，{until} 到期，不能再延，谈不成就先「退回 {lead.id}」"
    if lead.extended:
        return f"#{lead.id} 已经延期过一次，{until} 到期，跟进一次也能留住它"
    return f"#{lead.id} 能留到 {until}，现在延期不会更晚"
