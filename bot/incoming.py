"""What the platforms tell us, once verified, decrypted and parsed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.domain.team import Platform

KINDS = {
    # Of both platforms, under the names they have for them.
    "image": "图片", "picture": "图片", "richText": "图片", "mixed": "图片", "voice": "语音",
    "audio": "语音", "video": "视频", "shortvideo": "视频", "file": "文件", "location": "位置",
    "link": "链接", "miniprogram": "小程序", "chatRecord": "聊天记录", "chatrecord": "聊天记录",
}  # fmt: skip
"""What people call a message that has no words."""
UNKNOWN_KIND = "这类消息"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """The card that was pressed, under the name it was sent with (outTrackId in DingTalk).

    ``code`` lets WeCom redraw that card once, within 72 h. ``same``: what a press that DingTalk
    delivers again has in common with it, and a second press of the same button, too.
    """

    task_id: str
    code: str = ""
    same: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A DingTalk conversation that can be answered without spending quota until ``until``."""

    url: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The group chat a line was said in."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Something a member did: typed a line, or pressed a button that holds one.

    ``id`` is the same however often the platform repeats itself, and differs
    for two things done in the same second. ``direct``: what brought it carries the
    answer back itself, whatever the answer is.
    """

    platform: Platform
    id: str
    account: str
    line: str
    name: str = ""
    press: Press | None = None
    session: Session | None = None
    group: Group | None = None
    quoted: str = ""  # the message this one answers, where the platform shows it
    direct: bool = False
    wordless: str = ""  # what came in the place of words, as people call it: 图片
    left_out: bool = False  # DingTalk's month is over: somebody said something, and not what


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A member opened the chat with us, which platforms report as often as they like."""

    platform: Platform
    id: str
    account: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back at once.

    ``text``: where the platform takes words in the answer to its callback (WeCom's
    passive reply). ``body``: a whole message, for what was ``direct``; the new look of an
    interactive card that was pressed. ``carries``: key and version of what that look is.
    """

    text: str = ""
    body: dict[str, Any] | None = None
    carries: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAdded:
    """A WeCom customer and a member became contacts. ``state`` is the channel of the QR code.

    ``at``: as in ``DirectoryChanged``.
    """

    id: str
    external_userid: str
    userid: str
    state: str
    welcome_code: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEdited:
    """The member changed their remark or tags of the contact."""

    id: str
    external_userid: str
    userid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLost:
    """One deleted the other. ``handed_over``: the member, because a colleague takes over."""

    id: str
    external_userid: str
    userid: str
    by_customer: bool
    handed_over: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverFailed:
    """The contact did not become one of ``userid``. ``reason``: WeCom's word for it."""

    id: str
    external_userid: str
    userid: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkNews:
    """What 获客助手 reports. ``expires``: seconds since 1970 as text; "" where it is not said."""

    id: str
    change: str
    link_id: str = ""
    external_userid: str = ""
    userid: str = ""
    left: str = ""
    expires: str = ""


ContactEvent = ContactAdded | ContactEdited | ContactLost | HandoverFailed | LinkNews


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChanged:
    """People came, went or moved. ``left``, ``joined`` and ``renamed`` (from, to) are done at once.

    Whatever else changed is read from the directory soon. ``at``: when it happened, by the
    platform's clock, for events overtake each other; None where it does not say.
    """

    platform: Platform
    id: str
    at: datetime | None = None
    left: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    renamed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAgreed:
    """A DingTalk approval that serves as a form was agreed to."""

    id: str
    process_code: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppActivity:
    """What WeCom does with an app that is used too little. ``effect``: when, seconds since 1970."""

    id: str
    change: str
    effect: str = ""


OrgEvent = DirectoryChanged | ApprovalAgreed | AppActivity
Heard = Incoming | Entered | ContactEvent | OrgEvent
"""Everything an adapter can hand over; whatever else arrives is acknowledged and dropped."""
