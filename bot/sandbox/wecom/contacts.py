"""Customers: who they are, welcome, remarks, tags, mass sending (D:92114-92117, D:92135, D:92137)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from secrets import token_urlsafe
from typing import Any

from bot.sandbox.limits import size
from bot.sandbox.state import Contact, Message, State
from bot.sandbox.wecom.api import Call
from bot.sandbox.wecom.errors import No
from bot.sandbox.wecom.messages import chat_of
from bot.sandbox.wecom.tags import Tags

CONTENT_BYTES = 4000
MOST_CUSTOMERS = 10_000
MOST_ATTACHMENTS = 9
MOST_LISTED = 100
FOLLOWERS = 500  # of a page
WELCOME_SECONDS = 20.0  # of real time, however fast the demo's clock runs
REMARKS = {  # D:92115: what it is called in externalcontact/get, and its characters
    "remark": ("remark", 20),
    "description": ("description", 150),
    "remark_company": ("remark_corp_name", 20),
}
UNSENT, SENT, NOT_A_FRIEND, HAD_ANOTHER = 0, 1, 2, 3


MONTH = 31 * 86400  # seconds that a list of tasks may span


@dataclass(slots=True, kw_only=True)
class Task:
    """A 企业群发 of one member: goes out when the member confirms it."""

    msgid: str
    sender: str
    customers: list[str]
    text: str
    message: Message
    sent_at: int = 0
    status: dict[str, int]
    created_at: int = 0


@dataclass(slots=True, kw_only=True)
class Welcome:
    contact: Contact
    until: float
    used: bool = False


class Contacts:
    def __init__(self, state: State) -> None:
        self._state = state
        self._tasks: dict[str, Task] = {}
        self._welcomes: dict[str, Welcome] = {}
        self._last_mass: dict[str, date] = {}
        self.tags = Tags()

    def meet(
        self, userid: str, name: str, channel: str, known: Contact | None = None
    ) -> tuple[Contact, str]:
        """A customer scanned a member's QR code. Gives the contact and the welcome code."""
        contact = known or Contact(external_userid=f"wm{token_urlsafe(22)}", name=name)
        contact.follows[userid] = (self._state.clock(), channel)
        self._state.met(contact)
        code = token_urlsafe(32)
        until = time.monotonic() + WELCOME_SECONDS
        self._welcomes[code] = Welcome(contact=contact, until=until)
        return contact, code

    def part(self, contact: Contact, userid: str) -> None:
        """One of the two deleted the other: what the member noted is gone with it."""
        for noted in (contact.follows, contact.remarks, contact.tags):
            noted.pop(userid, None)
        self._state.met(contact)

    def get(self, call: Call) -> dict[str, Any]:
        contact = self._known(call.query.get("external_userid", ""))
        follow = [self._follow(contact, *item) for item in contact.follows.items()]
        if not follow:
            raise No(84061, "not external contact")
        person = {"external_userid": contact.external_userid, "name": contact.name}
        about = {**person, "avatar": "", "type": 1, "gender": 0}
        return {"external_contact": about, **_page(follow, call.query.get("cursor", ""))}

    def _follow(self, contact: Contact, userid: str, since: tuple[Any, str]) -> dict[str, Any]:
        at, channel = since
        noted = {"remark": contact.name, "description": "", "remark_mobiles": []}
        return {
            **noted,
            **contact.remarks.get(userid, {}),
            "userid": userid,
            "createtime": int(at.timestamp()),
            "tags": [self.tags.shown(tag) for tag in sorted(contact.tags.get(userid, ()))],
            "add_way": 1,
            "oper_userid": contact.external_userid,
            "state": channel,
        }

    def _known(self, external_userid: str) -> Contact:
        if not external_userid:
            raise No(41035, "missing external_userid")
        if external_userid not in self._state.contacts:
            raise No(40096, "invalid external_userid")
        return self._state.contacts[external_userid]

    def of_member(self, call: Call) -> dict[str, Any]:
        userid = call.query.get("userid", "")
        mine = [c.external_userid for c in self._state.contacts.values() if userid in c.follows]
        if not mine:
            raise No(84061, "not external contact")
        return {"external_userid": mine}

    def of_members(self, call: Call) -> dict[str, Any]:
        """Up to a hundred contacts of up to a hundred members (D:92114); tags by id alone."""
        userids, limit = _texts(call.body, "userid_list"), call.body.get("limit", 50)
        if not 0 < len(userids) <= MOST_LISTED or not 0 < limit <= MOST_LISTED:
            raise No(40035, "invalid parameter: userid_list or limit")
        pairs = [
            (contact, userid, since)
            for contact in self._state.contacts.values()
            for userid, since in contact.follows.items()
            if userid in userids
        ]
        cursor = str(call.body.get("cursor") or "")
        begin = int(cursor) if cursor.isdecimal() else 0
        end = begin + limit
        listed = [self._listed(*pair) for pair in pairs[begin:end]]
        return {"external_contact_list": listed, "next_cursor": str(end) if pairs[end:] else ""}

    def _listed(self, contact: Contact, userid: str, since: tuple[Any, str]) -> dict[str, Any]:
        follow = self._follow(contact, userid, since)
        del follow["tags"]
        about = {"external_userid": contact.external_userid, "name": contact.name, "type": 1}
        tags = sorted(contact.tags.get(userid, ()))
        return {"external_contact": about, "follow_info": {**follow, "tag_id": tags}}

    def welcome(self, call: Call) -> dict[str, Any]:
        """Once, within 20 seconds (D:92137)."""
        text, _ = _content(call.body)
        code = call.body.get("welcome_code")
        if not code:
            raise No(41049, "missing welcome code")
        welcome = self._welcomes.get(str(code))
        if welcome is None or time.monotonic() > welcome.until:
            raise No(41050, "invalid welcome code")
        if welcome.used:
            raise No(41051, "the chat has started")
        welcome.used = True
        self._tell(welcome.contact, next(iter(welcome.contact.follows)), text)
        return {}

    def remark(self, call: Call) -> dict[str, Any]:
        """What a member calls the customer; the mobiles replace those that were there."""
        contact, userid = self._followed(call.body)
        noted = contact.remarks.setdefault(userid, {})
        for name, (key, most) in REMARKS.items():
            if name in call.body:
                noted[key] = _short(call.body[name], most)
        if "remark_mobiles" in call.body:
            noted["remark_mobiles"] = _texts(call.body, "remark_mobiles")
        return {}

    def mark(self, call: Call) -> dict[str, Any]:
        """Corp tags on and off a customer, as one member sees it."""
        contact, userid = self._followed(call.body)
        add, remove = _texts(call.body, "add_tag"), _texts(call.body, "remove_tag")
        if not add and not remove:
            raise No(40063, "some parameters are empty: add_tag and remove_tag")
        if not self.tags.known([*add, *remove]):
            raise No(40068, "invalid tagid")
        held = contact.tags.setdefault(userid, set())
        held -= set(remove)
        held |= set(add)
        return {}

    def _followed(self, body: Mapping[str, Any]) -> tuple[Contact, str]:
        userid = str(body.get("userid", ""))
        if chat_of(self._state, userid) not in self._state.phones:
            raise No(40003, "invalid userid")
        contact = self._known(str(body.get("external_userid", "")))
        followers = {known.lower(): known for known in contact.follows}
        if userid.lower() not in followers:
            raise No(84061, "not external contact")
        return contact, followers[userid.lower()]

    def add_template(self, call: Call) -> dict[str, Any]:
        """Makes a task for one member; nothing is sent before they confirm."""
        body = call.body
        text, _ = _content(body)
        asked = _customers(body)
        sender = self._sender(body, asked)
        reachable = [e for e in asked if self._follows(sender, e)]
        if not reachable:
            raise No(41048, "no customer to send", fail_list=asked)
        task = self._new_task(sender, reachable, text)
        return {"fail_list": [e for e in asked if e not in reachable], "msgid": task.msgid}

    def _sender(self, body: Mapping[str, Any], asked: list[str]) -> str:
        """Without one, the member who got to know the customer last."""
        if body.get("sender"):
            return str(body["sender"])
        known = [self._state.contacts[e] for e in asked if e in self._state.contacts]
        follows = [item for contact in known for item in contact.follows.items()]
        return max(follows, key=lambda item: item[1][0])[0] if follows else ""

    def _follows(self, userid: str, external_userid: str) -> bool:
        contact = self._state.contacts.get(external_userid)
        return contact is not None and userid in contact.follows

    def _new_task(self, sender: str, customers: list[str], text: str) -> Task:
        names = [self._state.contacts[e].name for e in customers]
        body = {"text": text, "customers": names, "sent": False}
        task = Task(
            msgid=f"msg{token_urlsafe(24)}",
            sender=sender,
            customers=customers,
            text=text,
            message=self._state.show(chat_of(self._state, sender), "task", body),
            status=dict.fromkeys(customers, UNSENT),
            created_at=int(self._state.clock().timestamp()),
        )
        self._tasks[task.msgid] = task
        return task

    def confirm(self, message: Message) -> None:
        """The member presses 发送. A customer takes one mass message a day."""
        task = next((t for t in self._tasks.values() if t.message is message), None)
        if task is None or task.sent_at:
            return
        task.sent_at = int(self._state.clock().timestamp())
        for external_userid in task.customers:
            task.status[external_userid] = self._mass(task, external_userid)
        message.body = {**message.body, "sent": True}
        self._state.changed(message)

    def _mass(self, task: Task, external_userid: str) -> int:
        today = self._state.clock().date()
        if not self._follows(task.sender, external_userid):
            return NOT_A_FRIEND
        if self._last_mass.get(external_userid) == today:
            return HAD_ANOTHER
        self._last_mass[external_userid] = today
        self._tell(self._state.contacts[external_userid], task.sender, task.text)
        return SENT

    def _tell(self, contact: Contact, userid: str, text: str) -> None:
        phone = self._state.phones.get(chat_of(self._state, userid))
        by = phone.name if phone else userid
        self._state.show(f"wechat:{contact.external_userid}", "text", {"text": text}, by=by)

    def result(self, call: Call) -> dict[str, Any]:
        task = self._task(call.body)
        sent = [
            {"external_userid": who, "userid": task.sender, "status": status}
            | ({"send_time": task.sent_at} if status == SENT else {})
            for who, status in task.status.items()
        ]
        return {"send_list": sent, "next_cursor": ""}

    def sent_list(self, call: Call) -> dict[str, Any]:
        """get_groupmsg_list_v2 (D:93338): a month at most; by a call is by nobody."""
        body = call.body
        start, end, limit = (body.get(n, 50) for n in ("start_time", "end_time", "limit"))
        if not all(isinstance(n, int) for n in (start, end, limit)) or not start <= end:
            raise No(40058, "invalid Request Parameter: start_time or end_time")
        if end - start > MONTH or body.get("filter_type", 2) not in (0, 1, 2):
            raise No(40058, "invalid Request Parameter: more than a month, or filter_type")
        made = [] if body.get("filter_type") == 1 else list(self._tasks.values())
        within = [task for task in made if start <= task.created_at <= end]
        cursor = str(body.get("cursor") or "")
        begin = int(cursor) if cursor.isdecimal() else 0
        until = begin + (limit if 0 < limit <= MOST_LISTED else 50)
        listed = [
            {
                "msgid": task.msgid,
                "create_time": str(task.created_at),
                "create_type": 0,
                "text": {"content": task.text},
                "attachments": [],
            }
            for task in within[begin:until]
        ]
        return {"group_msg_list": listed, "next_cursor": str(until) * (until < len(within))}

    def task(self, call: Call) -> dict[str, Any]:
        task = self._task(call.body)
        one = {"userid": task.sender, "status": 2 if task.sent_at else 0}
        return {"task_list": [one | ({"send_time": task.sent_at} if task.sent_at else {})]}

    def _task(self, body: Mapping[str, Any]) -> Task:
        if not body.get("msgid"):
            raise No(41046, "missing msgid")
        task = self._tasks.get(str(body["msgid"]))
        if task is None:
            raise No(41047, "invalid msgid")
        return task


def _content(body: Mapping[str, Any]) -> tuple[str, list[Any]]:
    text, attachments = body.get("text") or {}, body.get("attachments") or []
    if not isinstance(text, dict) or not isinstance(attachments, list):
        raise No(40058, "invalid Request Parameter: text or attachments")
    content = str(text.get("content", ""))
    if not content and not attachments:
        raise No(44004, "empty content")
    if size(content) > CONTENT_BYTES:
        raise No(45002, "content size out of limit")
    if len(attachments) > MOST_ATTACHMENTS:
        raise No(41064, "too many attachments")
    return content, attachments


def _page(follow: list[dict[str, Any]], cursor: str) -> dict[str, Any]:
    """500 followers at a time (D:92114); a cursor that was never given out is refused."""
    begin = int(cursor) if cursor.isdecimal() else 0
    if cursor and not 0 < begin < len(follow):
        raise No(40058, "invalid Request Parameter: cursor")
    end = begin + FOLLOWERS
    more = str(end) if end < len(follow) else ""
    return {"follow_user": follow[begin:end], "next_cursor": more}


def _short(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise No(40035, f"invalid parameter: a remark of more than {most} characters")
    return value


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    values = body.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise No(40035, f"invalid parameter: {name} is an array")
    return values


def _customers(body: Mapping[str, Any]) -> list[str]:
    if body.get("chat_type", "single") != "single":
        raise No(40058, "invalid Request Parameter: chat_type")
    asked = body.get("external_userid", [])
    if not isinstance(asked, list) or len(asked) > MOST_CUSTOMERS:
        raise No(40035, "invalid parameter: external_userid")
    if not asked:
        raise No(41048, "no customer to send")
    return [str(external_userid) for external_userid in asked]
