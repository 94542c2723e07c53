"""
微信客服 (D:94670, D:94677, D:95122): a customer writes to a service account.

The event brings nothing but a token of ten minutes; what was written is fetched with
``kf/sync_msg``, page by page. Who answers may say five things within 48 hours of the
customer's last word, and that it was taken does not mean that it arrived.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from bot.sandbox.limits import PerMinute
from bot.sandbox.state import State
from bot.sandbox.wecom.api import Call, Endpoint
from bot.sandbox.wecom.courier import Courier
from bot.sandbox.wecom.errors import No

TOKEN_LIFE = timedelta(minutes=10)
HISTORY = timedelta(days=3)
WINDOW, MOST = timedelta(hours=48), 5
PAGE = 1000
WITHOUT_TOKEN = 5  # a minute; "strictly limited" is all the page says
REFUSED = 10  # fail_type of msg_send_fail: the customer takes none
CUSTOMER, SYSTEM = 3, 4  # origin
KINDS = {
    "text", "image", "voice", "video", "file", "link", "miniprogram", "msgmenu", "location",
}  # fmt: skip
MSGID = re.compile(r"[0-9a-zA-Z_-]{1,32}")


@dataclass(slots=True)
class Talk:
    """With one customer: when they wrote last, and how much has been answered since.

    ``state``: 0 new, 1 the bot's, 2 in the queue, 3 a person's, 4 over.
    """

    wrote_at: datetime | None = None
    answered: int = 0
    state: int = 0


@dataclass(slots=True)
class Desk:
    """One service account, ``open_kfid``."""

    state: State
    courier: Courier
    open_kfid: str = field(default_factory=lambda: f"wk{token_urlsafe(12)}")
    talks: dict[str, Talk] = field(default_factory=dict)
    items: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    _tokens: dict[str, datetime] = field(default_factory=dict)
    _untold: PerMinute = field(init=False)

    def __post_init__(self) -> None:
        self._untold = PerMinute(self.state.clock, WITHOUT_TOKEN)

    def endpoints(self) -> dict[str, Endpoint]:
        def post(answer: Callable[[Call], dict[str, Any]], **empty: Any) -> Endpoint:
            return Endpoint(method="POST", answer=answer, empty=empty)

        return {"kf/sync_msg": post(self.sync, msg_list=[]), "kf/send_msg": post(self.send)}

    async def written(self, customer: str, text: str) -> None:
        """``customer`` (wm…) writes; the product is told that there is something."""
        self.talks[customer] = Talk(self.state.clock(), 0, self._talk(customer).state)
        about = {"external_userid": customer, "origin": CUSTOMER, "servicer_userid": ""}
        self._add(about | {"msgtype": "text", "text": {"content": text}})
        await self.tell()

    async def tell(self) -> None:
        """The event, which says nothing of what was said."""
        token, now = f"ENC{token_urlsafe(24)}", self.state.clock()
        self._tokens[token] = now + TOKEN_LIFE
        await self.courier.carry(
            {
                "FromUserName": "sys",
                "CreateTime": int(now.timestamp()),
                "MsgType": "event",
                "Event": "kf_msg_or_event",
                "Token": token,
                "OpenKfId": self.open_kfid,
            }
        )

    def _add(self, item: Mapping[str, Any]) -> None:
        now = self.state.clock()
        head = {"msgid": token_urlsafe(18), "send_time": int(now.timestamp())}
        where = {} if "event" in item else {"open_kfid": self.open_kfid}
        self.items.append((now, {**head, **where, **item}))

    # -- what the product asks ---------------------------------------------------

    def sync(self, call: Call) -> dict[str, Any]:
        """From ``cursor`` on, without one the last three days; a page may be empty and not the last."""
        self._known(call.body)
        self._admit(str(call.body.get("token") or ""))
        start = self._start(str(call.body.get("cursor") or ""))
        limit = _limit(call.body)
        if self.state.faults.take("wecom", "kf_hollow"):
            return {"next_cursor": f"c{start}", "has_more": 1, "msg_list": []}
        page = self.items[start : start + limit]
        end = start + len(page)
        return {
            "next_cursor": f"c{end}",
            "has_more": int(end < len(self.items)),
            "msg_list": [item for _, item in page],
        }

    def _known(self, body: Mapping[str, Any]) -> None:
        account = body.get("open_kfid")
        if not account:
            raise No(95000, "invalid open_kfid")
        if account != self.open_kfid:
            raise No(95004, "open_kfid not exist")

    def _admit(self, token: str) -> None:
        if not token:
            if not self._untold.take():
                raise No(45009, "api freq out of limit")
        elif token not in self._tokens or self._tokens[token] <= self.state.clock():
            raise No(95007, "invalid msg token")

    def _start(self, cursor: str) -> int:
        oldest = self.state.clock() - HISTORY
        kept = next((n for n, (at, _) in enumerate(self.items) if at >= oldest), len(self.items))
        if not cursor:
            return kept
        if not re.fullmatch(r"c\d{1,9}", cursor) or int(cursor[1:]) > len(self.items):
            raise No(40035, "invalid parameter: cursor")
        return max(kept, int(cursor[1:]))

    def send(self, call: Call) -> dict[str, Any]:
        """Taken, which is not delivered: what did not arrive comes as an event."""
        body = call.body
        self._known(body)
        msgid, customer = _msgid(body), str(body.get("touser") or "")
        kind = str(body.get("msgtype"))
        if kind not in KINDS:
            raise No(40008, "invalid message type")
        if not isinstance(body.get(kind), dict) or not customer:
            raise No(40063, f"some parameters are empty: {kind if customer else 'touser'}")
        talk = self._talk(customer)
        self._may(talk)
        talk.answered += 1
        if self.state.faults.take("wecom", "kf_unseen"):
            self._unseen(customer, msgid)
        return {"msgid": msgid}

    def _talk(self, customer: str) -> Talk:
        return self.talks.setdefault(customer, Talk())

    def _may(self, talk: Talk) -> None:
        if talk.state not in {0, 1}:
            raise No(95018, "send msg session status invalid")
        if talk.wrote_at is None or self.state.clock() - talk.wrote_at >= WINDOW:
            raise No(95002, "send msg over 48 hours")
        if talk.answered >= MOST:
            raise No(95001, "send msg count limit")

    def _unseen(self, customer: str, msgid: str) -> None:
        """In the items of an event, who and where stand inside it."""
        event = {
            "event_type": "msg_send_fail",
            "open_kfid": self.open_kfid,
            "external_userid": customer,
            "fail_msgid": msgid,
            "fail_type": REFUSED,
        }
        self._add({"origin": SYSTEM, "msgtype": "event", "event": event})


def _limit(body: Mapping[str, Any]) -> int:
    limit = body.get("limit", PAGE)
    if not isinstance(limit, int) or not 0 < limit <= PAGE:
        raise No(40058, "invalid Request Parameter: limit")
    return limit


def _msgid(body: Mapping[str, Any]) -> str:
    msgid = body.get("msgid") or token_urlsafe(18)
    if not isinstance(msgid, str) or not MSGID.fullmatch(msgid):
        raise No(40058, "invalid Request Parameter: msgid")
    return msgid
