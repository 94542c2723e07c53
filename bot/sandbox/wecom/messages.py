"""message/send, message/update_template_card and message/recall (D:90236, D:94888, D:94867)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from bot.sandbox.limits import PerMinute, cut, size
from bot.sandbox.state import Message, State
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.api import Call, Company
from bot.sandbox.wecom.errors import No

TEXT_BYTES = 2048
CODE_LIFE = timedelta(hours=72)
RECALL_WITHIN = timedelta(hours=24)
DROPPED_ABOVE = 30  # messages a minute and member (D:90236)

Shown = tuple[str, dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Sent:
    """One message/send: who holds it, by lower-case userid."""

    msgid: str
    at: datetime
    task_id: str
    held: dict[str, Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    sent: Sent
    until: datetime


class Messages:
    """``per_minute``: above that a member's messages vanish unseen, errcode 0 (D:90236); None: off."""

    def __init__(self, company: Company, state: State, per_minute: int | None = None) -> None:
        self._company = company
        self._state = state
        self.per_minute = per_minute
        self.dropped = 0
        """Messages that vanished although the answer was good."""
        self._counts: dict[str, PerMinute] = {}
        self._task_ids: set[str] = set()
        self._sent: dict[str, Sent] = {}
        self._codes: dict[str, Code] = {}
        self._repeats: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def of(self, message: Message) -> Sent | None:
        """The send a message on a phone came from."""
        return next((s for s in self._sent.values() if message in s.held.values()), None)

    def new_code(self, sent: Sent) -> str:
        """Good for one update within 72 hours."""
        code = token_urlsafe(24)
        self._codes[code] = Code(sent=sent, until=self._state.clock() + CODE_LIFE)
        return code

    def send(self, call: Call) -> dict[str, Any]:
        body = call.body
        receivers, invalid = self._receivers(body)
        self._check_agent(body)
        kind, content = self._content(body)
        if (before := self._repeated(body)) is not None:
            return before
        sent = self._deliver(kind, content, receivers)
        answer = self._answer(sent, kind, content, invalid)
        self._remember(body, answer)
        return answer

    def _answer(
        self, sent: Sent, kind: str, content: dict[str, Any], invalid: list[str]
    ) -> dict[str, Any]:
        lists = {"invaliduser": "|".join(invalid), "invalidparty": "", "invalidtag": ""}
        answer = {**lists, "unlicenseduser": "", "msgid": sent.msgid}
        if kind == "card" and cards.has_buttons(content):
            answer["response_code"] = self.new_code(sent)
        return answer

    def _receivers(self, body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        wanted = [body.get(name, "") for name in ("touser", "toparty", "totag")]
        if not all(isinstance(value, str) for value in wanted):
            raise No(40058, "invalid Request Parameter: receivers are strings joined by |")
        if not any(wanted):
            raise No(82001, "the lists of touser, toparty and totag are all empty")
        if wanted[0] == "@all":
            return self._members(), []
        asked = [name.lower() for name in wanted[0].split("|") if name]
        if len(asked) > 1000:
            raise No(40032, "invalid userid list length")
        known = [name for name in dict.fromkeys(asked) if name in self._members()]
        invalid = [name for name in dict.fromkeys(asked) if name not in known]
        if not known:
            raise No(81013, "user & party & tag all invalid", invaliduser="|".join(invalid))
        return known, invalid

    def _members(self) -> list[str]:
        return [phone.account.lower() for phone in self._phones()]

    def _phones(self) -> list[Any]:
        every = self._state.phones.values()
        return [phone for phone in every if phone.platform == "wecom" and phone.account]

    def _check_agent(self, body: Mapping[str, Any]) -> None:
        if "agentid" not in body:
            raise No(41011, "missing agentid")
        if body["agentid"] != self._company.agent_id:
            raise No(40056, "invalid agentid")

    def _content(self, body: Mapping[str, Any]) -> Shown:
        kind = body.get("msgtype")
        read = CONTENTS.get(str(kind))
        if read is None:
            raise No(40008, "invalid message type")
        content = body.get(str(kind))
        if not isinstance(content, dict):
            raise No(40063, f"some parameters are empty: {kind}")
        return read(self, content)

    def _text(self, content: Mapping[str, Any]) -> Shown:
        return "text", {"text": cut(_filled(content, "content", 44004), TEXT_BYTES)}

    def _markdown(self, content: Mapping[str, Any]) -> Shown:
        text = _filled(content, "content", 44004)
        if size(text) > TEXT_BYTES:
            raise No(45002, "content size out of limit")
        return "markdown", {"text": text}

    def _textcard(self, content: Mapping[str, Any]) -> Shown:
        title, text = _filled(content, "title", 41016), _filled(content, "description", 41033)
        url = _filled(content, "url", 41010)
        if not url.startswith(("http://", "https://")):
            raise No(45034, "url must have a scheme")
        button = str(content.get("btntxt") or "详情")[:4]
        return "link", {"title": title[:128], "text": text[:512], "url": url, "button": button}

    def _image(self, content: Mapping[str, Any]) -> Shown:
        name = _filled(content, "media_id", 41006)
        media = self._state.media.get(name)
        if media is None or (media.until is not None and media.until <= self._state.clock()):
            raise No(40007, "invalid media_id")
        return "image", {"media": name}

    def _card(self, card: Mapping[str, Any]) -> Shown:
        cards.check(card)
        faults = self._state.faults
        if card["card_type"] in cards.INTERACTIVE and faults.take("wecom", "no_buttons"):
            raise No(42031, "invalid Template_Card.CardType")
        if cards.has_buttons(card):
            self._check_interactive(str(card["task_id"]))
        return "card", {**card}

    def _check_interactive(self, task_id: str) -> None:
        if not self._company.callback_url:
            raise No(43012, "require callback url")
        if task_id in self._task_ids:
            raise No(42014, "invalid task_id: used before")

    def _deliver(self, kind: str, content: dict[str, Any], receivers: list[str]) -> Sent:
        sent = Sent(
            msgid=token_urlsafe(30),
            at=self._state.clock(),
            task_id=str(content.get("task_id", "")) if kind == "card" else "",
            held={},
        )
        for userid in receivers:
            if self._may_ring(userid):
                sent.held[userid] = self._show(userid, kind, content)
        self._sent[sent.msgid] = sent
        self._task_ids.add(sent.task_id)
        return sent

    def _show(self, userid: str, kind: str, content: dict[str, Any]) -> Message:
        return self._state.show(chat_of(self._state, userid), kind, {**content})

    def _most(self) -> int | None:
        """Messages a minute that a member sees; None: all of them."""
        dropping = self._state.faults.is_on("wecom", "drop")
        return DROPPED_ABOVE if dropping else self.per_minute

    def _may_ring(self, userid: str) -> bool:
        most = self._most()
        if most is None:
            return True
        new = PerMinute(self._state.clock, most)
        rings = self._counts.setdefault(userid, new).take()
        if not rings:
            self.dropped += 1
            self._state.faults.take("wecom", "drop")  # it is met, if it is on
        return rings

    def _repeated(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """enable_duplicate_check: the same request within the interval reaches nobody again."""
        before = self._repeats.get(_canonical(body))
        if before is None or self._state.clock() >= before[0]:
            return None
        return before[1]

    def _remember(self, body: Mapping[str, Any], answer: dict[str, Any]) -> None:
        if body.get("enable_duplicate_check"):
            asked = body.get("duplicate_check_interval")
            span = min(asked, 4 * 3600) if isinstance(asked, int) else 1800
            until = self._state.clock() + timedelta(seconds=span)
            self._repeats[_canonical(body)] = (until, answer)

    def update(self, call: Call) -> dict[str, Any]:
        body = call.body
        self._check_agent(body)
        asked = _userids(body)
        change = _change(body)
        sent = self._use(body.get("response_code"))
        if body.get("atall") == 1:
            asked = list(sent.held)
        for userid in asked:
            if userid.lower() in sent.held:
                self.redraw(sent.held[userid.lower()], change)
        return {"invaliduser": [u for u in asked if u.lower() not in sent.held]}

    def _use(self, code: Any) -> Sent:
        known = self._codes.pop(str(code), None)
        if known is None or self._state.clock() >= known.until:
            raise No(60140, "invalid response_code")
        return known.sent

    def redraw(self, message: Message, change: Mapping[str, Any]) -> None:
        """Make one phone show the change: a whole card, or only a greyed button."""
        if "template_card" in change:
            message.body = {**change["template_card"]}
        else:
            message.body = {**message.body, "replace_text": change["button"]["replace_name"]}
        self._state.changed(message)

    def recall(self, call: Call) -> dict[str, Any]:
        sent = self._sent.get(str(call.body.get("msgid", "")))
        if sent is None:
            raise No(40058, "invalid Request Parameter: msgid")
        if self._state.clock() - sent.at > RECALL_WITHIN:
            raise No(42052, "msgid expired")
        for message in sent.held.values():
            message.recalled = True
            self._state.changed(message)
        return {}


CONTENTS: dict[str, Callable[[Messages, Mapping[str, Any]], Shown]] = {
    "text": Messages._text,  # noqa: SLF001 - the table of this class
    "markdown": Messages._markdown,  # noqa: SLF001
    "textcard": Messages._textcard,  # noqa: SLF001
    "image": Messages._image,  # noqa: SLF001
    "template_card": Messages._card,  # noqa: SLF001
}


def chat_of(state: State, userid: str) -> str:
    """The chat of a member, whatever the case of the userid."""
    wanted = f"wecom:{userid}".lower()
    return next((phone_id for phone_id in state.phones if phone_id.lower() == wanted), wanted)


def _filled(content: Mapping[str, Any], name: str, code: int) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise No(code, f"empty content: {name}")
    return value


def _userids(body: Mapping[str, Any]) -> list[str]:
    """Arrays here, where message/send takes strings joined by ``|``."""
    for name in ("userids", "partyids", "tagids"):
        if not isinstance(body.get(name, []), list):
            raise No(40035, f"invalid parameter: {name} is an array")
    userids = [str(userid) for userid in body.get("userids", [])]
    if not userids and body.get("atall") != 1:
        raise No(82001, "userids, partyids and tagids are all empty")
    if len(userids) > 1000:
        raise No(40032, "invalid userid list length")
    return userids


def _change(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if "template_card" in body:
        cards.check(body["template_card"], update=True)
        return {"template_card": body["template_card"]}
    button = body.get("button")
    if not isinstance(button, dict) or not isinstance(button.get("replace_name"), str):
        raise No(40063, "some parameters are empty: button or template_card")
    return {"button": button}


def _canonical(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False)
