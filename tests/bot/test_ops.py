"""What operators are told: whether it works, and what only the admin can mend."""

from datetime import timedelta

from handlers.alarms import over, sound
from store.domain.errors import Alarm
from store.domain.quota import Api
from tests.bot.conftest import configured

WECOM = {"corp_id": "ww1", "agent_id": 1, "secret": "s", "token": "t",
         "encoding_aes_key": "a" * 43}  # fmt: skip
UNTRUSTED = Alarm("wecom:60020", "到应用页的「企业可信IP」加上 203.0.113.9")


async def sounded(web, alarm):
    async with web.service.store.begin() as tx:
        await sound(tx, alarm)


async def metrics(web):
    async with web.client.get("/metrics") as answer:
        return await answer.text()


async def test_a_platform_that_nothing_goes_out_to_is_not_ready_and_named(lite):
    await sounded(lite, UNTRUSTED)

    status, told = await lite.get("/readyz")

    assert status == 503
    assert told["wecom"] is False
    assert told["problems"] == ["wecom:60020 since 2026-03-02T02:00Z"]


async def test_it_is_ready_again_when_it_is_over(lite):
    await sounded(lite, UNTRUSTED)
    async with lite.service.store.begin() as tx:
        await over(tx, "wecom:")

    status, told = await lite.get("/readyz")

    assert (status, told) == (200, {"database": True})


async def test_a_side_channel_or_one_account_is_named_and_leaves_it_ready(lite):
    await sounded(lite, Alarm("wecom_group:93000", "群机器人的地址不对"))
    await sounded(lite, Alarm("wecom:81013@lilei", "李雷收不到"))

    status, told = await lite.get("/readyz")

    assert status == 200
    assert told["problems"] == [
        "wecom:81013 since 2026-03-02T02:00Z",
        "wecom_group:93000 since 2026-03-02T02:00Z",
    ]


async def test_alarms_are_a_gauge_without_anybodys_account(lite):
    await sounded(lite, UNTRUSTED)
    await sounded(lite, Alarm("wecom:81013@lilei", "李雷收不到"))

    on = await metrics(lite)
    async with lite.service.store.begin() as tx:
        await over(tx, "wecom:")
    off = await metrics(lite)

    assert 'leadbot_alarms{key="wecom:60020"} 1.0' in on
    assert 'leadbot_alarms{key="wecom:81013"} 1.0' in on
    assert "lilei" not in on
    assert 'leadbot_alarms{key="wecom:60020"}' not in off


async def test_every_limit_is_in_the_metrics(start, sqlite):
    web = await start(configured(sqlite, wecom=WECOM))
    async with web.service.store.begin() as tx:
        await tx.quota.add({(Api.WECOM_MASS, "wmone"): 1, (Api.AIBOT_HOUR, "chat"): 7})

    told = await metrics(web)

    assert 'leadbot_quota_used{api="wecom.mass",span="day"} 1.0' in told
    assert 'leadbot_quota_used{api="wecom.aibot_hour",span="hour"} 7.0' in told
    assert 'leadbot_quota_allowed{api="wecom.hour",span="hour"} 1000.0' in told
    assert "wmone" not in told


async def test_a_start_ends_the_alarms_of_what_is_configured_no_more(start, sqlite):
    """The account was corrected and the robot taken out, and both alarms stayed on for ever."""
    robot = {"group_webhook": "https://qyapi.example/cgi-bin/webhook/send?key=k"}
    before = await start(configured(sqlite, wecom=WECOM | robot))
    await sounded(before, Alarm("wecom:60111@lilie", "企业微信里没有账号 lilie"))
    await sounded(before, Alarm("wecom_group:93000", "群机器人的地址不对"))

    after = await start(configured(sqlite, wecom=WECOM))

    _, told = await after.get("/readyz")
    assert "problems" not in told


async def test_a_restart_lifts_the_hold_on_a_wrong_secret_once_in_ten_minutes(
    start, sqlite, clock
):
    held = []
    for minutes in (10, 1, 10):
        clock.tick(minutes=minutes)
        web = await start(configured(sqlite, wecom=WECOM))
        key = f"{web.service.wecom._about}:secret"
        async with web.service.store.begin() as tx:
            held.append(bool(await tx.quota.holds([key])))
            await tx.quota.hold(key, timedelta(hours=1), timedelta(days=1))

    assert held == [False, True, False]
