"""Who begins to be nurtured, and how they are reached."""

from collections.abc import Sequence

from store.db import Tx
from store.domain.lead import SCORE, Change, Kind, Lead, Place
from store.domain.rules import JourneyPlan, JourneyStep
from store.domain.team import Channel


async def begin(tx: Tx, lead: Lead) -> bool:
    """Start the journey of the reason the lead was returned with, if there is one to reach it."""
    return await begin_all(tx, [lead]) > 0


async def begin_all(tx: Tx, leads: Sequence[Lead]) -> int:
    """Start the journeys of ``leads`` anew, in as many statements as for one; how many began."""
    plans = [(lead, _plan_for(tx, lead)) for lead in leads if lead.opted_out_at is None]
    begun = [(lead, p) for lead, p in plans if p is not None and _reachable(tx, lead, p)]
    if begun:
        await tx.journeys.stop_all([lead.id for lead, _ in begun], "restarted")
        await tx.journeys.start_all(
            [(lead.id, plan.name, tx.now + plan.steps[0].after) for lead, plan in begun]
        )
    return len(begun)


async def nurture(tx: Tx, changes: Sequence[Change]) -> None:
    """Who begins to wait for a better score is written to meanwhile; who waits already goes on.

    ``changes``: as stored, of each lead the last one is how it is now.
    """
    leads = {change.lead.id: change.lead for change in changes}
    begins = {change.lead.id for change in changes if _begins(change)}
    waiting = [lead for lead in leads.values() if lead.id in begins and lead.hold == SCORE]
    await begin_all(tx, [lead for lead in waiting if lead.place == Place.MARKETING])


def _begins(change: Change) -> bool:
    event = change.event
    return event.kind == Kind.HELD and event.data["gate"] == SCORE != event.data.get("from")


def _plan_for(tx: Tx, lead: Lead) -> JourneyPlan | None:
    plans = [p for p in tx.rules.journeys if p.steps]
    fitting = [p for p in plans if lead.reason in p.reasons]
    return next(iter(fitting or [p for p in plans if not p.reasons]), None)


def _reachable(tx: Tx, lead: Lead, plan: JourneyPlan) -> bool:
    return any(channel_of(tx, lead, step) is not None for step in plan.steps)


def channel_of(tx: Tx, lead: Lead, step: JourneyStep) -> Channel | None:
    """How this step reaches this person; a WeCom contact without an address gets a 群发 task."""
    mail = Channel.MAIL if lead.email and tx.rules.mails else None
    befriended = lead.external_userid and lead.parted_at is None
    mass = Channel.WECOM_MASS if befriended and tx.rules.wecom else None
    return (mass or mail) if step.channel == "wecom" else (mail or mass)
