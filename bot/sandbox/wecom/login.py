"""Who opened a page (D:91022, D:91023) and the tickets of the JS-SDK (D:90506)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from bot.sandbox.limits import Tokens
from bot.sandbox.state import State
from bot.sandbox.wecom.api import Call, Company, Endpoint
from bot.sandbox.wecom.errors import No

CODE_LIFE = timedelta(minutes=5)
STATE = re.compile(r"[a-zA-Z0-9]{0,128}")
OUTSIDER = "sandbox-customer"


@dataclass(frozen=True, slots=True)
class Code:
    userid: str
    until: datetime


class Login:
    """The browser is nobody's here, so the page asks whose it is; ``as`` in the query says it."""

    def __init__(self, company: Company, state: State) -> None:
        self._company = company
        self._state = state
        self._codes: dict[str, Code] = {}
        self.tickets = {kind: Tokens(state.clock) for kind in ("corp", "app")}

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            "auth/getuserinfo": Endpoint(method="GET", answer=self._who),
            "get_jsapi_ticket": Endpoint(method="GET", answer=self._corp_ticket),
            "ticket/get": Endpoint(method="GET", answer=self._app_ticket),
        }

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """The page on open.weixin.qq.com, which sends the browser back with a code."""
        wrong = self._wrong(request.query)
        if wrong:
            return web.Response(status=200, text=wrong, content_type="text/plain")
        userid = request.query.get("as", "")
        if not userid:
            return web.Response(text=self._asks(request), content_type="text/html")
        code = token_urlsafe(32)
        self._codes[code] = Code(userid, self._state.clock() + CODE_LIFE)
        back = URL(request.query["redirect_uri"])
        query = {"code": code, "state": request.query.get("state", "")}
        raise web.HTTPFound(str(back.update_query(query)))

    def _wrong(self, query: Mapping[str, str]) -> str:
        """The trusted domain is the callback's, port and all."""
        trusted = urlsplit(self._company.callback_url).netloc
        if query.get("appid") != self._company.corp_id:
            return "40013 invalid corpid"
        if urlsplit(query.get("redirect_uri", "")).netloc != trusted:
            return "50001 redirect_url domain is not trusted"
        if not STATE.fullmatch(query.get("state", "")):
            return "84025 invalid state"
        kind = (query.get("response_type"), query.get("scope"))
        return "" if kind == ("code", "snsapi_base") else "40058 invalid Request Parameter"

    def _asks(self, request: web.Request) -> str:
        people = {
            phone.account: phone.name
            for phone in self._state.phones.values()
            if phone.platform == "wecom" and phone.account
        }
        links = "".join(
            f'<p><a href="{escape(str(request.rel_url.update_query({"as": account})))}">'
            f"{escape(name)}</a></p>"
            for account, name in {**people, OUTSIDER: "微信客户"}.items()
        )
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        return f"<!doctype html>{head}<h1>这是谁的手机</h1>{links}"

    def _who(self, call: Call) -> dict[str, Any]:
        code = self._codes.pop(call.query.get("code", ""), None)
        if code is None or self._state.clock() > code.until:
            raise No(40029, "invalid code")
        if code.userid == OUTSIDER:
            return {"openid": "oSandbox", "external_userid": "wmSandbox"}
        return {"userid": code.userid}

    def _corp_ticket(self, call: Call) -> dict[str, Any]:
        return self._ticket("corp")

    def _app_ticket(self, call: Call) -> dict[str, Any]:
        if call.query.get("type") != "agent_config":
            raise No(40097, "invalid args: type")
        return self._ticket("app")

    def _ticket(self, kind: str) -> dict[str, Any]:
        tickets = self.tickets[kind]
        return {"ticket": tickets.issue(), "expires_in": tickets.life}
