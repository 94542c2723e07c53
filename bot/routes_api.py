"""Leads in and out for programs: ``/api/leads``."""

import hmac
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.config import stage_names
from bot.gather import Busy
from bot.keys import GATHERER, RELAY, SETTINGS, STORE
from bot.leadjson import Reader, lead_json
from bot.problems import as_problems, problem, strict_json
from store.domain.custom import checked
from store.domain.errors import NotFound
from store.domain.intake import BadFields, read_fields
from store.domain.lead import Place
from store.domain.newlead import NewLead

MINUTE = 60.0
PAGE = 50
LARGEST_PAGE = 200


@dataclass(slots=True)
class Meter:
    """How often each key was used within the last minute."""

    per_minute: int
    used: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, name: str, now: float) -> float:
        """Seconds until ``name`` may come again; 0: now, and it is counted."""
        used = self.used.setdefault(name, deque())
        while used and used[0] <= now - MINUTE:
            used.popleft()
        if self.per_minute and len(used) >= self.per_minute:
            return used[0] + MINUTE - now
        used.append(now)
        return 0.0


METER = web.AppKey("meter", Meter)
SOURCE = web.RequestKey("source", str)


@web.middleware
async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
    """Who calls the API, and how often; every error is a problem document."""
    if not request.path.startswith("/api/"):
        return await handler(request)  # type: ignore[no-any-return]
    source = _source(request)
    if source is None:
        return problem(401, "密钥不对，请用 Authorization: Bearer <key>", headers=_REALM)
    wait = request.app[METER].wait(source, time.monotonic())
    if wait:
        return problem(429, "太快了，稍后再来", headers={"Retry-After": str(int(wait) + 1)})
    request[SOURCE] = source
    return await as_problems(request, handler, request.app[SETTINGS].limits.body_bytes)


_REALM = {"WWW-Authenticate": 'Bearer realm="leadbot"'}


def _source(request: web.Request) -> str | None:
    """The name of the key that was sent; every key is compared, in constant time."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() != "bearer":
        return None
    sent = given.strip().encode("utf-8", "surrogateescape")
    found = None
    for name, key in request.app[SETTINGS].api.keys.items():
        if hmac.compare_digest(key.get_secret_value().encode(), sent):
            found = name
    return found


async def post_lead(request: web.Request) -> web.Response:
    """Take in one lead: 201 new, 200 merged into a known one."""
    if request.content_type not in {"application/json", "application/octet-stream"}:
        return problem(415, "请用 Content-Type: application/json")
    try:
        values = strict_json(await request.read())
    except (ValueError, RecursionError):
        return problem(400, "正文不是合法的 UTF-8 JSON")
    if not isinstance(values, dict):
        return problem(422, "正文要是一个 JSON 对象", {"": "要是一个 JSON 对象"})
    try:
        new = read_fields(values, request[SOURCE])
        _check_own(request, new)
    except BadFields as bad:
        return problem(422, str(bad), bad.problems)
    return await _stored(request, new)


def _check_own(request: web.Request, new: NewLead) -> None:
    """The company's own fields have types. Raises BadFields."""
    store = request.app[STORE]
    today = store.clock().astimezone(store.rules.zone).date()
    _, wrong = checked(store.rules.fields, new.fields, today)
    if wrong:
        raise BadFields({f"fields.{name}": why for name, why in wrong.items()})


async def _stored(request: web.Request, new: NewLead) -> web.Response:
    try:
        captured = await request.app[GATHERER].take(new)
    except Busy:
        return problem(503, "一下子太多了，稍后再来", headers={"Retry-After": "1"})
    request.app[RELAY].wake()
    body = {"id": captured.id, "duplicate": captured.duplicate}
    return web.json_response(body, status=200 if captured.duplicate else 201)


async def get_lead(request: web.Request) -> web.Response:
    number = request.match_info["id"]
    if not number.isdecimal() or len(number) > 9:
        return problem(404, "没有这条线索")
    async with request.app[STORE].read() as tx:
        found = await tx.leads.many([int(number)])
        lines = await tx.leads.story(int(number))
    if not found:
        return problem(404, str(NotFound(int(number))))
    return _json(lead_json(found[0], lines, _reader(request)))


async def get_leads(request: web.Request) -> web.Response:
    """A page of leads; ``after`` the last number of the page before."""
    wrong = _wrong_query(request)
    if wrong:
        return problem(422, "参数不对", wrong)
    query = request.query
    limit = min(int(query.get("limit", PAGE)), LARGEST_PAGE)
    conditions = {name: query[name] for name in ("stage", "place") if name in query}
    async with request.app[STORE].read() as tx:
        leads = await tx.leads.page(
            query.get("source"), int(query.get("after", 0)), limit, conditions
        )
        lines = await tx.leads.history(lead.id for lead in leads)
    following = leads[-1].id if len(leads) == limit else None
    reader = _reader(request)
    shown = [lead_json(lead, lines.get(lead.id, ()), reader) for lead in leads]
    return _json({"leads": shown, "next": following})


def _reader(request: web.Request) -> Reader:
    source = request[SOURCE]
    whole = source in request.app[SETTINGS].api.whole
    return Reader(source, whole=whole, fields=request.app[STORE].rules.fields)


def _wrong_query(request: web.Request) -> dict[str, str]:
    wrong = {}
    for name, value in request.query.items():
        if len(request.query.getall(name)) > 1:
            wrong[name] = "只能写一次"
        elif name in {"after", "limit"} and not (value.isdecimal() and len(value) < 10):
            wrong[name] = "要是一个数字"
        elif name == "limit" and not int(value):
            wrong[name] = "至少 1"
        elif name == "stage" and value not in (known := stage_names(request.app[SETTINGS])):
            wrong[name] = f"可以是 {', '.join(known)}"
        elif name == "place" and value not in list(Place):
            wrong[name] = f"可以是 {', '.join(Place)}"
        elif name == "source" and not value.isprintable():
            wrong[name] = "要是一个密钥的名字"  # PostgreSQL takes no NUL, not even to compare
        elif name not in {"after", "limit", "stage", "place", "source"}:
            wrong[name] = "没有这个参数"
    return wrong


def _json(body: dict[str, Any]) -> web.Response:
    return web.json_response(text=json.dumps(body, ensure_ascii=False))


def add_routes(app: web.Application) -> None:
    app[METER] = Meter(app[SETTINGS].limits.api_per_minute)
    app.middlewares.append(guard)
    app.router.add_post("/api/leads", post_lead)
    app.router.add_get("/api/leads", get_leads)
    app.router.add_get("/api/leads/{id}", get_lead)
