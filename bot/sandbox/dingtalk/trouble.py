"""DingTalk when it is not well: what it answers before it looks at the call (3.4)."""

from aiohttp import web

from bot.sandbox.dingtalk.api import TOKEN_HEADER, refused, reply
from bot.sandbox.dingtalk.errors import Fault
from bot.sandbox.faults import Faults
from bot.sandbox.limits import Tokens
from bot.sandbox.trouble import Refuse, web_page

DENIED = "Forbidden.AccessDenied"
REFUSALS = {
    "rate": ("QpsLimitForAppkeyAndApi", 90018, "调用过于频繁"),
    "quota": ("ApiCountLimitForOrg", 90020, "本月调用次数已用完"),
    "address": ("IpNotInWhiteList", 60020, "访问ip不在白名单之中"),
}
"""What a call with a token may get: the code of the new API, of the old one, and a sentence."""
PUNISHED = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "sandbox"}
OPEN = "/v1.0/gateway/connections/open"


def refusing(faults: Faults, tokens: Tokens) -> Refuse:
    """The faults only DingTalk has."""

    def refuse(request: web.Request) -> web.StreamResponse | None:
        if faults.take("dingtalk", "ban"):
            return web_page()
        if faults.take("dingtalk", "ban_json"):
            return reply(PUNISHED)
        if request.path == OPEN:
            return _shut(faults)
        return _refused(faults, tokens, request) if _has_token(request) else None

    return refuse


def _has_token(request: web.Request) -> bool:
    by_robot = request.path.startswith("/robot/")  # there it is the robot's own, and lasts
    return TOKEN_HEADER in request.headers or ("access_token" in request.query and not by_robot)


def _shut(faults: Faults) -> web.StreamResponse | None:
    return web.Response(status=503) if faults.take("dingtalk", "shut") else None


def _refused(faults: Faults, tokens: Tokens, request: web.Request) -> web.Response | None:
    if faults.take("dingtalk", "token_gone"):
        tokens.forget()
    for name, (code, old_code, why) in REFUSALS.items():
        if faults.take("dingtalk", name):
            if request.path.startswith("/v1.0/"):
                return refused(Fault(403, f"{DENIED}.{code}", why))
            return reply({"errcode": old_code, "errmsg": why})
    return None
