"""What both platforms, the mailbox and the prospect's phone show right now."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal, Protocol

from bot.sandbox.faults import Faults
from bot.sandbox.feed import Feed

KEPT_MESSAGES = 120  # per chat; the page shows no more
KEPT_MAILS = 200
KEPT_WIRES = 300
KEPT_MEDIA = 100

PlatformName = Literal["wecom", "dingtalk"]
Clock = Callable[[], datetime]


class PersonLike(Protocol):
    """A member of the team, as the configuration writes it; no account is ``""``."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def wecom(self) -> str: ...
    @property
    def dingtalk(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A chat one can look at: a member's with the bot, or (role ``group``) a group's."""

    id: str
    platform: PlatformName
    account: str
    name: str
    role: str


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """``kind``: text, markdown, card (WeCom), actions and instance (DingTalk), image, link, task, notice.

    ``mine``: said by whose phone it is, so it stands on the right.
    """

    id: int
    chat: str
    kind: str
    body: dict[str, Any]
    at: datetime
    by: str
    mine: bool
    recalled: bool = False

    def json(self) -> dict[str, Any]:
        at = self.at.isoformat()
        keep = ("id", "chat", "kind", "body", "by", "mine", "recalled")
        return {**{name: getattr(self, name) for name in keep}, "at": at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    id: int
    at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    unsubscribe: str

    def json(self) -> dict[str, Any]:
        names = ("id", "sender", "to", "subject", "text", "html", "unsubscribe")
        plain = {name: getattr(self, name) for name in names}
        return {**plain, "at": self.at.isoformat(), "links": list(self.links)}


@dataclass(slots=True, kw_only=True)
class Contact:
    """A customer in WeChat and the members who have them as a contact, with the QR code's state."""

    external_userid: str
    name: str
    follows: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    remarks: dict[str, dict[str, Any]] = field(default_factory=dict)  # what each member noted
    tags: dict[str, set[str]] = field(default_factory=dict)  # tag ids, by member

    def json(self) -> dict[str, Any]:
        return {"id": self.external_userid, "name": self.name, "userids": list(self.follows)}


@dataclass(frozen=True, slots=True)
class Media:
    """``until``: when the platform forgets it; None: never."""

    kind: str
    data: bytes
    until: datetime | None = None


class State:
    """Shared by everything in the sandbox; every change of it goes to the feed."""

    def __init__(self, clock: Clock, people: Iterable[PersonLike]) -> None:
        self.clock = clock
        self.feed = Feed()
        self.faults = Faults(self.feed)
        self.phones = {phone.id: phone for phone in _phones(people)}
        self.chats: dict[str, deque[Message]] = {}
        self.mails: deque[Mail] = deque(maxlen=KEPT_MAILS)
        self.wires: deque[dict[str, Any]] = deque(maxlen=KEPT_WIRES)
        self.contacts: dict[str, Contact] = {}
        self.media: dict[str, Media] = {}
        self.menu: list[dict[str, Any]] = []
        """The menu of WeCom's app, under each of its chats."""
        self.codes: list[str] = []
        """The channels whose QR code can be scanned, the oldest first."""
        self.steps: list[str] = []
        self.next_id = count(1).__next__

    def show(
        self, chat: str, kind: str, body: dict[str, Any], *, by: str = "", mine: bool = False
    ) -> Message:
        """Put a new message into a chat."""
        message = Message(
            id=self.next_id(), chat=chat, kind=kind, body=body, at=self.clock(), by=by, mine=mine
        )
        self.chats.setdefault(chat, deque(maxlen=KEPT_MESSAGES)).append(message)
        self.changed(message)
        return message

    def changed(self, message: Message) -> None:
        """Say that a message looks different now."""
        self.feed.publish("message", message.json())

    def find(self, message_id: int) -> Message | None:
        every = (message for chat in self.chats.values() for message in chat)
        return next((message for message in every if message.id == message_id), None)

    def mailed(self, mail: Mail) -> None:
        self.mails.append(mail)
        self.feed.publish("mail", mail.json())
        self.tick("mail")

    def met(self, contact: Contact) -> None:
        self.contacts[contact.external_userid] = contact
        self.feed.publish("contact", contact.json())

    def offers(self, menu: list[dict[str, Any]]) -> None:
        """What the app's menu has from now on."""
        self.menu = menu
        self.feed.publish("menu", {"menu": menu})

    def printed(self, codes: Iterable[str]) -> None:
        """Which channels have a QR code now."""
        self.codes = list(dict.fromkeys(codes))
        self.feed.publish("codes", {"codes": self.codes})

    def keep(self, name: str, media: Media) -> None:
        """Hold a picture; the oldest ones go."""
        self.media[name] = media
        while len(self.media) > KEPT_MEDIA:
            del self.media[next(iter(self.media))]

    def wired(self, entry: dict[str, Any]) -> None:
        entry = {"id": self.next_id(), "at": self.clock().isoformat(), **entry}
        self.wires.append(entry)
        self.feed.publish("wire", entry)

    def tick(self, step: str) -> None:
        """A step of the guided tour has happened."""
        if step not in self.steps:
            self.steps.append(step)
            self.feed.publish("step", {"done": step})

    def moved(self, span: timedelta) -> None:
        """Tell the page that the clock was moved."""
        self.feed.publish(
            "clock", {"now": self.clock().isoformat(), "moved": span.total_seconds()}
        )

    def snapshot(self) -> dict[str, Any]:
        """Everything there is to see, as JSON."""
        return {
            "now": self.clock().isoformat(),
            "speed": getattr(self.clock, "speed", 1.0),
            "phones": [_phone_json(phone) for phone in self.phones.values()],
            "messages": [m.json() for chat in self.chats.values() for m in chat],
            "mails": [mail.json() for mail in self.mails],
            "contacts": [contact.json() for contact in self.contacts.values()],
            "wires": list(self.wires),
            "menu": self.menu,
            "codes": self.codes,
            "steps": list(self.steps),
            "faults": self.faults.json(),
        }


def _phone_json(phone: Phone) -> dict[str, Any]:
    return {name: getattr(phone, name) for name in ("id", "platform", "account", "name", "role")}


def _phones(people: Iterable[PersonLike]) -> Iterable[Phone]:
    """Reps of WeCom, reps of DingTalk, everybody else, then the groups of the managers."""
    mine = [phone for person in people for phone in _phones_of(person)]
    yield from sorted(mine, key=lambda phone: (phone.role != "rep", phone.platform != "wecom"))
    for platform in dict.fromkeys(phone.platform for phone in mine):
        yield Phone(
            id=group_of(platform), platform=platform, account="", name="销售管理群", role="group"
        )


def _phones_of(person: PersonLike) -> Iterable[Phone]:
    accounts: tuple[tuple[PlatformName, str], ...] = (
        ("wecom", person.wecom),
        ("dingtalk", person.dingtalk),
    )
    for platform, account in accounts:
        if account:
            yield Phone(
                id=f"{platform}:{account}",
                platform=platform,
                account=account,
                name=person.name,
                role=str(person.role),
            )


def group_of(platform: PlatformName) -> str:
    """The id of the managers' group chat on a platform."""
    return f"{platform}-group"
