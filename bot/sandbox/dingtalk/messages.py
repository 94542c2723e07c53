"""Sending as the app's robot: to people, to a group, and taking it back (section 4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.errors import Fault
from bot.sandbox.dingtalk.shown import by_key
from bot.sandbox.limits import PerMinute
from bot.sandbox.state import Message, State, group_of

MOST_USERS = 20
RECALL_WITHIN = timedelta(hours=24)
NAME = "线索助手"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    at: datetime
    messages: list[Message]


class Messages:
    """``per_minute``: above that a person is flow-controlled, the answer is still 200; None: off."""

    def __init__(self, org: Org, state: State, per_minute: int | None = None) -> None:
        self._org = org
        self._state = state
        self.per_minute = per_minute
        self.dropped = 0
        """Messages that somebody did not get although the answer was 200."""
        self._counts: dict[str, PerMinute] = {}
        self._sent: dict[str, Sent] = {}

    def batch_send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """HTTP 200 although somebody did not get it: the lists say who."""
        self._check_robot(body)
        users = _users(body)
        kind, content = by_key(body.get("msgKey"), body.get("msgParam"))
        known = [user for user in users if f"dingtalk:{user}" in self._state.phones]
        if not known:
            raise Fault(400, "staffId.notExisted", "员工不存在")
        held = [user for user in known if not self._may_ring(user)]
        ringing = [user for user in known if user not in held]
        key = self.remember(self._state.show(f"dingtalk:{u}", kind, content) for u in ringing)
        invalid = [user for user in users if user not in known]
        lists = {"invalidStaffIdList": invalid, "flowControlledStaffIdList": held}
        return {"processQueryKey": key, **lists}

    def _may_ring(self, user: str) -> bool:
        if self._state.faults.take("dingtalk", "flow"):
            return False
        if self.per_minute is None:
            return True
        new = PerMinute(self._state.clock, self.per_minute)
        rings = self._counts.setdefault(user, new).take()
        self.dropped += not rings
        return rings

    def group_send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check_robot(body)
        conversation = body.get("openConversationId")
        if not conversation:
            raise Fault(400, "miss.openConversationId", "缺少openConversationId")
        if conversation != self._org.group_id:
            raise Fault(400, "resource.not.found", "robot 不存在")  # a 1:1 id is refused so, too
        kind, content = by_key(body.get("msgKey"), body.get("msgParam"))
        message = self._state.show(group_of("dingtalk"), kind, content, by=NAME)
        self._state.tick("digest")
        return {"processQueryKey": self.remember([message])}

    def recall(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check_robot(body)
        keys = body.get("processQueryKeys")
        if not isinstance(keys, list) or not 0 < len(keys) <= MOST_USERS:
            raise Fault(
                400, "invalidParameter.processQueryKeys", "processQueryKeys 应为 1 到 20 个"
            )
        failed = {str(key): why for key in keys if (why := self._take_back(str(key)))}
        done = [str(key) for key in keys if str(key) not in failed]
        return {"successResult": done, "failedResult": failed}

    def _take_back(self, key: str) -> str:
        sent = self._sent.get(key)
        if sent is None:
            return "invalid.processQueryKey"
        if self._state.clock() - sent.at > RECALL_WITHIN:
            return "processQueryKey.expireTime"
        for message in sent.messages:
            message.recalled = True
            self._state.changed(message)
        return ""

    def _check_robot(self, body: Mapping[str, Any]) -> None:
        if body.get("robotCode") != self._org.client_id:
            raise Fault(400, "invalidParameter.robotCode.auth", "robotCode 与应用不匹配")

    def remember(self, messages: Iterable[Message]) -> str:
        """The key under which they can be taken back."""
        key = f"{token_urlsafe(24)}=="
        self._sent[key] = Sent(at=self._state.clock(), messages=list(messages))
        return key


def _users(body: Mapping[str, Any]) -> list[str]:
    users = body.get("userIds")
    if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
        raise Fault(400, "invalidParameter.userIds.invalid", "userIds 应为字符串数组")
    if not users:
        raise Fault(400, "invalidParameter.userIds.empty", "userIds 不能为空")
    if len(users) > MOST_USERS:
        raise Fault(400, "invalidParameter.userIds.overMax", "userIds 超过 20 个")
    return list(dict.fromkeys(users))
