"""Relay, client and a platform that says no: few calls, nothing lost, other ways stay open."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.platforms.shared import SharedHolds, SharedTokens
from bot.platforms.wecom.client import WeComClient
from bot.platforms.wecom.sender import AppSender, GroupSender
from jobs.relay import Relay
from store import tables as t
from store.domain.quota import Api, Rank
from store.domain.team import Channel
from store.outbox import Put
from tests.bot.wecom import given
from tests.bot.wecom.given import refusal

SEND, UPDATE, ROBOT = "message/send", "message/update_template_card", "webhook/send"
CARD = {"card_type": "button_interaction", "main_title": {"title": "新线索"}}
CARDS = {"msgtype": "template_card", "template_card": CARD}
HINTED = "not allow, hint: [1789012345], from ip: 203.0.113.7, more info at https://open"


@pytest.fixture
def relays(store, session, base, clock):
    """Two processes with one database."""

    def relay():
        robot = f"{base}/cgi-bin/webhook/send?key=robot-key"
        about = given.settings(api_base=base, group_webhook=robot)
        client = WeComClient(session, about, clock, SharedTokens(store), SharedHolds(store))
        app = AppSender(client, 1000002, clock)
        return Relay(store, {Channel.WECOM: app, Channel.WECOM_GROUP: GroupSender(client)})

    return [relay(), relay()]


async def put(store, key, account="lilei", **more):
    values = {"channel": Channel.WECOM, "payload": text(key), "rank": Rank.MATTERS, **more}
    async with store.begin() as tx:
        await tx.outbox.put([Put(key=key, account=account, **values)])


def text(words):
    return {"msgtype": "text", "text": {"content": words}}


async def waiting(store):
    async with store.read() as tx:
        return await tx.outbox.waiting()


async def passes(relays, clock, minutes, seconds=60):
    for _ in range(minutes * 60 // seconds):
        for relay in relays:
            await relay.drain()
        clock.forward(seconds=seconds)


async def test_many_rows_under_a_limit_ask_a_few_times_and_all_arrive(
    store, relays, gateway, clock
):
    """Each row asked once a minute: as many calls a minute as rows."""
    gateway.always[SEND] = refusal(45009)
    for n in range(30):
        await put(store, f"reply:{n}", account=f"rep{n}")

    await passes(relays, clock, 14)
    during = len(gateway.calls(SEND))
    del gateway.always[SEND]
    await passes(relays, clock, 17)

    assert during <= 16 + 4
    assert len({body["touser"] for body in gateway.bodies(SEND)[during:]}) == 30
    assert await waiting(store) == 0


@pytest.mark.parametrize(("code", "each"), [(45033, 1), (-1, 4)])
async def test_many_rows_under_a_platform_that_is_busy_asked_1200_times_a_minute(
    store, relays, gateway, code, each
):
    """Each row had a back-off of its own."""
    clock = store.clock
    gateway.always[SEND] = refusal(code)
    for n in range(40):
        await put(store, f"reply:{n}", account=f"rep{n}")

    await passes(relays, clock, 1, seconds=5)
    during = len(gateway.calls(SEND))
    del gateway.always[SEND]
    await passes(relays, clock, 2, seconds=10)

    assert during <= 16 * each + 12  # those that set out together, and then one by one
    assert len({body["touser"] for body in gateway.bodies(SEND)[during:]}) == 40
    assert await waiting(store) == 0


async def test_a_limit_on_sending_leaves_changes_and_the_robot_alone(
    store, relays, gateway, clock
):
    there = {"codes": [{"code": "rc", "at": clock().isoformat()}]}
    await put(store, "lead:1/1", payload=CARDS)
    async with store.begin() as tx:
        await tx.conn.execute(t.outbox.update().values(ref=there))
    gateway.always[SEND] = refusal(45009)
    await put(store, "reply:1")
    await put(store, "digest:1", "", channel=Channel.WECOM_GROUP, rank=Rank.EXTRA)

    await relays[0].drain()
    await relays[1].drain()

    assert len(gateway.calls(SEND)) == 1
    assert len(gateway.calls(UPDATE)) == 1
    assert len(gateway.calls(ROBOT)) == 1


async def test_an_untrusted_address_costs_few_calls_and_loses_nothing(
    store, relays, gateway, clock
):
    gateway.always[SEND] = refusal(60020, HINTED)
    for n in range(20):
        await put(store, f"lead:{n}", account=f"rep{n}")

    await passes(relays, clock, 20)
    during = len(gateway.calls(SEND))
    async with store.read() as tx:
        [alarm] = await tx.alarms.on()
    del gateway.always[SEND]
    await passes(relays, clock, 11)

    assert during <= 16 + 5
    assert (alarm.key, "203.0.113.7" in alarm.text) == ("wecom:60020", True)
    assert await waiting(store) == 0
    async with store.read() as tx:
        assert await tx.alarms.on() == []


async def test_a_wrong_webhook_keeps_the_digest_until_it_is_mended(store, relays, gateway, clock):
    """It was given up at once, and nobody was told."""
    gateway.always[ROBOT] = refusal(93000, "invalid webhook url")
    await put(store, "digest:1", "", channel=Channel.WECOM_GROUP, rank=Rank.EXTRA)

    await passes(relays, clock, 60)
    during = len(gateway.calls(ROBOT))
    async with store.read() as tx:
        keys = [alarm.key for alarm in await tx.alarms.on()]
    del gateway.always[ROBOT]
    await passes(relays, clock, 11)

    assert keys == ["wecom_group:93000"]
    assert during <= 10
    assert len(gateway.calls(ROBOT)) == during + 1


async def test_two_equal_answers_to_two_questions_are_both_sent(store, relays, gateway, clock):
    for n in (1, 2):
        await put(store, f"reply:{n}", payload=text("没有线索"), rank=Rank.ASKED)
        await relays[0].drain()

    checked = [body.get("enable_duplicate_check", 0) for body in gateway.bodies(SEND)]
    assert checked == [1, 0]


@pytest.mark.parametrize(
    "payload",
    [text("好了"), CARDS, {"msgtype": "image", "png": "iVBORw0KGgo="}],
    ids=["text", "card", "picture"],
)
async def test_every_kind_of_message_counts_for_the_silent_limit(
    store, relays, gateway, clock, payload
):
    """WeCom drops the 31st of a minute without a word, whatever it is (D:90236)."""
    gateway.always["media/upload"] = {"errcode": 0, "media_id": "M1"}
    for n in range(40):
        await put(store, f"reply:{n}", payload=payload, rank=Rank.ASKED)

    await relays[0].drain()
    await relays[1].drain()
    first = len(gateway.calls(SEND))
    await passes(relays, clock, 3, seconds=10)

    assert first == 24
    assert len(gateway.calls(SEND)) == 40
    async with store.read() as tx:
        counted = select(func.sum(t.sent.c.n)).where(t.sent.c.api == Api.WECOM_APP)
        assert await tx.conn.scalar(counted) == 40


async def test_a_hold_is_forgotten_some_time_after_it_was_of_use(store, clock):
    async with store.begin() as tx:
        await tx.quota.hold("wecom:x:message/send", timedelta(minutes=1), timedelta(hours=1))
    clock.forward(hours=3)

    async with store.begin() as tx:
        await tx.quota.forget()
        assert await tx.quota.holds(["wecom:x:message/send"]) == {}
