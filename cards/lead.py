"""The card of one lead, for one reader, as things stand. The same state gives the same card."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cards.limits import clean, fit, plain
from cards.model import Button, Card
from cards.own import with_own
from cards.words import dated, money, source_name, stamp, until
from store.domain.channels import CLASSES
from store.domain.consent import LEFT_ALONE
from store.domain.deadlines import (
    accept_by,
    extendable,
    extension,
    reclaim_at,
    respond_by,
    threatened,
)
from store.domain.intake import EXTENSION
from store.domain.lead import REASONS, Lead, Place, Stage, may_see, spelled
from store.domain.masking import redacted, sees_whole
from store.domain.names import masked_name
from store.domain.phones import masked, national
from store.domain.pools import Bar, Why, may_distribute
from store.domain.rules import Rules
from store.domain.sop import missing, sop_for
from store.domain.team import Member, Role

MOST_BUTTONS = 4
UNNAMED = "未留姓名"
NAME_CHARS, VALUE_CHARS, WORDS_CHARS = 16, 30, 90
"""What two seconds hold; all of it is behind 查看."""
POOL_BUTTON = Button("看公海", "/公海")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a card needs to know besides the lead. ``last``: the newest follow-up.

    ``missed``: how often nobody answered lately, the last time included. ``undo``: the
    last thing that happened was the reader's doing, and can still be taken back. ``bar``:
    why the reader may not claim it. ``overseen``: a manager is told when it is late.
    """

    now: datetime
    rules: Rules
    last: str = ""
    suggested: tuple[Member, ...] = ()
    missed: int = 0
    undo: bool = False
    bar: Bar | None = None
    overseen: bool = True


def lead_card(lead: Lead, reader: Member, view: View) -> Card:
    """The card of ``lead`` as ``reader`` should see it now."""
    card = with_own(_situation(lead, reader, view), lead, reader, view.rules.fields)
    return _with_undo(card, lead) if view.undo else card


def _with_undo(card: Card, lead: Lead) -> Card:
    """What was just done can be taken back; of four buttons 查看 makes room for it."""
    look = f"/线索 {lead.id} 详情"
    full = len(card.buttons) >= MOST_BUTTONS
    kept = tuple(b for b in card.buttons if not (full and b.line == look))[: MOST_BUTTONS - 1]
    return replace(card, buttons=(*kept, Button("撤销", f"/撤销 {lead.id}")))


def _situation(lead: Lead, reader: Member, view: View) -> Card:
    if lead.owner is not None and str(reader.id) in lead.experts:
        return _helping(lead, reader, view)
    if lead.owned_by(reader):
        return _mine(lead, view)
    if lead.owner is not None and reader.manages and lead.waits and lead.late_at:
        return _late(lead, view)
    if lead.owner is not None:
        return _taken(lead, reader, view)
    return _ownerless(lead, reader, view)


def _ownerless(lead: Lead, reader: Member, view: View) -> Card:
    if not lead.open:
        return _closed(lead, reader)
    if lead.place == Place.MARKETING:
        return _in_marketing(lead, reader, view)
    return _in_pool(lead, reader, view)


# -- the owner's -------------------------------------------------------------


def _mine(lead: Lead, view: View) -> Card:
    if not lead.open:
        return _done(lead, view)
    if lead.offered:
        return _offer(lead, view)
    if lead.left_alone:
        return _alone(lead, view)
    if lead.waits:
        return _to_call(lead, view)
    return _working(lead, view)


def _offer(lead: Lead, view: View) -> Card:
    at = accept_by(lead, view.rules.limits, view.rules.calendar)
    return Card(
        title=f"新线索 {_who(lead)}",
        note=f"{until(at, view.now, view.rules.zone)}接受，过时换人" if at else LEFT_ALONE,
        rows=_facts(lead),
        quote=_words(lead),
        why=_came(lead),
        buttons=(
            Button("接受", f"/领取 {lead.id}", primary=True),
            Button("退回", f"/退回 {lead.id}"),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )


def _alone(lead: Lead, view: View) -> Card:
    """Nothing is to be done but to close it, and nothing happens by itself."""
    return Card(
        title=f"要求不再联系 {_who(lead)}",
        note="不用再打了，没有时限，记一笔就结束",
        rows=_with_last(_facts(lead), view),
        quote=_words(lead),
        why=_came(lead),
        buttons=(
            Button("记为流失", f"/流失 {lead.id} {LEFT_ALONE}", primary=True),
            _back_or_apart(lead),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )


def _to_call(lead: Lead, view: View) -> Card:
    again = lead.accepted_at is not None and lead.asked_at > lead.accepted_at
    again = again or lead.called_at is not None
    again = again or lead.qualification == "won"  # a customer who came back
    at = respond_by(lead, view.rules.limits, view.rules.calendar)
    title = f"又来咨询 {_who(lead)}" if again else f"请联系 {_who(lead)}"
    note = f"{'请回电' if again else '首次联系'} {until(at, view.now, view.rules.zone)}"
    if lead.late_at and view.overseen:
        note += "，已请主管看"
    buttons: tuple[Button, ...] = (_reached(lead, primary=True), _missed(lead))
    if threatened(lead, view.now, view.rules.limits, view.rules.calendar):
        title, note, buttons = _threat(lead, view, title, note, buttons)
    return Card(
        title=title,
        note=note,
        rows=_with_last(_facts(lead), view),
        quote=_words(lead),
        why=_came(lead),
        buttons=(
            *buttons,
            _back_or_apart(lead),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )


def _threat(
    lead: Lead, view: View, title: str, note: str, buttons: tuple[Button, ...]
) -> tuple[str, str, tuple[Button, ...]]:
    """Close to being reclaimed: the true moment, and how to keep it."""
    reclaim = reclaim_at(lead, view.rules.limits, view.rules.calendar)
    if reclaim is None:
        return title, note, buttons
    at, why = reclaim
    left = until(at, view.now, view.rules.zone)
    offers = extendable(lead, view.rules.limits, view.rules.calendar)
    extend = (Button("延期", f"/延期 {lead.id}"),) if offers else ()
    return f"快要回收 {_who(lead)}", f"{why}，{left}回到公海", (buttons[0], *extend)


def _working(lead: Lead, view: View) -> Card:
    title, note, buttons = _next_step(lead, view)
    if threatened(lead, view.now, view.rules.limits, view.rules.calendar):
        title, note, buttons = _threat(lead, view, title, note, (_reached(lead, primary=True),))
    return Card(
        title=title,
        note=note,
        rows=_with_last(_facts(lead, view=view), view),
        quote=_words(lead),
        why=_came(lead),
        buttons=(
            *buttons,
            _back_or_apart(lead, primary=not buttons[0].primary),
            Button("查看", f"/线索 {lead.id} 详情"),
        )[:4],
    )


def _with_last(rows: tuple[tuple[str, str], ...], view: View) -> tuple[tuple[str, str], ...]:
    """What was said last, also by whoever had the lead before."""
    said = (("上次", _short(view.last)),) if view.last else ()
    return (*rows[: 6 - len(said)], *said)


def _next_step(lead: Lead, view: View) -> tuple[str, str, tuple[Button, ...]]:
    """Title, note and the first two buttons: what somebody does after the last contact."""
    title, note = f"{lead.stage.label} {_who(lead)}", _appointment(lead, view)
    again = lead.asked_at > max(lead.followed_at or lead.asked_at, lead.placed_at)
    if again:
        return (
            f"又来咨询 {_who(lead)}",
            note,
            (_reached(lead, primary=True), _onward(lead, view.rules.stages)),
        )
    if view.missed:
        tired = view.missed >= view.rules.reach_attempts
        days = view.rules.reach_workdays
        why = f"{days} 个工作日里 {view.missed} 次没联系上，可以退回"
        note = why if tired else f"没接通，{note}"
        return f"再打一次 {_who(lead)}", note, (_reached(lead, primary=not tired), _missed(lead))
    if lead.next_at is None:
        return title, note, (_tomorrow(lead), _onward(lead, view.rules.stages))
    return title, note, (_reached(lead, primary=True), _onward(lead, view.rules.stages))


def _appointment(lead: Lead, view: View) -> str:
    if lead.next_at is None:
        return "下次联系还没定"
    at = stamp(lead.next_at, view.now, view.rules.zone)
    sop = sop_for(lead, view.rules.sops)
    how = f"，{sop.channel}" if sop and sop.channel else ""
    return f"下次联系 {at}{how}" if lead.next_at > view.now else f"约的 {at}，联系完记一笔"


def _done(lead: Lead, view: View) -> Card:
    amount = (("金额", money(lead.amount)),) if lead.amount else ()
    reason = (("原因", lead.reason),) if lead.reason else ()
    closed = lead.closed_at or view.now
    return Card(
        title=f"{lead.stage.label} {_who(lead)}",
        note=f"{dated(closed, view.now, view.rules.zone)} 记下",
        rows=(*_facts(lead)[:4], *amount, *reason),
        buttons=(Button("查看", f"/线索 {lead.id} 详情"), Button("我的线索", "/我的")),
    )


# -- everybody else's --------------------------------------------------------


def _late(lead: Lead, view: View) -> Card:
    """For the manager: nobody has called in time."""
    at = respond_by(lead, view.rules.limits, view.rules.calendar)
    owner = lead.owner.name if lead.owner else ""
    others = "、".join(m.name for m in view.suggested if not lead.owned_by(m))
    facts = _facts(lead)[: 5 if others else 6]
    return Card(
        title=f"超时未联系 {_who(lead)}",
        note=f"{owner} 的首次联系 {until(at, view.now, view.rules.zone)}",
        rows=(*facts, *((("可以改派", others),) if others else ())),
        quote=_words(lead),
        buttons=(
            Button("改派", f"/分配 {lead.id}", primary=True),
            Button("再给一小时", f"/宽限 {lead.id}"),
            Button("我来", f"/我来 {lead.id}"),
            Button("查看", f"/线索 {lead.id} 详情"),
        ),
    )


def _extended(lead: Lead, view: View) -> str:
    """For the manager: how long the owner has it now."""
    reclaim = reclaim_at(lead, view.rules.limits, view.rules.calendar)
    if not lead.extended or reclaim is None:
        return ""
    span = extension(lead, view.rules.limits, view.rules.calendar)
    more = f"延期了 {spelled(span)}" if span else "延期过"
    return f"{more}，{dated(reclaim[0], view.now, view.rules.zone)} 到期"


def _taken(lead: Lead, reader: Member, view: View) -> Card:
    owner = lead.owner.name if lead.owner else ""
    state = "等对方接受" if lead.offered else lead.stage.label
    sees = may_see(lead, reader)
    since = dated(lead.placed_at, view.now, view.rules.zone)
    # A colleague's card stays the same whatever the owner does next: no phone is rewritten for it.
    note = f"{state}，{since} 起" if sees else f"{since} 起"
    if reader.manages:
        note = _extended(lead, view) or note
    buttons = (Button("查看", f"/线索 {lead.id} 详情"),) if sees else (POOL_BUTTON,)
    return Card(
        title=f"已由 {owner} 接手 {_who(lead, reader)}",
        note=note,
        rows=_facts_for(lead, reader)[:3],
        buttons=buttons,
    )


def _helping(lead: Lead, reader: Member, view: View) -> Card:
    """For the expert who was asked; the lead stays its owner's."""
    owner = lead.owner.name if lead.owner else "同事"
    said = (("上次", _short(view.last)),) if view.last else ()
    return Card(
        title=f"{owner} 请你帮忙 {_who(lead)}",
        note=fit(plain(lead.experts[str(reader.id)]), WORDS_CHARS),
        rows=(*_facts(lead)[:4], ("阶段", lead.stage.label), *said),
        quote=_words(lead),
        why=f"知道的写给他：备注 {lead.id} …",
        buttons=(Button("查看", f"/线索 {lead.id} 详情", primary=True),),
    )


def _closed(lead: Lead, reader: Member) -> Card:
    if lead.merged_into is not None:
        return _merged(lead, reader)
    return Card(
        title=f"{lead.stage.label} {_who(lead, reader)}",
        rows=_facts_for(lead, reader)[:3],
        buttons=(POOL_BUTTON,),
    )


def _merged(lead: Lead, reader: Member) -> Card:
    """The number still answers: it says where the person is now."""
    decides = reader.manages or reader.role == Role.MARKETING
    back = (Button("分开", f"/分开 {lead.id}"),) if decides else ()
    return Card(
        title=f"#{lead.id} 已并入 #{lead.merged_into}",
        note="是同一位客户，历史都在那一条",
        buttons=(
            Button(f"看 #{lead.merged_into}", f"/线索 {lead.merged_into}", primary=True),
            *back,
        ),
    )


def _back_or_apart(lead: Lead, *, primary: bool = False) -> Button:
    """Right after an enquiry was joined: it may have been somebody else's."""
    # What arrived in one batch was joined at the instant at which the lead began.
    joined, followed = lead.joined_at, lead.followed_at
    if joined is not None and (followed is None or joined > followed):
        return Button("不是同一位", f"/分开 {lead.id}", primary=primary)
    return Button("退回", f"/退回 {lead.id}", primary=primary)


def _in_marketing(lead: Lead, reader: Member, view: View) -> Card:
    reason = REASONS.get(lead.reason, ("", ()))[0] or lead.reason
    if reader.role == Role.MARKETING:
        title, note = _why_here(lead, reason)
        return Card(
            title=f"{title} {_who(lead)}",
            note=note,
            rows=_facts(lead),
            quote=_words(lead),
            buttons=(Button("查看", f"/线索 {lead.id} 详情"),),
        )
    return Card(
        title=f"已转市场培育 {_who(lead, reader)}",
        note=f"{dated(lead.placed_at, view.now, view.rules.zone)}{_because(reason, lead)}",
        rows=_facts_for(lead, reader)[:2],
        buttons=((Button("查看", f"/线索 {lead.id} 详情"),) if reader.manages else (POOL_BUTTON,)),
    )


def _why_here(lead: Lead, reason: str) -> tuple[str, str]:
    if lead.hold:
        return "还不能派", lead.why
    if lead.reason:
        return "退回培育", f"原因：{reason}"
    return "转入培育", "公海里一直没人领"


def _in_pool(lead: Lead, reader: Member, view: View) -> Card:
    if may_distribute(reader, lead, view.rules.limits):
        return Card(
            title=f"请分配 {_who(lead, reader)}",
            note=lead.why or "在公海里",
            rows=_facts_for(lead, reader),
            quote=_words(replace(lead, message=redacted(lead.message, lead))),
            buttons=(
                *give_buttons(lead, view.suggested[:3]),
                Button("查看", f"/线索 {lead.id} 详情"),
            ),
        )
    return Card(
        title=f"{'抢单' if lead.grab else '公海'} {_who(lead, reader)}",
        note=_barred(lead, view) or lead.why,
        rows=_facts_for(lead, reader),
        buttons=_take_buttons(lead, reader, view),
    )


def _barred(lead: Lead, view: View) -> str:
    """Why the reader may not claim it, or from when on."""
    if view.bar is None or lead.hold:
        return ""
    until = stamp(view.bar.until, view.now, view.rules.zone) if view.bar.until else ""
    return {
        Why.ADMIN: f"「{lead.scope}」由你分配",
        Why.SCOPE: f"在「{lead.scope}」，不归你领",
        Why.FRESH: f"{until} 起可以领",
        Why.UNINVITED: "请了指定的同事来抢",
        Why.HAD: "，".join(filter(None, (lead.why, f"你 {until} 起可以再领"))),
    }[view.bar.why]


def _take_buttons(lead: Lead, reader: Member, view: View) -> tuple[Button, ...]:
    if reader.role != Role.REP:
        return (Button("查看", f"/线索 {lead.id} 详情"),)
    if lead.hold or view.bar:
        return (POOL_BUTTON,)
    return Button("领取", f"/领取 {lead.id}", primary=True), POOL_BUTTON


# -- parts -------------------------------------------------------------------


def _who(lead: Lead, reader: Member | None = None) -> str:
    hidden = reader is not None and not sees_whole(lead, reader)
    return f"#{lead.id} {shown_name(lead, hidden=hidden)}"


def shown_name(lead: Lead, *, hidden: bool = False) -> str:
    """The name as it fits a card; a person without one has nothing to hide."""
    name = plain(lead.name or lead.company)
    if not name:
        return UNNAMED
    return masked_name(name) if hidden else fit(name, NAME_CHARS)


def _short(value: str) -> str:
    return fit(plain(value), VALUE_CHARS)


def _words(lead: Lead) -> str:
    return fit(clean(lead.message).strip(), WORDS_CHARS)


def _came(lead: Lead) -> str:
    return f"怎么来的：{lead.why}" if lead.why else ""


def _because(reason: str, lead: Lead) -> str:
    if lead.left_alone:
        return f" 起，{LEFT_ALONE}"
    return f" 退回，{reason}" if reason else " 起"


def reach_for(lead: Lead, reader: Member) -> str:
    """How to reach the person, as far as ``reader`` may know it."""
    if sees_whole(lead, reader):
        return dialled(lead) or lead.wechat or lead.email
    return masked(lead.phone or lead.wechat or lead.email)


def dialled(lead: Lead) -> str:
    """The number as a phone in the country dials it; a number not understood, as written."""
    number = national(lead.phone) if lead.phone and lead.phone_sure else lead.phone
    extension = str(lead.fields.get(EXTENSION) or "")
    return f"{number}转{extension}" if number and extension.isdecimal() else number


def _facts(
    lead: Lead, *, view: View | None = None, whole: bool = False
) -> tuple[tuple[str, str], ...]:
    """At most six rows, the way to reach the person first."""
    reach = dialled(lead) or lead.wechat or lead.email
    label = "电话" if lead.phone else "微信" if lead.wechat else "邮箱"
    if not reach and lead.external_userid:
        label, reach = "微信", "企业微信好友已删除" if lead.parted_at else _befriended(lead)
    rows = (
        (label, reach),
        ("同意", LEFT_ALONE if lead.opted_out_at else ""),
        ("要问", "、".join(q.label for q in missing(lead, view.rules.sops)) if view else ""),
        ("公司", " ".join(part for part in (lead.company, lead.title) if part)),
        ("想要", lead.product),
        ("地区", lead.region),
        ("联系", _effort(lead, view) if view else ""),
        ("来源", _source(lead)),
        ("关联", "、".join(f"#{n}" for n in lead.linked[:4])),
        ("疑似重复", _doubles(lead)),
    )
    return tuple((name, value if whole else _short(value)) for name, value in rows if value)[:6]


def _befriended(lead: Lead) -> str:
    """Whose contact it is, where that is not who has it."""
    others = lead.source == "wecom" and lead.owner and lead.rep not in {"", lead.owner.name}
    return f"{lead.rep} 的企业微信好友" if others else "已加企业微信好友"


def _source(lead: Lead) -> str:
    """With the channel of the code that was scanned; a class says nothing to a rep."""
    channel = "" if lead.channel in CLASSES else lead.channel
    parts = dict.fromkeys((source_name(lead.source), channel, lead.campaign))
    return " ".join(part for part in parts if part)


def _effort(lead: Lead, view: View) -> str:
    """3/6 while nobody answers: so many tries before it may be returned; else how often."""
    if view.missed:
        return f"{view.missed}/{view.rules.reach_attempts} 次"
    return f"{lead.attempts} 次" if lead.attempts else ""


def _doubles(lead: Lead) -> str:
    # Whose the other one is, and what it says, is not for everybody who has this one.
    return "和另一位客户有点像，等核对" if lead.doubles else ""


def _facts_for(lead: Lead, reader: Member, *, whole: bool = False) -> tuple[tuple[str, str], ...]:
    if sees_whole(lead, reader):
        return _facts(lead, whole=whole)
    hidden = masked(lead.phone or lead.wechat or lead.email)
    return tuple(
        (name, hidden if name in {"电话", "微信", "邮箱"} else redacted(value, lead))
        for name, value in _facts(lead, whole=whole)
        if name not in {"公司", "关联", "疑似重复"}
    )


def _reached(lead: Lead, *, primary: bool) -> Button:
    return Button("打通了", f"/跟进 {lead.id} 电话 接通了", primary=primary)


def give_buttons(lead: Lead, members: Sequence[Member]) -> tuple[Button, ...]:
    """One press gives the lead to one of them, the best one first."""
    return tuple(
        Button(fit(f"给{m.name}", 10), f"/分配 {lead.id} {m.name}", primary=place == 0)
        for place, m in enumerate(members)
    )


def _tomorrow(lead: Lead) -> Button:
    return Button("明天联系", f"/提醒 {lead.id} 明天 再联系", primary=True)


def _missed(lead: Lead) -> Button:
    return Button("没接通", f"/跟进 {lead.id} 电话 没接通")


def _onward(lead: Lead, stages: Sequence[Stage]) -> Button:
    """The next stage after this one; from the last one, the deal.

    A stage nobody uses any more was work all the same.
    """
    begun = stages.index(lead.stage) + 1 if lead.stage in stages else 1
    later = stages[0 if lead.stage in {Stage.NEW, Stage.ASSIGNED} else begun :]
    if not later:
        return Button("成交了", f"/成交 {lead.id}")
    caption = "有意向" if later[0] == Stage.INTENT else later[0].label
    return Button(caption, f"/阶段 {lead.id} {later[0].label}")


def detail_text(lead: Lead, reader: Member, lines: tuple[str, ...]) -> str:
    """Everything about the lead as plain text, so that the phone number can be tapped."""
    facts = "\n".join(f"{name}：{value}" for name, value in _facts_for(lead, reader, whole=True))
    full = (
        f"#{lead.id} {lead.name}" if lead.name and sees_whole(lead, reader) else _who(lead, reader)
    )
    head = f"{full}｜{lead.stage.label}｜{lead.score} 分 {lead.grade}"
    message = lead.message if sees_whole(lead, reader) else redacted(lead.message, lead)
    said = f"“{message}”" if message and may_see(lead, reader) else ""
    return "\n".join(part for part in (head, facts, said, *lines) if part)
