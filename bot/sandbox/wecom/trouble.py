"""qyapi when it is not well: what it answers before it looks at the call."""

from aiohttp import web

from bot.sandbox.faults import Faults
from bot.sandbox.limits import Tokens
from bot.sandbox.trouble import Refuse, web_page
from bot.sandbox.wecom.api import reply
from bot.sandbox.wecom.errors import explained

REFUSALS = {
    "rate": (45009, "api freq out of limit"),
    "parallel": (45033, "api concurrent out of limit"),
    "address": (60020, "not allow to access from your ip"),
}
"""What gettoken never answers: it may be asked from anywhere."""
AT = {
    "secret": ("/cgi-bin/gettoken", 40001, "invalid credential"),
    "scope": ("/cgi-bin/externalcontact/", 48002, "api forbidden"),
    "range": ("/cgi-bin/message/send", 81013, "user & party & tag all invalid"),
    "hook": ("/cgi-bin/webhook/", 93000, "invalid webhook url"),
}
"""What only one kind of call meets."""
UPDATE = "/cgi-bin/message/update_template_card"


def refusing(faults: Faults, tokens: Tokens) -> Refuse:
    """The faults only WeCom has."""

    def refuse(request: web.Request) -> web.StreamResponse | None:
        if faults.take("wecom", "ban"):
            return web_page(200)
        if faults.take("wecom", "busy"):
            return _refusal(-1, "system busy")
        if "access_token" in request.query:
            _spoil(faults, tokens)
        return _refused(faults, request)

    return refuse


def _refused(faults: Faults, request: web.Request) -> web.StreamResponse | None:
    if request.path == UPDATE and faults.take("wecom", "card_spent"):
        return _refusal(60140, "invalid response_code")
    for name, (path, code, why) in AT.items():
        if request.path.startswith(path) and faults.take("wecom", name):
            return _refusal(code, why)
    if request.path.endswith("/gettoken"):
        return None
    for name, (code, why) in REFUSALS.items():
        open_to_all = name == "address" and "key" in request.query
        if not open_to_all and faults.take("wecom", name):
            return _refusal(code, why)
    return None


def _spoil(faults: Faults, tokens: Tokens) -> None:
    """The call that follows is refused by itself, and so is every other with this token."""
    if faults.take("wecom", "token_gone"):
        tokens.forget()
    if faults.take("wecom", "token_expired"):
        tokens.expire()


def _refusal(code: int, why: str) -> web.Response:
    return reply({"errcode": code, "errmsg": explained(code, why)})
