"""A second lead of the same person, for another business line, linked with the first."""

from dataclasses import replace
from typing import Any

from handlers.announce import record
from handlers.assign import went
from handlers.capture import alone
from handlers.follow import About
from handlers.reply import Reply
from store.db import Tx
from store.domain.errors import BadCommand, NotYours, Refused
from store.domain.lead import Change, Event, Kind, Lead, may_see
from store.domain.lines import line_of, named
from store.domain.newlead import NewLead
from store.domain.team import Member

PERSON = (
    "name", "phone", "phone_sure", "email", "wechat", "external_userid", "company", "title",
    "region", "industry", "source", "channel", "campaign", "keyword", "consent_text", "consent_at",
)  # fmt: skip


async def new_line(tx: Tx, by: Member, about: About) -> Reply:
    """``about`` names the product or the line; the rules say who gets the new lead."""
    await tx.lock("dispatch")
    lead = await tx.leads.current(about.lead_id)
    if not may_see(lead, by):
        raise NotYours(lead.id, lead.owner.name if lead.owner else None)
    if not about.words:
        raise BadCommand(f"想要什么产品？例如：新线 {lead.id} 云客服")
    line = named(about.words, tx.rules.lines) or about.words[:64]
    await _check(tx, lead, line)
    event = Event(kind=Kind.LINKED, by=by.id, at=tx.now, text=f"和 #{lead.id} 是同一位")
    out = tx.now if lead.left_alone else lead.opted_out_at  # the person has not asked, we have
    kept = {"opted_out_at": out, "parted_at": lead.parted_at}
    same = {"linked": _linked(lead), "line": line, **kept}
    made = await alone(tx, _enquiry(tx, lead, about.words, line), event, same)
    await _link(tx, by, lead, made, line)
    if lead.opted_out_at is not None:
        await tx.consents.withdrawn(made, f"#{lead.id} 要求停止联系")
    whose = went(made, "分给了")
    return Reply(text=f"#{made.id} 建好了（{line}），{whose}，和 #{lead.id} 互相关联", told=True)


def _linked(lead: Lead) -> tuple[int, ...]:
    return tuple(sorted({int(lead.id), *lead.linked}))


async def _check(tx: Tx, lead: Lead, line: str) -> None:
    """Raises Refused when the person has a lead of this line."""
    if lead.line == line:
        raise Refused(f"#{lead.id} 本来就是「{line}」")
    for other in await tx.leads.many(lead.linked):
        if other.line == line and other.merged_into is None:
            raise Refused(f"这位客户的「{line}」已经有了，是 #{other.id}")


def _enquiry(tx: Tx, lead: Lead, words: str, line: str) -> NewLead:
    """The person as known, asking for the other line in their own words if they did."""
    own = line_of(lead, tx.rules.lines) == line or named(lead.message, tx.rules.lines) == line
    person: dict[str, Any] = {name: getattr(lead, name) for name in PERSON}
    return NewLead(
        **person, product=words[:200], message=lead.message if own else f"还想了解{words}"
    )


async def _link(tx: Tx, by: Member, lead: Lead, made: Lead, line: str) -> None:
    changes = []
    for other in await tx.leads.many(_linked(lead), lock=True):
        linked = tuple(sorted({*other.linked, int(made.id)}))
        event = Event(kind=Kind.LINKED, by=by.id, at=tx.now, text=f"#{made.id} {line}")
        changes.append(Change(replace(other, linked=linked), event))
    await record(tx, *changes)
