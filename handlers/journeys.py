"""Nurturing: who is written to, when, and what makes it stop."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cards.mail import render_mail, render_mass
from handlers.announce import record
from handlers.nurture import channel_of
from handlers.score import happened
from store.db import Tx
from store.domain.calendar import quiet
from store.domain.lead import Event, Kind, Lead, Place
from store.domain.rules import JourneyPlan, JourneyStep
from store.domain.team import Channel
from store.journeys import Journey
from store.outbox import Put

DAY = timedelta(days=1)


async def advance(tx: Tx, journey: Journey) -> None:
    """Send the step that is due, or say why it waits, or end the journey."""
    [lead] = await tx.leads.many([journey.lead_id], lock=True)
    plan = next((p for p in tx.rules.journeys if p.name == journey.name), None)
    why = _over(journey, lead, plan)
    if why or plan is None:
        await tx.journeys.end(journey.id, why or "no such journey")
        return
    wait = await _waits(tx, lead)
    if wait is not None:
        await tx.journeys.wait(journey.id, *wait)
        return
    await _send(tx, lead, journey, plan.steps[journey.step])
    await _to_next(tx, journey, plan)


def _over(journey: Journey, lead: Lead, plan: JourneyPlan | None) -> str:
    if plan is None or journey.step >= len(plan.steps):
        return "done"
    if lead.opted_out_at is not None:
        return "opted out"
    if lead.place != Place.MARKETING:
        return "no longer nurtured"
    return ""


async def _waits(tx: Tx, lead: Lead) -> tuple[datetime, str] | None:
    """Until when a message has to wait, and why; None: it may go now."""
    open_at = quiet(tx.now, tx.rules.zone, tx.rules.quiet, tx.rules.calendar)
    if open_at > tx.now:
        return open_at, "quiet hours"
    if tx.rules.per_day:
        sent, first = await tx.journeys.mailed_since(lead.id, tx.now - DAY)
        if sent >= tx.rules.per_day and first is not None:
            return first + DAY, "one message a day"
    return None


async def _to_next(tx: Tx, journey: Journey, plan: JourneyPlan) -> None:
    step = journey.step + 1
    if step < len(plan.steps):
        await tx.journeys.next(journey.id, step, journey.started_at + plan.steps[step].after)
    else:
        await tx.journeys.end(journey.id, "done")


async def _send(tx: Tx, lead: Lead, journey: Journey, step: JourneyStep) -> None:
    channel = channel_of(tx, lead, step)
    if channel is None:
        return
    link = f"{tx.rules.public_url}/t/{await tx.links.make(lead.id, 'track', step.template)}"
    stop = f"{tx.rules.public_url}/u/{await tx.links.make(lead.id, 'optout', step.template)}"
    words = {"name": lead.name, "product": lead.product, "company": lead.company, "link": link}
    key = f"journey:{journey.id}/{journey.step}"
    if channel == Channel.MAIL:
        account = lead.email
        payload: dict[str, Any] = dict(render_mail(step.template, **words, unsubscribe=stop))
    else:
        text = render_mass(step.template, **words, unsubscribe=stop)
        sender = await _sender(tx, lead)
        account, payload = lead.external_userid, {"sender": sender, "text": {"content": text}}
    put = Put(key=key, channel=channel, account=account, payload=payload, lead_id=lead.id)
    await tx.outbox.put([put])
    how = "邮件" if channel == Channel.MAIL else "企微群发待确认"
    await tx.leads.write(
        [(lead.id, Event(kind=Kind.MAILED, at=tx.now, text=f"{how} {step.template}"))]
    )


async def _sender(tx: Tx, lead: Lead) -> str:
    """The member who confirms a 群发: the contact's own, who is the last owner."""
    followed = str(lead.fields.get("wecom_userid") or "")
    followers = await tx.contacts.followers(lead.external_userid)
    if followers:
        return followed if followed in followers else followers[-1]
    if followed:
        return followed
    team = await tx.members.all()
    for member_id in reversed(await tx.leads.owners(lead.id)):
        if team[member_id].wecom:
            return str(team[member_id].wecom)
    return ""


async def clicked(tx: Tx, token: str) -> bool:
    """A prospect opened a tracked link: with points enough back to a rep, with the story.

    False: no such link.
    """
    link = await tx.links.find(token, "track")
    if link is None:
        return False
    if not await tx.links.use(token):
        return True
    lead = await tx.leads.current(link.lead_id)
    change = lead.click(tx.now, f"邮件「{link.label}」里的链接")
    await happened(tx, change, was=lead, stops="clicked")
    return True


async def opt_out(tx: Tx, token: str, how: str) -> bool:
    """A prospect wants to be left alone: everything that was to be sent stops at once."""
    link = await tx.links.find(token, "optout")
    if link is None:
        return False
    first = await tx.links.use(token)
    lead = await tx.leads.current(link.lead_id)
    if not first and lead.opted_out_at is not None:
        return True  # the page sent once more says nothing new
    # The same person in another business line wants to be left alone as well.
    await leave_alone(tx, [lead, *await tx.leads.many(lead.linked, lock=True)], how)
    return True


async def leave_alone(tx: Tx, leads: Sequence[Lead], how: str) -> None:
    """The person of ``leads`` took their consent back; ``how``: the words or the way.

    Kept each time: whose earlier withdrawal turns out to be somebody else's has their own.
    """
    for lead in leads:
        await tx.consents.withdrawn(lead, how)
        await hush(tx, lead.id)
        await record(tx, lead.opt_out(tx.now, how))


async def hush(tx: Tx, lead_id: int) -> None:
    """Nothing more goes to this person, in any channel, what is on its way included."""
    await tx.journeys.stop(lead_id, "opted out")
    await tx.outbox.drop_waiting(lead_id, [Channel.MAIL, Channel.WECOM_MASS])
