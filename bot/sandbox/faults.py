"""
What can go wrong with a platform, as switches.

The drawer of the page and the tests turn them; the stand-ins ask, at the place
where it would go wrong, whether it does. A fault that is counted switches itself
off once it has happened so often.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.feed import Feed

CALLS, MESSAGES, CALLBACKS, CONNECTION = "接口", "消息", "回调", "长连接"
ADMIN, INCOMING = "要管理员处理", "来的消息"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``count``: how often it happens unless somebody says; None: until it is switched off.

    ``alike``: in the end everything is as on a good day. What goes another way, is given
    up with a word to the admin or comes without words has its own tests.
    """

    name: str
    label: str
    says: str
    group: str = CALLS
    count: int | None = None
    alike: bool = True


def _calls() -> Iterable[Fault]:
    """What any HTTP API can do to who calls it."""
    yield Fault(name="http500", label="500", says="服务器出错")
    yield Fault(name="http503", label="503", says="服务暂停")
    yield Fault(name="http504", label="504", says="网关等不到应答")
    yield Fault(name="slow", label="慢 3 秒", says="每次调用都晚 3 秒，结果是对的")
    yield Fault(name="hang", label="没有应答", says="连上了，一直不回答，也没有去做")
    yield Fault(name="lost", label="应答丢失", says="事情做了，连接断了，应答没有回来", count=1)


WECOM = (
    Fault(name="token_gone", label="凭证被收回", says="下一次调用得到 40014", count=1),
    Fault(name="token_expired", label="凭证提前过期", says="下一次调用得到 42001", count=1),
    Fault(name="busy", label="系统繁忙", says="-1，过一会儿再来"),
    Fault(name="rate", label="调用太频繁", says="45009，这一分钟的次数用完了"),
    Fault(name="parallel", label="并发太多", says="45033，同一个接口同时调用得太多"),
    Fault(name="address", label="IP 不可信", says="60020，出口 IP 不在企业可信IP里"),
    Fault(name="secret", label="密钥被重置", says="40001，换不到凭证", group=ADMIN, alike=False),
    Fault(
        name="scope",
        label="没有客户权限",
        says="48002，客户联系的接口都被拒绝",
        group=ADMIN,
        alike=False,
    ),
    Fault(
        name="range",
        label="不在可见范围",
        says="81013，收消息的人都不在应用的可见范围里",
        group=ADMIN,
        alike=False,
    ),
    Fault(
        name="hook",
        label="群机器人没了",
        says="93000，群机器人的地址不认了",
        group=ADMIN,
        alike=False,
    ),
    Fault(name="ban", label="拦截网页", says="该是 JSON 的地方来了一张网页"),
    *_calls(),
    Fault(
        name="drop",
        label="悄悄丢弃",
        says="每人每分钟 30 条以外的消息返回成功，但谁也看不到",
        group=MESSAGES,
    ),
    Fault(
        name="no_buttons",
        label="没有按钮卡片",
        says="42031，旧的私有化版本不认识按钮卡片",
        group=MESSAGES,
    ),
    Fault(
        name="card_spent",
        label="卡片改不了",
        says="60140，response_code 用过了",
        group=MESSAGES,
    ),
    Fault(
        name="kf_hollow",
        label="客服空页",
        says="微信客服的一页是空的，后面还有",
        group=INCOMING,
        count=1,
        alike=False,
    ),
    Fault(
        name="kf_unseen",
        label="客服没送到",
        says="微信客服的消息收下了，客户没看到，过后来 msg_send_fail",
        group=MESSAGES,
        count=1,
        alike=False,
    ),
    Fault(
        name="again",
        label="应答没收到",
        says="平台没等到应答，同一个回调再来三次",
        group=CALLBACKS,
    ),
    Fault(
        name="twice", label="重复回调", says="应答收到了，同一个回调还是再来一次", group=CALLBACKS
    ),
    Fault(name="swapped", label="顺序颠倒", says="两个回调，后面的先到", group=CALLBACKS),
    Fault(
        name="half_open",
        label="半开连接",
        says="智能机器人的连接看着还在，什么都到不了",
        group=CONNECTION,
    ),
    Fault(
        name="kicked",
        label="被挤下线",
        says="有人用同一个机器人连上来",
        group=CONNECTION,
        count=1,
    ),
    Fault(
        name="cut",
        label="连接断开",
        says="智能机器人的连接断了",
        group=CONNECTION,
        count=1,
    ),
)


def _unmended() -> Iterable[Fault]:
    """DingTalk: what stays so until an admin has mended it (3.4)."""
    for name, label, says in (
        ("secret", "密钥被重置", "凭证作废，换不到新的，长连接得到 401"),
        ("scope", "没有权限", "403，回答里说缺哪个权限"),
        ("card_scope", "没有卡片权限", "403，缺 Card.Instance.Write"),
        ("app_off", "应用停用", "旧接口 50003"),
        ("invisible", "权限范围外", "通讯录 50002、50004"),
        ("no_oto", "不能单聊", "chatbotId.notAllow.sendOTO"),
        ("muted", "机器人被禁言", "bot.forbidden.sendMessage"),
        ("robot_token", "群机器人没了", "300005，token is not exist"),
        ("keyword", "关键词检查", "310000，消息里没有群机器人约定的关键词"),
        ("group_gone", "群解散了", "群消息 group.disbanded，群机器人 400013"),
    ):
        yield Fault(name=name, label=label, says=says, group=ADMIN, alike=False)


def _shapes() -> Iterable[Fault]:
    """DingTalk: how the next thing said to the robot comes (2.1)."""
    for name, label, says in (
        ("spent_text", "没有正文", "本月推送用完了：errorCode 20001，正文被去掉"),
        ("unknown_kind", "不认识的类型", "unknownMsgType，什么内容都没有"),
        ("picture", "来的是图片", "picture，只有下载码"),
        ("rich", "图文混排", "richText，文字和图片各一段"),
        ("audio", "来的是语音", "audio，文字在 recognition 里"),
        ("file", "来的是文件", "file，只有文件名和下载码"),
        ("no_staff", "没有员工号", "senderStaffId 空着：机器人没发布"),
        ("foreign", "别的企业的人", "senderCorpId 不是本企业"),
        ("extra", "多出的字段", "文档里没有的字段，开头多一个空格"),
    ):
        yield Fault(name=name, label=label, says=says, group=INCOMING, count=1, alike=False)


DINGTALK = (
    Fault(
        name="token_gone", label="凭证被收回", says="下一次调用得到 InvalidAuthentication", count=1
    ),
    Fault(name="rate", label="调用太快", says="403，这个接口这一秒超过了 20 次"),
    Fault(name="quota", label="本月额度用完", says="403 ApiCountLimitForOrg，只有会话回复还能发"),
    Fault(
        name="minute", label="每分钟限流", says="403 QpmLimit，这一分钟的次数用完了", alike=False
    ),
    Fault(name="busy", label="系统繁忙", says="429 system.busy，过一会儿再来", alike=False),
    Fault(name="address", label="IP 不在白名单", says="403 IpNotInWhiteList"),
    *_unmended(),
    Fault(name="ban", label="封禁网页", says="防火墙回了一张网页，封 5 分钟"),
    Fault(name="ban_json", label="封禁 1111", says='防火墙回了 {"status":1111}，封 5 分钟'),
    *_calls(),
    Fault(
        name="flow",
        label="对个人限流",
        says="返回 200，但收信人在 flowControlledStaffIdList 里",
        group=MESSAGES,
    ),
    Fault(
        name="nobody",
        label="查无此人",
        says="返回 200，但收信人在 invalidStaffIdList 里",
        group=MESSAGES,
        alike=False,
    ),
    Fault(
        name="no_session",
        label="没有单聊会话",
        says="robot.oto.notExist，只能发工作通知",
        group=MESSAGES,
        alike=False,
    ),
    Fault(
        name="unsafe",
        label="内容检查",
        says="contain.unsafe.url，带链接的都发不出",
        group=MESSAGES,
        alike=False,
    ),
    Fault(
        name="card_data",
        label="卡片数据不对",
        says="cardDataInvalid，互动卡片建不出来",
        group=MESSAGES,
        alike=False,
    ),
    Fault(
        name="undelivered",
        label="卡片没投到",
        says="返回 200 和 success，但 deliverResults 里是失败",
        group=MESSAGES,
    ),
    Fault(
        name="template",
        label="卡片模板没发布",
        says="templateUnpublished，互动卡片建不出来",
        group=MESSAGES,
    ),
    Fault(name="card_gone", label="卡片不在了", says="cardNotExist，更新不到", group=MESSAGES),
    Fault(name="session", label="会话地址过期", says="300001，只能换别的接口发", group=MESSAGES),
    Fault(
        name="robot_rate",
        label="群机器人限流",
        says="410100，这一分钟超过 20 条，10 分钟内都发不出",
        group=MESSAGES,
    ),
    *_shapes(),
    Fault(name="unheard", label="确认没收到", says="16 秒和 60 秒后同一条再来", group=CALLBACKS),
    Fault(name="twice", label="重复推送", says="确认收到了，同一条还是再来一次", group=CALLBACKS),
    Fault(name="swapped", label="顺序颠倒", says="两条消息，后面的先到", group=CALLBACKS),
    Fault(
        name="half_open",
        label="半开连接",
        says="现有的连接看着还在，心跳和消息都到不了，直到产品自己换一条",
        group=CONNECTION,
        count=1,
    ),
    Fault(
        name="away",
        label="要求换连接",
        says="disconnect，旧连接不再推送，10 秒后关",
        group=CONNECTION,
        count=1,
    ),
    Fault(name="cut", label="连接断开", says="没有告别就断了", group=CONNECTION, count=1),
    Fault(name="shut", label="连不上", says="申请连接得到 503", group=CONNECTION),
    Fault(
        name="shut_ban",
        label="连接被封",
        says="申请连接得到防火墙的网页，封 5 分钟",
        group=CONNECTION,
        alike=False,
    ),
)
KNOWN: Mapping[str, Mapping[str, Fault]] = {
    "wecom": {fault.name: fault for fault in WECOM},
    "dingtalk": {fault.name: fault for fault in DINGTALK},
}


class Faults:
    """Which faults are on. ``asked`` counts the calls each platform has got."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._left: dict[tuple[str, str], int | None] = {}
        self._after: dict[tuple[str, str], int] = {}
        self._deeds: dict[tuple[str, str], Callable[[], None]] = {}
        self.met: Counter[tuple[str, str]] = Counter()
        self.asked: Counter[str] = Counter()

    def on(self, platform: str, name: str, *, count: int | None = None, after: int = 0) -> None:
        """
        Let it go wrong: ``count`` times, or as often as the fault itself says.

        The first ``after`` times still go well. Raises KeyError for an unknown fault.
        """
        fault, key = KNOWN[platform][name], (platform, name)
        self._left[key] = fault.count if count is None else count
        self._after[key] = after
        self._tell(key)
        if key in self._deeds and self.take(platform, name):
            self._deeds[key]()

    def off(self, platform: str = "", name: str = "") -> None:
        """One fault, all of a platform, or all."""
        for key in list(self._left):
            if platform in {"", key[0]} and name in {"", key[1]}:
                del self._left[key]
                self._tell(key)

    def is_on(self, platform: str, name: str) -> bool:
        return (platform, name) in self._left

    def take(self, platform: str, name: str) -> bool:
        """Whether it goes wrong this time."""
        key = (platform, name)
        if key not in self._left:
            return False
        if self._after[key]:
            self._after[key] -= 1
            return False
        self.met[key] += 1
        self._count_down(key)
        return True

    def deed(self, platform: str, name: str, do: Callable[[], None]) -> None:
        """A fault that happens when it is switched on, not when somebody asks."""
        self._deeds[platform, name] = do

    def _count_down(self, key: tuple[str, str]) -> None:
        left = self._left[key]
        if left is not None and left > 1:
            self._left[key] = left - 1
        elif left is not None:
            del self._left[key]
        self._tell(key)

    def json(self) -> list[dict[str, Any]]:
        """Every switch there is, and how it stands."""
        return [
            {"label": fault.label, "says": fault.says, "group": fault.group}
            | self._stands((platform, name))
            for platform, faults in KNOWN.items()
            for name, fault in faults.items()
        ]

    def _stands(self, key: tuple[str, str]) -> dict[str, Any]:
        platform, name = key
        about = {"platform": platform, "name": name, "on": key in self._left}
        return {**about, "left": self._left.get(key), "met": self.met[key]}

    def _tell(self, key: tuple[str, str]) -> None:
        self._feed.publish("fault", self._stands(key))
