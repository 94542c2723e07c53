"""
The page at ``/sandbox/``: everything to see as server-sent events, everything to do as POST.

There is no login here, so the routes exist only under ``leadbot demo``, answer
only to a loopback name, and take POSTs only from the page itself.
"""

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Handler

from bot.sandbox.dingtalk import DingTalk
from bot.sandbox.faults import KNOWN
from bot.sandbox.feed import Change
from bot.sandbox.state import Message, Phone, State
from bot.sandbox.wecom import WeCom

STATIC = Path(__file__).parent / "static"
KINDS = {"index.html": "text/html", "app.js": "text/javascript", "style.css": "text/css"}
FILES = {name: (STATIC / name).read_text(encoding="utf-8") for name in KINDS}
KEEPALIVE_SECONDS = 15.0
LONGEST_LINE = 4000
SATURDAY = 5
FARTHEST = timedelta(days=400)
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)

Advance = Callable[[timedelta], Awaitable[object]]
Body = Mapping[str, Any]


class Wrong(Exception):
    """Shown to whoever pressed: what is wrong, in Chinese."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Page:
    """``advance`` moves the clock and lets everything that fell due happen."""

    state: State
    wecom: WeCom
    dingtalk: DingTalk
    advance: Advance
    zone: ZoneInfo
    own_host: str

    def routes(self, app: web.Application) -> None:
        add = app.router
        add.add_get("/sandbox", _to_page)
        add.add_get("/sandbox/", self._local(self._index))
        add.add_get("/sandbox/events", self._local(self._events))
        add.add_get("/sandbox/api/faults", self._local(self._switches))
        add.add_get("/sandbox/media/{name}", self._local(self._media))
        add.add_get("/sandbox/{name}", self._local(self._file))
        for name, act in self._acts().items():
            add.add_post(f"/sandbox/api/{name}", self._local(_from_page(act)))
        app.on_response_prepare.append(self._notice)
        app.on_shutdown.append(self._hang_up)

    def _acts(self) -> Mapping[str, Callable[[Body], Awaitable[None]]]:
        return {
            "say": self._say,
            "menu": self._choose,
            "enter": self._enter,
            "press": self._press,
            "contacts": self._meet,
            "scan": self._scan,
            "part": self._part,
            "kf": self._ask_desk,
            "confirm": self._confirm,
            "clock": self._clock,
            "faults": self._fault,
        }

    def _local(self, handler: Handler) -> Handler:
        """Refuse names that only point here by DNS: a stranger's page could use one."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if not _is_loopback(request.host) and request.host != self.own_host:
                return web.Response(status=403, text="沙盒只在本机打开")
            return await handler(request)

        return handle

    async def _index(self, request: web.Request) -> web.Response:
        return _static("index.html")

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in FILES:
            raise web.HTTPNotFound
        return _static(name)

    async def _media(self, request: web.Request) -> web.Response:
        media = self.state.media.get(request.match_info["name"])
        if media is None:
            raise web.HTTPNotFound
        kind = media.kind if media.kind.startswith("image/") else "application/octet-stream"
        return web.Response(body=media.data, content_type=kind, headers=_headers())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """A snapshot, then every change. Ends when the watcher is too far behind."""
        response = web.StreamResponse(headers={**_headers(), "Cache-Control": "no-store"})
        response.content_type = "text/event-stream"
        with self.state.feed.watch() as queue:
            await response.prepare(request)
            try:
                await response.write(_event("snapshot", self._snapshot()))
                while (chunk := await _next(queue)) is not None:
                    await response.write(chunk)
            except ClientConnectionResetError:
                pass
        return response

    def _snapshot(self) -> dict[str, Any]:
        return {**self.state.snapshot(), "zone": str(self.zone)}

    async def _say(self, body: Body) -> None:
        phone, text = self._phone(body), _line(body)
        self.state.tick("follow" if _is_command(text, "跟进", "log") else "say")
        if _is_command(text, "退回", "return"):
            self.state.tick("return")
        if phone.role == "group":
            await self._say_in_group(phone, str(body.get("by", "")), text)
        elif phone.platform == "wecom":
            await self.wecom.hand.say(phone.account, text)
        else:
            await self.dingtalk.hand.say(phone.account, text)

    async def _choose(self, body: Body) -> None:
        """A press on the menu of WeCom's app: ``{"phone", "key"}``."""
        phone = self._in_the_app(body)
        if not await self.wecom.menu.press(phone.account, str(body.get("key", ""))):
            raise Wrong("菜单里没有这一项", 404)

    async def _enter(self, body: Body) -> None:
        """Somebody opens the chat with WeCom's app: ``{"phone"}``."""
        await self.wecom.hand.enter(self._in_the_app(body).account)

    def _in_the_app(self, body: Body) -> Phone:
        phone = self._phone(body)
        if phone.platform != "wecom" or phone.role == "group":
            raise Wrong("这不是企业微信应用的聊天")
        return phone

    async def _say_in_group(self, group: Phone, by: str, text: str) -> None:
        if group.platform == "wecom":
            await self._say_to_aibot(by, text)
            return
        if not await self.dingtalk.hand.say(by, text, in_group=True):
            raise Wrong("先选是谁在说")

    async def _say_to_aibot(self, by: str, text: str) -> None:
        """Apps hear nothing in groups; the AI bot hears who mentions it."""
        phone = self.state.phones.get(f"wecom:{by}")
        if phone is None:
            raise Wrong("先选是谁在说")
        if not await self.wecom.aibot.say(
            phone.account, f"@线索助手 {text}", in_group=True, name=phone.name
        ):
            raise Wrong("智能机器人没有连上", 503)

    async def _press(self, body: Body) -> None:
        message, value = self._message(body), str(body.get("value", ""))
        if message.chat.startswith("wecom"):
            done = await self.wecom.hand.press(message, value)
        else:
            done = await self.dingtalk.hand.press(message, value, str(body.get("by", "")))
        if not done:
            raise Wrong("这张卡片刚刚变了，看看新的样子", 409)
        self._tick_press(str(body.get("label", "")))

    def _tick_press(self, label: str) -> None:
        if label.startswith(("接受", "领取")):
            self.state.tick("accept")
        if label.startswith("退回"):
            self.state.tick("return")

    async def _meet(self, body: Body) -> None:
        phone = self.state.phones.get(f"wecom:{body.get('userid')}")
        if phone is None:
            raise Wrong("没有这位企业微信成员")
        name = str(body.get("name") or "微信客户")[:40]
        await self.wecom.hand.meet(phone.account, name, str(body.get("state") or "")[:30])

    async def _scan(self, body: Body) -> None:
        way = self.wecom.ways.named(str(body.get("state", "")))
        if way is None:
            raise Wrong("没有这个渠道的活码，先在聊天里发「活码」做一个")
        await self.wecom.hand.scan(way, str(body.get("name") or "微信客户")[:40])

    async def _part(self, body: Body) -> None:
        contact = self.state.contacts.get(str(body.get("contact", "")))
        userid = str(body.get("userid", ""))
        if contact is None or userid not in contact.follows:
            raise Wrong("他们不是好友")
        await self.wecom.hand.part(contact, userid, by_customer=body.get("by") != "member")

    async def _ask_desk(self, body: Body) -> None:
        """A customer of 微信客服 writes: ``{"contact", "text"}``."""
        contact = self.state.contacts.get(str(body.get("contact", "")))
        if contact is None:
            raise Wrong("没有这位客户", 404)
        await self.wecom.kf.written(contact.external_userid, _line(body))

    async def _confirm(self, body: Body) -> None:
        self.wecom.contacts.confirm(self._message(body))

    async def _switches(self, request: web.Request) -> web.Response:
        return web.json_response(self.state.faults.json(), headers=_headers())

    async def _fault(self, body: Body) -> None:
        """``{"platform", "fault", "on", "count"?, "after"?}``; ``{"on": false}`` mends everything."""
        platform, name = str(body.get("platform", "")), str(body.get("fault", ""))
        known = name in KNOWN.get(platform, {})
        if body.get("on") is not True:
            if (platform or name) and not known:
                raise Wrong("没有这种故障", 404)
            self.state.faults.off(platform, name)
        elif known:
            count = _number(body, "count", 1)
            self.state.faults.on(platform, name, count=count, after=_number(body, "after", 0) or 0)
        else:
            raise Wrong("没有这种故障", 404)

    async def _clock(self, body: Body) -> None:
        span = _span(body, self.state.clock().astimezone(self.zone))
        await self.advance(span)
        self.state.moved(span)

    def _phone(self, body: Body) -> Phone:
        phone = self.state.phones.get(str(body.get("phone", "")))
        if phone is None:
            raise Wrong("没有这部手机", 404)
        return phone

    def _message(self, body: Body) -> Message:
        number = body.get("message")
        message = self.state.find(number) if isinstance(number, int) else None
        if message is None:
            raise Wrong("这条消息已经不在了", 404)
        return message

    async def _notice(self, request: web.Request, response: web.StreamResponse) -> None:
        """The prospect's doings tick their steps of the tour."""
        if response.status >= 400:
            return
        if request.method == "POST" and request.path.startswith("/f/"):
            self.state.tick("form")
        if request.path.startswith("/t/"):
            self.state.tick("click")

    async def _hang_up(self, _app: web.Application) -> None:
        self.state.feed.close()


async def _to_page(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/sandbox/")


def _from_page(act: Callable[[Body], Awaitable[None]]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if not _same_origin(request):
            return _problem("这里只接受沙盒页面自己的请求", 403)
        try:
            await act(await _body(request))
        except Wrong as wrong:
            return _problem(str(wrong), wrong.status)
        return web.json_response({"ok": True})

    return handle


def _same_origin(request: web.Request) -> bool:
    """What a browser says about where a request comes from; saying nothing is not enough."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return urlsplit(origin).netloc == request.host
    return site == "same-origin"


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


async def _body(request: web.Request) -> Body:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise Wrong("请求不是 JSON") from None
    if not isinstance(body, dict):
        raise Wrong("请求不是 JSON 对象")
    return body


def _line(body: Body) -> str:
    text = str(body.get("text", "")).encode(errors="replace").decode().strip()
    if not text:
        raise Wrong("先写点什么")
    return text[:LONGEST_LINE]


def _is_command(text: str, *words: str) -> bool:
    return text.lstrip("/／ ").lower().startswith(words)


def _number(body: Body, name: str, least: int) -> int | None:
    number = body.get(name)
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or number < least:
        raise Wrong(f"{name} 要写成不小于 {least} 的整数")
    return number


def _span(body: Body, now: datetime) -> timedelta:
    """``{"minutes": n}``, ``{"hours": n}``, ``{"days": n}`` or ``{"until": "18:30"}``.

    ``"weekday": true`` beside ``until`` skips Saturdays and Sundays.
    """
    if "until" in body:
        span = _until(str(body["until"]), now)
        return _to_weekday(span, now) if body.get("weekday") is True else span
    parts = {name: body[name] for name in ("minutes", "hours", "days") if name in body}
    if not parts or not all(isinstance(n, int | float) for n in parts.values()):
        raise Wrong("拨多久？")
    try:
        span = timedelta(**parts)
    except (OverflowError, ValueError):
        raise Wrong("拨得太远了") from None
    if not timedelta() < span <= FARTHEST:
        raise Wrong("只能往前拨，一次最多 400 天")
    return span


def _until(clock_time: str, now: datetime) -> timedelta:
    """To the next time the clock shows this, a little past it so that it has struck."""
    try:
        hour = time.fromisoformat(clock_time)
    except ValueError:
        raise Wrong("时间要写成 18:30 这样") from None
    at = now.replace(hour=hour.hour, minute=hour.minute, second=5, microsecond=0)
    return at - now if at > now else at + timedelta(days=1) - now


def _to_weekday(span: timedelta, now: datetime) -> timedelta:
    while (now + span).weekday() >= SATURDAY:
        span += timedelta(days=1)
    return span


async def _next(queue: asyncio.Queue[Change | None]) -> bytes | None:
    """What to write next: a comment when nothing happens, None when it is over."""
    try:
        change = await asyncio.wait_for(queue.get(), KEEPALIVE_SECONDS)
    except TimeoutError:
        return b": still here\n\n"
    return None if change is None else _event(*change)


def _event(kind: str, data: Mapping[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False)
    return f"event: {kind}\ndata: {text}\n\n".encode(errors="replace")


def _problem(why: str, status: int) -> web.Response:
    text = json.dumps({"error": why}, ensure_ascii=False)
    return web.Response(text=text, status=status, content_type="application/json")


def _static(name: str) -> web.Response:
    return web.Response(text=FILES[name], content_type=KINDS[name], headers=_headers())


def _headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-cache",
    }
