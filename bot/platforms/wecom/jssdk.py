"""Signatures that let a page call WeCom's JS-SDK (D:90506)."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.config import WeCom
from bot.platforms.shared import OwnTokens, Tokens
from bot.platforms.wecom.client import WeComClient
from store.domain.errors import Later
from store.tokens import Token, token_key

MARGIN = timedelta(minutes=5)
LIFETIME = 7200  # seconds


class Kind(StrEnum):
    """The two tickets are not interchangeable (42012, 40093)."""

    CORP = "corp"  # wx.config
    APP = "app"  # wx.agentConfig


def signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """SHA-1 in hex; what stands behind a ``#`` in ``url`` is not signed."""
    page, _, _ = url.partition("#")
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={page}"
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 -- the platform's choice


class JsSdk:
    """What a page hands to ``wx.config`` and ``wx.agentConfig``.

    Tickets are kept for as long as they live: a corp gets 400 an hour, an app 100.
    """

    def __init__(
        self,
        client: WeComClient,
        settings: WeCom,
        clock: Callable[[], datetime],
        tokens: Tokens | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._tokens = tokens or OwnTokens()
        self._kept: dict[Kind, Token] = {}
        self._fetching = asyncio.Lock()

    async def signed(self, url: str, kind: Kind) -> dict[str, Any]:
        """The signed address and who signs it. Raises Later or Undeliverable."""
        ticket = await self._ticket(kind)
        nonce, at = secrets.token_hex(8), int(self._clock().timestamp())
        signed = {
            "nonceStr": nonce,
            "timestamp": at,
            "signature": signature(ticket, nonce, at, url),
        }
        if kind is Kind.CORP:
            return {"appId": self._settings.corp_id, **signed}
        return {"corpid": self._settings.corp_id, "agentid": self._settings.agent_id, **signed}

    async def _ticket(self, kind: Kind) -> str:
        async with self._fetching:
            kept = self._kept.get(kind)
            if kept is None or self._clock() >= kept.until:
                secret = self._settings.secret.get_secret_value()
                key = token_key(f"wecom ticket {kind}", self._settings.corp_id, secret)
                kept = await self._tokens.get(key, "", lambda: self._ask(kind))
                self._kept[kind] = kept
            return kept.value

    async def _ask(self, kind: Kind) -> Token:
        if kind is Kind.CORP:
            answer = await self._client.call("get_jsapi_ticket")
        else:
            answer = await self._client.call("ticket/get", params={"type": "agent_config"})
        ticket, lasts = answer.get("ticket"), answer.get("expires_in")
        if not isinstance(ticket, str) or not ticket:
            raise Later("an answer without a ticket")
        whole = timedelta(seconds=lasts if isinstance(lasts, int) else LIFETIME)
        return Token(ticket, self._clock() + whole - min(MARGIN, whole / 10))
