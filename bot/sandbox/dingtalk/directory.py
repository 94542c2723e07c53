"""The directory and the login of the old API (7.1, 7.2): departments are walked, codes work once."""

import time
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from aiohttp import web

from bot.sandbox.dingtalk.errors import OldFault
from bot.sandbox.staff import Employee, Staff

LARGEST_PAGE = 100
CODE_SECONDS = 300.0


class Directory:
    """``top``: the department the app's 权限范围 begins at."""

    def __init__(self, staff: Staff, top: int = 1) -> None:
        self._staff = staff
        self._codes: dict[str, tuple[str, float]] = {}
        self.top = top

    def unit(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        id_ = self._unit(body)
        unit = self._staff.units[id_]
        return _result({"dept_id": id_, "name": unit.name, "parent_id": unit.parent})

    def below(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """department/listsub: the direct children only."""
        id_ = self._unit(body)
        children = [(i, u) for i, u in self._staff.units.items() if u.parent == id_]
        more = {"create_dept_group": True, "auto_add_user": False}
        return _result(
            [{"dept_id": i, "name": u.name, "parent_id": id_, **more} for i, u in children]
        )

    def users(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """user/listsimple: a page of one department."""
        people = list(self._staff.of(self._unit(body)))
        cursor, size = body.get("cursor"), body.get("size")
        if not isinstance(cursor, int) or not isinstance(size, int):
            raise OldFault(40035, "不合法的参数 cursor 或 size")
        if not 0 < size <= LARGEST_PAGE:
            raise OldFault(40035, f"size 应为 1 到 {LARGEST_PAGE}")
        page, rest = people[cursor : cursor + size], people[cursor + size :]
        shown = {"list": [{"userid": p.account, "name": p.name} for p in page]}
        more = {"has_more": bool(rest)} | ({"next_cursor": cursor + size} if rest else {})
        return _result({**shown, **more})

    def user(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        userid = body.get("userid")
        if not isinstance(userid, str) or not userid:
            raise OldFault(40035, "缺少参数 userid")
        person = self._staff.find(userid)
        if person is None:
            raise OldFault(60121, "找不到该用户")
        if not person.seen:
            raise OldFault(50002, "请求的员工userid不在授权范围内")
        return _result(
            {
                "userid": person.account,
                "unionid": union_id(person),
                "name": person.name,
                "dept_id_list": list(person.units),
                "active": person.status == 1,
                "admin": False,
                "boss": False,
            }
        )

    def issue(self, userid: str) -> str:
        """The code a page gets from dd.requestAuthCode for the person who opened it."""
        code = token_hex(16)
        self._codes[code] = (userid, time.monotonic() + CODE_SECONDS)
        return code

    def login(self, request: web.Request, body: Mapping[str, Any]) -> dict[str, Any]:
        """v2/user/getuserinfo: once, within five minutes."""
        userid, until = self._codes.pop(str(body.get("code", "")), ("", 0.0))
        person = self._staff.find(userid) if userid else None
        if person is None or time.monotonic() > until:
            raise OldFault(40078, "不存在的临时授权码")
        about = {"userid": person.account, "unionid": union_id(person), "name": person.name}
        return _result({**about, "device_id": token_hex(16), "sys": False, "sys_level": 0})

    def by_union(self, id_: str) -> Employee | None:
        return next((p for p in self._staff.people.values() if union_id(p) == id_), None)

    def _unit(self, body: Mapping[str, Any]) -> int:
        id_ = body.get("dept_id", 1)
        if not isinstance(id_, int) or id_ not in self._staff.units:
            raise OldFault(60003, "部门不存在")
        if not self._within(id_):
            raise OldFault(50004, "请求的部门id不在授权范围内")
        return id_

    def _within(self, id_: int) -> bool:
        while id_ and id_ != self.top:
            id_ = self._staff.units[id_].parent
        return id_ == self.top


def union_id(person: Employee) -> str:
    """Base64 as the platform's: it has to be escaped inside a path."""
    return f"uN+{person.account}/iE=="


def _result(result: Any) -> dict[str, Any]:
    return {"result": result, "request_id": token_hex(8)}
