"""
Pages for the team, opened inside WeCom or DingTalk and logged in by the platform.

A browser without a session is sent to the platform and comes back with a code; the
code says whose account it is, and the team says who that is. Each request looks the
account up again: who leaves the team is out at once.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import Any

import structlog
from aiohttp import web
from yarl import URL

from bot.config import Settings
from bot.html import page, says
from bot.keys import JSSDK, LOGINS, SETTINGS, STORE
from bot.platforms.login import LoginProvider, LoginRefused
from bot.platforms.wecom.jssdk import Kind
from handlers.leadpage import lead_page
from store.db import Clock
from store.domain.errors import Later, NotFound, Undeliverable
from store.domain.lead import LeadId
from store.domain.team import Member, Platform

log = structlog.get_logger()

SESSION, LOGIN = "leadbot_session", "leadbot_login"
SESSION_LIFE = timedelta(hours=12)
LOGIN_LIFE = timedelta(minutes=10)
LONGEST_CODE = 512  # bytes of a code (D:91022)
PATH = "/app"
NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Signer:
    """Cookies nobody else can write. The key comes from the platforms' secrets."""

    key: bytes
    clock: Clock

    def sign(self, values: dict[str, str], life: timedelta) -> str:
        until = int((self.clock() + life).timestamp())
        text = json.dumps({**values, "until": until}, ensure_ascii=False)
        body = base64.urlsafe_b64encode(text.encode()).decode()
        return f"{body}.{self._mac(body)}"

    def read(self, cookie: str) -> dict[str, Any]:
        """{} for one that is forged, broken or too old."""
        body, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(self._mac(body).encode(), mac.encode(errors="replace")):
            return {}
        values: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
        return values if values["until"] > self.clock().timestamp() else {}

    def _mac(self, body: str) -> str:
        return hmac.new(self.key, body.encode(errors="replace"), hashlib.sha256).hexdigest()


def session_key(settings: Settings) -> bytes:
    """The same in every process, and another one as soon as a secret is changed."""
    secrets = [
        settings.wecom.secret if settings.wecom else None,
        settings.dingtalk.client_secret if settings.dingtalk else None,
    ]
    known = "\0".join(secret.get_secret_value() for secret in secrets if secret)
    return hmac.new(b"leadbot pages", known.encode(), hashlib.sha256).digest()


SIGNER = web.AppKey("signer", Signer)


async def see_lead(request: web.Request) -> web.StreamResponse:
    """One lead, as the reader may see it."""
    number = request.match_info["id"]
    if not NUMBER.fullmatch(number):
        raise web.HTTPNotFound
    by = await _reader(request)
    if by is None:
        return _to_login(request)
    try:
        async with request.app[STORE].read() as tx:
            shown = await lead_page(tx, by, LeadId(int(number)))
    except NotFound as error:
        return says("没有这条线索", str(error), 404)
    return page("lead.html.jinja", title=shown.heading, page=shown)


async def sign_page(request: web.Request) -> web.Response:
    """What a page of ours hands to WeCom's JS-SDK; for people of the team only."""
    if await _reader(request) is None or JSSDK not in request.app:
        raise web.HTTPForbidden
    url = request.query.get("url", "")
    if not _ours(url, request.app[SETTINGS].server.public_url):
        raise web.HTTPBadRequest
    sdk = request.app[JSSDK]
    try:
        signed = {kind: await sdk.signed(url, kind) for kind in Kind}
    except (Later, Undeliverable) as error:
        log.warning("jssdk_not_signed", why=str(error))
        raise web.HTTPServiceUnavailable from None
    return web.json_response(signed, headers={"Cache-Control": "no-store"})


def _ours(url: str, public_url: str) -> bool:
    try:
        return URL(url).origin() == URL(public_url).origin()
    except ValueError:
        return False


async def _reader(request: web.Request) -> Member | None:
    """Who is logged in and still in the team."""
    session = request.app[SIGNER].read(request.cookies.get(SESSION, ""))
    if not session.get("account"):
        return None
    async with request.app[STORE].read() as tx:
        return await tx.members.by_account(Platform(session["platform"]), session["account"])


# -- logging in ---------------------------------------------------------------


def _to_login(request: web.Request) -> web.Response:
    provider = _provider(request)
    if provider is None:
        return says("请在企业微信或钉钉里打开", "这个页面只给团队里的人看", 403)
    nonce = token_hex(16)
    back = f"{request.app[SETTINGS].server.public_url}{PATH}/login/{provider.platform}"
    answer = web.Response(status=302, headers={"Location": provider.start(back, nonce)})
    begun = {"nonce": nonce, "next": request.path_qs, "platform": str(provider.platform)}
    _set(request, answer, LOGIN, begun, LOGIN_LIFE)
    return answer


def _provider(request: web.Request) -> LoginProvider | None:
    """The platform whose browser this is; where there is one platform only, that one."""
    logins, agent = request.app[LOGINS], request.headers.get("User-Agent", "")
    recognised = [login for login in logins if login.recognises(agent)]
    return next(iter(recognised), logins[0] if len(logins) == 1 else None)


async def come_back(request: web.Request) -> web.StreamResponse:
    """The browser is back with a code: only the one we sent, and only once."""
    begun = request.app[SIGNER].read(request.cookies.get(LOGIN, ""))
    provider = _named(request)
    code, state = request.query.get("code", ""), request.query.get("state", "")
    if (
        not begun.get("nonce")
        or begun["platform"] != provider.platform
        or not hmac.compare_digest(begun["nonce"].encode(), state.encode(errors="replace"))
        or not 0 < len(code) <= LONGEST_CODE
    ):
        return _again()
    return await _admit(request, provider, code, begun["next"])


def _named(request: web.Request) -> LoginProvider:
    for login in request.app[LOGINS]:
        if login.platform == request.match_info["platform"]:
            return login
    raise web.HTTPNotFound


def _again() -> web.Response:
    return says("登录没有完成", "请回到聊天里，再点一次链接", 400)


async def _admit(
    request: web.Request, provider: LoginProvider, code: str, to: str
) -> web.StreamResponse:
    try:
        account = await provider.account(code)
    except LoginRefused as error:
        log.warning("login_refused", platform=provider.platform, why=str(error))
        return _again()
    except (Later, Undeliverable) as error:
        log.warning("login_failed", platform=provider.platform, why=str(error))
        return says("现在登录不了", "请过一会儿再试，还不行就告诉管理员", 503)
    async with request.app[STORE].read() as tx:
        by = await tx.members.by_account(provider.platform, account)
    if by is None:
        return says("你还不在销售团队名单里", "请管理员把你加进来", 403)
    answer = web.Response(status=302, headers={"Location": to})
    who = {"platform": str(provider.platform), "account": account}
    _set(request, answer, SESSION, who, SESSION_LIFE)
    answer.del_cookie(LOGIN, path=PATH)
    return answer


def _set(
    request: web.Request,
    answer: web.Response,
    name: str,
    values: dict[str, str],
    life: timedelta,
) -> None:
    answer.set_cookie(
        name,
        request.app[SIGNER].sign(values, life),
        max_age=int(life.total_seconds()),
        path=PATH,
        httponly=True,
        samesite="Lax",  # the browser comes back from the platform's own site
        secure=request.app[SETTINGS].server.public_url.startswith("https://"),
    )


def add_routes(app: web.Application) -> None:
    app[SIGNER] = Signer(session_key(app[SETTINGS]), app[STORE].clock)
    if not app[LOGINS]:
        return
    app.router.add_get(f"{PATH}/leads/{{id}}", see_lead, allow_head=False)
    app.router.add_get(f"{PATH}/login/{{platform}}", come_back, allow_head=False)
    app.router.add_get(f"{PATH}/jssdk", sign_page, allow_head=False)
