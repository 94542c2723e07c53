"""
qyapi, as far as the product calls it: token, routing, the shape of answers.

Everything answers HTTP 200 with an errcode; an unknown path 404 and nothing.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.sandbox.limits import Tokens
from bot.sandbox.state import Media, State
from bot.sandbox.wecom.errors import No, explained

ESCAPED = re.compile(rb"\\u(?!00[01])[0-9a-fA-F]{4}")
LARGEST_IMAGE = 10 << 20
KINDS = ("image", "voice", "video", "file")
MEDIA_LIFE = timedelta(days=3)  # D:90253


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What the admin console knows: the corp, its app, the callback's keys, the group robot."""

    corp_id: str
    agent_id: int
    secret: str
    token: str
    aes_key: str
    robot_key: str
    callback_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    query: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """``empty`` goes into refusals too: an empty list there does not mean "none"."""

    method: str
    answer: Callable[[Call], dict[str, Any]]
    empty: Mapping[str, Any] = field(default_factory=dict)
    needs_token: bool = True


class Api:
    def __init__(self, company: Company, state: State) -> None:
        self._company = company
        self._state = state
        self.tokens = Tokens(state.clock)
        self._endpoints: dict[str, Endpoint] = {}
        self.refusals: dict[str, No] = {}
        """What to refuse, by path; "*" is everything but the token."""
        self.add("gettoken", Endpoint(method="GET", answer=self._gettoken, needs_token=False))

    def add(self, path: str, endpoint: Endpoint) -> None:
        self._endpoints[path] = endpoint

    def routes(self, app: web.Application) -> None:
        app.router.add_post("/cgi-bin/media/upload", self._upload)
        app.router.add_route("*", "/cgi-bin/{path:.+}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        endpoint = self._endpoints.get(request.match_info["path"])
        if endpoint is None:
            raise web.HTTPNotFound
        raw = await request.read()
        try:
            self._refuse(request.match_info["path"])
            answer = {"errcode": 0, "errmsg": "ok", **self._asked(endpoint, request, raw)}
        except No as no:
            answer = refusal(no, endpoint.empty)
        return reply(answer)

    def _refuse(self, path: str) -> None:
        refusal = self.refusals.get(path) or self.refusals.get("*")
        if refusal is not None and (path != "gettoken" or path in self.refusals):
            raise refusal

    def _asked(self, endpoint: Endpoint, request: web.Request, raw: bytes) -> dict[str, Any]:
        if endpoint.needs_token:
            self._check_token(request.query.get("access_token", ""))
        if endpoint.method == "POST" and request.method != "POST":
            raise No(40058, "invalid Request Parameter: use POST")
        if endpoint.needs_token and ESCAPED.search(raw):
            raise No(40033, "invalid request character: send UTF-8, not \\uxxxx")
        return endpoint.answer(Call(query=request.query, body=_json(raw)))

    def _check_token(self, token: str) -> None:
        if not token:
            raise No(41001, "access_token missing")
        if not self.tokens.known(token):
            raise No(40014, "invalid access_token")
        if not self.tokens.alive(token):
            raise No(42001, "access_token expired")

    def _gettoken(self, call: Call) -> dict[str, Any]:
        secret, corp_id = call.query.get("corpsecret", ""), call.query.get("corpid", "")
        if not secret:
            raise No(41004, "corpsecret missing")  # before the corp id is looked at
        if corp_id != self._company.corp_id:
            raise No(40013 if corp_id else 41002, "invalid corpid")
        if secret != self._company.secret:
            raise No(40001, "invalid credential")
        return {"access_token": self.tokens.issue(), "expires_in": self.tokens.life}

    async def _upload(self, request: web.Request) -> web.Response:
        try:
            self._check_token(request.query.get("access_token", ""))
            media = await uploaded(request, dict.fromkeys(KINDS, LARGEST_IMAGE))
        except No as no:
            return reply(refusal(no, {}))
        name, now = token_urlsafe(24), self._state.clock()
        self._state.keep(name, replace(media, until=now + MEDIA_LIFE))
        created = str(int(now.timestamp()))
        return reply(
            {"errcode": 0, "errmsg": "", "type": request.query["type"], "media_id": name}
            | {"created_at": created}
        )


async def uploaded(request: web.Request, most: Mapping[str, int]) -> Media:
    """The file of the request, of at most so many bytes by its type. Raises No."""
    if request.query.get("type") not in most:
        raise No(40004, "invalid media type")
    part = (await request.post()).get("media")
    if not isinstance(part, web.FileField):
        raise No(44001, "empty media data")
    data = part.file.read()
    if len(data) <= 5:
        raise No(44001, "empty media data")
    if len(data) > most[request.query["type"]]:
        raise No(45001, "media size out of limit")
    return Media(part.content_type, data)


def _json(raw: bytes) -> Mapping[str, Any]:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise No(40058, "invalid Request Parameter. Warning: wrong json format. ") from None
    if not isinstance(body, dict):
        raise No(40058, "invalid Request Parameter. Warning: wrong json format. ")
    return body


def refusal(no: No, empty: Mapping[str, Any]) -> dict[str, Any]:
    message = explained(no.errcode, no.errmsg)
    return {"errcode": no.errcode, "errmsg": message, **empty, **no.fields}


def reply(answer: Mapping[str, Any]) -> web.Response:
    return web.json_response(answer, dumps=lambda value: json.dumps(value, ensure_ascii=False))


@web.middleware
async def only_known(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An unknown path is 404 with an empty body, not JSON (probed 2026-09)."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404)
