"""To-do entries in DingTalk (D:add-dingtalk-to-do-task). They cost paid calls: two each.

An entry is known by its ``sourceId``, which we choose, as long as nobody has told us its id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import structlog

from bot.platforms.dingtalk.answers import NOBODY, DingTalkError
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.directory import DingTalkDirectory
from store.outbox import Due

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EXISTS = "todo.taskCreate.paramError"  # also for other mistakes; "task exist" is not told apart
GONE = {"todo.task.notExist", "todo.task.notFound", "404"}
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
        try:
            union_id = await self.directory.union_id(due.account)
            ref = due.ref if due.ref and due.ref.get("union_id") == union_id else None
            return await self._shown(due, union_id, ref)
        except DingTalkError as error:
            if error.code not in NOBODY:
                raise
            self.directory.forget(due.account)
            if not due.payload["done"]:
                raise
            return due.ref  # whoever is gone took the entry along

    async def _shown(self, due: Due, union_id: str, ref: Ref | None) -> Ref | None:
        done, task = bool(due.payload["done"]), (ref or {}).get("task") or ""
        if not task and (ref is not None or done):
            # No answer ever told us its id; the entry may stand there all the same.
            task = await self._find(union_id, due)
        if not task and done:
            return None
        if task:
            await self._change(due, union_id, task)
        return {"union_id": union_id, "task": task or await self._create(due, union_id)}

    async def _change(self, due: Due, union_id: str, task: str) -> None:
        done = bool(due.payload["done"])
        body = {"done": True} if done else {"done": False, **_content(due)}
        try:
            await self.client.call("PUT", _path(union_id, task), body)
        except DingTalkError as error:
            if not (done and error.code in GONE):
                raise

    async def _create(self, due: Due, union_id: str) -> str:
        """Its id; of one that an earlier try made, too."""
        page = {"appUrl": due.payload["url"], "pcUrl": due.payload["url"]}
        body = {
            # The same for every try: DingTalk refuses a second one.
            "sourceId": _source(due),
            "creatorId": union_id,
            "executorIds": [union_id],
            "detailUrl": page,
            "isOnlyShowExecutor": True,
            **_content(due),
        }
        try:
            answer = await self.client.call("POST", _path(union_id), body)
        except DingTalkError as error:
            task = await self._find(union_id, due) if error.code == EXISTS else ""
            if not task:
                raise
            await self._change(due, union_id, task)  # it may say what the earlier try said
            return task
        return str(answer.get("id") or "") or await self._find(union_id, due)

    async def _find(self, union_id: str, due: Due) -> str:
        """The id of the entry with our ``sourceId`` (AC:todo_1_0 GetTodoTaskBySourceId); "" for none."""
        who = quote(union_id, safe="")
        path = f"/v1.0/todo/users/{who}/tasks/sources/{quote(_source(due), safe='')}"
        try:
            answer = await self.client.call("GET", path)
        except DingTalkError as error:
            log.info("dingtalk_todo_not_found", key=due.key, code=error.code)
            return ""
        return str(answer.get("id") or "")


def _source(due: Due) -> str:
    return f"leadbot-{due.key}-{due.account}"


def _content(due: Due) -> dict[str, Any]:
    at = due.payload.get("due")
    when = {"dueTime": int(datetime.fromisoformat(at).timestamp() * 1000)} if at else {}
    return {"subject": str(due.payload["subject"])[:SUBJECT_CHARS], **when}


def _path(union_id: str, task: str = "") -> str:
    who = quote(union_id, safe="")
    which = f"/{quote(task, safe='')}" if task else ""
    return f"/v1.0/todo/users/{who}/tasks{which}?operatorId={who}"
