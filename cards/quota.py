"""What the platforms still allow: asked for, or told once when it gets tight."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cards.model import Button, Card
from store.domain.quota import Api, Level, Used

SAVES = "提醒合并，日报缩短，旁人的卡片不改写；新线索照发"
STOPS = {
    Api.WECOM_APP: "卡片可能要等明天，群里和智能机器人照常",
    Api.DINGTALK_CALLS: "卡片下个月再发；找机器人说话照样有回答",
    Api.DINGTALK_PUSHES: "发给机器人的话传不过来，卡片照发",
}
"""What it means that it is used up."""
MENDS = {
    Api.WECOM_APP: "企业微信按账号数 × 200 计，账号多就在 [wecom] accounts 写上",
    Api.DINGTALK_CALLS: "钉钉可换专业版或买加量包，再改 [dingtalk] edition",
    Api.DINGTALK_PUSHES: "钉钉可换专业版或买加量包，再改 [dingtalk] edition",
}


def quota_card(used: Sequence[Used]) -> Card:
    """Everything that is counted, the day's and the month's first."""
    tight = sorted((one for one in used if one.level > Level.PLENTY), key=lambda u: -u.level)
    return Card(
        title=_title(tight[0]) if tight else "平台配额够用",
        note=SAVES if tight else "",
        rows=tuple((short(one), amount(one)) for one in used)[:6],
        why="\n".join(f"{one.meter.name}：{amount(one)}" for one in used[6:]),
        buttons=(Button("日报", "/日报"),),
    )


def tight_card(used: Used, now: datetime, zone: ZoneInfo) -> Card:
    """Told to the managers once a day or month, and again when it gets tighter."""
    again, over = used.meter.ends(now).astimezone(zone), used.level == Level.OVER
    return Card(
        title=_title(used) if over else f"{used.meter.name}已用 {share(used)}%",
        note=f"{again.month}月{again.day}日重新计算",
        rows=(("已用", amount(used)), ("现在起", STOPS[used.meter.api] if over else SAVES)),
        why=MENDS.get(used.meter.api, ""),
        buttons=(Button("看配额", "/配额"),),
    )


def _title(used: Used) -> str:
    return f"{used.meter.name}{'用完了' if used.level == Level.OVER else '快用完了'}"


def amount(used: Used) -> str:
    """3,120 / 5,000（62%）."""
    said = "，平台说用完了" if used.over else ""
    return f"{used.count:,} / {used.meter.allowed:,}（{share(used)}%{said}）"


def share(used: Used) -> int:
    return used.count * 100 // max(used.meter.allowed, 1)


SHORT = {
    Api.WECOM_APP: "企微今日",
    Api.DINGTALK_CALLS: "钉钉调用",
    Api.DINGTALK_PUSHES: "钉钉推送",
    Api.WECOM_MEMBER: "企微每分",
    Api.WECOM_HOUR: "企微每时",
    Api.WECOM_MASS: "企微群发",
    Api.DINGTALK_MEMBER: "钉钉每分",
    Api.WECOM_ROBOT: "企微群",
    Api.DINGTALK_ROBOT: "钉钉群",
    Api.AIBOT_MINUTE: "机器人分",
    Api.AIBOT_HOUR: "机器人时",
}
"""Names that fit the five characters of WeCom's rows."""


def short(used: Used) -> str:
    return SHORT.get(used.meter.api, used.meter.name)
