"""Leads from forms, tables and flows that post JSON: ``/hooks/{source}``, one secret each."""

import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from bot.config import Hook
from bot.keys import RELAY, SETTINGS, STORE
from bot.problems import as_problems, problem, strict_json
from handlers.capture import capture
from store.db import Store
from store.domain.errors import Stale
from store.domain.intake import BadFields, read_fields
from store.domain.mapping import as_enquiry, as_text, find
from store.domain.newlead import NewLead

SIGNATURES = ("X-Signature-256", "X-Hub-Signature-256", "X-Signature")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
PREFIX = "sha256="
DEDUPE_CHARS = 200
TRIES = 5
TAKEN = {"success": True}


@web.middleware
async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
    """Whatever goes wrong here is told as a problem document."""
    if not request.path.startswith("/hooks/"):
        return await handler(request)  # type: ignore[no-any-return]
    return await as_problems(request, handler, request.app[SETTINGS].limits.body_bytes)


async def take(request: web.Request) -> web.Response:
    """One enquiry, once for each value of the source's ``dedupe`` path."""
    raw = await request.read()
    hook = _hook(request)
    if hook is None or not _knows(request, hook, raw):
        # Which sources there are is nobody's business.
        return problem(401, "来源或密钥不对")
    if request.content_type in FORMS:
        return problem(415, "正文要是 JSON")
    try:
        body = strict_json(raw)
    except (ValueError, RecursionError):
        return problem(400, "正文不是合法的 UTF-8 JSON")
    return await _taken(request, hook, body, raw)


async def _taken(request: web.Request, hook: Hook, body: Any, raw: bytes) -> web.Response:
    key = as_text(find(body, hook.dedupe)) if hook.dedupe else hashlib.sha256(raw).hexdigest()
    if not key:
        return problem(422, "缺少去重用的值", {hook.dedupe: "没有值"})
    try:
        new = read_hook(hook, body, key)
    except BadFields as bad:
        return problem(
            422, str(bad), {hook.fields.get(n, n): why for n, why in bad.problems.items()}
        )
    if not await _store(request.app[STORE], new, key):
        return problem(503, "一下子太多了，稍后再来", headers={"Retry-After": "1"})
    request.app[RELAY].wake()
    return web.json_response(TAKEN)


def _hook(request: web.Request) -> Hook | None:
    source = request.match_info["source"]
    return next((h for h in request.app[SETTINGS].hook if h.source == source), None)


def _knows(request: web.Request, hook: Hook, raw: bytes) -> bool:
    """The secret as a bearer or at the end of the path, or an HMAC-SHA256 of the body with it."""
    secret = hook.secret.get_secret_value()
    signed = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    shown = [request.match_info.get("token", ""), bearer if scheme.lower() == "bearer" else ""]
    signatures = [request.headers.get(name, "").lower() for name in SIGNATURES]
    return any(
        [_same(given, secret) for given in shown]
        + [_same(given.removeprefix(PREFIX), signed) for given in signatures]
    )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def read_hook(hook: Hook, body: Any, key: str) -> NewLead:
    """The enquiry in ``body``. Raises BadFields."""
    values = {name: find(body, path) for name, path in hook.fields.items()}
    given: Mapping[str, Any] = as_enquiry(values)
    external = given.get("external_id") or key[:DEDUPE_CHARS]
    return read_fields({**given, "external_id": external}, hook.source)


async def _store(store: Store, new: NewLead, key: str) -> bool:
    receipt = f"hook:{new.source}:{hashlib.sha256(key.encode(errors='replace')).hexdigest()}"
    for _ in range(TRIES):
        with suppress(Stale):
            async with store.begin() as tx:
                if await tx.inbox.first(receipt):
                    await capture(tx, [new])
                return True
    return False


def add_routes(app: web.Application) -> None:
    """Only for sources that are configured: nobody else's address exists."""
    if not app[SETTINGS].hook:
        return
    app.middlewares.append(guard)
    app.router.add_post("/hooks/{source}", take)
    app.router.add_post("/hooks/{source}/{token}", take)
