"""An approval that serves as a form: its content is fetched after the event (6.3). A paid call."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bot.config import Approval
from bot.platforms.dingtalk.client import DingTalkClient
from store.domain.errors import Later, Undeliverable
from store.outbox import Due

Take = Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
"""Instance id, userid of who filled it in, a lead's field → its value."""


@dataclass(frozen=True, slots=True)
class ApprovalReader:
    """Channel.DINGTALK_FORM: the account is the instance's id."""

    client: DingTalkClient
    approvals: Sequence[Approval]
    take: Take

    async def show(self, due: Due) -> None:
        """Raises Later or Undeliverable."""
        code = due.payload["process_code"]
        approval = next((a for a in self.approvals if a.process_code == code), None)
        if approval is None:
            raise Undeliverable("this approval is no longer configured")
        result = await self._fetch(due.account)
        answers = _answers(result)
        values = {name: answers.get(label) for name, label in approval.fields.items()}
        await self.take(due.account, str(result.get("originatorUserId") or ""), values)

    async def _fetch(self, instance: str) -> Mapping[str, Any]:
        path = f"/v1.0/workflow/processInstances?processInstanceId={quote(instance, safe='')}"
        result = (await self.client.call("GET", path)).get("result")
        if not isinstance(result, dict) or not isinstance(result.get("formComponentValues"), list):
            raise Later("workflow/processInstances: no form in the answer")
        return result


def _answers(result: Mapping[str, Any]) -> dict[str, Any]:
    """Label → value; of two with one label the first that is filled in."""
    answers: dict[str, Any] = {}
    for part in result["formComponentValues"]:
        if isinstance(part, dict) and part.get("name"):
            name, value = str(part["name"]), _value(part.get("value"))
            answers[name] = answers.get(name) or value
    return answers


def _value(value: Any) -> Any:
    """Several choices come as JSON inside the text; an empty field as the text ``null``."""
    if not isinstance(value, str) or value[:1] not in "[n":
        return value
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return read if isinstance(read, list) or read is None else value
