"""What the admin has to mend, and that it is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cards.model import Button, Card
from store.domain.alarms import Standing

NAMES = {
    "wecom": "企业微信",
    "wecom_app": "企业微信应用",
    "wecom_cards": "企业微信卡片",
    "wecom_refused": "企业微信消息",
    "wecom_directory": "企业微信通讯录",
    "wecom_login": "企业微信网页登录",
    "wecom_group": "企业微信群机器人",
    "wecom_contact": "企业微信客户联系",
    "wecom_mass": "企业微信群发",
    "wecom_welcome": "企业微信欢迎语",
    "wecom_profile": "企业微信客户标签",
    "wecom_way": "企业微信渠道活码",
    "aibot": "企业微信智能机器人",
    "dingtalk": "钉钉",
    "dingtalk_group": "钉钉群机器人",
    "dingtalk_todo": "钉钉待办",
    "dingtalk_form": "钉钉审批",
    "mail": "邮件",
    "dingtalk.calls": "钉钉",
    "dingtalk.pushes": "钉钉",
    "wecom.app": "企业微信",
}
NOW = Button("现在怎样", "/告警")
REMEDIES = {"aibot:kicked": Button("重新连", "/重连")}
"""What a person says once they have mended it, where nothing goes on by itself."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def alarm_card(alarm: Standing, now: datetime, zone: ZoneInfo) -> Card:
    """The connection is lost, or something else that nobody but the admin can mend."""
    return Card(
        title=f"{name(alarm)}有问题，要你处理",
        note=f"{_clock(alarm.since, now, zone)} 开始",
        why=alarm.text,
        buttons=(*((REMEDIES[alarm.key],) if alarm.key in REMEDIES else ()), NOW),
    )


def over_card(alarm: Standing, now: datetime, zone: ZoneInfo) -> Card:
    since = _clock(alarm.since, now, zone)
    return Card(
        title=f"{name(alarm)}恢复了",
        note=f"{since} 到 {_clock(now, now, zone)}，{_span(now - alarm.since)}",
        why=f"之前是：{alarm.text}",
        buttons=(NOW,),
    )


def gone_card(alarm: Standing, now: datetime, zone: ZoneInfo) -> Card:
    """What it was about has been taken out of the configuration, or has left."""
    return Card(
        title=f"{name(alarm)}这件事不用处理了",
        note=f"{_clock(now, now, zone)}，配置或人员改过了",
        why=f"之前是：{alarm.text}",
        buttons=(NOW,),
    )


def alarms_card(alarms: Sequence[Standing], now: datetime, zone: ZoneInfo) -> Card:
    """Asked for: what is on now."""
    if not alarms:
        return Card(title="都正常，没有要处理的", buttons=(Button("看配额", "/配额"),))
    return Card(
        title=f"{len(alarms)} 件事要处理",
        rows=tuple((_when(one.since, now, zone), f"{name(one)}：{one.text}") for one in alarms),
        buttons=(Button("看配额", "/配额"),),
    )


def letter(card: Card) -> dict[str, str]:
    """The card as a mail without pictures or links: subject and text."""
    rows = [f"{label}：{value}" for label, value in card.rows]
    lines = [card.title, card.note, *rows, card.why]
    return {"subject": card.title, "text": "\n\n".join(filter(None, lines)) + "\n"}


def name(alarm: Standing) -> str:
    """What does not work, as people call it."""
    return NAMES.get(alarm.channel, "leadbot ")


def _clock(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """10:32, and with the day when it was another."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    day = "" if local.date() == today.date() else f"{local.month}月{local.day}日 "
    return f"{day}{local:%H:%M}"


def _when(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """10:32, or the day (11-03): five characters are what WeCom's rows have."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%m-%d}"


def _span(span: timedelta) -> str:
    """25 分钟, 3 小时, 2 天."""
    for unit, word in ((DAY, "天"), (HOUR, "小时"), (MINUTE, "分钟")):
        if span >= unit:
            return f"共 {span // unit} {word}"
    return "不到一分钟"
