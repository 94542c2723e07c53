"""Follow-ups: logged in one sentence, said back, corrected with a press; what must be asked."""

from dataclasses import dataclass, replace

from cards import render
from cards.follow import asked_card, choice_card, followed_card, more_card
from handlers import tasks
from handlers.announce import record
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, Refused
from store.domain.followup import FollowUp, read_follow_up
from store.domain.lead import Lead, LeadId, Mended
from store.domain.mend import FIELDS, field_of, mend, said
from store.domain.sop import find_question, missing
from store.domain.team import Member
from store.domain.told import Told


@dataclass(frozen=True, slots=True)
class About:
    """A lead and what was said about it."""

    lead_id: LeadId
    words: str


def echo_key(lead_id: int, by: Member) -> str:
    """The name of the card that says back the last follow-up; it changes with a correction."""
    return f"log:{lead_id}/{by.id}"


async def log(tx: Tx, by: Member, about: About) -> Reply:
    """A follow-up in one sentence; what was understood is said back."""
    lead = await tx.leads.get(about.lead_id)
    if not about.words:
        raise BadCommand(f"聊了什么？例如：跟进 {lead.id} 电话 聊了报价 下周三下午3点再约")
    follow_up = _timed(tx, read_follow_up(about.words, tx.now, tx.rules.zone))
    change = lead.follow(by, follow_up, tx.now)
    if change.lead.stage != lead.stage:
        change = change._replace(lead=await tasks.enter(tx, change.lead))
    by_rule = None if follow_up.question else tasks.rhythm(tx, change.lead)
    if by_rule is not None:
        change = change._replace(lead=replace(change.lead, next_at=by_rule[0]))
    await _remind(tx, lead, by, follow_up)
    if by_rule is not None:
        at, date_only, text = by_rule
        await tx.reminders.add(lead.id, by.id, at, text, "next", date_only=date_only)
    [stored] = await record(tx, change)
    card = followed_card(stored, follow_up, tx.now, tx.rules)
    if not _worth_a_card(follow_up):
        return Reply(text=f"{card.title}，{card.note}", told=True)
    return Reply(card=card, key=echo_key(lead.id, by), private=True)


def _worth_a_card(follow_up: FollowUp) -> bool:
    """A try in vain, or a bare 接通了, leaves nothing to correct."""
    told = follow_up.next_at or follow_up.tags or follow_up.objection or follow_up.pains
    return bool(follow_up.effective or told or follow_up.question)


def _timed(tx: Tx, follow_up: FollowUp) -> FollowUp:
    if follow_up.next_at is None or follow_up.question:  # what is doubtful is asked, not guessed
        return replace(follow_up, next_at=None, next_date_only=False)
    at = tasks.moment(tx, follow_up.next_at, date_only=follow_up.next_date_only)
    return replace(follow_up, next_at=at)


async def _remind(tx: Tx, lead: Lead, by: Member, follow_up: FollowUp) -> None:
    """What was agreed now takes the place of what was agreed before."""
    if follow_up.next_at is not None:
        await tx.reminders.drop(lead.id, "next")
        await tx.reminders.add(
            lead.id, by.id, follow_up.next_at, follow_up.text, "next",
            date_only=follow_up.next_date_only,
        )  # fmt: skip


async def correct(tx: Tx, by: Member, about: About) -> Reply:
    """Something of the last follow-up was misunderstood; the history keeps both."""
    lead = await tx.leads.get(about.lead_id)
    name, _, words = about.words.partition(" ")
    last = await _last(tx, lead, by)
    if not name or name in {"更多", "more"}:
        return Reply(card=more_card(lead, last.log, more=bool(name)), private=True)
    field = field_of(name)
    if field is None:
        raise BadCommand(f"可以改：{'、'.join(FIELDS)}，例如：改 {lead.id} 时间 明天9点")
    if not words.strip():
        card = choice_card(lead, field, last.log, tx.now, tx.rules)
        return Reply(card=card, asks=True, private=True)
    new = _timed(tx, mend(last.log, field, words.strip(), tx.now, tx.rules.zone))
    return await _mend(tx, by, lead, _mended(tx, last, new, field))


async def _last(tx: Tx, lead: Lead, by: Member) -> Told:
    """The newest follow-up, which has to be one's own."""
    logs = (await tx.leads.told([lead.id])).get(lead.id, ())
    if not logs or logs[-1].by_id != by.id:
        raise Refused(f"#{lead.id} 最近一次跟进不是你记的，先发「跟进 {lead.id} 聊了什么」")
    return logs[-1]


def _mended(tx: Tx, last: Told, new: FollowUp, field: str) -> Mended:
    before, after = (said(log, field, tx.now, tx.rules.zone) for log in (last.log, new))
    return Mended(last.id, last.at, last.log, new, last.was, f"{field} {before} → {after}")


async def _mend(tx: Tx, by: Member, lead: Lead, mended: Mended) -> Reply:
    new = mended.new
    change = lead.correct(by, mended, tx.now)
    if new.next_at != mended.old.next_at:
        await tx.reminders.drop(lead.id, "next")
        await _remind(tx, lead, by, new)
    [stored] = await record(tx, change)
    await refresh_echo(tx, by, stored)
    return Reply(text=f"改好 #{lead.id}：{mended.what}", told=True)


async def refresh_echo(tx: Tx, by: Member, lead: Lead) -> None:
    """The card that said the follow-up back says how it is understood now."""
    phone = await tx.outbox.phone(echo_key(lead.id, by))
    logs = (await tx.leads.told([lead.id])).get(lead.id, ())
    if phone is None or not logs:
        return
    card = followed_card(lead, logs[-1].log, tx.now, tx.rules)
    await tx.outbox.show(echo_key(lead.id, by), render(card, phone[0]))


async def answer(tx: Tx, by: Member, about: About) -> Reply:
    """What the customer said to a question that has to be asked in this stage."""
    lead = await tx.leads.get(about.lead_id)
    questions = [q for sop in tx.rules.sops for q in sop.questions]
    open_ones = missing(lead, tx.rules.sops)
    found = find_question(about.words, questions)
    if found is None and len(open_ones) == 1 and about.words:
        found = open_ones[0], about.words
    if found is None or not found[1]:
        names = "、".join(q.label for q in (open_ones or questions)) or "（没有要问的）"
        raise BadCommand(f"答哪一个？{names}。例如：答 {lead.id} 预算 20万")
    question, words = found
    [stored] = await record(tx, lead.answer(by, tx.now, question.id, question.label, words[:200]))
    rest = missing(stored, tx.rules.sops)
    if rest:
        return Reply(
            card=asked_card(stored, rest, done=f"{question.label}：{words}"), private=True
        )
    return Reply(text=f"记下 #{lead.id} {question.label}：{words}，要问的都问到了", told=True)
