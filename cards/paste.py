"""Somebody pasted what looks like a lead: what was read out of it, and a press to record it."""

from collections.abc import Sequence
from urllib.parse import quote

from cards.dingtalk import SAY, URL_BYTES
from cards.limits import clean, fit, plain, utf8
from cards.model import Button, Card
from cards.wecom import KEY_BYTES
from store.domain.intake import EXTENSION
from store.domain.newlead import NewLead
from store.domain.phones import national

QUOTE_CHARS = 90
MOST_ROWS = 6
VERB = "/录入"


def paste_card(new: NewLead, text: str, verdict: str) -> Card:
    """``verdict``: whether the person is known already. Nothing is stored before the press."""
    rows = (
        ("姓名", new.name),
        ("电话", _phone(new)),
        ("微信", new.wechat),
        ("邮箱", new.email),
        ("公司", "，".join(filter(None, (new.company, new.title)))),
        ("想要", new.product),
        ("地区", new.region),
    )
    told = [(name, value) for name, value in rows if value][: MOST_ROWS - 1]
    return Card(
        title="像是一条线索，要录入吗",
        note="没点之前什么都不会存",
        rows=(*told, ("查重", verdict)),
        quote=fit(clean(text).strip(), QUOTE_CHARS),
        buttons=(Button("录入", line_for(new, text), primary=True),),
    )


def _phone(new: NewLead) -> str:
    number = national(new.phone) if new.phone and new.phone_sure else new.phone
    extension = new.fields.get(EXTENSION)
    return f"{number}转{extension}" if extension else number


def line_for(new: NewLead, text: str) -> str:
    """The line the button sends. A long text is cut after what was read out of it."""
    whole = f"{VERB} {plain(text)}"
    if _fits(whole):
        return whole
    known = [part for part in (new.name, _phone(new), new.wechat and f"微信 {new.wechat}",
                               new.email, new.company) if part]  # fmt: skip
    head = " ".join((VERB, *known))
    return _longest(head, plain(_without(text, known)))


def _without(text: str, known: Sequence[str]) -> str:
    for part in known:
        text = text.replace(part, " ")
    return text


def _longest(head: str, rest: str) -> str:
    """As much of ``rest`` as both platforms carry on a button."""
    low, high = 0, len(rest)
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(f"{head} {rest[:middle]}…"):
            low = middle
        else:
            high = middle - 1
    return f"{head} {rest[:low]}…" if low else head


def _fits(line: str) -> bool:
    return utf8(line) <= KEY_BYTES and len(SAY) + len(quote(line, safe="")) <= URL_BYTES
