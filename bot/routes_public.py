"""What prospects open in a browser: the hosted form, tracked links, opting out, pictures."""

import re
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from bot.config import Form
from bot.gather import Busy
from bot.html import page, says
from bot.keys import GATHERER, RELAY, SETTINGS, STORE
from handlers.journeys import clicked, opt_out
from store.domain.intake import BadFields, read_fields
from store.domain.names import clean
from store.domain.newlead import NewLead

ASKED = ("name", "phone", "email", "company", "product", "message")
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
KEPT = (*UTM, "keyword")
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
SAID = {
    404: ("没有这个页面", "链接可能不完整，请从原来的地方再打开一次"),
    413: ("内容太长了", "请返回上一页，写短一些再提交"),
}
OTHERWISE = ("没有收到", "请返回上一页再试一次")


@web.middleware
async def kindly(request: web.Request, handler: Any) -> web.StreamResponse:
    """What goes wrong on a prospect's page is said on a page."""
    try:
        return await handler(request)  # type: ignore[no-any-return]
    except web.HTTPException as error:
        if error.status < 400 or not request.path.startswith(("/f/", "/t/", "/u/")):
            raise
        answer = says(*SAID.get(error.status, OTHERWISE), error.status)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer


# -- the form ----------------------------------------------------------------


def _form(request: web.Request) -> Form:
    name = request.match_info["form"]
    for form in request.app[SETTINGS].form:
        if form.name == name:
            return form
    raise web.HTTPNotFound


async def get_form(request: web.Request) -> web.Response:
    form = _form(request)
    came = {name: request.query.get(name, "") for name in KEPT}
    came["referrer"] = request.headers.get("Referer", "")
    # Bytes that are no text, as anybody can send them, cannot be sent back.
    hidden = {name: kept for name, text in came.items() if (kept := clean(text)[:200])}
    # Sent back with the form, so that pressing twice is one enquiry.
    hidden["once"] = token_urlsafe(12)
    return _draw(form, {}, {}, hidden)


def _draw(
    form: Form,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    hidden: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    return page(
        "form.html.jinja", status, title=form.title, form=form, values=values,
        problems=problems, hidden=hidden,
    )  # fmt: skip


async def post_form(request: web.Request) -> web.Response:
    form = _form(request)
    sent = await _sent(request)
    if sent.get("website"):
        return says("收到了", form.thanks)  # a robot filled in what people cannot see
    problems: dict[str, str] = {}
    if not sent.get("consent"):
        problems["consent"] = "同意以后我们才能联系您"
    try:
        new = read_fields(_values(request, form, sent), "form")
    except BadFields as bad:
        problems |= {
            name if name in ASKED else "message": why for name, why in bad.problems.items()
        }
    if problems:
        hidden = {n: sent[n] for n in (*KEPT, "referrer", "once") if sent.get(n)}
        return _draw(form, sent, problems, hidden, 422)
    return await _take(request, form, new)


_NO_FORM = (
    # What aiohttp raises for a broken body, the last two of them inside of multipart.
    ValueError, LookupError, AssertionError, web.RequestPayloadError, BadHttpMessage, RuntimeError,
)  # fmt: skip


async def _sent(request: web.Request) -> dict[str, str]:
    """The fields as text. A body that is not a form is a 4xx."""
    if request.content_type not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        raise web.HTTPUnsupportedMediaType
    try:
        posted = await request.post()
    except _NO_FORM:
        raise web.HTTPBadRequest from None
    texts = ((name, value) for name, value in posted.items() if isinstance(value, str))
    return {name: clean(text, lines=True) for name, text in texts}


def _values(request: web.Request, form: Form, sent: Mapping[str, str]) -> dict[str, Any]:
    utm = {name.removeprefix("utm_"): sent[name] for name in UTM if sent.get(name)}
    values: dict[str, Any] = {name: sent.get(name, "").strip() for name in ASKED}
    values["product"] = form.product or values["product"]
    values |= {
        "campaign": sent.get("utm_campaign", "")[:200] or form.campaign,
        "keyword": (sent.get("keyword") or sent.get("utm_term") or "")[:200],
        "channel": sent.get("utm_source", "")[:100] or form.name,
        "external_id": sent.get("once", "")[:100],
        "consent": {"text": form.consent, "at": request.app[STORE].clock().isoformat()},
        "utm": utm,
    }
    if sent.get("referrer"):
        values["fields"] = {"referrer": sent["referrer"][:200]}
    return values


async def _take(request: web.Request, form: Form, new: NewLead) -> web.Response:
    try:
        await request.app[GATHERER].take(new)
    except Busy:
        return says("人太多了", "请过几秒再提交一次", 503)
    request.app[RELAY].wake()
    return says("收到了", form.thanks)


# -- links in letters ---------------------------------------------------------


def _token(request: web.Request) -> str:
    token = request.match_info["token"]
    if not TOKEN.fullmatch(token):
        raise web.HTTPNotFound
    return token


async def follow_link(request: web.Request) -> web.Response:
    """The prospect is interested: a rep hears of it at once."""
    async with request.app[STORE].begin() as tx:
        known = await clicked(tx, _token(request))
    if not known:
        return says("链接已失效", "可以从我们的网站重新留言", 404)
    request.app[RELAY].wake()
    form = request.app[SETTINGS].form[0].name if request.app[SETTINGS].form else ""
    return says(
        "谢谢您的关注", "顾问很快会联系您。想补充需求，可以直接留言。",
        link=f"/f/{form}" if form else "", link_text="补充需求",
    )  # fmt: skip


async def ask_opt_out(request: web.Request) -> web.Response:
    """Only asks: mail scanners open every link, and must not opt anybody out."""
    async with request.app[STORE].read() as tx:
        known = await tx.links.find(_token(request), "optout")
    if known is None:
        return says("链接已失效", "直接回复邮件告诉我们也可以", 404)
    return says("不再联系", "确认后，我们不会再给您发消息。", button="确认，不再联系我")


async def do_opt_out(request: web.Request) -> web.Response:
    async with request.app[STORE].begin() as tx:
        known = await opt_out(tx, _token(request), "邮件退订")
    if not known:
        return says("链接已失效", "直接回复邮件告诉我们也可以", 404)
    request.app[RELAY].wake()
    return says("已经停止", "不会再有消息打扰您。")


async def picture(request: web.Request) -> web.Response:
    """A digest's picture for a group chat; the address is the key."""
    async with request.app[STORE].read() as tx:
        png = await tx.pictures.find(_token(request))
    if png is None:
        raise web.HTTPNotFound
    return web.Response(body=png, content_type="image/png", headers={"Cache-Control": "private"})


def add_routes(app: web.Application) -> None:
    app.middlewares.append(kindly)
    app.router.add_get("/f/{form}", get_form)
    app.router.add_post("/f/{form}", post_form)
    app.router.add_get("/t/{token}", follow_link, allow_head=False)
    app.router.add_get("/u/{token}", ask_opt_out)
    app.router.add_post("/u/{token}", do_opt_out)
    app.router.add_get("/p/{token}.png", picture)
