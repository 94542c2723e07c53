"""For operators: alive, ready, metrics. They tell counts and states, nothing of a person."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from bot.keys import READY, STORE
from handlers.quota import counted

WAITING = Gauge("leadbot_outbox_waiting", "Messages that have not reached their phone")
USED = Gauge(
    "leadbot_quota_used",
    "What is used of a platform's limit; of the busiest account",
    ["api", "span"],
)
ALLOWED = Gauge("leadbot_quota_allowed", "What a platform allows", ["api", "span"])
PATIENCE = 2


async def alive(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """Database, relay and platforms, each usable or not; 503 when one is not."""
    states = {name: check() for name, check in request.app[READY].items()}
    try:
        async with asyncio.timeout(PATIENCE), request.app[STORE].read() as tx:
            WAITING.set(await tx.outbox.waiting())
        states["database"] = True
    except (SQLAlchemyError, OSError, TimeoutError):
        states["database"] = False
    return web.json_response(states, status=200 if all(states.values()) else 503)


async def metrics(request: web.Request) -> web.Response:
    async with request.app[STORE].read() as tx:
        WAITING.set(await tx.outbox.waiting())
        for used in await counted(tx):
            USED.labels(used.meter.api, used.meter.span).set(used.count)
            ALLOWED.labels(used.meter.api, used.meter.span).set(used.meter.allowed)
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def add_routes(app: web.Application) -> None:
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
