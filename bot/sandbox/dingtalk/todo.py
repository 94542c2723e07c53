"""Work to-dos (8.1) and approvals (6.3) of the new API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from aiohttp import web

from bot.sandbox.dingtalk.directory import Directory
from bot.sandbox.dingtalk.errors import Fault
from bot.sandbox.state import Message, State

SUBJECT_CHARS = 1024


@dataclass(slots=True, kw_only=True)
class Task:
    id: str
    source: str
    owner: str  # the union id whose list it stands in
    body: dict[str, Any]
    done: bool = False
    shown: Message | None = None


@dataclass(slots=True)
class Todos:
    directory: Directory
    state: State
    tasks: dict[str, Task] = field(default_factory=dict)

    def create(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """The same ``sourceId`` twice is refused; ``detailUrl`` is mandatory since 2024-02-01."""
        owner = self._person(request)
        source = str(body.get("sourceId") or "")
        if source and any(task.source == source for task in self.tasks.values()):
            raise Fault(400, "todo.taskCreate.paramError", "task exist")
        _check(body)
        for executor in body.get("executorIds", []):
            if self.directory.by_union(str(executor)) is None:
                raise Fault(400, "todo.taskCreate.paramError", "executorIds 含有未知的 unionId")
        task = Task(id=f"task{token_hex(12)}", source=source, owner=owner, body=dict(body))
        self.tasks[task.id] = task
        self._show(task)
        return {"id": task.id, **body}

    def by_source(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """AC:todo_1_0 GetTodoTaskBySourceId: what we know an entry by, before we know its id."""
        owner, source = self._person(request), request.match_info["source"]
        for task in self.tasks.values():
            if (task.owner, task.source) == (owner, source):
                return {**task.body, "id": task.id, "done": task.done}
        raise Fault(404, "todo.task.notExist", "待办不存在")

    def change(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        owner = self._person(request)
        task = self.tasks.get(request.match_info["task"])
        if task is None or task.owner != owner:
            raise Fault(404, "todo.task.notExist", "待办不存在")
        task.body |= body
        task.done = bool(body.get("done", task.done))
        self._show(task)
        return {"result": True}

    def _person(self, request: web.Request) -> str:
        """Both the path and ``operatorId`` are union ids; a userid is nobody here."""
        union = request.match_info["union"]
        operator = request.query.get("operatorId", union if request.method == "GET" else "")
        if self.directory.by_union(union) is None or self.directory.by_union(operator) is None:
            raise Fault(400, "todo.taskCreate.paramError", "unionId 或 operatorId 不存在")
        return union

    def _show(self, task: Task) -> None:
        person = self.directory.by_union(task.owner)
        if person is None:
            return
        text = f"待办{'（已完成）' if task.done else ''}：{task.body.get('subject', '')}"
        if task.shown is None:
            task.shown = self.state.show(f"dingtalk:{person.account}", "notice", {"text": text})
        else:
            task.shown.body = {"text": text}
            self.state.changed(task.shown)


def _check(body: Mapping[str, Any]) -> None:
    subject, page = body.get("subject"), body.get("detailUrl")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS:
        raise Fault(400, "todo.taskCreate.paramError", "subject 为空或超长")
    if not isinstance(page, dict) or not page.get("appUrl") or not page.get("pcUrl"):
        raise Fault(400, "todo.taskCreate.paramError", "detailUrl is required")
    if not isinstance(body.get("dueTime", 0), int):
        raise Fault(400, "todo.taskCreate.paramError", "dueTime 应为毫秒")


@dataclass(slots=True)
class Approvals:
    """Forms somebody filled in; ``fill`` makes one, the event about it is the gateway's."""

    instances: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fill(self, userid: str, title: str, answers: Mapping[str, str]) -> str:
        instance = token_hex(16)
        parts = [
            {"id": f"TextField_{token_hex(4)}", "name": label, "value": value,
             "componentType": "TextField"}
            for label, value in answers.items()
        ]  # fmt: skip
        about = {"title": title, "status": "COMPLETED", "result": "agree"}
        self.instances[instance] = {
            **about, "originatorUserId": userid, "formComponentValues": parts,
        }  # fmt: skip
        return instance

    def get(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        found = self.instances.get(request.query.get("processInstanceId", ""))
        if found is None:
            raise Fault(400, "processInstanceId.error", "审批实例不存在")
        return {"result": found, "success": "true"}  # a text, as documented
