"""To-do entries in DingTalk (D:add-dingtalk-to-do-task). They cost paid calls: two each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bot.platforms.dingtalk.answers import DingTalkError
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.directory import DingTalkDirectory
from store.outbox import Due

EXISTS = "todo.taskCreate.paramError"  # also for other mistakes; "task exist" is not told apart
SUBJECT_CHARS = 1024

Ref = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TodoSender:
    """Channel.DINGTALK_TODO: one entry for each key, open until the payload says ``done``.

    The person cannot tick it off in DingTalk, only go to its page: it is done here.
    """

    client: DingTalkClient
    directory: DingTalkDirectory

    async def show(self, due: Due) -> Ref | None:
        """Payload: ``subject``, ``url``, ``due`` (an instant, or None) and ``done``.

        Raises Later or Undeliverable.
        """
        if due.payload["done"]:
            return await self._done(due)
        union_id = await self.directory.union_id(due.account)
        if due.ref and due.ref.get("union_id") == union_id:
            return await self._change(due, due.ref)
        return await self._create(due, union_id)

    async def _create(self, due: Due, union_id: str) -> Ref:
        page = {"appUrl": due.payload["url"], "pcUrl": due.payload["url"]}
        body = {
            # The same for every try: DingTalk refuses a second one.
            "sourceId": f"leadbot-{due.key}-{due.account}",
            "creatorId": union_id,
            "executorIds": [union_id],
            "detailUrl": page,
            "isOnlyShowExecutor": True,
            **_content(due),
        }
        try:
            answer = await self.client.call("POST", _path(union_id), body)
        except DingTalkError as error:
            if error.code == EXISTS and due.attempts > 1:
                return {"union_id": union_id, "task": ""}  # it was made, its answer was lost
            raise
        return {"union_id": union_id, "task": str(answer.get("id") or "")}

    async def _change(self, due: Due, ref: Ref) -> Ref:
        await self._put(ref, {"done": False, **_content(due)})
        return ref

    async def _done(self, due: Due) -> Ref | None:
        """What was never made needs no ticking off."""
        if due.ref:
            await self._put(due.ref, {"done": True})
        return due.ref

    async def _put(self, ref: Ref, body: dict[str, Any]) -> None:
        if ref["task"]:
            await self.client.call("PUT", _path(ref["union_id"], ref["task"]), body)


def _content(due: Due) -> dict[str, Any]:
    at = due.payload.get("due")
    when = {"dueTime": int(datetime.fromisoformat(at).timestamp() * 1000)} if at else {}
    return {"subject": str(due.payload["subject"])[:SUBJECT_CHARS], **when}


def _path(union_id: str, task: str = "") -> str:
    who = quote(union_id, safe="")
    which = f"/{quote(task, safe='')}" if task else ""
    return f"/v1.0/todo/users/{who}/tasks{which}?operatorId={who}"
