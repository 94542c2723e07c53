"""Whether the AI bot is connected, without taking the connection from who has it.

WeCom allows one connection per bot and kicks the older one. Who has it stands in the
database of the service; where that says nothing, nobody subscribes to find out: it may
be another database's bot.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType
from sqlalchemy.exc import SQLAlchemyError

from bot.config import AiBot, Settings
from bot.doctor.check import Check, bad, good
from bot.doctor.local import missing
from bot.platforms.shared import SharedClaim
from bot.platforms.wecom.aibot import KICKED, claim_name
from bot.platforms.wecom.aibot_frames import Cmd, read_frame
from bot.wiring import rules
from store.connections import State
from store.db import Store, open_store

NAME = "企业微信智能机器人"
PATIENCE = 10  # seconds for the connection and the first answer
BUSY = {-1, 45009}
"""Not about us: subscribing is rate-limited, too."""
CREDENTIALS = "到管理后台的智能机器人 → API 模式 → 长连接，重新复制 bot_id 和 secret"
Clock = Callable[[], datetime]


async def check(session: ClientSession, settings: Settings, bot: AiBot, clock: Clock) -> Check:
    """From the database; by subscribing for a moment only if nobody can have the connection."""
    async with open_store(settings.database.url, rules(settings), clock) as store:
        try:
            if missing(store):
                return await _unknown(session, bot)
            return await _known(session, store, bot)
        except (SQLAlchemyError, OSError):
            return bad(NAME, "数据库打不开，看不出连没连着", "先看「数据库」那一行")


async def _known(session: ClientSession, store: Store, bot: AiBot) -> Check:
    claim = SharedClaim(store, claim_name(bot))
    last = await claim.state()
    if last is None:
        return await _unknown(session, bot)
    if last is State.KICKED:
        return Check(NAME, ok=False, line=f"✗ {NAME}：{KICKED.text}")
    if not await claim.take():
        return await _running(store, bot)
    if last is State.UP:  # nobody has ended it: it may be a copy of a running one's database
        await claim.drop()
        return bad(
            NAME, "leadbot 没有在运行，或者这是别处数据库的副本", "启动 leadbot 后再运行一次"
        )
    try:
        return await _tried(session, bot)
    finally:
        await claim.drop()


async def _unknown(session: ClientSession, bot: AiBot) -> Check:
    """Nothing of ours has ever had it here, so that only the way there can be looked at."""
    try:
        async with asyncio.timeout(PATIENCE), session.ws_connect(bot.url):
            pass
    except (ClientError, OSError, TimeoutError):
        return _no_way(bot)
    wrong = "看不出连没连着：这个数据库还没有连过它"
    return bad(NAME, wrong, "核对 [database] url；第一次用就先启动 leadbot，再运行一次")


async def _running(store: Store, bot: AiBot) -> Check:
    """Another process has the connection, or tries to get it."""
    async with store.read() as tx:
        link = await tx.connections.find(claim_name(bot))
        alarms = [one for one in await tx.alarms.on() if one.channel == "aibot"]
    up = link is not None and link.state is State.UP
    # What sounded before this connection was made is about the one before.
    wrong = next((a for a in alarms if not (up and link and a.seen_at < link.since)), None)
    if wrong is not None:
        return Check(NAME, ok=False, line=f"✗ {NAME}：{wrong.text}")
    if link is None:
        return bad(NAME, "运行中的 leadbot 正在连", "过一会儿再运行一次")
    since = f"{link.since.astimezone(store.rules.zone):%m-%d %H:%M}"
    if up:
        return good(NAME, f"运行中的 leadbot 连着，{since} 连上的")
    if link.state is State.REFUSED:
        return bad(NAME, "bot_id 或 secret 不对，leadbot 连不上", f"{CREDENTIALS}，改好后重启")
    do = "看这台机器能不能访问 [wecom.aibot] 的 url，出口要放行 wss"
    return bad(NAME, f"leadbot 在运行，但 {since} 起没连上", do)


async def _tried(session: ClientSession, bot: AiBot) -> Check:
    try:
        async with asyncio.timeout(PATIENCE), session.ws_connect(bot.url) as ws:
            code = await _subscribed(ws, bot)
    except (ClientError, OSError, TimeoutError):
        return _no_way(bot)
    if code == 0:
        return good(NAME, "连得上，leadbot 现在没有在运行")
    if code is None or code in BUSY:
        return bad(NAME, "平台忙，现在看不出来", "稍后再运行一次")
    return bad(NAME, f"bot_id 或 secret 不对（{code}）", CREDENTIALS)


def _no_way(bot: AiBot) -> Check:
    return bad(NAME, f"连不上 {bot.url}", "检查网络，出口要放行 wss")


async def _subscribed(ws: ClientWebSocketResponse, bot: AiBot) -> int | None:
    """The errcode of the subscription (D:101463); None if the connection ended before."""
    req_id = f"doctor-{uuid4().hex}"
    body = {"bot_id": bot.bot_id, "secret": bot.secret.get_secret_value()}
    await ws.send_json({"cmd": Cmd.SUBSCRIBE, "headers": {"req_id": req_id}, "body": body})
    async for message in ws:
        frame = read_frame(message.data) if message.type is WSMsgType.TEXT else None
        if frame is not None and frame.req_id == req_id:
            return frame.errcode
    return None
