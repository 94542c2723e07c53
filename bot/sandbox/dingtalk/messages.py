"""Sending as the app's robot: to people, to a group, and taking it back (section 4)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from aiohttp import web

from bot.sandbox.dingtalk.api import Org
from bot.sandbox.dingtalk.errors import Fault, OldFault
from bot.sandbox.dingtalk.shown import by_key
from bot.sandbox.limits import PerMinute, size
from bot.sandbox.state import Message, State, group_of

MOST_USERS = 20
MSG = 2048  # bytes of a work notification
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
        self._notes: set[tuple[str, str, str]] = set()

    def batch_send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """HTTP 200 although somebody did not get it: the lists say who."""
        self._check_robot(body)
        users = _users(body)
        kind, content = by_key(body.get("msgKey"), body.get("msgParam"))
        self._check_links(body)
        known = [user for user in users if f"dingtalk:{user}" in self._state.phones]
        if self._state.faults.take("dingtalk", "nobody"):
            return {"processQueryKey": self.remember([]), "invalidStaffIdList": users,
                    "flowControlledStaffIdList": []}  # fmt: skip
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
        self._check_links(body)
        message = self._state.show(group_of("dingtalk"), kind, content, by=NAME)
        self._state.tick("digest")
        return {"processQueryKey": self.remember([message])}

    def notify(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """asyncsend_v2: success even where the same words to the same person are dropped (4.6)."""
        if body.get("agent_id") != self._org.agent_id:
            raise OldFault(40035, "不合法的参数 agent_id")
        words = _words(body.get("msg"))
        for user in str(body.get("userid_list") or "").split(","):
            self._note(user, words)
        return {"task_id": self._state.next_id()}

    def _note(self, user: str, words: str) -> None:
        said = (user, words, f"{self._state.clock():%Y-%m-%d}")
        if f"dingtalk:{user}" not in self._state.phones or said in self._notes:
            self.dropped += 1
            return
        self._notes.add(said)
        self._state.show(f"dingtalk:{user}", "notice", {"text": words})

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

    def _check_links(self, body: Mapping[str, Any]) -> None:
        """The content check, when it is in a mood: no links at all."""
        if "://" in str(body.get("msgParam")) and self._state.faults.take("dingtalk", "unsafe"):
            raise Fault(400, "contain.unsafe.url", "消息中包含不安全的外部域名链接")

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


def _words(message: Any) -> str:
    """Of a work notification's text or markdown. Raises OldFault."""
    fits = size(json.dumps(message, ensure_ascii=False)) <= MSG
    kind = message.get("msgtype") if isinstance(message, dict) and fits else None
    content = message.get(kind) if kind in {"text", "markdown"} else None
    words = content.get("content") or content.get("text") if isinstance(content, dict) else None
    if not isinstance(words, str):
        raise OldFault(40035, "不合法的参数 msg")
    return words
