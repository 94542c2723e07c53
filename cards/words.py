"""How times, people and things are said on a card."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = "一二三四五六日"
SOURCES = {
    "website": "官网", "form": "表单", "wecom": "企业微信", "dingtalk": "钉钉",
    "chat": "同事录入", "import": "导入",
}  # fmt: skip


def source_name(source: str) -> str:
    return SOURCES.get(source, source)


def moment(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """ "10:40", "明天 10:40", "周三 10:40", "12月5日 10:40", "2027年3月3日 09:00": as short as can be."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    days = (local.date() - today).days
    clock = f"{local:%H:%M}"
    if days == 0:
        return clock
    if days in {-1, 1, 2}:
        return f"{ {-1: '昨天', 1: '明天', 2: '后天'}[days] } {clock}"
    if 0 < days < 7:
        return f"周{WEEKDAYS[local.weekday()]} {clock}"
    return f"{_day(local, now)} {clock}"


def stamp(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A moment on a card, which is still read tomorrow: "10:40" today, else with its date."""
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return dated(at, now, zone)


def dated(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A moment that reads the same on any day of the year: "11月23日 周一 09:24"."""
    local = at.astimezone(zone)
    return f"{_day(local, now)} 周{WEEKDAYS[local.weekday()]} {local:%H:%M}"


def _day(local: datetime, now: datetime) -> str:
    """3月3日, with the year when it is another than this one: 2027年3月3日."""
    year = "" if local.year == now.astimezone(local.tzinfo).year else f"{local.year}年"
    return f"{year}{local.month}月{local.day}日"


def epoch_day(seconds: str, zone: ZoneInfo) -> str:
    """Seconds since 1970, as a platform writes them: "3月3日"; "" for anything else."""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 10):
        return ""
    local = datetime.fromtimestamp(int(seconds), zone)
    return f"{local.month}月{local.day}日"


def span(left: timedelta) -> str:
    """ "25 分", "3 小时", "2 天"."""
    minutes = int(left.total_seconds() // 60)
    if minutes < 60:
        return f"{max(minutes, 1)} 分"
    if minutes < 48 * 60:
        return f"{minutes // 60} 小时"
    return f"{minutes // (24 * 60)} 天"


def until(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """The clock time beside the time left: "10:40 前（还剩 25 分）"; never 明天, cards are kept."""
    left = at - now
    if left <= timedelta(0):
        return f"{stamp(at, now, zone)} 已过（超时 {span(-left)}）"
    return f"{stamp(at, now, zone)} 前（还剩 {span(left)}）"


def money(yuan: int) -> str:
    """Money the way it is said: "8,500 元", "12.35 万" (to a hundred yuan), "1.2 亿"."""
    for unit, name in ((100_000_000, "亿"), (10_000, "万")):
        # What rounds up to the next unit is said in that unit: 99,999,999 is 1 亿.
        if abs(yuan) >= unit - unit // 20_000:
            return f"{yuan / unit:,.2f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{yuan:,} 元"


def exact(yuan: int) -> str:
    """Money in a line that a button sends, to the yuan: "123456789元"."""
    return f"{yuan}元"
