"""For operators: alive, ready, metrics. They tell counts and states, nothing of a person."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from bot.keys import READY, STORE
from handlers.quota import counted
from store.domain.alarms import Standing
from store.domain.team import Channel

WAITING = Gauge("leadbot_outbox_waiting", "Messages that have not reached their phone")
USED = Gauge(
    "leadbot_quota_used",
    "What is used of a platform's limit; of the busiest account",
    ["api", "span"],
)
ALLOWED = Gauge("leadbot_quota_allowed", "What a platform allows", ["api", "span"])
ALARMS = Gauge("leadbot_alarms", "What only the admin can mend: 1 for each that is on", ["key"])
PATIENCE = 2
PLATFORMS = {Channel.WECOM, Channel.DINGTALK}


async def alive(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Database, relay and platforms, each usable or not; 503 when one is not.

    ``problems`` names every alarm that is on; those of a side channel or of one
    person's account leave the service ready.
    """
    states = {name: check() for name, check in request.app[READY].items()}
    problems: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE), request.app[STORE].read() as tx:
            WAITING.set(await tx.outbox.waiting())
            alarms = await tx.alarms.on()
        problems = [f"{alarm.about} since {alarm.since:%Y-%m-%dT%H:%MZ}" for alarm in alarms]
        states |= dict.fromkeys((a.channel for a in alarms if _whole(a)), False)
        states["database"] = True
    except (SQLAlchemyError, OSError, TimeoutError):
        states["database"] = False
    told = {"problems": problems} if problems else {}
    return web.json_response(states | told, status=200 if all(states.values()) else 503)


def _whole(alarm: Standing) -> bool:
    """Whether it stops everything that goes out to a platform."""
    return alarm.channel in PLATFORMS and not alarm.account


async def metrics(request: web.Request) -> web.Response:
    async with request.app[STORE].read() as tx:
        WAITING.set(await tx.outbox.waiting())
        for used in await counted(tx):
            USED.labels(used.meter.api, used.meter.span).set(used.count)
            ALLOWED.labels(used.meter.api, used.meter.span).set(used.meter.allowed)
        ALARMS.clear()
        for alarm in await tx.alarms.on():
            ALARMS.labels(alarm.about).set(1)
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def add_routes(app: web.Application) -> None:
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
