"""WeCom contacts: who added whom, who left, and what the links report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from cards.contacts import handover_text, notice_text, parted_card, ungreeted_text, welcome
from cards.lead import shown_name
from cards.words import epoch_day
from handlers.announce import record
from handlers.capture import capture
from handlers.phones import by_day, put_for
from handlers.score import happened
from store.contacts import UNKNOWN
from store.db import Tx
from store.domain.lead import Change, Event, Kind, Lead, LeadId
from store.domain.masking import sees_whole
from store.domain.match import Key
from store.domain.newlead import NewLead
from store.domain.team import Channel, Member, Platform, Role
from store.outbox import Put

LINK_GONE = {"link_unavailable", "delete_link"}
"""The name of such a link is free again: the next order makes a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A customer and a member became contacts. ``state``: the channel; it and the code may be "".

    ``at``: when, by WeCom's clock, for events overtake each other; None where it does not say.
    """

    external_userid: str
    userid: str
    state: str = ""
    welcome_code: str = ""
    at: datetime | None = None


async def meet(tx: Tx, met: Met) -> bool:
    """A lead of that member, greeted and looked up. False: they were contacts already.

    Half and whole, and whatever else WeCom reports of the same two, is one contact.
    """
    member = await tx.members.by_account(Platform.WECOM, met.userid)
    await _greet(tx, met, member)
    if not await tx.contacts.meet(met.external_userid, met.userid, met.state, met.at):
        return False
    lead = NewLead(
        source="wecom",
        external_userid=met.external_userid,
        channel=met.state,
        rep=member.name if member else "",
        fields={"wecom_userid": met.userid},
    )
    [captured] = await capture(tx, [lead])
    if captured.duplicate:
        known = await tx.leads.get(captured.id)
        who = member.name if member else met.userid
        parted_at = await _parted_at(tx, known, met.external_userid)
        await happened(tx, known.befriended(tx.now, who, parted_at), was=known)
    await look_up(tx, captured.id, met.external_userid, met.userid)
    return True


async def look_up(
    tx: Tx, lead_id: LeadId, external_userid: str, userid: str, *, doubt: bool = False
) -> None:
    """Ask WeCom who this is, now or once more. ``doubt``: and whether they are contacts at all."""
    lookup = Put(
        key=f"contact:{lead_id}",
        channel=Channel.WECOM_CONTACT,
        account=external_userid,
        payload={"userid": userid, **({"doubt": True} if doubt else {})},
        ring=True,
        lead_id=lead_id,
    )
    await tx.outbox.put([lookup])


async def _greet(tx: Tx, met: Met, member: Member | None) -> None:
    template = tx.rules.welcomes.get(met.state, tx.rules.welcome)
    if not (met.welcome_code and template):
        return
    name = next((lead.name for lead in await leads_of(tx, met.external_userid)), "")
    rep = member.name if member else ""
    content = welcome(template, name=name, rep=rep, channel=met.state)
    words = {"welcome_code": met.welcome_code, "text": {"content": content}}
    put = Put(
        key="welcome:" + sha256(met.welcome_code.encode()).hexdigest()[:40],
        channel=Channel.WECOM_WELCOME,
        account=met.external_userid,
        payload={**words, "userid": met.userid, "since": tx.now.isoformat()},
    )
    await tx.outbox.put([put])


async def leads_of(tx: Tx, external_userid: str) -> Sequence[Lead]:
    """The leads of a contact, almost always one."""
    key = Key("external_userid", external_userid)
    return await tx.leads.many((await tx.leads.known([key])).get(key, ()), lock=True)


async def greeted(tx: Tx, external_userid: str, userid: str, why: str) -> None:
    """The welcome went out, or never will (``why``): then the member has to greet."""
    kind = Kind.UNGREETED if why else Kind.GREETED
    member = await tx.members.by_account(Platform.WECOM, userid)
    for lead in await leads_of(tx, external_userid):
        event = Event(kind=kind, by=member.id if member else None, at=tx.now, text=why)
        await tx.leads.write([(lead.id, event)])
        if why and member is not None:
            await tell(tx, [member], f"ungreeted:{lead.id}", ungreeted_text(lead, member))


async def edited(tx: Tx, external_userid: str, userid: str) -> None:
    """A member wrote a remark: there may be a phone number in it now."""
    for lead in await leads_of(tx, external_userid):
        await look_up(tx, lead.id, external_userid, userid)


async def parted(  # noqa: PLR0913 -- what the event says
    tx: Tx,
    external_userid: str,
    userid: str,
    *,
    by_customer: bool,
    handed_over: bool = False,
    at: datetime | None = None,
) -> bool:
    """One of them deleted the other, at ``at``. False when that is known, or over again.

    Without anybody left who has the contact, nothing more is sent to it.
    """
    gone = "customer" if by_customer else "member"
    if not await tx.contacts.part(external_userid, userid, gone, at):
        return False
    kind = Kind.UNFRIENDED if by_customer else Kind.DROPPED
    how = "，转给了同事" if handed_over else ""
    await _over(tx, external_userid, userid, kind, how)
    return True


async def _parted_at(tx: Tx, lead: Lead, external_userid: str) -> datetime | None:
    """Of the contact by which the lead is written to: one that was merged may have had another."""
    return await tx.contacts.parted_at(lead.external_userid or external_userid)


async def _part(tx: Tx, change: Change) -> Lead:
    if change.lead.parted_at is not None:
        waiting = [Channel.WECOM_MASS, Channel.WECOM_PROFILE]
        await tx.outbox.drop_waiting(change.lead.id, waiting)
    [after] = await record(tx, change)
    return after


async def unreachable(tx: Tx, external_userid: str, userid: str) -> None:
    """WeCom says that the two are no contacts, and not since when or why (84061)."""
    if await tx.contacts.part(external_userid, userid, UNKNOWN):
        await _over(tx, external_userid, userid, Kind.UNREACHABLE)


async def _over(tx: Tx, external_userid: str, userid: str, kind: Kind, how: str = "") -> None:
    member = await tx.members.by_account(Platform.WECOM, userid)
    who = member.name if member else userid
    for lead in await leads_of(tx, external_userid):
        parted_at = await _parted_at(tx, lead, external_userid)
        after = await _part(tx, lead.part(kind, tx.now, f"{who}{how}", parted_at))
        if kind != Kind.DROPPED:  # who did it knows
            await _tell_parted(tx, after, member, sure=kind == Kind.UNFRIENDED)


async def doubted(tx: Tx, external_userid: str, userid: str) -> None:
    """A message could not be sent to the contact: WeCom is asked whether it still is one."""
    for lead in await leads_of(tx, external_userid):
        await look_up(tx, lead.id, external_userid, userid, doubt=True)


async def _tell_parted(tx: Tx, lead: Lead, member: Member | None, *, sure: bool) -> None:
    concerned = {m.id: m for m in (member, lead.owner) if m is not None and m.active}
    puts = []
    for reader in concerned.values():
        if reader.phone is not None:
            who = "你" if member is not None and reader.id == member.id else member_name(member)
            card = parted_card(lead, reader, who, sure=sure)
            puts.append(put_for(reader, f"parted:{lead.id}/{reader.id}", card))
    later = by_day(tx.now, tx.rules.calendar)
    await tx.outbox.put([replace(put, ring=True, not_before=later) for put in puts])


def member_name(member: Member | None) -> str:
    return member.name if member else "原来的同事"


async def handover_failed(tx: Tx, external_userid: str, userid: str, reason: str) -> None:
    """A takeover of the contact by ``userid`` did not happen: the managers decide what now."""
    member = await tx.members.by_account(Platform.WECOM, userid)
    to = member.name if member else userid
    managers = await tx.members.active(Role.MANAGER)
    leads = await leads_of(tx, external_userid)
    text = handover_text("一位客户", to, reason)
    for lead in leads:
        hidden = not all(sees_whole(lead, manager) for manager in managers)
        text = handover_text(f"#{lead.id} {shown_name(lead, hidden=hidden)}", to, reason)
        event = Event(kind=Kind.HANDOVER_FAILED, at=tx.now, text=f"{to} {reason}".strip())
        await tx.leads.write([(lead.id, event)])
    about = f"{external_userid}/{userid}/{tx.now.isoformat()}"
    await tell(tx, managers, f"handover:{sha256(about.encode()).hexdigest()[:32]}", text)


async def spoke(tx: Tx, external_userid: str) -> bool:
    """A customer who came by a link wrote the first words. False: nobody we know."""
    leads = await leads_of(tx, external_userid)
    for lead in leads:
        await happened(tx, lead.speak(tx.now), was=lead, stops="replied")
    return bool(leads)


async def notice(tx: Tx, change: str, link_id: str = "", left: str = "", until: str = "") -> None:
    """What 获客助手 reports, to managers and marketing: once per kind, link and day."""
    way = await tx.contacts.way(link_id) if link_id else None
    if change in LINK_GONE:
        await tx.contacts.lose_way(link_id)
    # Anything but seconds as it was said: D:97299 gives no example.
    day = epoch_day(until, tx.rules.zone) or until[:30]
    text = notice_text(change, way.name if way else "", left, day)
    if not text:
        return
    readers = [*await tx.members.active(Role.MANAGER), *await tx.members.active(Role.MARKETING)]
    today = tx.now.astimezone(tx.rules.zone).date()
    about = sha256(f"{change}/{link_id}".encode()).hexdigest()[:16]
    await tell(tx, readers, f"notice:{today}/{about}", text)


async def tell(tx: Tx, readers: Sequence[Member], key: str, text: str) -> None:
    """A text on the phone of each of them; the same key says it once."""
    there = [reader for reader in readers if reader.phone]
    await tx.outbox.put([put_for(reader, f"{key}/{reader.id}", text) for reader in there])
