"""
The people within the app's visible range, read from WeCom (D:90196 to D:90208, D:90227).

The range is departments, tags, and people put in one by one, who are in no list of a
department and are asked for by name. A refusal carries empty lists (D:90313): whatever
does not answer whole raises, so that nobody is taken for gone because a call failed.
What is refused of one person, or of one department that somebody brings along, is
about them alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from bot.platforms.wecom.client import Unmended, WeComClient, WeComError
from bot.platforms.wecom.errcodes import (
    NO_SUCH_DEPARTMENT,
    NO_SUCH_TAG,
    UNKNOWN_MEMBER,
    UNSEEN_MEMBER,
)
from store.domain.directory import Colleague, Department, RoleRule, Snapshot, Tree
from store.domain.errors import Alarm, Later
from store.domain.team import Platform

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LEFT = frozenset({2, 5})  # disabled, left (D:90196); 4 has not activated the account yet
WAITING = 4
RANGE = (("allow_userinfos", "user"), ("allow_partys", "partyid"), ("allow_tags", "tagid"))
NOT_OURS = UNKNOWN_MEMBER | UNSEEN_MEMBER | NO_SUCH_DEPARTMENT
"""Of one member or department: there is none, or it is outside the visible range."""
NOBODY_SEEN = Alarm(
    "wecom_directory:range",
    "企业微信说团队里没有一个人在应用的可见范围里，名单先不动。到应用页「可见范围」看看，把他们所在的部门加回来",
)

Users = Mapping[str, dict[str, Any]]
"""By account, which knows no case."""


@dataclass(frozen=True, slots=True)
class Visible:
    """What the admin put into the app's visible range (D:90227)."""

    accounts: Sequence[str]
    departments: Sequence[int]
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class WeComDirectory:
    """``rules``: tags are read for those that ask for one, and for the visible range."""

    client: WeComClient
    agent_id: int
    rules: Sequence[RoleRule]
    clock: Callable[[], datetime]
    platform: Platform = Platform.WECOM

    async def read(self, known: Sequence[str]) -> Snapshot:
        """Everybody there is. ``known``: accounts that are asked for one by one if missing.

        Raises Later, WeComError or Undeliverable.
        """
        at = self.clock()
        tree, users = await self._people(await self._range())
        tags = await self._tags(users)
        missing = [account for account in known if account.casefold() not in users]
        left, unseen = await self._absent(missing)
        left += [user["userid"] for user in users.values() if user.get("status") in LEFT]
        people = [_colleague(user, tree, tags) for user in users.values() if _works(user)]
        snapshot = Snapshot(platform=self.platform, at=at, people=people, left=left)
        out = {account.casefold() for account in (*left, *unseen)}
        if unseen and out.issuperset(account.casefold() for account in known):
            # The app has lost its right, rather than everybody theirs.
            return replace(snapshot, alarm=NOBODY_SEEN)
        return replace(snapshot, left=[*left, *unseen])

    async def _range(self) -> Visible:
        app = await self.client.call("agent/get", params={"agentid": str(self.agent_id)})
        if not any(isinstance(app.get(kind), dict) for kind, _ in RANGE):
            raise Later("agent/get: an answer without the visible range")
        people, departments, tags = ((app.get(kind) or {}).get(of) or () for kind, of in RANGE)
        return Visible(
            accounts=[str(one["userid"]) for one in people],
            departments=[int(id_) for id_ in departments],
            tags=[str(id_) for id_ in tags],
        )

    async def _people(self, visible: Visible) -> tuple[Tree, Users]:
        """Those of the departments first; whoever is in none of them is asked for."""
        named = list(visible.accounts)
        carried: list[int] = []
        for tag in visible.tags:
            accounts, departments = await self._of_range(tag)
            named += accounts
            carried += departments
        found = await self._departments() if visible.departments else {}
        for top in carried:
            found |= {} if top in found else await self._carried(top)
        users = await self._users(found)
        users |= await self._named(account for account in named if account.casefold() not in users)
        found |= await self._theirs(users, found)
        return Tree(found), users

    async def _departments(self, **top: str) -> dict[int, Department]:
        """All that are visible, or one and all below it."""
        answer = await self.client.call("department/simplelist", params=top)
        found = {}
        for entry in _list(answer, "department_id"):
            about = await self.client.call("department/get", params={"id": str(entry["id"])})
            found[int(entry["id"])] = _department(about)
        return found

    async def _carried(self, top: int) -> dict[int, Department]:
        """What a tag brings along; a department that is gone or closed to us is nothing."""
        try:
            return await self._departments(id=str(top))
        except WeComError as error:
            if error.code not in NOT_OURS:
                raise
            log.warning("wecom_department_unseen", code=error.code)
            return {}

    async def _named(self, accounts: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Who was put into the range one by one; who has gone meanwhile is left out."""
        users = {}
        for account in {account.casefold(): account for account in accounts}.values():
            user, _ = await self._asked(account)
            if user is not None:
                users[account.casefold()] = user
        return users

    async def _asked(self, account: str) -> tuple[dict[str, Any] | None, int]:
        """What WeCom says of one person, or why not. Raises what stops every call of the kind."""
        try:
            return await self.client.call("user/get", params={"userid": account}), 0
        except Unmended:
            raise
        except WeComError as error:
            log.warning("wecom_member_unseen", code=error.code)
            return None, error.code

    async def _theirs(
        self, users: Users, known: Mapping[int, Department]
    ) -> dict[int, Department]:
        """The departments of those put in one by one, as far as the app may see their names."""
        found = {}
        for id_ in {id_ for user in users.values() for id_ in _ids(user)} - set(known):
            try:
                about = await self.client.call("department/get", params={"id": str(id_)})
            except WeComError as error:
                # Anything else may pass, and who has no department may lose their role.
                if error.code not in NOT_OURS:
                    raise
                continue
            found[id_] = _department(about)
        return found

    async def _users(self, departments: Iterable[int]) -> dict[str, dict[str, Any]]:
        """By account; somebody in two departments comes twice and is one."""
        users: dict[str, dict[str, Any]] = {}
        for id_ in departments:
            answer = await self.client.call("user/list", params={"department_id": str(id_)})
            users |= {str(u["userid"]).casefold(): u for u in _list(answer, "userlist")}
        return users

    async def _tags(self, users: Users) -> Mapping[str, set[str]]:
        """Account → names of the tags some rule asks for, also by way of a department."""
        asked = {rule.tag for rule in self.rules if rule.tag}
        tagged: dict[str, set[str]] = {}
        if not asked:
            return tagged
        for tag in _list(await self.client.call("tag/list"), "taglist"):
            if tag.get("tagname") in asked:
                for account in await self._tagged(str(tag["tagid"]), users):
                    tagged.setdefault(account, set()).add(str(tag["tagname"]))
        return tagged

    async def _tagged(self, tag: str, users: Users) -> set[str]:
        accounts, departments = await self._tag(tag)
        carried = set(departments)
        named = {account.casefold() for account in accounts}
        return named | {account for account, user in users.items() if carried & set(_ids(user))}

    async def _of_range(self, tag: str) -> tuple[Sequence[str], Sequence[int]]:
        """Of a tag in the visible range; who had one that is gone is asked for by name."""
        try:
            return await self._tag(tag)
        except WeComError as error:
            if error.code not in UNSEEN_MEMBER | {NO_SUCH_TAG}:
                raise
            log.warning("wecom_tag_unseen", code=error.code)
            return (), ()

    async def _tag(self, tag: str) -> tuple[Sequence[str], Sequence[int]]:
        """The accounts and the departments that carry it."""
        answer = await self.client.call("tag/get", params={"tagid": tag})
        accounts = [str(user["userid"]) for user in _list(answer, "userlist")]
        return accounts, [int(id_) for id_ in answer.get("partylist") or ()]

    async def _absent(self, missing: Sequence[str]) -> tuple[list[str], list[str]]:
        """Who is gone, and who is outside the visible range.

        Asked of WeCom itself: not being in a list is no proof, nor is any other refusal.
        """
        left, unseen = [], []
        for account in missing:
            user, code = await self._asked(account)
            if code in UNSEEN_MEMBER:
                unseen.append(account)
            elif code in UNKNOWN_MEMBER or (user or {}).get("status") in LEFT:
                left.append(account)
        return left, unseen


def _works(user: Mapping[str, Any]) -> bool:
    return user.get("status", 1) not in LEFT | {WAITING}


def _colleague(user: Mapping[str, Any], tree: Tree, tags: Mapping[str, set[str]]) -> Colleague:
    account = str(user["userid"])
    return Colleague(
        account=account,
        name=str(user.get("name") or account),
        departments=tree.names(_ids(user)),
        tags=tuple(sorted(tags.get(account.casefold(), ()))),
    )


def _ids(user: Mapping[str, Any]) -> list[int]:
    return [int(id_) for id_ in user.get("department") or ()]


def _department(answer: Mapping[str, Any]) -> Department:
    about = answer.get("department")
    if not isinstance(about, dict) or not about.get("name"):
        # Without names nobody would have a role, and the whole team would be out.
        raise Later("department/get: a department without a name")
    return Department(str(about["name"]), int(about.get("parentid") or 0))


def _list(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Raises Later when the list itself is missing: that is no answer, and no empty list."""
    found = answer.get(name)
    if not isinstance(found, list):
        raise Later(f"an answer without {name}")
    return [entry for entry in found if isinstance(entry, dict)]
