"""What is told about WeCom contacts: who left, who could not be greeted, what the links need."""

from collections.abc import Mapping, Sequence

from cards.lead import dialled, shown_name
from cards.limits import fit, plain, utf8
from cards.model import Button, Card
from store.domain.lead import Lead
from store.domain.masking import sees_whole
from store.domain.team import Member
from store.domain.ways import Way, WayKind

WELCOME_BYTES = 4000
REMARK_CHARS = 20
MOST_LISTED = 10
WAYS: Mapping[WayKind, str] = {WayKind.CODE: "活码", WayKind.LINK: "获客链接"}
REFUSED_HANDOVER = {
    "customer_refused": "客户拒绝了",
    "customer_limit_exceed": "接手的人客户数满了",
}


def welcome(template: str, *, name: str, rep: str, channel: str) -> str:
    """The first words to a new contact, at most 4,000 bytes (D:92137)."""
    words = {"name": name, "rep": rep, "channel": channel}
    for word, value in words.items():
        template = template.replace(f"{{{word}}}", plain(value))
    return fit(template.strip(), WELCOME_BYTES, utf8)


def remark(lead: Lead) -> str:
    """What a member sees instead of the nickname: 苏禾-展会, at most 20 characters (D:92115)."""
    parts = [plain(lead.name), plain(lead.channel)]
    return fit("-".join(part for part in parts if part), REMARK_CHARS) if parts[0] else ""


def parted_card(lead: Lead, reader: Member, who: str, *, sure: bool = True) -> Card:
    """The customer deleted ``who``: how else to reach them, and what now.

    Not ``sure``: WeCom only says that they are no contacts. Whose lead it is not learns
    that it happened, and no more of them than everywhere else.
    """
    what = f"删除了{who}" if sure else f"和{who}不是微信好友了"
    if not sees_whole(lead, reader):
        return _parted_elsewhere(lead, what)
    reach = dialled(lead) or lead.email
    return Card(
        title=f"#{lead.id} {shown_name(lead)} {what}",
        note="企业微信联系不上了，换个方式" if reach else "没有别的联系方式了",
        rows=tuple(row for row in (("电话", dialled(lead)), ("邮箱", lead.email)) if row[1]),
        buttons=(
            Button("查看", f"/线索 {lead.id} 详情", primary=True),
            Button("退回", f"/退回 {lead.id}"),
        ),
    )


def _parted_elsewhere(lead: Lead, what: str) -> Card:
    whose = f"现在由 {lead.owner.name} 跟" if lead.owner else "现在没有人跟"
    return Card(
        title=f"#{lead.id} {shown_name(lead, hidden=True)} {what}",
        note=whose,
        buttons=(Button("查看", f"/线索 {lead.id}", primary=True),),
    )


def ungreeted_text(lead: Lead, reader: Member) -> str:
    name = shown_name(lead, hidden=not sees_whole(lead, reader))
    return f"#{lead.id} {name} 刚加了你，欢迎语没发出去，先去打个招呼"


def handover_text(customer: str, member: str, reason: str) -> str:
    """A takeover by ``member`` did not happen."""
    why = REFUSED_HANDOVER.get(reason, "企业微信没说原因")
    return f"{customer} 没能转给 {member}：{why}。要跟就换个人，或换个方式联系"


def notice_text(change: str, link: str, left: str, until: str) -> str:
    """What a ``customer_acquisition`` event asks somebody to do; "" for what asks nothing."""
    named = f"「{link}」" if link else ""
    expiring = f"有 {left} 次在 {until} 到期" if left and until else "有一部分快到期"
    told = {
        "balance_low": "获客助手的次数快用完了，用完后链接就打不开，请管理员购买",
        "balance_exhausted": "获客助手的次数用完了，链接已经打不开，请管理员购买",
        "quota_expire_soon": f"获客助手的次数{expiring}，抓紧用或告诉管理员",
        "link_unavailable": f"获客链接{named}失效了，投放的地方先停一停，再发「获客」做一条新的",
        "delete_link": f"获客链接{named}被删除了，投放的地方换一条",
        "friend_request": f"有客户从获客链接{named}申请加好友，等销售通过",
        "customer_start_chat": "有客户从获客链接加了好友并开口了，系统里还没有这位客户",
    }
    return told.get(change, "")


# -- codes and links ---------------------------------------------------------


def way_text(way: Way, people: Sequence[str], *, picture: bool) -> str:
    """What the one who asked gets with the picture, or instead of it."""
    who = _people(people)
    head = f"「{way.name}」的{WAYS[way.kind]}好了，{who}接待，加进来的客户记在这个渠道"
    if way.kind == WayKind.LINK:
        return f"{head}\n{way.url}"
    return head if picture else f"{head}。图片在这里：\n{way.url}"


def way_markdown(way: Way, people: Sequence[str], picture: str) -> str:
    """The same for DingTalk, which fetches the picture."""
    shown = f"\n\n![{WAYS[way.kind]}]({picture})" if picture else ""
    return f"{way_text(way, people, picture=bool(picture))}{shown}"


def way_failed_text(way: Way, why: str) -> str:
    return f"「{way.name}」的{WAYS[way.kind]}没做成：{why}"


def ways_text(kind: WayKind, ways: Sequence[tuple[Way, Sequence[str]]], example: str) -> str:
    """What there is, newest first."""
    if not ways:
        return f"还没有{WAYS[kind]}，这样做一个：{example}"
    lines = [f"{way.name}（{_people(people)}）" for way, people in ways[:MOST_LISTED]]
    return "\n".join([f"已有的{WAYS[kind]}，再发一次名字就给你：", *lines])


def _people(people: Sequence[str]) -> str:
    shown = "、".join(people[:5])
    return f"{shown}等 {len(people)} 人" if len(people) > 5 else shown
