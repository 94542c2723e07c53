"""DING and calendar (8.3, 8.4), as strict as their pages: the product uses neither yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.directory import Directory
from bot.sandbox.dingtalk.errors import Fault
from bot.sandbox.state import State

IN_APP, PAID = 1, (2, 3)  # remindType: SMS and calls need a package nobody has bought here
MOST_RECEIVERS = 200
MOST_ATTENDEES = 500
ONE_DAY = timedelta(days=1)


@dataclass(slots=True)
class Dings:
    """D:robot-sends-nail-message."""

    org: Org
    state: State
    sent: dict[str, list[str]] = field(default_factory=dict)

    def send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Whoever is unknown stands in ``failedList``; the answer is 200."""
        self._check_robot(body)
        users = _receivers(body)
        content = body.get("content")
        if not isinstance(content, str) or not content:
            raise Fault(400, "invalidParameter.content", "content 不能为空")
        known = [user for user in users if f"dingtalk:{user}" in self.state.phones]
        for user in known:
            self.state.show(f"dingtalk:{user}", "notice", {"text": f"DING：{content}"})
        ding = token_hex(16)
        self.sent[ding] = known
        unknown = [user for user in users if user not in known]
        return {
            "openDingId": ding,
            "failedList": {"staffId.notExisted": unknown} if unknown else {},
        }

    def recall(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check_robot(body)
        ding = str(body.get("openDingId", ""))
        if self.sent.pop(ding, None) is None:
            raise Fault(400, "invalidParameter.openDingId", "openDingId 不存在")
        return {"openDingId": ding}

    def _check_robot(self, body: Mapping[str, Any]) -> None:
        if body.get("robotCode") != self.org.client_id:
            raise Fault(400, "invalidParameter.robotCode.auth", "robotCode 与应用不匹配")


def _receivers(body: Mapping[str, Any]) -> list[str]:
    if body.get("remindType") in PAID:
        raise Fault(400, "ding.serverquota.insufficient", "DING 套餐余量不足")
    if body.get("remindType") != IN_APP:
        raise Fault(400, "invalidParameter.remindType", "remindType 应为 1、2 或 3")
    users = body.get("receiverUserIdList")
    if not isinstance(users, list) or not users or not all(isinstance(u, str) for u in users):
        raise Fault(
            400, "invalidParameter.receiverUserIdList", "receiverUserIdList 应为字符串数组"
        )
    if len(users) > MOST_RECEIVERS:
        raise Fault(400, "ding.receivercount.limit", f"接收人超过 {MOST_RECEIVERS} 个")
    return users


@dataclass(slots=True)
class Calendar:
    """D:create-schedule. ``x-client-token`` makes a repeat within a day safe."""

    directory: Directory
    state: State
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def create(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        self._know(request.match_info["union"])
        token, now = request.headers.get("x-client-token", ""), self.state.clock()
        at, known = self.tokens.get(token, (now, ""))
        if known and now - at < ONE_DAY:
            return {"id": known, **self.events[known]}
        self._check(body)
        id_ = token_hex(16)
        self.events[id_] = dict(body)
        if token:
            self.tokens[token] = now, id_
        return {"id": id_, **body}

    def _check(self, body: Mapping[str, Any]) -> None:
        if not isinstance(body.get("summary"), str) or not body["summary"]:
            raise Fault(400, "invalidParameter.summary", "summary 不能为空")
        whole = body.get("isAllDay") is True
        if _moment(body.get("end"), whole=whole) <= _moment(body.get("start"), whole=whole):
            raise Fault(400, "invalidParameter.end", "end 应晚于 start")
        attendees = body.get("attendees") or []
        if len(attendees) > MOST_ATTENDEES:
            raise Fault(400, "invalidParameter.attendees", f"参与人超过 {MOST_ATTENDEES} 个")
        for attendee in attendees:
            self._know(str(attendee.get("id")))

    def _know(self, union: str) -> None:
        if self.directory.by_union(union) is None:
            raise Fault(400, "invalidParameter.userId", "unionId 不存在")


def _moment(at: Any, *, whole: bool) -> str:
    """A comparable text of ``{"dateTime", "timeZone"}``, of ``{"date"}`` for whole days."""
    try:
        if whole:
            return date.fromisoformat(at["date"]).isoformat()
        ZoneInfo(at["timeZone"])
        return f"{datetime.fromisoformat(at['dateTime']).timestamp():020.3f}"
    except (KeyError, TypeError, ValueError):
        raise Fault(400, "invalidParameter.time", "start 和 end 的时间不合法") from None
