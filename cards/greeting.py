"""The few words a chat opens with."""

from collections.abc import Sequence

from cards.lead import View, shown_name
from cards.lists import today_card, waiting_card
from store.domain.lead import Lead
from store.domain.team import Member, Role

SHOWN = 3
KEPT_BACK = "钉钉本月的额度用完了，你发的字、按的按钮没有传过来"
NOTHING = {
    Role.REP: "今天没有要做的，发「公海」看看能领的",
    Role.MARKETING: "发「录入 王五 13800138000 想要报价」就记下一条新线索，「帮助」里有其他的",
}
NOTHING_WAITS = "没有等你分配的线索，发「日报」看今天的数字"


def greeting(by: Member, leads: Sequence[Lead], count: int, view: View) -> str:
    """What ``by`` can do now: the first of ``count`` leads, and what to send for the rest."""
    if not count:
        return f"{by.name}，{NOTHING.get(by.role, NOTHING_WAITS)}"
    card = waiting_card(leads, count) if by.manages else today_card(leads, view)
    rows = (f"{number} {state}" for number, state in card.rows[:SHOWN])
    more = "" if by.manages else "发「今日」看全部，点下面的菜单也行"
    return "\n".join(filter(None, (f"{by.name}，{card.title}", *rows, more)))


def kept_back(pages: Sequence[tuple[Lead, str]], *, wecom: bool) -> str:
    """What is true, and what can be done meanwhile: another way to say it, pages to read."""
    instead = "到企业微信里发给我就行" if wecom else "急的事请打电话给主管，别的等额度恢复再发一次"
    links = [f"#{n.id} {shown_name(n, hidden=n.owner is None)} {page}" for n, page in pages]
    return "\n".join(
        [f"{KEPT_BACK}，{instead}", *(["手上的线索在这里看：", *links] if links else [])]
    )
