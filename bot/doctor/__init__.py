"""``leadbot doctor``: asks the platforms, one line each, and says what to do."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from aiohttp import ClientSession

from bot.config import Settings
from bot.doctor import aibot, dingtalk, local, wecom
from bot.doctor.check import Check, bad, good
from store.db import utcnow

__all__ = ["Check", "bad", "examine", "good"]


async def examine(
    settings: Settings, clock: Callable[[], datetime] = utcnow
) -> AsyncIterator[Check]:
    """Every check, as its answer comes. Shows nothing to anybody and changes no database."""
    team = await local.people(settings, clock)
    async with ClientSession() as session:
        if settings.wecom is not None:
            used = await local.meets_customers(settings, clock)
            async for check in wecom.checks(
                session, settings, clock, people=team, meets_customers=used
            ):
                yield check
            if settings.wecom.aibot is not None:
                yield await aibot.check(session, settings, settings.wecom.aibot, clock)
        if settings.dingtalk is not None:
            async for check in dingtalk.checks(session, settings, clock, team):
                yield check
        if settings.wecom is None and settings.dingtalk is None:
            yield bad("平台", "一个都没有配置", "在 leadbot.toml 里写 [wecom] 或 [dingtalk]")
        yield await local.clock_skew(session, settings, clock)
    async for check in local.checks(settings, clock):
        yield check
