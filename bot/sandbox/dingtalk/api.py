"""
api.dingtalk.com and oapi.dingtalk.com in one application: tokens, routing, error shapes.

The two families share no path, so one stand-in serves both bases.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox.dingtalk.errors import Fault, OldFault
from bot.sandbox.limits import PerMinute, Tokens
from bot.sandbox.state import State

PER_SECOND = 20
SECOND = timedelta(seconds=1)
TOO_FAST = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
TOKEN_HEADER = "x-acs-dingtalk-access-token"  # noqa: S105 - the header's name


FREE = ("/topapi/v2/", "/topapi/user/")
"""Directory and login (D:basic-interfaces-such-as-log-off-and-address-book)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Org:
    """What the developer console knows: the corp, its app (= robot), the group and its robot."""

    corp_id: str
    client_id: str
    client_secret: str
    group_id: str
    group_title: str
    robot_token: str
    robot_secret: str
    template_id: str = ""  # of a card that was imported and published
    agent_id: int = 0  # for work notifications
    push_token: str = ""  # of event pushes over HTTP
    push_key: str = ""


Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
OldAnswer = Callable[[web.Request, Mapping[str, Any]], dict[str, Any]]


class Api:
    def __init__(self, org: Org, state: State) -> None:
        self._org = org
        self._faults = state.faults
        self.tokens = Tokens(state.clock)
        # Whoever changes the secret in the console takes every token back with it.
        state.faults.deed("dingtalk", "secret", self.tokens.forget)
        self.refusals: dict[str, Fault] = {}
        """What to refuse, by path."""
        self.per_second: int | None = PER_SECOND
        """Calls of one API by one app (3.3); None: as many as anybody likes."""
        self._calls: dict[str, PerMinute] = {}
        self.calls_left: int | None = None
        """Of the month, for the calls that are paid for; None: more than anybody counts."""

    def access_token(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The same token comes back while it is valid."""
        asked = (body.get("appKey"), body.get("appSecret"))
        renewed = self._faults.take("dingtalk", "secret")
        if renewed or asked != (self._org.client_id, self._org.client_secret):
            raise Fault(400, "invalidClientIdOrSecret", "无效的clientId或者clientSecret")
        return {"accessToken": self.tokens.issue(), "expireIn": self.tokens.life}

    @web.middleware
    async def refuse(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in self.refusals:
            raise self.refusals[request.path]
        return await handler(request)

    def is_too_fast(self, request: web.Request) -> bool:
        """The platform counts real seconds, whatever the demo's clock says."""
        resource = request.match_info.route.resource
        if self.per_second is None or resource is None:
            return False
        api = f"{request.method} {resource.canonical}"
        new = PerMinute(lambda: datetime.now(UTC), self.per_second, SECOND)
        return not self._calls.setdefault(api, new).take()

    def _admit(self, request: web.Request) -> None:
        """A call of the new API: with a token, not too fast, and paid for."""
        if not self.tokens.alive(request.headers.get(TOKEN_HEADER, "")):
            raise Fault(400, "InvalidAuthentication", "不合法的access_token")
        if self.is_too_fast(request):
            raise Fault(403, TOO_FAST, "调用过于频繁")
        self._pay()

    def _pay(self) -> None:
        """The standard edition's month (3.3): free calls are not counted, refused ones neither."""
        if self.calls_left == 0:
            why = "企业调用次数超限"
            raise Fault(403, "Forbidden.AccessDenied.ApiCountLimitForOrg", why)
        if self.calls_left is not None:
            self.calls_left -= 1

    def open(self, answer: Answer) -> Handler:
        """A call of the new API that needs no token."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return reply(answer(await json_body(request)))

        return handle

    def guarded(self, answer: Answer) -> Handler:
        """A call of the new API; the token comes in its header."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self._admit(request)
            return reply(answer(await json_body(request)))

        return handle

    def reading(self, answer: "Reading") -> Handler:
        """A call of the new API that says what it wants in its path and query."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self._admit(request)
            body = {} if request.method == "GET" else await json_body(request)
            return reply(answer(request, body))

        return handle

    def topapi(self, answer: OldAnswer) -> Handler:
        """A call of the old API; the token comes in the query."""

        def checked(request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
            token = request.query.get("access_token", "")
            if not token:
                raise OldFault(41001, "缺少access_token")
            if not self.tokens.alive(token):
                raise OldFault(40014, "不合法的access_token")
            if self.is_too_fast(request):
                raise OldFault(90018, "调用过于频繁")
            if not request.path.startswith(FREE):
                self._pay_old()
            return answer(request, body)

        return old(checked)

    def _pay_old(self) -> None:
        try:
            self._pay()
        except Fault:
            raise OldFault(90020, "本月调用次数已用完") from None


def old(answer: OldAnswer) -> Handler:
    """A call of the old API: POST, JSON, HTTP 200 whatever happens."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body = await _old_body(request)
            return reply({"errcode": 0, "errmsg": "ok", **answer(request, body)})
        except OldFault as fault:
            return reply({"errcode": fault.errcode, "errmsg": fault.errmsg})

    return handle


Reading = Callable[[web.Request, Mapping[str, Any]], dict[str, Any]]


async def json_body(request: web.Request) -> Mapping[str, Any]:
    """Raises Fault Missingbody for anything but a JSON object."""
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise Fault(400, "Missingbody", "body is mandatory for this action.")
    return body


async def _old_body(request: web.Request) -> Mapping[str, Any]:
    if request.method != "POST":
        raise OldFault(43002, "需要POST请求")
    if request.content_type != "application/json":
        raise OldFault(43004, "无效的HTTP HEADER Content-Type")
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise OldFault(43009, "需要json请求") from None
    if not isinstance(body, dict):
        raise OldFault(43009, "需要json请求")
    return body


def reply(answer: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        text=json.dumps(answer, ensure_ascii=False),
        status=status,
        content_type="application/json",
    )


def refused(fault: Fault) -> web.Response:
    answer = {"code": fault.code, "requestid": token_hex(16).upper(), "message": fault.message}
    return reply(answer | fault.fields, fault.status)


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Fault as fault:
        return refused(fault)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        why = "Specified api is not found, please check your url and method."
        return refused(Fault(404, "error.notFound", why))
