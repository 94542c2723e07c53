"""The callbacks of WeCom and DingTalk. Nothing slow stands before the answer."""

import json

import structlog
from aiohttp import web

from bot.dispatch import arrived, hear
from bot.incoming import Answer
from bot.keys import DINGTALK, RELAY, STORE, TALLY, WECOM, WORK
from bot.platforms.dingtalk.frames import FREE_EVENTS
from bot.platforms.dingtalk.http import event_type
from bot.platforms.dingtalk.presses import in_time
from store.domain.errors import BadCallback
from store.domain.quota import Api

log = structlog.get_logger()

BODY_BYTES = 1024 * 1024
"""Of a callback: the platforms decide how long it is, and the 2,500 members of a tag take 70 kB."""


@web.middleware
async def strict(request: web.Request, handler):  # type: ignore[no-untyped-def]
    """A forged or broken callback is told so, and logged without what it said."""
    try:
        return await handler(request)
    except BadCallback as bad:
        log.warning("callback refused", path=request.path, why=str(bad), status=bad.status)
        return web.Response(status=bad.status, text=str(bad))
    except web.RequestPayloadError:
        raise web.HTTPBadRequest from None  # a body that is not what its encoding says


async def _body(request: web.Request) -> bytes:
    """Up to ``BODY_BYTES``, whatever the limit of the other routes is; 413 for more."""
    return await request.clone(client_max_size=BODY_BYTES).read()


async def verify_wecom(request: web.Request) -> web.Response:
    """The console's check of our URL: the decrypted text and nothing else (D:90930)."""
    return web.Response(text=request.app[WECOM].verify(request.query))


async def hear_wecom(request: web.Request) -> web.Response:
    callback = request.app[WECOM]
    heard = callback.read(request.query, await _body(request))
    if heard is None:
        return web.Response()
    answer = await hear(request.app[STORE], heard)
    request.app[RELAY].wake()
    if not answer.text:
        return web.Response()
    to = getattr(heard, "account", "")
    return web.Response(text=callback.answer(answer.text, to), content_type="text/xml")


async def hear_robot(request: web.Request) -> web.Response:
    """A robot message in HTTP mode; the words go back through its session (D:receive-message)."""
    store = request.app[STORE]
    body = await _body(request)
    said = request.app[DINGTALK].read_robot_post(request.headers, body, store.clock())
    request.app[TALLY].add(Api.DINGTALK_PUSHES)
    if said is not None:
        await hear(store, said)
        request.app[RELAY].wake()
    return web.json_response({"msgtype": "empty"})


async def hear_event(request: web.Request) -> web.Response:
    """DingTalk's event push; what means nothing to us is acknowledged (D:http-callback-overview)."""
    event, reply = request.app[DINGTALK].read_event(request.query, await _body(request))
    if not event_type(event).startswith(FREE_EVENTS):
        request.app[TALLY].add(Api.DINGTALK_PUSHES)
    heard = request.app[DINGTALK].heard(event)
    if heard is not None:
        await hear(request.app[STORE], heard)
        request.app[RELAY].wake()
    return web.json_response(text=json.dumps(reply))


async def hear_press(request: web.Request) -> web.StreamResponse:
    """A press on an interactive card: the answer is the card's new look (D:event-callback-card)."""
    store, body = request.app[STORE], await _body(request)
    pressed = request.app[DINGTALK].read_press(request.headers, body, store.clock())
    request.app[TALLY].add(Api.DINGTALK_PUSHES)
    answer = Answer()
    if pressed is not None:
        answer = await in_time(request.app[WORK], hear(store, pressed))
        request.app[RELAY].wake()
    words = json.dumps(answer.body or {}, ensure_ascii=False)
    response = web.Response(text=words, content_type="application/json")
    await response.prepare(request)
    await response.write_eof()
    if pressed is not None:
        request.app[DINGTALK].answered(pressed)
    await arrived(store, answer, pressed)
    return response


def add_routes(app: web.Application) -> None:
    """Only for platforms that are configured: a URL nobody gave out does not exist."""
    app.middlewares.append(strict)
    app[WORK] = set()
    if WECOM in app:
        app.router.add_get("/wecom/callback", verify_wecom, allow_head=False)
        app.router.add_post("/wecom/callback", hear_wecom)
    if DINGTALK in app:
        app.router.add_post("/dingtalk/robot", hear_robot)
        app.router.add_post("/dingtalk/events", hear_event)
        if app[DINGTALK].has_cards:
            app.router.add_post("/dingtalk/cards", hear_press)
