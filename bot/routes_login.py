"""The page that asks DingTalk who opened it, and comes back with the code."""

import re
from secrets import token_urlsafe

from aiohttp import web
from yarl import URL

from bot.html import HEADERS, PAGES
from bot.keys import LOGINS, SETTINGS
from store.domain.team import Platform

BACK = "/app/login/dingtalk"
STATE = re.compile(r"[0-9a-zA-Z]{1,128}")


async def ask_dingtalk(request: web.Request) -> web.Response:
    """Calls dd.requestAuthCode, which needs no signature (D:jsapi-request-auth-code).

    The script comes from DingTalk, and it may reach the client in whatever way the
    client's version wants: only other scripts are kept out.
    """
    settings = request.app[SETTINGS].dingtalk
    state = request.query.get("state", "")
    if settings is None or not STATE.fullmatch(state):
        raise web.HTTPBadRequest
    nonce, script = token_urlsafe(16), URL(settings.jsapi_url)
    html = PAGES.get_template("dingtalk.html.jinja").render(
        title="正在登录", nonce=nonce, script=str(script), corp_id=settings.corp_id,
        client_id=settings.client_id, back=BACK, state=state,
    )  # fmt: skip
    policy = f"script-src 'nonce-{nonce}' {script.origin()}; object-src 'none'; base-uri 'none'"
    headers = HEADERS | {"Content-Security-Policy": policy}
    return web.Response(text=html, content_type="text/html", headers=headers)


def add_routes(app: web.Application) -> None:
    if any(login.platform == Platform.DINGTALK for login in app[LOGINS]):
        app.router.add_get(f"{BACK}/start", ask_dingtalk, allow_head=False)
