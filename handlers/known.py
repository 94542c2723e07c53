"""Do we have them? Answered with what the asker may know, and nothing of the person."""

from datetime import timedelta

from cards.words import span
from handlers.capture import recognise
from handlers.reply import Reply
from store.db import Tx
from store.domain.conditions import BIG_REGIONS
from store.domain.lead import Lead, Place, may_see
from store.domain.match import Ask, Same
from store.domain.newlead import NewLead
from store.domain.team import Member

DAY = timedelta(days=1)
NEW = "新客户，还没有人录入过"
ALIKE = "和一位已有客户有点像，录入后请主管核对"


async def verdict(tx: Tx, new: NewLead, by: Member) -> str:
    """Whether the person of ``new`` is known, as ``by`` may be told; nothing is stored."""
    said, leads = await recognise(tx, new)
    match said:
        case Same():
            return f"已有这位客户{where(tx, leads[said.lead_id], by)}"
        case Ask():
            return ALIKE
    return NEW


def where(tx: Tx, lead: Lead, by: Member) -> str:
    """Who has it and how fresh it is. Who may not see the lead learns no name and no number."""
    if may_see(lead, by):
        return f" #{lead.id}，{_place(lead)}，{lead.stage.label}，{_last(tx, lead)}"
    if lead.owner is None:
        return "，在公海里" if lead.place == Place.POOL else "，市场在培育"
    return f"，{team_of(lead.owner)}在跟，{_last(tx, lead)}"


def _place(lead: Lead) -> str:
    if lead.owner is not None:
        return f"在 {lead.owner.name} 那里"
    return "在公海" if lead.place == Place.POOL else "在市场培育"


def _last(tx: Tx, lead: Lead) -> str:
    last = lead.called_at or lead.contacted_at
    if last is None:
        return "还没联系"
    return f"{span(tx.now - last)}前联系过" if tx.now - last >= DAY else "今天联系过"


def team_of(owner: Member) -> str:
    """``华东团队``: a team, where a name would say too much."""
    region = owner.regions[0] if owner.regions else ""
    big = next((name for name, parts in BIG_REGIONS.items() if region in parts), region)
    name = big or (owner.departments[0] if owner.departments else "")
    return f"{name}团队" if name else "有同事"


async def check(tx: Tx, by: Member, new: NewLead) -> Reply:
    """The duplicate check by itself: a number, a mailbox or a pasted sentence."""
    return Reply(text=await verdict(tx, new, by), private=True)
