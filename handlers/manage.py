"""What managers decide and ask for."""

from cards.digest import digest_card
from cards.words import moment
from handlers.announce import record
from handlers.claims import check_on_duty
from handlers.reply import Reply
from store.db import Tx
from store.domain.deadlines import respond_by
from store.domain.errors import BadCommand, Refused
from store.domain.lead import LeadId
from store.domain.team import Member, Platform


async def grace(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    """One hour more for a call that is late, in working time, beginning now."""
    lead = await tx.leads.get(lead_id)
    change = lead.grace(by, tx.now)
    await record(tx, change)
    until = respond_by(change.lead, tx.rules.limits, tx.rules.calendar)
    owner = lead.owner.name if lead.owner else ""
    said = moment(until, tx.now, tx.rules.zone)
    return Reply(text=f"#{lead.id} 给 {owner} 留到 {said}，到时没联系再告诉你", told=True)


async def take(tx: Tx, by: Member, lead_id: LeadId) -> Reply:
    """The manager takes over what somebody else has; the pool is for the reps."""
    lead = await tx.leads.get(lead_id)
    if lead.owner is None:
        raise Refused(f"#{lead.id} 在公海里，发「分配 {lead.id} 姓名」给合适的人")
    change = lead.transfer(by, by, tx.now)
    check_on_duty(tx, by)
    await record(tx, change)
    return Reply(text=f"#{lead.id} 由你接手，跟进和提醒一起过来了", told=True)


async def digest(tx: Tx, by: Member, _: str) -> Reply:
    """Today's figures so far."""
    today = tx.now.astimezone(tx.rules.zone).date()
    return Reply(card=digest_card(await tx.figures.of(today, tx.now)))


def _by_the_robot(at: str, *, there: bool) -> str:
    """WeCom's groups take a digest from their robot alone, whatever is said in them."""
    if there:
        return f"企业微信群的日报由群机器人发，已经接好了，每个工作日 {at} 发到有它的那个群"
    return "企业微信群的日报由群机器人发，请管理员在配置里填上它的地址"


async def bind(tx: Tx, by: Member, _: str) -> Reply:
    """This group gets the digest."""
    if tx.group is None:
        raise BadCommand("到要收日报的群里 @我 发「绑定」")
    at = f"{tx.rules.digest_at:%H:%M}"
    if tx.group.platform == Platform.WECOM:
        raise BadCommand(_by_the_robot(at, there=tx.rules.wecom_group))
    await tx.groups.bind(tx.group, by)
    said = f"好，每个工作日 {at} 把日报发到「{tx.group.title or '这个群'}」"
    return Reply(text=said, acted=True)
