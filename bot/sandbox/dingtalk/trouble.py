"""DingTalk when it is not well: what it answers before it looks at the call (3.4)."""

from aiohttp import web

from bot.sandbox.dingtalk.api import TOKEN_HEADER, refused, reply
from bot.sandbox.dingtalk.errors import Fault, OldFault
from bot.sandbox.faults import Faults
from bot.sandbox.limits import Tokens
from bot.sandbox.trouble import Refuse, web_page

DENIED = "Forbidden.AccessDenied"
BATCH_SEND = "/v1.0/robot/oToMessages/batchSend"


def denied(scope: str) -> Fault:
    """The permission that is missing, named as the platform names it (3.2)."""
    why = "没有调用该接口的权限"
    code = f"{DENIED}.AccessTokenPermissionDenied"
    return Fault(403, code, why, accessdenieddetail={"requiredScopes": [scope]})


def _no(code: str) -> Fault:
    return Fault(400, code, "请求被拒绝")


REFUSALS = {
    "rate": ("QpsLimitForAppkeyAndApi", 90018, "调用过于频繁"),
    "quota": ("ApiCountLimitForOrg", 90020, "本月调用次数已用完"),
    "address": ("IpNotInWhiteList", 60020, "访问ip不在白名单之中"),
}
"""What a call with a token may get: the code of the new API, of the old one, and a sentence."""
AT: dict[str, tuple[str, Fault | OldFault]] = {
    "card_scope": ("/v1.0/card/", denied("Card.Instance.Write")),
    "card_data": ("/v1.0/card/instances/createAndDeliver", _no("param.cardDataInvalid")),
    "no_oto": (BATCH_SEND, _no("chatbotId.notAllow.sendOTO")),
    "no_session": (BATCH_SEND, _no("robot.oto.notExist")),
    "group_gone": ("/v1.0/robot/groupMessages/send", _no("group.disbanded")),
    "minute": ("/v1.0/", Fault(403, f"{DENIED}.QpmLimitForAppkeyAndApi", "每分钟调用超限")),
    "busy": ("/v1.0/", Fault(429, "system.busy", "系统繁忙")),
    "app_off": ("/topapi/", OldFault(50003, "应用已停用")),
    "invisible": ("/topapi/", OldFault(50002, "请求的员工userid不在授权范围内")),
}
"""What only some calls with a token meet."""
MUTED = ("/v1.0/robot/oToMessages/batchSend", "/v1.0/robot/groupMessages/send")
SCOPES = {
    "/v1.0/robot/ding/": "Premium.Ding.Write",
    "/v1.0/robot/": "qyapi_robot_sendmsg",
    "/v1.0/calendar/": "Calendar.Event.Write",
    "/v1.0/card/": "Card.Instance.Write",
    "/v1.0/todo/": "Todo.Todo.Write",
    "/v1.0/workflow/": "Workflow.Instance.Read",
    "/topapi/v2/department/": "qyapi_get_department_list",
    "/topapi/v2/user/get": "qyapi_get_member",
    "/topapi/user/": "qyapi_get_department_member",
}
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
    if faults.take("dingtalk", "shut_ban"):
        return web_page()
    return web.Response(status=503) if faults.take("dingtalk", "shut") else None


def _refused(faults: Faults, tokens: Tokens, request: web.Request) -> web.Response | None:
    if faults.take("dingtalk", "token_gone"):
        tokens.forget()
    for name, (code, old_code, why) in REFUSALS.items():
        if faults.take("dingtalk", name):
            if request.path.startswith("/v1.0/"):
                return refused(Fault(403, f"{DENIED}.{code}", why))
            return reply({"errcode": old_code, "errmsg": why})
    return _here(faults, request.path)


def _here(faults: Faults, path: str) -> web.Response | None:
    """What goes wrong with this kind of call."""
    if path in MUTED and faults.take("dingtalk", "muted"):
        return refused(_no("bot.forbidden.sendMessage"))
    for name, (prefix, fault) in AT.items():
        if path.startswith(prefix) and faults.take("dingtalk", name):
            return _as(fault)
    scope = _scope(path)
    return _scoped(path, scope) if scope and faults.take("dingtalk", "scope") else None


def _scope(path: str) -> str:
    """The permission a call needs; to-dos are read with another than they are written with."""
    if path.startswith("/v1.0/todo/") and "/tasks/sources/" in path:
        return "Todo.Todo.Read"
    return next((scope for prefix, scope in SCOPES.items() if path.startswith(prefix)), "")


def _scoped(path: str, scope: str) -> web.Response:
    if path.startswith("/v1.0/"):
        return refused(denied(scope))
    why = f"没有调用该接口的权限，接口权限申请：{scope}"
    return reply({"errcode": 88, "sub_code": "60011", "sub_msg": why, "errmsg": "ding talk error"})


def _as(fault: Fault | OldFault) -> web.Response:
    if isinstance(fault, Fault):
        return refused(fault)
    return reply({"errcode": fault.errcode, "errmsg": fault.errmsg})
