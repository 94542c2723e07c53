"""What a member's or a customer's hand does, and what comes back at once."""

import secrets
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from bot.sandbox import wire
from bot.sandbox.limits import cut
from bot.sandbox.state import Contact, Message, State
from bot.sandbox.wecom import cards
from bot.sandbox.wecom.api import Company
from bot.sandbox.wecom.contacts import Contacts
from bot.sandbox.wecom.courier import Courier, Value
from bot.sandbox.wecom.errors import No
from bot.sandbox.wecom.messages import TEXT_BYTES, Messages, chat_of
from bot.sandbox.wecom.replies import card_of
from bot.sandbox.wecom.ways import Way

REPLY_BYTES = TEXT_BYTES


class Hand:
    def __init__(
        self,
        company: Company,
        state: State,
        messages: Messages,
        contacts: Contacts,
        courier: Courier,
    ) -> None:
        self._company = company
        self._state = state
        self._messages = messages
        self._contacts = contacts
        self._courier = courier

    async def say(self, userid: str, text: str) -> None:
        """A member types a line into the app's chat."""
        chat = chat_of(self._state, userid)
        self._state.show(chat, "text", {"text": text}, mine=True)
        msg_id = str(secrets.randbits(62) | 1 << 62)
        fields = {**self._head(userid, "text"), "Content": text, "MsgId": msg_id}
        answer = await self._courier.carry({**fields, "AgentID": self._company.agent_id})
        if answer is not None:
            self._show_reply(userid, answer)

    async def click(self, userid: str, key: str) -> None:
        """A member presses an entry of the app's menu."""
        await self._told(userid, {"Event": "click", "EventKey": key})

    async def enter(self, userid: str) -> None:
        """A member opens the app's chat."""
        await self._told(userid, {"Event": "enter_agent", "EventKey": ""})

    async def _told(self, userid: str, event: Mapping[str, Value]) -> None:
        fields = {**self._head(userid, "event"), **event, "AgentID": self._company.agent_id}
        answer = await self._courier.carry(fields)
        if answer is not None:
            self._show_reply(userid, answer)

    async def press(self, message: Message, key: str) -> bool:
        """A member presses a button. False if the card no longer has it."""
        sent = self._messages.of(message)
        if sent is None or key not in keys_of(message):
            return False
        userid = message.chat.removeprefix("wecom:")
        event: dict[str, Value] = {
            "Event": "template_card_menu_event"
            if key in _menu(message)
            else "template_card_event",
            "EventKey": key,
            "TaskId": sent.task_id,
            "CardType": str(message.body["card_type"]),
            "ResponseCode": self._messages.new_code(sent),
        }
        head = self._head(userid, "event")
        answer = await self._courier.carry({**head, **event, "AgentID": self._company.agent_id})
        if answer is not None:
            self._redraw(message, answer)
        return True

    async def meet(
        self, userid: str, name: str, channel: str, known: Contact | None = None
    ) -> Contact:
        """A customer scans a member's QR code and becomes a contact (D:92130)."""
        contact, welcome_code = self._contacts.meet(userid, name, channel, known)
        more = {"State": channel, "WelcomeCode": welcome_code}
        await self.report("add_external_contact", contact, userid, **more)
        return contact

    async def scan(self, way: Way, name: str) -> Contact:
        """A customer scans a 渠道活码: first half added, then whole (D:92130)."""
        userid = way.next_member()
        contact, welcome_code = self._contacts.meet(userid, name, way.state)
        more = {"State": way.state, "WelcomeCode": welcome_code}
        await self.report("add_half_external_contact", contact, userid, **more)
        await self.report("add_external_contact", contact, userid, State=way.state)
        return contact

    async def part(self, contact: Contact, userid: str, *, by_customer: bool) -> None:
        """One of the two deletes the other."""
        self._contacts.part(contact, userid)
        change = "del_follow_user" if by_customer else "del_external_contact"
        await self.report(change, contact, userid)

    async def report(self, change: str, contact: Contact, userid: str, **more: Value) -> None:
        event = {
            "Event": "change_external_contact",
            "ChangeType": change,
            "UserID": userid,
            "ExternalUserID": contact.external_userid,
        }
        await self._courier.carry({**self._head("sys", "event"), **event, **more})

    async def report_staff(self, change: str, **fields: Value) -> None:
        """What changed in the directory (D:90970): sys tells it to every app that may see it."""
        event = {"Event": "change_contact", "ChangeType": change}
        await self._courier.carry({**self._head("sys", "event"), **event, **fields})

    async def report_range(self, userid: str, event: str) -> None:
        """A member came into the app's visible range (subscribe), or is no longer in it."""
        more: dict[str, Value] = {"EventKey": "", "AgentID": self._company.agent_id}
        await self._courier.carry({**self._head(userid, "event"), "Event": event, **more})

    def _head(self, sender: str, kind: str) -> Mapping[str, Value]:
        at = int(self._state.clock().timestamp())
        return {"FromUserName": sender, "CreateTime": at, "MsgType": kind}

    def _show_reply(self, userid: str, answer: ET.Element) -> None:
        addressed = (answer.findtext("ToUserName"), answer.findtext("FromUserName"))
        if addressed != (userid, self._company.corp_id):
            return self._dropped("收发双方写反了或不是本企业")
        if answer.findtext("MsgType") != "text":
            return self._dropped(f"沙盒不显示 {answer.findtext('MsgType')} 类型的回复")
        text = cut(answer.findtext("Content", ""), REPLY_BYTES)
        self._state.show(chat_of(self._state, userid), "text", {"text": text})
        return None

    def _redraw(self, message: Message, answer: ET.Element) -> None:
        """A press may only be answered with a change of the card that was pressed."""
        kind = answer.findtext("MsgType")
        if kind == "update_button":
            name = answer.findtext("Button/ReplaceName", "")
            self._messages.redraw(message, {"button": {"replace_name": name}})
        elif kind == "update_template_card":
            self._redraw_whole(message, answer.find("TemplateCard"))
        else:
            self._dropped(f"点击卡片不能用 {kind} 回复")

    def _redraw_whole(self, message: Message, element: ET.Element | None) -> None:
        card = card_of(element) if element is not None else {}
        try:
            cards.check(card, update=True)
        except No as no:
            return self._dropped(f"{no.errcode} {no.errmsg}")
        return self._messages.redraw(message, {"template_card": card})

    def _dropped(self, why: str) -> None:
        wire.Sent(self._state, "wecom")("被动回复被平台丢弃", 0, "", why)


def keys_of(message: Message) -> list[str]:
    """The keys of the buttons a card shows now; none once it is greyed."""
    card = message.body
    if message.recalled or message.kind != "card" or card.get("replace_text"):
        return []
    own = [button["key"] for button in card.get("button_list", []) if "key" in button]
    return [*own, *_menu(message)]


def _menu(message: Message) -> list[str]:
    """The keys of the menu at the corner of a card."""
    menu = message.body.get("action_menu", {}).get("action_list", [])
    return [action["key"] for action in menu]
