"""
What DingTalk's answers mean, as a table: nothing, try later, or never again.

The codes are those of D:server-api-error-codes-1 and of the API pages; what is
not in the table is final for a 4xx and passing for a 5xx.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import structlog

from store.domain.errors import Later, Spent, Undeliverable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

BEIJING = timezone(timedelta(hours=8))  # the monthly quota is counted there

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
BANNED = timedelta(minutes=5)  # for every call of this address
THROTTLED = timedelta(minutes=10)  # a group robot after 20 messages in a minute
MENDING = timedelta(minutes=10)  # how soon an admin may have put it right

NOT_DONE = "success=false"
TOKEN_REFUSED = {"InvalidAuthentication", "40001", "40014", "42001"}
QUOTA_USED_UP = {"Forbidden.AccessDenied.ApiCountLimitForOrg", "90020"}
WAIT = {
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": SECOND,
    "Forbidden.AccessDenied.QpsLimitForApi": SECOND,
    "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi": MINUTE,
    "90002": SECOND,
    "90018": SECOND,
    **dict.fromkeys(("90001", "90003", "90004", "90005", "90006", "90007", "90008"), MINUTE),
    **dict.fromkeys(("send.too.fast", "send.toofast", "send.byToken.tooFast"), 5 * SECOND),
    **dict.fromkeys(("410100", "130101", "302033"), THROTTLED),
}
# About the app and not about this message: it goes out once an admin has mended it.
NEEDS_AN_ADMIN = {
    "invalidClientIdOrSecret",
    "Forbidden.AccessDenied.AccessTokenPermissionDenied",
    "Forbidden.AccessDenied.IpNotInWhiteList",
    "40089",
    "50003",
    "60011",
    "60020",
}
# The relay's own back-off decides how long.
PASSING = {"-1", "15", "88", "system.busy", "systemBusy", "todo.taskCreate.flowControlError"}
# Some wrong parameters are reported as HTTP 500; waiting does not mend them.
WRONG_PARAMETER = ("param.", "invalidParameter.")


class DingTalkError(Undeliverable):
    """DingTalk will never take this. ``code`` is the platform's own, new or old style."""

    def __init__(self, what: str, code: str, hint: str = "") -> None:
        super().__init__(f"{what}: {code} {hint}".rstrip())
        self.code = code


class TokenRefused(DingTalkError):
    """The access token is unknown or too old: fetch one and call once more."""


class Banned(Later):
    """DingTalk's firewall answered instead of the API: leave everything alone for a while."""


def read_answer(what: str, status: int, body: bytes, now: datetime) -> dict[str, Any]:
    """The answer of a call that worked; ``what`` names the call in the errors.

    The platform's own messages stay out of the errors: nobody knows what is in
    them. Raises Later, Banned, TokenRefused or another DingTalkError.
    """
    answer = _object(what, status, body)
    code = _code(status, answer)
    if code:
        raise _error(what, status, code, answer, now)
    return answer


def _object(what: str, status: int, body: bytes) -> dict[str, Any]:
    answer = _json(body)
    banned = isinstance(answer, dict) and str(answer.get("status")) == "1111"
    if isinstance(answer, dict) and not banned and not 300 <= status < 400:
        return answer
    if banned or (body.lstrip()[:1] == b"<" and (status < 300 or 400 <= status < 500)):
        raise Banned(f"{what}: HTTP {status}, refused by the firewall", BANNED)
    if 400 <= status < 500 and not body:
        return {}
    raise Later(f"{what}: HTTP {status}, unreadable answer")


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _code(status: int, answer: Mapping[str, Any]) -> str:
    """The error's code; empty when the call worked."""
    if "errcode" not in answer:
        # Some calls of the new API answer HTTP 200 for what they did not do.
        failed = status >= 400 or answer.get("success") is False
        return str(answer.get("code") or (status if status >= 400 else NOT_DONE)) if failed else ""
    if str(answer["errcode"]) == "88":  # "something": the real code is beside it
        return str(answer.get("sub_code") or "88")
    # A documented sample shows the zero of success as a text.
    return "" if str(answer["errcode"]) == "0" and status < 400 else str(answer["errcode"])


def _error(
    what: str, status: int, code: str, answer: Mapping[str, Any], now: datetime
) -> Later | DingTalkError:
    if code in TOKEN_REFUSED:
        return TokenRefused(what, code)
    if code in QUOTA_USED_UP:
        log.error("dingtalk_quota_used_up", call=what, code=code)
        return Spent(f"{what}: the monthly quota is used up", _next_month(now) - now)
    if code in WAIT:
        return Later(f"{what}: {code}", WAIT[code])
    if code in NEEDS_AN_ADMIN:
        log.error("dingtalk_needs_an_admin", call=what, code=code, hint=_hint(answer))
        return Later(f"{what}: {code} {_hint(answer)}".rstrip(), MENDING)
    if _passing(status, code):
        return Later(f"{what}: HTTP {status} {code}")
    return DingTalkError(what, code, _hint(answer))


def _passing(status: int, code: str) -> bool:
    if code in PASSING or code.startswith("isp."):
        return True
    return (status >= 500 or status in {408, 429}) and not code.startswith(WRONG_PARAMETER)


def _next_month(now: datetime) -> datetime:
    first = now.astimezone(BEIJING).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _hint(answer: Mapping[str, Any]) -> str:
    """What an admin needs to mend it: the missing permissions, or the failed robot check."""
    detail = answer.get("accessdenieddetail")
    scopes = detail.get("requiredScopes") if isinstance(detail, dict) else None
    if isinstance(scopes, list):
        return "needs " + ", ".join(str(scope) for scope in scopes)
    message = str(answer.get("errmsg", ""))
    checks = ("keywords not in content", "invalid timestamp", "sign not match", "not in whitelist")
    return next((check for check in checks if check in message), "")
