"""A way to reach somebody, filled in from the chat."""

from collections.abc import Collection
from dataclasses import replace

from cards.reach import reached_card
from handlers.assign import went_on
from handlers.capture import recognise
from handlers.doubts import ask_about
from handlers.reply import Reply
from handlers.score import happened
from store.db import Tx
from store.domain import reach as rules
from store.domain.lead import Lead
from store.domain.match import Ask, Same, keys
from store.domain.newlead import NewLead
from store.domain.scoring import filled_in
from store.domain.team import Member

ALIKE = "和一位已有客户有点像，等核对"


async def add(tx: Tx, by: Member, lead: Lead, name: str, words: str) -> Reply:
    """Somebody else's number makes two leads that may be one person: who may decide is asked."""
    lead.check_fills(by)
    new = rules.read_way(lead, name, words)
    wanted = keys(new)
    await tx.lock("dispatch", *(f"{key.kind}:{key.value}" for key in wanted))
    alike = await _alike(tx, lead, new)
    change = rules.reached(lead, by, name, new, tx.now)
    held = (await tx.leads.keys_of([lead.id])).get(lead.id, ())
    fresh = [key for key in wanted if key not in held]
    change = rules.bringing(change, fresh, alike)
    await tx.leads.remember([(key, int(lead.id)) for key in fresh])
    after = await happened(tx, change, was=lead, stops="assigned", back=filled_in)
    if alike:
        await ask_about(tx, [replace(after, doubles=tuple(alike))])
    then = went_on(lead, after) + (f"，{ALIKE}" if alike else "")
    card = reached_card(after, by, (name, rules.WAYS[name]), then.removeprefix("，"))
    return Reply(card=card, private=True)


async def _alike(tx: Tx, lead: Lead, new: NewLead) -> Collection[int]:
    """Other leads that may be this person's, but for those somebody has told apart from it."""
    same = await tx.doubts.told_apart(lead.id) | {int(lead.id), *lead.linked}
    asked = replace(new, name=lead.name)
    verdict, _ = await recognise(tx, asked, but=same)
    match verdict:
        case Same():
            return [verdict.lead_id]
        case Ask():
            return verdict.lead_ids
    return []
