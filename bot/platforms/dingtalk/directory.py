"""
The people within the app's 权限范围, read from DingTalk (section 7.1 of the old API).

There is no list of everybody: departments are walked from the top. These calls cost
no quota. Whatever does not answer whole raises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from bot.platforms.dingtalk.answers import NOBODY, DingTalkError, NeedsAdmin, unknown_person
from bot.platforms.dingtalk.client import DingTalkClient
from store.domain.directory import Colleague, Department, Snapshot, Tree
from store.domain.errors import Later
from store.domain.team import Platform

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PAGE = 100  # people of a department in one answer
NO_SUCH_USER = frozenset({"60121", "33012"})
OUT_OF_RANGE = "50002"


@dataclass(slots=True)
class DingTalkDirectory:
    """``roots``: where the walk begins, for an app that may not see the whole organisation."""

    client: DingTalkClient
    roots: Sequence[int]
    clock: Callable[[], datetime]
    platform: Platform = Platform.DINGTALK
    _union_ids: dict[str, str] = field(default_factory=dict)

    async def read(self, known: Sequence[str]) -> Snapshot:
        """Everybody there is. ``known``: accounts that are asked for one by one if missing.

        Raises Later or DingTalkError.
        """
        at = self.clock()
        tree = await self._walk()
        names, places = await self._people(tree)
        missing = [account for account in known if account not in names]
        left = [account for account in missing if await self._has_left(account)]
        people = [
            Colleague(account=account, name=name, departments=tree.names(places[account]))
            for account, name in names.items()
        ]
        return Snapshot(platform=self.platform, at=at, people=people, left=left)

    async def union_id(self, account: str) -> str:
        """Of one person, needed for what belongs to them and not to the corp. Raises as ``read``."""
        if account not in self._union_ids:
            about = await self._about(account)
            union_id = about.get("unionid") if isinstance(about, dict) else None
            if not union_id:
                raise Later("topapi/v2/user/get: no unionid")
            self._union_ids[account] = str(union_id)
        return self._union_ids[account]

    def forget(self, account: str) -> None:
        """What was known of somebody is no longer so."""
        self._union_ids.pop(account, None)

    async def _about(self, account: str) -> object:
        try:
            return await self._call("topapi/v2/user/get", {"userid": account})
        except DingTalkError as error:
            if error.code not in NOBODY:
                raise
            raise DingTalkError(
                "topapi/v2/user/get", error.code, alarm=unknown_person(account)
            ) from None

    async def _walk(self) -> Tree:
        departments = {root: await self._root(root) for root in self.roots}
        waiting = list(self.roots)
        while waiting:
            for entry in await self._below(waiting.pop()):
                id_ = int(entry["dept_id"])
                if id_ not in departments:
                    waiting.append(id_)
                departments[id_] = _department(entry)
        return Tree(departments)

    async def _root(self, id_: int) -> Department:
        about = await self._call("topapi/v2/department/get", {"dept_id": id_})
        return _department(about if isinstance(about, dict) else {})

    async def _below(self, id_: int) -> list[dict[str, Any]]:
        """The direct children only."""
        found = await self._call("topapi/v2/department/listsub", {"dept_id": id_})
        return _dicts("topapi/v2/department/listsub", found)

    async def _people(self, tree: Tree) -> tuple[dict[str, str], dict[str, list[int]]]:
        """Account → name, and account → departments."""
        names: dict[str, str] = {}
        places: dict[str, list[int]] = {}
        for id_ in tree.departments:
            for user in await self._of(id_):
                names[user["userid"]] = str(user.get("name") or user["userid"])
                places.setdefault(user["userid"], []).append(id_)
        return names, places

    async def _of(self, id_: int) -> list[dict[str, Any]]:
        users: list[dict[str, Any]] = []
        cursor: object = 0
        while True:
            body = {"dept_id": id_, "cursor": cursor, "size": PAGE}
            page = await self._call("topapi/user/listsimple", body)
            if not isinstance(page, dict):
                raise Later("topapi/user/listsimple: no page in the answer")
            users += _dicts("topapi/user/listsimple", page.get("list"))
            if not page.get("has_more"):
                return users
            if page.get("next_cursor") in {None, cursor}:
                raise Later("topapi/user/listsimple: more, but no way to it")
            cursor = page["next_cursor"]

    async def _has_left(self, account: str) -> bool:
        """Asked of DingTalk itself: outside the app's range is not gone (50002)."""
        try:
            await self._call("topapi/v2/user/get", {"userid": account})
        except DingTalkError as error:
            if error.code in NO_SUCH_USER:
                return True
            log.warning("dingtalk_member_unclear", code=error.code)
        except NeedsAdmin as error:
            if error.code != OUT_OF_RANGE:
                raise
            log.warning("dingtalk_member_unclear", code=error.code)
        return False

    async def _call(self, path: str, body: Mapping[str, Any]) -> object:
        answer = await self.client.call("POST", f"/{path}", dict(body), old=True)
        return answer.get("result")


def _department(entry: Mapping[str, Any]) -> Department:
    if not entry.get("name"):
        # Without names nobody would have a role, and the whole team would be out.
        raise Later("topapi/v2/department: one without a name")
    return Department(str(entry["name"]), int(entry.get("parent_id") or 0))


def _dicts(path: str, found: object) -> list[dict[str, Any]]:
    """Raises Later when the list itself is missing: that is no answer, and no empty list."""
    if not isinstance(found, list):
        raise Later(f"{path}: no list in the answer")
    return [entry for entry in found if isinstance(entry, dict)]
