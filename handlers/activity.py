"""What WeCom says about an app that is used too little (D:90240): a warning, the end, and back."""

from typing import NamedTuple

from cards.words import epoch_day
from handlers.alarms import over, sound
from store.db import Tx
from store.domain.errors import Alarm

CONSOLE = "管理后台 → 应用管理 → 这个应用"
KEY = "wecom_app:activity"
STOPPED = "wecom:inactive"  # nothing can be sent, so it is told another way


class Warned(NamedTuple):
    """``until``: what is said where WeCom names the time it takes effect."""

    key: str
    text: str
    until: str = ""


WARNED = {
    "inactive_alert": Warned(
        KEY,
        f"企业微信说这个应用很久没人用，{{until}}会停用它，停了就收不到消息。到{CONSOLE}看提示并保留，请大家常点开用一用",
        "{day}起",
    ),
    "low_active_alert": Warned(
        KEY,
        f"企业微信说这个应用用的人太少，{{until}}会限制它。到{CONSOLE}看提示，请大家常点开用一用",
        "{day}起",
    ),
    "low_active": Warned(
        KEY,
        f"企业微信因为用的人太少，{{until}}限制了这个应用。到{CONSOLE}看限制了什么、怎么恢复",
        "从{day}",
    ),
    "close_inactive_agent": Warned(
        STOPPED,
        f"企业微信因为长期没人用，{{until}}停用了这个应用，什么都发不出去。到{CONSOLE}重新启用",
        "{day}",
    ),
}
RESTORED = {"reopen_inactive_agent", "active_restored"}


async def told(tx: Tx, change: str, effect: str = "") -> None:
    """``effect``: seconds since 1970 as text, or ""."""
    if change in RESTORED:
        for key in (KEY, STOPPED):
            await over(tx, key)
    elif change in WARNED:
        warned = WARNED[change]
        day = epoch_day(effect, tx.rules.zone)
        until = warned.until.format(day=day) if day else ""
        await sound(tx, Alarm(warned.key, warned.text.format(until=until)))
