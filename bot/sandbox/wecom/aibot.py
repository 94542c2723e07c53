"""
The AI bot's gateway (D:101463): one connection per bot, frames that want an answer.

Who subscribes later kicks who was there. Answers are taken for what they answer:
a stream for a message, a welcome for an entering, an update for a press, each in
its time. Windows of seconds are real ones, those of hours the demo's.
"""

import asyncio
import json
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from aiohttp import ClientConnectionResetError, WSMsgType, web

from bot.sandbox import wire
from bot.sandbox.limits import PerMinute, size
from bot.sandbox.state import Message, State, group_of
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.errors import No

STREAM_BYTES = 20480
TEXT_BYTES = 2048
ANSWERABLE = timedelta(hours=24)
STREAM_LIFE = timedelta(minutes=6)
EVENT_SECONDS = 5.0
MOST_PER_MINUTE, MOST_PER_HOUR = 30, 1000
HOUR = timedelta(hours=1)
GROUP = "wrSandboxGroup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A callback that was sent: what may answer it, where, and since when."""

    kind: str  # message, enter, press
    conversation: str
    chat: str
    at: datetime
    monotonic: float
    message: Message | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Stream:
    shown: Message
    at: datetime
    finished: bool


@dataclass(slots=True)
class Gateway:
    """``url`` is where it listens. ``deaf``: pings and answers get no acknowledgement, as on a half-open socket. ``mute``: commands that are carried out and not acknowledged."""

    bot_id: str
    secret: str
    state: State
    url: str = ""
    deaf: bool = False
    mute: set[str] = field(default_factory=set)
    kicked: int = 0
    subscribed: int = 0
    _live: web.WebSocketResponse | None = None
    _asked: dict[str, Asked] = field(default_factory=dict)
    _streams: dict[str, Stream] = field(default_factory=dict)
    _task_ids: set[str] = field(default_factory=set)
    _sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    _rates: dict[str, PerMinute] = field(default_factory=dict)
    _hours: dict[str, PerMinute] = field(default_factory=dict)
    _deeds: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, deed in (("cut", self.drop), ("kicked", self.kick)):
            self.state.faults.deed("wecom", name, lambda deed=deed: self._spawn(deed()))  # type: ignore[misc]

    def _swallowed(self) -> bool:
        """Whether the connection looks alive and this does not get through."""
        return self.deaf or self.state.faults.take("wecom", "half_open")

    @property
    def connected(self) -> bool:
        return self._live is not None

    # -- the wire ---------------------------------------------------------------

    async def connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not await self._frame(socket, message.data):
                    break
        finally:
            if self._live is socket:
                self._live = None
        await socket.close()
        return socket

    async def _frame(self, socket: web.WebSocketResponse, text: str) -> bool:
        """Whether the connection goes on."""
        try:
            frame = json.loads(text)
            cmd, req_id = str(frame["cmd"]), str(frame["headers"]["req_id"])
        except (ValueError, KeyError, TypeError):
            return False
        code = await self._done(socket, cmd, req_id, frame.get("body") or {})
        said = {"errcode": code, "errmsg": _says(code)}
        heard = not self._swallowed() and cmd not in self.mute
        if heard:
            with suppress(ClientConnectionResetError):
                await socket.send_json({"headers": {"req_id": req_id}, **said})
        if cmd != "ping":
            body, answered = frame.get("body"), said if heard else "没有确认"
            self._log(f"WS {cmd}", "out", 200 if heard else 0, body, answered)
        return cmd != "aibot_subscribe" or code == 0

    async def _done(
        self, socket: web.WebSocketResponse, cmd: str, req_id: str, body: Mapping[str, Any]
    ) -> int:
        if cmd == "aibot_subscribe":
            return await self._subscribe(socket, body)
        if socket is not self._live:
            return 846604  # nothing is taken before subscribing
        try:
            self._act(cmd, req_id, body)
        except No as no:
            return no.errcode
        return 0

    async def _subscribe(self, socket: web.WebSocketResponse, body: Mapping[str, Any]) -> int:
        if (body.get("bot_id"), body.get("secret")) != (self.bot_id, self.secret):
            return 40001
        older, self._live = self._live, socket
        self.subscribed += 1
        await self._kick(older)
        return 0

    async def kick(self) -> None:
        """Somebody else connects as this bot, and goes again."""
        older, self._live = self._live, None
        await self._kick(older)

    async def _kick(self, older: web.WebSocketResponse | None) -> None:
        if older is None:
            return
        self.kicked += 1
        with suppress(ClientConnectionResetError):
            await older.send_json(self._callback("disconnected_event"))
        await older.close()

    async def drop(self) -> None:
        """The network goes away under the connection."""
        if self._live is not None:
            await self._live.close(code=1011)

    def _spawn(self, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(deed)
        self._deeds.add(task)
        task.add_done_callback(self._deeds.discard)

    def _act(self, cmd: str, req_id: str, body: Mapping[str, Any]) -> None:
        acts = {
            "ping": lambda: None,
            "aibot_respond_msg": lambda: self._respond(req_id, body),
            "aibot_respond_welcome_msg": lambda: self._welcome(req_id, body),
            "aibot_respond_update_msg": lambda: self._update(req_id, body),
            "aibot_send_msg": lambda: self._push(body),
        }
        if cmd not in acts:
            raise No(40008, "invalid cmd")
        acts[cmd]()

    # -- what the product says --------------------------------------------------

    def _respond(self, req_id: str, body: Mapping[str, Any]) -> None:
        asked = self._asked.get(req_id)
        if asked is None or asked.kind != "message":
            raise No(846605, "invalid req_id")
        if self.state.clock() - asked.at > ANSWERABLE:
            raise No(846605, "invalid req_id")
        if body.get("msgtype") == "stream":
            self._stream(asked, body.get("stream"))
        else:
            self._show(asked.conversation, asked.chat, body, ("markdown", "template_card"))

    def _stream(self, asked: Asked, stream: Any) -> None:
        """Each refresh carries the whole text; one that is finished changes no more."""
        if not isinstance(stream, dict) or not stream.get("id"):
            raise No(40058, "invalid Request Parameter: stream.id")
        if "msg_item" in stream:
            raise No(40058, "invalid Request Parameter: stream.msg_item")
        content = _content(stream, STREAM_BYTES)
        known = self._streams.get(stream["id"])
        if known is None:
            self._pace(asked.conversation)
            shown = self.state.show(asked.chat, "markdown", {"text": content})
            known = self._streams[stream["id"]] = Stream(shown=shown, at=asked.at, finished=False)
        elif known.finished and known.shown.body["text"] != content:
            raise No(846608, "stream message update expired")
        if self.state.clock() - known.at > STREAM_LIFE:
            raise No(846608, "stream message update expired (>6 minutes)")
        known.shown.body = {"text": content}
        known.finished = bool(stream.get("finish"))
        self.state.changed(known.shown)

    def _welcome(self, req_id: str, body: Mapping[str, Any]) -> None:
        asked = self._take(req_id, "enter")
        if body.get("msgtype") == "text":
            text = _content(body.get("text"), TEXT_BYTES)
            self.state.show(asked.chat, "text", {"text": text})
            return
        self._show(asked.conversation, asked.chat, body, ("template_card",))

    def _update(self, req_id: str, body: Mapping[str, Any]) -> None:
        asked = self._take(req_id, "press")
        if body.get("response_type") != "update_template_card":
            raise No(40058, "invalid Request Parameter: response_type")
        _check(body.get("template_card"), update=True)
        if asked.message is not None:
            asked.message.body = dict(body["template_card"])
            self.state.changed(asked.message)

    def _take(self, req_id: str, kind: str) -> Asked:
        """An event is answered once, within five seconds."""
        asked = self._asked.get(req_id)
        if (
            asked is None
            or asked.kind != kind
            or time.monotonic() - asked.monotonic > EVENT_SECONDS
        ):
            raise No(846605, "invalid req_id")
        del self._asked[req_id]
        return asked

    def _push(self, body: Mapping[str, Any]) -> None:
        """Only where somebody has talked to the bot before; no plain text."""
        conversation = str(body.get("chatid") or "")
        known = [a for a in self._asked.values() if a.conversation == conversation]
        if not known:
            raise No(93006, "invalid chatid")
        if body.get("chat_type") != (2 if conversation == GROUP else 1):
            raise No(40058, "invalid Request Parameter: chat_type")
        self._show(conversation, known[0].chat, body, ("markdown", "template_card"))

    def _show(
        self, conversation: str, chat: str, body: Mapping[str, Any], kinds: tuple[str, ...]
    ) -> None:
        kind = body.get("msgtype")
        if kind not in kinds:
            raise No(40008, "invalid msgtype")
        if kind == "markdown":
            self._pace(conversation)
            content = _content(body.get("markdown"), STREAM_BYTES)
            self.state.show(chat, "markdown", {"text": content})
            return
        if conversation == GROUP:
            raise No(40058, "template_card is for single chats")
        card: dict[str, Any] = dict(body.get("template_card") or {})
        _check(card, update=False)
        self._new_task(card)
        self._pace(conversation)
        self.state.show(chat, "card", card)

    def _new_task(self, card: Mapping[str, Any]) -> None:
        if card["task_id"] in self._task_ids:
            raise No(42014, "task_id exists")
        self._task_ids.add(card["task_id"])

    def _pace(self, conversation: str) -> None:
        clock = self.state.clock
        minute = self._rates.setdefault(conversation, PerMinute(clock, MOST_PER_MINUTE))
        hour = self._hours.setdefault(conversation, PerMinute(clock, MOST_PER_HOUR, HOUR))
        if not (minute.take() and hour.take()):
            raise No(45009, "api freq out of limit")

    # -- what people do ---------------------------------------------------------

    async def say(
        self, userid: str, text: str, *, in_group: bool = False, name: str = "", **more: Any
    ) -> str:
        """A line; in a group with the bot mentioned first. The msgid; "" if nobody listens."""
        chat = group_of("wecom") if in_group else f"wecom-aibot:{userid}"
        self.state.show(chat, "text", {"text": text}, by=name or userid, mine=not in_group)
        content = {"msgtype": "text", "text": {"content": text}} | more
        return await self._tell("aibot_msg_callback", userid, chat, "message", content)

    async def press(self, userid: str, message: Message, key: str) -> str:
        """A button of a card in the single chat; told once, whether anybody listens or not."""
        buttons = message.body.get("button_list", ())
        if message.kind != "card" or key not in [button["key"] for button in buttons]:
            return ""
        card = {
            "card_type": message.body["card_type"],
            "event_key": key,
            "task_id": message.body.get("task_id", ""),
        }
        event = {"eventtype": "template_card_event", "template_card_event": card}
        body = {"msgtype": "event", "event": event}
        chat = f"wecom-aibot:{userid}"
        return await self._tell("aibot_event_callback", userid, chat, "press", body, message)

    async def enter(self, userid: str) -> str:
        """The first look of the day into the single chat."""
        body = {"msgtype": "event", "event": {"eventtype": "enter_chat"}}
        return await self._tell(
            "aibot_event_callback", userid, f"wecom-aibot:{userid}", "enter", body
        )

    async def again(self, msgid: str) -> None:
        """The same callback once more, under a new req_id."""
        old = self._sent[msgid]
        req_id = token_hex(12)
        self._asked[req_id] = self._asked[old["headers"]["req_id"]]
        if self._live is not None:
            await self._live.send_json({**old, "headers": {"req_id": req_id}})

    async def _tell(  # noqa: PLR0913, PLR0917 - what a callback consists of
        self,
        cmd: str,
        userid: str,
        chat: str,
        kind: str,
        content: Mapping[str, Any],
        message: Message | None = None,
    ) -> str:
        group = chat == group_of("wecom")
        where = {"chattype": "group", "chatid": GROUP} if group else {"chattype": "single"}
        told = self._body({**content, "from": {"userid": userid}, **where})
        req_id = token_hex(12)
        frame: dict[str, Any] = {"cmd": cmd, "headers": {"req_id": req_id}, "body": told}
        if self._live is None:
            self._log(f"WS {cmd}", "in", 0, told)
            return ""
        self._asked[req_id] = Asked(
            kind=kind,
            conversation=GROUP if group else userid,
            chat=chat,
            at=self.state.clock(),
            monotonic=time.monotonic(),
            message=message,
        )
        self._sent[told["msgid"]] = frame
        if not self._swallowed():
            await self._live.send_json(frame)
        self._log(f"WS {cmd}", "in", 101, told)
        return str(told["msgid"])

    def _callback(self, event: str) -> dict[str, Any]:
        body = self._body({"msgtype": "event", "event": {"eventtype": event}})
        return {"cmd": "aibot_event_callback", "headers": {"req_id": token_hex(12)}, "body": body}

    def _body(self, content: Mapping[str, Any]) -> dict[str, Any]:
        head = {"msgid": f"CAIQ{token_hex(16)}", "aibotid": self.bot_id}
        return {**head, "create_time": int(self.state.clock().timestamp()), **content}

    def _log(self, call: str, direction: Any, status: int, asked: Any, answered: Any = "") -> None:
        line = wire.Exchange(
            platform="wecom",
            direction=direction,
            call=call,
            status=status,
            asked=asked,
            answered=answered,
        )
        wire.note(self.state, line)


def _check(card: Any, *, update: bool) -> None:
    """The bot's cards know no links on buttons and no files (D:101032)."""
    cards.check(card, update=update)
    if any(button.get("type", 0) != 0 for button in card.get("button_list", ())):
        raise No(42038, "invalid Template_Card.button_list.type")
    if any(part.get("type") == 2 for part in card.get("horizontal_content_list", ())):
        raise No(42029, "invalid Template_Card.horizontal_content_list.type")


def _content(part: Any, most: int) -> str:
    content = part.get("content") if isinstance(part, dict) else None
    if not isinstance(content, str) or not content:
        raise No(44004, "empty content")
    if size(content) > most:
        raise No(45002, "content size out of limit")
    return content


def _says(code: int) -> str:
    return "ok" if code == 0 else "refused"
