"""What a person's hand does in DingTalk: a line, or a button that is a line."""

import base64
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.instances import Instances
from bot.sandbox.dingtalk.stream import Gateway
from bot.sandbox.dingtalk.webhooks import Sessions
from bot.sandbox.state import Message, Phone, State, group_of


class Hand:
    """``base``: where the stand-in itself can be reached, for the session webhook."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything a hand can reach
        self,
        org: Org,
        state: State,
        gateway: Gateway,
        sessions: Sessions,
        instances: Instances,
        base: str = "",
    ) -> None:
        self._org = org
        self._state = state
        self._gateway = gateway
        self._sessions = sessions
        self._instances = instances
        self._ids: dict[str, str] = {}
        self.base = base

    async def say(self, staff_id: str, text: str, *, in_group: bool = False) -> bool:
        """Say a line to the bot, or @ it in the group. False for an unknown person."""
        person = self._state.phones.get(f"dingtalk:{staff_id}")
        if person is None:
            return False
        chat = group_of("dingtalk") if in_group else person.id
        shown = f"@线索助手 {text}" if in_group else text
        by = person.name if in_group else ""
        self._state.show(chat, "text", {"text": shown}, by=by, mine=True)
        message = self._message(person, text, chat, in_group=in_group)
        await self._gateway.push(shaped(message, self._shape(), text))
        return True

    def _shape(self) -> str:
        """How this message is to come, if somebody wants it odd."""
        return next((name for name in SHAPES if self._state.faults.take("dingtalk", name)), "")

    async def press(self, message: Message, url: str, staff_id: str = "") -> bool:
        """Follow a command link of a message, or press a card. False if it has no such thing."""
        if message.kind == "instance":
            return await self._instances.press(message, url)
        if message.recalled or not _has(message, url):
            return False
        in_group = message.chat == group_of("dingtalk")
        who = staff_id if in_group else message.chat.removeprefix("dingtalk:")
        return await self.say(who, command_of(url), in_group=in_group)

    def _message(self, person: Phone, text: str, chat: str, *, in_group: bool) -> dict[str, Any]:
        now = self._state.clock()
        session = self._sessions.start(chat)
        return {
            **self._conversation(chat, in_group=in_group),
            **self._sender(person),
            "senderPlatform": "Mac",
            "msgId": f"msg{_opaque()}",
            "createAt": _milliseconds(now),
            "sessionWebhook": f"{self.base}/robot/sendBySession?session={session.id}",
            "sessionWebhookExpiredTime": _milliseconds(session.until),
            "robotCode": self._org.client_id,
            "msgtype": "text",
            "text": {"content": f" {text}" if in_group else text},
        }

    def _conversation(self, chat: str, *, in_group: bool) -> Mapping[str, Any]:
        bot = self._id("bot")
        common = {"chatbotCorpId": self._org.corp_id, "chatbotUserId": bot}
        if not in_group:
            own = self._ids.setdefault(chat, f"cid{_opaque()}")
            return {**common, "conversationId": own, "conversationType": "1"}
        return {
            **common,
            "conversationId": self._org.group_id,
            "conversationType": "2",
            "conversationTitle": self._org.group_title,
            "atUsers": [{"dingtalkId": bot}],
            "isInAtList": True,
        }

    def _sender(self, person: Phone) -> Mapping[str, Any]:
        return {
            "senderNick": person.name,
            "senderStaffId": person.account,
            "senderId": self._id(person.account),
            "senderCorpId": self._org.corp_id,
            "isAdmin": person.role in ("admin", "manager"),
        }

    def _id(self, whose: str) -> str:
        return self._ids.setdefault(f"id:{whose}", f"$:LWCP_v1:${_opaque()}")


def _content(kind: str, **content: object) -> dict[str, Any]:
    return {"msgtype": kind, "content": content}


SHAPES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "spent_text": lambda _: {"errorCode": 20001, "errorMessage": "消息推送次数超过上限"},
    "unknown_kind": lambda _: _content("unknownMsgType", unknownMsgType="interactiveCard"),
    "picture": lambda _: _content("picture", downloadCode=_opaque()),
    "rich": lambda text: _content(
        "richText", richText=[{"text": text}, {"type": "picture", "downloadCode": _opaque()}]
    ),
    "audio": lambda text: _content(
        "audio", duration=4000, downloadCode=_opaque(), recognition=text
    ),
    "file": lambda _: _content("file", fileName="报价.xlsx", downloadCode=_opaque(), fileId="1"),
    "no_staff": lambda text: {"text": {"content": text}, "senderStaffId": ""},
    "foreign": lambda text: {"text": {"content": text}, "senderCorpId": "ding0another"},
    "extra": lambda text: {
        "text": {"content": f" {text}", "isReplyMsg": False},
        "openThreadId": _opaque(),
        "hostingContext": {"userId": "x"},
        "originalMsgId": _opaque(),
    },
}
"""What of a text message is otherwise (2.1), by the name of its switch."""


def shaped(message: Mapping[str, Any], shape: str, text: str) -> dict[str, Any]:
    """``message`` in one of ``SHAPES``; "" for a text as it was said."""
    if not shape:
        return dict(message)
    return {key: value for key, value in message.items() if key != "text"} | SHAPES[shape](text)


def command_of(url: str) -> str:
    """The text a ``dtmd://dingtalkclient/sendMessage`` link sends; "" for any other link."""
    parts = urlsplit(url)
    if (parts.scheme, parts.netloc, parts.path) != ("dtmd", "dingtalkclient", "/sendMessage"):
        return ""
    return parse_qs(parts.query).get("content", [""])[0]


def _has(message: Message, url: str) -> bool:
    """Whether pressing it is possible: a button, or a link in the text."""
    buttons = [button["url"] for button in message.body.get("buttons", [])]
    linked = f"]({url})" in message.body.get("text", "")
    return bool(command_of(url)) and (url in buttons or linked)


def _opaque() -> str:
    return base64.b64encode(secrets.token_bytes(18)).decode()


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
