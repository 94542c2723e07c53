"""Puts the sandbox up: both platforms and the mail server on free ports of loopback."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aiohttp import ClientSession, web

from bot.sandbox import mail
from bot.sandbox.dingtalk import DingTalk, new_org
from bot.sandbox.dingtalk.push import HttpPush
from bot.sandbox.dingtalk.stream import Pace
from bot.sandbox.faults import Faults
from bot.sandbox.page import Advance, Page
from bot.sandbox.state import Clock, PersonLike, State
from bot.sandbox.wecom import WeCom, new_company

HOST = "127.0.0.1"
SENDER = "hello@leads.example"


@dataclass(slots=True, kw_only=True)
class Sandbox:
    state: State
    wecom: WeCom
    dingtalk: DingTalk
    page: Page
    wecom_url: str
    dingtalk_url: str
    _session: ClientSession
    _mail: asyncio.Server
    _runners: list[web.AppRunner]

    @property
    def faults(self) -> Faults:
        """What goes wrong: ``faults.on("wecom", "busy", count=3)``."""
        return self.state.faults

    def settings(self) -> dict[str, dict[str, Any]]:
        """The sections ``wecom``, ``dingtalk`` and ``mail`` that point the product here."""
        return {
            "wecom": self._wecom_section(),
            "dingtalk": self._dingtalk_section(),
            "mail": {"host": HOST, "port": _port(self._mail), "from": SENDER},
        }

    def add_routes(self, app: web.Application) -> None:
        """Put the page at ``/sandbox/`` of the product's own server."""
        self.page.routes(app)

    async def verify(self) -> bool:
        """Whether the product's callback answers as WeCom's console wants it to."""
        return await self.wecom.courier.verify()

    async def close(self) -> None:
        self.state.feed.close()
        self._mail.close()
        for runner in self._runners:
            await runner.cleanup()
        await self._session.close()

    def _wecom_section(self) -> dict[str, Any]:
        company = self.wecom.company
        return {
            "corp_id": company.corp_id,
            "agent_id": company.agent_id,
            "secret": company.secret,
            "token": company.token,
            "encoding_aes_key": company.aes_key,
            "api_base": self.wecom_url,
            "login_base": self.wecom_url,
            "group_webhook": f"{self.wecom_url}/cgi-bin/webhook/send?key={company.robot_key}",
            "aibot": {
                "bot_id": self.wecom.aibot.bot_id,
                "secret": self.wecom.aibot.secret,
                "url": self.wecom.aibot.url,
            },
        }

    def _dingtalk_section(self) -> dict[str, Any]:
        org, url = self.dingtalk.org, self.dingtalk_url
        return {
            "corp_id": org.corp_id,
            "client_id": org.client_id,
            "client_secret": org.client_secret,
            "mode": "http" if self.dingtalk.gateway.http else "stream",
            "token": org.push_token,
            "encoding_aes_key": org.push_key,
            "agent_id": org.agent_id,
            "card_template_id": org.template_id,
            "api_base": url,
            "oapi_base": url,
            "group_webhook": f"{url}/robot/send?access_token={org.robot_token}",
            "group_webhook_secret": org.robot_secret,
        }


async def start(  # noqa: PLR0913 - what is given positionally is what every demo has
    product_url: str,
    clock: Clock,
    people: Iterable[PersonLike],
    advance: Advance,
    *,
    zone: str = "Asia/Shanghai",
    pace: Pace | None = None,
    gap: float = 1.0,
    cards: bool = False,
    http: bool = False,
) -> Sandbox:
    """
    Start both stand-ins and the mail server.

    ``product_url`` is where the product listens, ``advance`` moves ``clock`` and
    lets what fell due happen. ``pace`` and ``gap``: the real seconds of pings,
    redeliveries and callback retries. ``cards``: DingTalk's card platform has our template. ``http``:
    DingTalk calls the product instead of waiting for its connection.
    """
    state = State(clock, people)
    session = ClientSession()
    company = new_company(f"{product_url.rstrip('/')}/wecom/callback")
    wecom = WeCom(company, state, session, gap)
    dingtalk = DingTalk(new_org(cards=cards), state, pace)
    if http:
        dingtalk.gateway.http = HttpPush(dingtalk.org, state, product_url.rstrip("/"))
    runners = [
        web.AppRunner(stand_in.app(), shutdown_timeout=1.0) for stand_in in (wecom, dingtalk)
    ]
    wecom_url, dingtalk_url = [await _listen(runner) for runner in runners]
    dingtalk.hand.base = dingtalk_url
    wecom.aibot.url = f"{wecom_url.replace('http', 'ws', 1)}/aibot"
    wecom.ways.base = wecom_url
    own_host = urlsplit(product_url).netloc
    page = Page(
        state=state,
        wecom=wecom,
        dingtalk=dingtalk,
        advance=advance,
        zone=ZoneInfo(zone),
        own_host=own_host,
    )
    return Sandbox(
        state=state,
        wecom=wecom,
        dingtalk=dingtalk,
        page=page,
        wecom_url=wecom_url,
        dingtalk_url=dingtalk_url,
        _session=session,
        _mail=await mail.serve(state),
        _runners=runners,
    )


async def _listen(runner: web.AppRunner) -> str:
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    return f"http://{HOST}:{runner.addresses[0][1]}"


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])
