"""Whether the AI bot is connected, without taking the connection from who has it.

WeCom allows one connection per bot and kicks the older one, so it is only tried
while no process of ours holds the claim.
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
from bot.platforms.wecom.aibot import claim_name
from bot.platforms.wecom.aibot_frames import Cmd, read_frame
from bot.wiring import rules
from store.db import Store, open_store

NAME = "企业微信智能机器人"
PATIENCE = 10  # seconds for the connection and the first answer
BUSY = {-1, 45009}
"""Not about us: subscribing is rate-limited, too."""
Clock = Callable[[], datetime]


async def check(session: ClientSession, settings: Settings, bot: AiBot, clock: Clock) -> Check:
    """From the database if the service holds the connection, else by connecting for a moment."""
    store = open_store(settings.database.url, rules(settings), clock)
    claim = SharedClaim(store, claim_name(bot))
    try:
        if missing(store):  # then nothing of ours is running
            return await _tried(session, bot)
        if not await claim.take():
            return await _running(store)
        try:
            return await _tried(session, bot)
        finally:
            await claim.drop()
    except (SQLAlchemyError, OSError):
        return bad(NAME, "数据库打不开，看不出连没连着", "先看「数据库」那一行")
    finally:
        await store.close()


async def _running(store: Store) -> Check:
    """Another process has the connection, or tries to get it: then there is an alarm."""
    async with store.read() as tx:
        wrong = next((one for one in await tx.alarms.on() if one.channel == "aibot"), None)
    if wrong is None:
        return good(NAME, "运行中的 leadbot 连着")
    return Check(NAME, ok=False, line=f"✗ {NAME}：{wrong.text}")


async def _tried(session: ClientSession, bot: AiBot) -> Check:
    try:
        async with asyncio.timeout(PATIENCE), session.ws_connect(bot.url) as ws:
            code = await _subscribed(ws, bot)
    except (ClientError, OSError, TimeoutError) as error:
        return bad(NAME, f"连不上 {bot.url}（{type(error).__name__}）", "检查网络，出口要放行 wss")
    if code == 0:
        return good(NAME, "连得上，leadbot 现在没有在运行")
    if code is None or code in BUSY:
        return bad(NAME, "平台忙，现在看不出来", "稍后再运行一次")
    do = "到管理后台的智能机器人 → API 模式 → 长连接，重新复制 bot_id 和 secret"
    return bad(NAME, f"bot_id 或 secret 不对（{code}）", do)


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
