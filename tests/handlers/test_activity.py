"""An app that is used too little: the admin is told before it stops, and when it is back."""

from dataclasses import replace

import pytest

from bot.dispatch import hear
from bot.incoming import AppActivity
from tests.handlers.people import IDS, answers

APRIL = "1774972800"  # 2026-04-01 in Shanghai


@pytest.fixture
def store(store):
    return replace(store, rules=replace(store.rules, wecom=True, dingtalk=True))


async def told_to(store, account):
    rows = (await answers(store)).values()
    return "\n".join(str(row.payload) for row in rows if row.account == account)


async def happens(store, change, effect=""):
    await hear(store, AppActivity(id=f"e{next(IDS)}", change=change, effect=effect))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("inactive_alert", "4月1日起会停用它"),
        ("low_active_alert", "4月1日起会限制它"),
        ("low_active", "从4月1日限制了这个应用"),
        ("close_inactive_agent", "4月1日停用了这个应用"),
    ],
)
async def test_what_wecom_threatens_is_told_with_its_day(store, change, said):
    """All of it was ignored, until one day nothing could be sent any more."""
    await happens(store, change, APRIL)

    told = await told_to(store, "chenzg")
    assert said in told
    assert "管理后台" in told


async def test_without_a_day_the_sentence_is_whole_all_the_same(store):
    await happens(store, "inactive_alert", "soon")

    assert "很久没人用，会停用它" in await told_to(store, "chenzg")


@pytest.mark.parametrize("change", ["reopen_inactive_agent", "active_restored"])
async def test_that_it_is_over_is_told_and_ends_the_alarm(store, change):
    await happens(store, "inactive_alert", APRIL)
    await happens(store, "close_inactive_agent", APRIL)

    await happens(store, change)

    assert "恢复了" in await told_to(store, "chenzg")
    async with store.read() as tx:
        assert await tx.alarms.on() == []


async def test_a_repeated_event_is_told_once(store):
    event = AppActivity(id="e-once", change="inactive_alert", effect=APRIL)

    await hear(store, event)
    before = await answers(store)
    await hear(store, event)

    assert {k: r.version for k, r in before.items()} == {
        k: r.version for k, r in (await answers(store)).items()
    }
