"""The few words a chat opens with."""

from collections.abc import Sequence

from cards.lead import View
from cards.lists import today_card, waiting_card
from store.domain.lead import Lead
from store.domain.team import Member, Role

SHOWN = 3
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
