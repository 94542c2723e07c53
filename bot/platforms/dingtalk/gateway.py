"""Opening one stream connection: a ticket over HTTP, then a websocket with it."""

import asyncio
from typing import Any

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
)
from yarl import URL

from bot.config import DingTalk
from bot.platforms.dingtalk.answers import firewalled
from bot.platforms.dingtalk.frames import read_object, subscriptions

OPENING = ClientTimeout(total=10)  # the ticket is good for 90 s
PAGE = (b"<!doctype", b"<html")
OUR_PROXY = b"plain HTTP request"  # a proxy's page about us, and no firewall's
CLOSING = ClientWSTimeout(ws_close=2)  # a dead peer never says goodbye
UPGRADE = 10.0  # seconds; aiohttp would wait five minutes for a host that accepts and is silent


class NotOpened(Exception):
    """The gateway gave no connection. The text names no secret and no ticket."""


class Refused(NotOpened):
    """HTTP 401 authFailed: the client id or secret is wrong."""


class Banned(NotOpened):
    """The firewall answered instead of the gateway: this address is banned for five minutes."""


async def open_gateway(session: ClientSession, settings: DingTalk) -> ClientWebSocketResponse:
    """A new connection (DP:learn/stream/protocol.md). Raises Refused, Banned or NotOpened.

    The ticket is good for one connection, so each try asks for a new one.
    """
    try:
        address = await _ticket(session, settings)
        async with asyncio.timeout(UPGRADE):
            return await session.ws_connect(address, timeout=CLOSING)
    except (ClientError, TimeoutError, OSError) as error:
        # aiohttp's own texts hold the URL, and with it the ticket.
        raise NotOpened(type(error).__name__) from None


async def may_connect(session: ClientSession, settings: DingTalk) -> None:
    """Whether DingTalk would let us connect; nothing is opened. Raises as ``open_gateway``."""
    try:
        await _ticket(session, settings)
    except (ClientError, TimeoutError, OSError) as error:
        raise NotOpened(type(error).__name__) from None


async def _ticket(session: ClientSession, settings: DingTalk) -> URL:
    url = f"{settings.api_base}/v1.0/gateway/connections/open"
    # Without this Accept the reply is XML.
    headers = {"Accept": "application/json"}
    body = _credentials(settings)
    async with session.post(url, json=body, headers=headers, timeout=OPENING) as response:
        return _address(response.status, await response.read())


def _credentials(settings: DingTalk) -> dict[str, Any]:
    return {
        "clientId": settings.client_id,
        "clientSecret": settings.client_secret.get_secret_value(),
        "subscriptions": subscriptions(cards=bool(settings.card_template_id)),
        "ua": "leadbot",
    }


def _address(status: int, body: bytes) -> URL:
    """Where to connect, from an answer that is not always JSON."""
    if _banned(status, body):
        raise Banned(f"HTTP {status}, refused by the firewall")
    if status == 401:
        raise Refused("HTTP 401: check client_id and client_secret")
    try:
        answer = read_object(body)
        return URL(answer["endpoint"]).update_query(ticket=str(answer["ticket"]))
    except (KeyError, TypeError, ValueError):
        raise NotOpened(f"HTTP {status} without an endpoint") from None


def _banned(status: int, body: bytes) -> bool:
    page = status < 500 and body.lstrip()[:9].lower().startswith(PAGE) and OUR_PROXY not in body
    return page or firewalled(body)
