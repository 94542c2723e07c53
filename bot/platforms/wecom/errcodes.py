"""
What WeCom's error codes mean and what to do about each (D:90313).

Codes our own calls can meet; errmsg is never matched, the platform may change it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

STALE_TOKEN = frozenset({40014, 42001})  # 40001 is not here: for WeCom it means a bad secret
PLATFORM_BUSY = -1
BAD_MEDIA = 40007
CODE_USED = 42022  # the sheet knows both for a response_code used twice (section 12)
CODE_SPENT = 60140  # a response_code that was used or is older than 72 h
NO_RELATION = 84061
NOBODY_TO_SEND_TO = 41048
NO_SUCH_CARD = 42031  # this kind of template card is not known here
NO_CALLBACK = 43012
TASK_ID_TAKEN = 42014  # not documented which code a repeated task_id gets; the sheet suggests this
TASK_ID_WRONG = range(42014, 42021)
UNTRUSTED_ADDRESS = 60020
UNKNOWN_MEMBER = frozenset({40003, 60111, 60123, 301021})
UNSEEN_MEMBER = frozenset({50002, 60011, 60021, 81013, 92000})
UNREADY_MEMBER = frozenset({40098, 41054})
NO_SUCH_DEPARTMENT = frozenset({60003, 60123})
NO_SUCH_TAG = 40068
TEMPLATE_CARD = range(42014, 42052)
"""Everything that can be wrong with a template card's fields or its task_id."""


class Do(StrEnum):
    """What is to be done about a code."""

    REFRESH = "refresh"  # the token, once, and the call once more
    RETRY = "retry"  # at once, three times at most; then later
    LATER = "later"
    WINDOW = "window"  # nobody calls that API before the window is over
    SERIAL = "serial"  # one call at a time from now on; then later
    ADMIN = (
        "admin"  # nothing of the kind goes out before the admin has mended it: wait, and say so
    )
    CONFIG = "config"  # this one is refused for good, and the admin has to know
    TARGET = "target"  # drop whom it is for, and report
    DROP = "drop"  # refused for good, and nobody can do anything about it
    BUG = "bug"  # refused for good, and we should not have asked so


class Scope(StrEnum):
    """What else an admin's problem stops."""

    APP = "app"  # every call with the app's token
    API = "api"  # every call of the same API
    CALL = "call"  # nothing but calls like this one


@dataclass(frozen=True, slots=True)
class Code:
    """``tell``: for the admin, in Chinese: what is true, and what to do about it."""

    do: Do
    means: str
    tell: str = ""
    scope: Scope = Scope.CALL


def _admin(means: str, tell: str, scope: Scope = Scope.APP) -> Code:
    return Code(Do.ADMIN, means, tell, scope)


STALE = "企业微信不认刚给的凭证，消息先等着：看看 api_base 对不对，有没有别的程序在用同一个 Secret"
NO_CONTACT_RIGHT = "没有客户联系权限：到「客户联系 → 权限配置 → 使用范围」加上销售"
SECRET = "到应用页重新复制 Secret，改好后重启；不重启的话，一小时以上才再试一次"  # noqa: S105 - words, not a secret

CODES: Mapping[int, Code] = {
    -1: Code(Do.RETRY, "the platform is busy"),
    40001: _admin(
        "wrong secret, or the app is disabled: check [wecom] secret",
        f"企业微信 Secret 不对，或应用被停用：{SECRET}",
    ),
    40003: Code(Do.TARGET, "invalid userid"),
    40004: Code(Do.BUG, "invalid media type"),
    40005: Code(Do.BUG, "invalid type of a file"),
    40006: Code(Do.BUG, "invalid size of a file"),
    40007: Code(Do.DROP, "the file is unknown or older than three days"),
    40008: Code(Do.BUG, "invalid msgtype"),
    40009: Code(Do.BUG, "invalid size of a picture"),
    40011: Code(Do.BUG, "invalid size of a video"),
    40013: _admin(
        "wrong corp id: check [wecom] corp_id",
        "企业微信 corp_id 不对：抄「我的企业 → 企业信息」最下面的企业 ID，改好配置后重启",
    ),
    40014: Code(Do.REFRESH, "the platform refuses the token it has just given", STALE),
    40029: Code(Do.DROP, "the login code was used or is older than five minutes"),
    40031: Code(Do.BUG, "invalid list of userids"),
    40032: Code(Do.BUG, "more than 1000 userids"),
    40033: Code(Do.BUG, "illegal characters"),
    40035: Code(Do.BUG, "invalid parameter"),
    40050: Code(Do.DROP, "no such group chat"),
    40056: _admin(
        "wrong agent id: check [wecom] agent_id",
        "企业微信 agent_id 不对：抄应用页的 AgentId，要和 Secret 是同一个应用，改好配置后重启",
        Scope.API,
    ),
    40057: Code(Do.CONFIG, "the callback URL was not accepted", "回调地址没通过企业微信的检查：核对 Token 和 EncodingAESKey"),
    40058: Code(Do.BUG, "invalid parameter"),
    40063: Code(Do.BUG, "empty parameter"),
    40068: Code(Do.DROP, "no such tag"),
    40071: Code(Do.DROP, "there is such a tag already"),
    40073: Code(Do.DROP, "invalid openid"),
    40078: Code(Do.DROP, "invalid auth_code"),
    40093: Code(Do.BUG, "wrong signature of a page"),
    40096: Code(Do.DROP, "invalid external_userid"),
    40098: Code(Do.TARGET, "this member has no verified name"),
    40099: Code(Do.DROP, "this member can have no more customers"),
    41001: Code(Do.BUG, "access_token missing"),
    41004: _admin("secret missing: check [wecom] secret", f"企业微信 Secret 是空的：{SECRET}"),
    41041: Code(Do.DROP, "more than 100 members for one code"),
    41045: Code(Do.DROP, "the corp has no codes left"),
    41048: Code(Do.DROP, "no customer to send to"),
    41050: Code(Do.DROP, "the welcome code was used or is older than 20 seconds"),
    41051: Code(Do.DROP, "the chat has begun, or somebody has welcomed them"),
    41054: Code(Do.TARGET, "this member has not activated WeCom"),
    41063: Code(Do.LATER, "the message is still being dispatched"),
    41093: Code(Do.DROP, "the task was cancelled"),
    41094: Code(Do.DROP, "reminded too often"),
    41095: Code(Do.DROP, "too many acquisition links"),
    41096: Code(Do.LATER, "another app is sending the welcome"),
    42001: Code(Do.REFRESH, "the platform refuses the token it has just given", STALE),
    42012: Code(Do.BUG, "a ticket of the other kind"),
    42022: Code(Do.DROP, "the card has been changed with this code"),
    42052: Code(Do.DROP, "the message is too old to be taken back"),
    43012: _admin(
        "the app has no callback URL: set 接收消息 in the console",
        "应用没有设「接收消息」，带按钮的卡片发不出去：到应用页设好 API 接收消息",
        Scope.CALL,
    ),
    44001: Code(Do.BUG, "empty file"),
    44004: Code(Do.BUG, "empty text"),
    45001: Code(Do.BUG, "the file is too large"),
    45002: Code(Do.BUG, "the message is too long"),
    45007: Code(Do.BUG, "the recording is too long"),
    45008: Code(Do.BUG, "too many articles"),
    45009: Code(Do.WINDOW, "frequency limit"),
    45033: Code(Do.SERIAL, "too many calls at once"),
    45034: Code(Do.BUG, "a link without https://"),
    45035: Code(Do.SERIAL, "too many calls at once for one customer"),
    46003: Code(Do.DROP, "the app has no menu"),
    46004: Code(Do.DROP, "nobody has this number or address"),
    48002: _admin(
        "this app may not call this: list it under 可调用接口的应用 in the console",
        "应用没有权限做这件事（{path}）：客户联系的到「可调用接口的应用」勾上它，其他的看应用的权限",
        Scope.API,
    ),
    48006: _admin(
        "the right was withdrawn from a long unused app: re-enable it in the console",
        "应用长期没用，权限被企业微信收回：到管理后台重新启用它",
    ),
    48007: Code(Do.CONFIG, "the app may not use this service account", "应用没有这个客服账号的权限，到微信客服里授权给它"),
    48009: Code(Do.CONFIG, "a contact-sync secret from a new address", "通讯录同步的 Secret 不能从新 IP 读成员：用应用的 Secret"),
    50001: Code(Do.CONFIG, "the page is not on the trusted domain", "网页登录的域名不对：应用页「网页授权及JS-SDK」的可信域名要和 public_url 一样，端口也算"),
    50002: Code(Do.TARGET, "the member is outside the app's visible range"),
    50003: _admin("the app is disabled", "企业微信里的应用被停用了：到管理后台启用它"),
    60003: Code(Do.DROP, "no such department"),
    60011: Code(Do.TARGET, "no right on this member"),
    60020: _admin(
        "this machine's address is not trusted: add it under 企业可信IP",
        "企业微信不认这台机器的 IP{address}，消息先等着：到应用页「企业可信IP」加上它，一分钟后生效",
    ),
    60021: Code(Do.TARGET, "the member is outside the app's visible range"),
    60111: Code(Do.TARGET, "no such userid"),
    60123: Code(Do.TARGET, "no such department"),
    60140: Code(Do.DROP, "the card can no longer be changed with this code"),
    80001: Code(Do.CONFIG, "the trusted domain is wrong or has no ICP number", "可信域名不对或没有备案：到应用页「网页授权及JS-SDK」核对"),
    81013: Code(Do.TARGET, "none of the receivers can be reached"),
    82001: Code(Do.BUG, "no receiver"),
    82002: Code(Do.BUG, "more than 100 departments"),
    82003: Code(Do.BUG, "more than 100 tags"),
    82004: Code(Do.BUG, "content that would crash the clients"),
    84014: Code(Do.DROP, "the user_ticket is too old"),
    84015: Code(Do.DROP, "invalid user_ticket"),
    84061: Code(Do.DROP, "the member and the customer are not contacts"),
    84074: Code(Do.CONFIG, "the member may not use 客户联系", NO_CONTACT_RIGHT),
    84083: Code(Do.CONFIG, "the member does not serve customers", NO_CONTACT_RIGHT),
    84084: Code(Do.CONFIG, "the member does not follow this customer", NO_CONTACT_RIGHT),
    85005: Code(Do.CONFIG, "the trusted domain is not verified", "可信域名没有验证：到应用页「网页授权及JS-SDK」上传验证文件"),
    86001: Code(Do.DROP, "no such group chat"),
    86003: Code(Do.BUG, "no group chat named"),
    86008: Code(Do.DROP, "the group chat belongs to another app"),
    92000: Code(Do.TARGET, "the member is outside the app's visible range"),
    92001: Code(Do.CONFIG, "no right on sensitive fields", "应用没有读敏感信息的权限：到应用页授权"),
    93000: _admin(
        "the group robot's webhook is wrong, or the robot was removed",
        "群机器人的地址不对，或机器人被移出了群：在群里重新添加机器人，把新地址填到 group_webhook",
        Scope.API,
    ),
    93004: _admin("the group robot is disabled", "群机器人被停用了：在群里启用它", Scope.API),
    93006: _admin(
        "no such group",
        "群机器人所在的群没有了：在新的群里添加机器人，把新地址填到 group_webhook",
        Scope.API,
    ),
    93008: _admin(
        "the robot is not in the group",
        "机器人不在群里了：在群里重新添加，把新地址填到 group_webhook",
        Scope.API,
    ),
    301002: _admin(
        "the secret belongs to another app: check [wecom] agent_id",
        "企业微信的 agent_id 和 Secret 不是同一个应用：抄同一个应用页的，改好配置后重启",
        Scope.API,
    ),
    301021: Code(Do.TARGET, "no such userid"),
    610014: Code(Do.DROP, "invalid unionid"),
}  # fmt: skip
UNKNOWN = Code(Do.DROP, "")
MALFORMED = Code(Do.BUG, "")


def code(number: int) -> Code:
    """What is known about ``number``; of an unknown one, that trying again would not help."""
    return CODES.get(number) or (MALFORMED if number in TEMPLATE_CARD else UNKNOWN)


def meaning(number: int, errmsg: str) -> str:
    """In words; ``errmsg`` speaks for itself only where the table does not know the code."""
    said = errmsg.partition(", hint:")[0][:200]
    if number == UNTRUSTED_ADDRESS:
        return f"{CODES[number].means}{f' ({found})' if (found := address(errmsg)) else ''}"
    if number in CODES:
        return CODES[number].means
    if number in TEMPLATE_CARD:
        return f"the card is malformed ({said})"
    return said or "unknown error"


def is_refused(number: int) -> bool:
    """Whether WeCom takes what we have written for wrong, or says what nobody knows."""
    return code(number) is UNKNOWN or code(number).do == Do.BUG


def told(number: int, path: str, errmsg: str) -> str:
    """What the admin is told about it; "" for what nobody can do anything about."""
    if is_refused(number):
        return f"企业微信不收一条消息，没送到（{path} 报错 {number}）：看看日志，把这句发给 leadbot 的维护者"
    found = address(errmsg)
    return code(number).tell.format(path=path, address=f" {found}" if found else "")


def address(errmsg: str) -> str:
    """WeCom names the address it sees, which is the one to enter: ``from ip: 1.2.3.4``."""
    match = re.search(r"from ip: ([0-9A-Fa-f.:]+)", errmsg)
    return match[1] if match else ""


CHANNELS = (
    ("webhook/", "wecom_group"),
    ("message/", "wecom"),
    ("media/", "wecom"),
    ("externalcontact/add_msg_template", "wecom_mass"),
    ("externalcontact/send_welcome_msg", "wecom_welcome"),
    ("externalcontact/get_contact_way", "wecom_way"),
    ("externalcontact/add_contact_way", "wecom_way"),
    ("externalcontact/update_contact_way", "wecom_way"),
    ("externalcontact/customer_acquisition", "wecom_way"),
    ("externalcontact/get_", "wecom_profile"),
    ("externalcontact/get", "wecom_contact"),
    ("externalcontact/", "wecom_profile"),
    ("user/", "wecom_directory"),
    ("department/", "wecom_directory"),
    ("tag/", "wecom_directory"),
    ("auth/", "wecom_login"),
)


def alarm_key(number: int, path: str) -> str:
    """Which channel does not work, and why: ``wecom:60020``, ``wecom_group:93000``."""
    if number == NO_CALLBACK:
        return f"wecom_cards:{number}"  # texts go out, which proves nothing about cards
    if is_refused(number):
        return f"wecom_refused:{number}:{path}"  # other messages go out all the same
    if code(number).scope == Scope.APP or number in STALE_TOKEN:
        return f"wecom:{number}"
    return f"{next(_channels(path), 'wecom_other')}:{number}"


def _channels(path: str) -> Iterator[str]:
    return (channel for start, channel in CHANNELS if path.startswith(start))
