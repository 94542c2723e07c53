"""What the AI bot's connection carries (D:101463, bodies as in D:100719 and D:101027)."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from bot.incoming import KINDS, UNKNOWN_KIND, Entered, Group, Incoming, Press
from bot.platforms.wecom.callback import SPOKEN
from handlers.commands import begins
from store.domain.team import Platform

MENTION = re.compile(r"\s*@\S+\s*")
BEHIND = "\u2005"
"""What the client puts behind a mention that was picked from the list."""
MOST_BLANKS = 4
"""In the name of a bot."""
BOT = re.compile(r".*(?:bot|assistant|助手|助理|机器人|管家|秘书)", re.IGNORECASE)
CAPITAL = re.compile(r"[A-Z][\w.-]*", re.ASCII)
"""A word of a name: skipped where a command stands behind it."""
LONGEST_ID = 100
ILLEGAL = re.compile("[\0\ud800-\udfff]")
"""What no database takes."""


class Cmd(StrEnum):
    SUBSCRIBE = "aibot_subscribe"
    PING = "ping"
    MESSAGE = "aibot_msg_callback"
    EVENT = "aibot_event_callback"
    RESPOND = "aibot_respond_msg"
    WELCOME = "aibot_respond_welcome_msg"
    UPDATE = "aibot_respond_update_msg"
    PUSH = "aibot_send_msg"


@dataclass(frozen=True, slots=True)
class Frame:
    """``cmd`` is empty for the acknowledgement of what we sent under ``req_id``."""

    cmd: str
    req_id: str
    body: Mapping[str, Any] = field(repr=False)
    errcode: int = 0

    @property
    def kicks(self) -> bool:
        """Somebody else has subscribed; this connection is closed next."""
        return self.cmd == Cmd.EVENT and _event(self.body)[0] == "disconnected_event"


def read_frame(text: str) -> Frame:
    """Raises ValueError for what is none."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("no object")  # noqa: TRY004 -- one error for every unreadable frame
    code = raw.get("errcode", 0)
    return Frame(
        cmd=_text(raw, "cmd"),
        req_id=_text(_part(raw, "headers"), "req_id"),
        body=_part(raw, "body"),
        errcode=code if isinstance(code, int) else -1,
    )


def read(frame: Frame, corp_id: str, name: str = "") -> Incoming | Entered | None:
    """What somebody did; None for what nobody can act on. ``name``: the bot's, if it is known.

    A userid of another corp may be the userid of one of ours: those are not heard.
    """
    sender = _part(frame.body, "from")
    account, id_ = _text(sender, "userid"), _text(frame.body, "msgid")
    if not (account and id_) or _text(sender, "corpid") not in {"", corp_id}:
        return None
    if frame.cmd == Cmd.MESSAGE:
        quoted = _quoted(frame.body, name)
        said = _incoming(frame.body, account, _line(frame.body, name), quoted=quoted)
        return said if said.line or quoted else replace(said, wordless=_wordless(frame.body))
    kind, event = _event(frame.body)
    if kind == "enter_chat":
        return Entered(platform=Platform.WECOM, id=_id(id_), account=account)
    if kind != "template_card_event":
        return None
    press = Press(task_id=_text(event, "task_id"), code="")
    return _incoming(frame.body, account, _text(event, "event_key"), press)


def _incoming(
    body: Mapping[str, Any], account: str, line: str, press: Press | None = None, quoted: str = ""
) -> Incoming:
    return Incoming(
        platform=Platform.WECOM,
        id=_id(_text(body, "msgid")),
        account=account,
        line=line,
        press=press,
        group=_group(body),
        quoted=quoted,
        direct=True,
    )


def _id(msgid: str) -> str:
    short = msgid if len(msgid) <= LONGEST_ID else hashlib.sha256(msgid.encode()).hexdigest()
    return f"aibot-{short}"


def _group(body: Mapping[str, Any]) -> Group | None:
    if _text(body, "chattype") != "group" or not _text(body, "chatid"):
        return None
    return Group(id=_text(body, "chatid"), title="")


def _line(body: Mapping[str, Any], name: str) -> str:
    """The words, without the mention of the bot that a group's message has."""
    words = _words(body)
    return unmentioned(words, name) if _group(body) is not None else words


def _wordless(body: Mapping[str, Any]) -> str:
    """What came in the place of words; nothing where a text had none."""
    kind = _text(body, "msgtype")
    return "" if kind == "text" or _words(body) else KINDS.get(kind, UNKNOWN_KIND)


def _quoted(body: Mapping[str, Any], name: str) -> str:
    """The message this one answers (D:101027); a line said to the bot is one without it."""
    words = _words(_part(body, "quote"))
    return unmentioned(words, name) if _group(body) is not None else words


def unmentioned(words: str, name: str = "") -> str:
    """``words`` without "@" and the bot's name, which may have blanks in it.

    Where it is not known, the mark of the client ends it, or the first word that is
    no part of a name.
    """
    if name:
        found = re.compile(r"\s*@" + r"\s+".join(map(re.escape, name.split())), re.IGNORECASE)
        if found.search(words):
            return found.sub(" ", words, count=1).strip()
    if not words.startswith("@"):
        return words
    _, mark, rest = words.partition(BEHIND)
    return rest.strip() if mark else _behind_the_name(MENTION.sub("", words, count=1).strip())


def _behind_the_name(words: str) -> str:
    """``words`` without what is left of a name whose first word is gone.

    Nothing else is skipped: 「不要 领取 5」 must not become 「领取 5」.
    """
    rest = words
    for _ in range(MOST_BLANKS):
        word, *behind = rest.split(maxsplit=1) or [""]
        if BOT.fullmatch(word):
            words = rest = "".join(behind)
        elif CAPITAL.fullmatch(word) and not begins(rest):
            rest = "".join(behind)
    return rest if begins(rest) else words


def _words(body: Mapping[str, Any]) -> str:
    match body.get("msgtype"):
        case "text":
            return _text(_part(body, "text"), "content")
        case "voice":
            return _text(_part(body, "voice"), "content").rstrip(SPOKEN)
        case "mixed":
            items = _part(body, "mixed").get("msg_item")
            return _joined(items if isinstance(items, list) else [])
        case _:
            return ""


def _joined(items: list[Any]) -> str:
    texts = [_part(item, "text") for item in items if isinstance(item, dict)]
    return " ".join(filter(None, (_text(text, "content") for text in texts)))


def _event(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    event = _part(body, "event")
    kind = _text(event, "eventtype")
    return kind, _part(event, kind)


def _part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = body.get(key)
    return part if isinstance(part, dict) else {}


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return ILLEGAL.sub("", value).strip() if isinstance(value, str) else ""
