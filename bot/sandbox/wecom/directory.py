"""The address book of qyapi (D:90196 to D:90216): departments, members, tags."""

from collections.abc import Callable
from typing import Any

from bot.sandbox.staff import Employee, Staff
from bot.sandbox.wecom.api import Call, Endpoint
from bot.sandbox.wecom.errors import No

NOBODY: dict[str, Any] = {
    "department": [],
    "order": [],
    "is_leader_in_dept": [],
    "direct_leader": [],
}


class Directory:
    """Each answer has its empty lists when it is refused, as the platform's have."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff

    def endpoints(self) -> dict[str, Endpoint]:
        def get(answer: Callable[[Call], dict[str, Any]], **empty: Any) -> Endpoint:
            return Endpoint(method="GET", answer=answer, empty=empty)

        return {
            "department/simplelist": get(self.departments, department_id=[]),
            "department/get": get(self.department),
            "user/list": get(self.users, userlist=[]),
            "user/simplelist": get(self.names, userlist=[]),
            "user/get": get(self.user, **NOBODY),
            "tag/list": get(self.tags, taglist=[]),
            "tag/get": get(self.tag, userlist=[], partylist=[]),
        }

    def departments(self, call: Call) -> dict[str, Any]:
        """Ids only, of ``id`` and below; the names have to be asked for one by one."""
        top = self._open(call, "id") if "id" in call.query else 0
        shown = [
            {"id": id_, "parentid": unit.parent, "order": id_}
            for id_, unit in self._staff.units.items()
            if self._staff.open(id_) and (not top or top in self._above(id_))
        ]
        if not shown:
            raise No(60011, "no privilege to access/modify contact/party/agent")
        return {"department_id": shown}

    def _above(self, id_: int) -> list[int]:
        above = []
        while id_ in self._staff.units:
            above.append(id_)
            id_ = self._staff.units[id_].parent
        return above

    def _open(self, call: Call, name: str) -> int:
        """A department the app may look into."""
        id_ = _number(call, name)
        if id_ not in self._staff.units:
            raise No(60003, "department not found")
        if not self._staff.open(id_):
            raise No(60011, "no privilege to access/modify contact/party/agent")
        return id_

    def department(self, call: Call) -> dict[str, Any]:
        id_ = self._open(call, "id")
        unit = self._staff.units[id_]
        about = {"id": id_, "name": unit.name, "name_en": "", "department_leader": []}
        return {"department": {**about, "parentid": unit.parent, "order": id_}}

    def users(self, call: Call) -> dict[str, Any]:
        return {"userlist": [_whole(person) for person in self._of(call)]}

    def names(self, call: Call) -> dict[str, Any]:
        keys = ("userid", "name", "department")
        return {"userlist": [{key: _whole(p)[key] for key in keys} for p in self._of(call)]}

    def _of(self, call: Call) -> list[Employee]:
        return list(self._staff.of(self._open(call, "department_id")))

    def user(self, call: Call) -> dict[str, Any]:
        userid = call.query.get("userid", "")
        if not userid:
            raise No(40063, "some parameters are empty: userid")
        person = self._staff.find(userid)
        if person is None:
            raise No(60111, "userid not found")
        if not self._staff.sees(person):
            raise No(50002, "the member is outside the app's visible range")
        return _whole(person)

    def tags(self, call: Call) -> dict[str, Any]:
        labels = self._staff.labels.items()
        return {"taglist": [{"tagid": id_, "tagname": label.name} for id_, label in labels]}

    def tag(self, call: Call) -> dict[str, Any]:
        label = self._staff.labels.get(_number(call, "tagid"))
        if label is None:
            raise No(40068, "invalid tagid")
        found = [self._staff.find(account) for account in sorted(label.accounts)]
        users = [{"userid": p.account, "name": p.name} for p in found if p and self._staff.sees(p)]
        return {"tagname": label.name, "userlist": users, "partylist": sorted(label.units)}


def _whole(person: Employee) -> dict[str, Any]:
    """Without mobile, e-mail and picture: apps made since 2022-06-20 do not get them."""
    return {
        "userid": person.account,
        "name": person.name,
        "department": list(person.units),
        "order": [0] * len(person.units),
        "main_department": person.units[0],
        "is_leader_in_dept": [0] * len(person.units),
        "direct_leader": [],
        "position": "",
        "status": person.status,
        "gender": "0",
        "extattr": {"attrs": []},
    }


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    if not text.isdecimal():
        raise No(40035, f"invalid parameter: {name}")
    return int(text)
