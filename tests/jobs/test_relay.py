"""The phones match the outbox, whatever happens on the way."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import Boolean, column, func, select, table, true

from handlers.alarms import sound
from jobs.relay import Relay, backoff
from jobs.tally import Tally
from store import tables as t
from store.domain.errors import Alarm, Down, Held, Later, Lost, Undeliverable
from store.domain.quota import Api, Rank
from store.domain.team import Channel, Role
from store.outbox import Due, Put


@dataclass
class Phone:
    """A platform that keeps what it was told to show."""

    shown: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    before: list = field(default_factory=list)

    async def show(self, due: Due):
        for act in self.before:
            await act(due)
        if self.errors:
            raise self.errors.pop(0)
        self.shown.append((due.key, due.version, due.ring, due.ref))
        return {"n": due.version}


@pytest.fixture
def phone():
    return Phone()


@pytest.fixture
def relay(store, phone):
    return Relay(store, {Channel.WECOM: phone})


async def put(store, key="lead:1/1", payload=None, *, ring=False, account="lilei"):
    async with store.begin() as tx:
        await tx.outbox.put(
            [Put(key=key, channel=Channel.WECOM, account=account, payload=payload or {"k": key}, ring=ring)]
        )  # fmt: skip


async def row(store, key="lead:1/1"):
    async with store.read() as tx:
        return (await tx.conn.execute(select(t.outbox).where(t.outbox.c.key == key))).one()


async def test_several_changes_before_the_relay_comes_by_are_sent_once(store, relay, phone):
    await put(store, payload={"n": 1})
    await put(store, payload={"n": 2})

    await relay.drain()

    assert [(key, version) for key, version, *_ in phone.shown] == [("lead:1/1", 2)]


async def test_no_welcome_waits_for_sixteen_others_while_wecom_is_slow(store):
    # Of a hundred in a burst, a third came after their 20 seconds.
    slow, everybody, under_way = asyncio.Event(), asyncio.Event(), []

    class Slow:
        async def show(self, due):
            under_way.append(due.channel)
            if under_way.count(Channel.WECOM_WELCOME) == 40:
                everybody.set()
            await slow.wait()

    async with store.begin() as tx:
        await tx.outbox.put(
            [
                Put(key=f"{channel}:{n}", channel=channel, account=f"wm{n}", payload={})
                for channel in (Channel.WECOM_CONTACT, Channel.WECOM_WELCOME)
                for n in range(40)
            ]
        )
    relay = Relay(store, {Channel.WECOM_CONTACT: Slow(), Channel.WECOM_WELCOME: Slow()})
    running = asyncio.create_task(relay.run())

    async with asyncio.timeout(60):
        await everybody.wait()

    assert under_way[:48].count(Channel.WECOM_WELCOME) == 40  # in three batches of sixteen
    relay.stop()
    slow.set()
    await running


async def test_what_was_shown_is_not_shown_again_because_two_transactions_met(store, phone):
    """What was not written down went out once more when its lease was over."""
    if store.engine.dialect.name == "sqlite":
        pytest.skip("has one writer at a time")
    tally, meeting = Tally(store), []
    relay = Relay(store, {Channel.WECOM: phone}, tally)
    await put(store)

    async def is_met(_due):
        tally.add(Api.DINGTALK_CALLS)
        held = asyncio.Event()
        meeting.append(asyncio.create_task(meets(store, held)))
        await held.wait()

    async with tally.begin():
        tally.add(Api.DINGTALK_CALLS)
    async with tally.begin():
        pass
    phone.before.append(is_met)

    await relay.drain()
    await asyncio.gather(*meeting)

    kept = await row(store)
    async with store.read() as tx:
        spent = (await tx.quota.total(Api.DINGTALK_CALLS)).count
    assert [version for _, version, *_ in phone.shown] == [kept.delivered]
    assert spent == 3


LOCKS = table("pg_locks", column("granted", Boolean))


async def meets(store, held):
    """Has the message first and then wants the ledger; who settles it has them the other way."""
    async with store.begin() as tx:
        await tx.conn.execute(
            select(func.set_config("deadlock_timeout", "60s", true()))
        )  # the other gives way
        await tx.conn.execute(select(t.outbox.c.key).with_for_update())
        held.set()
        waits = select(func.count()).select_from(LOCKS).where(~LOCKS.c.granted)
        while not await tx.conn.scalar(waits):  # noqa: ASYNC110 - the database knows
            await asyncio.sleep(0.01)
        await tx.quota.add({(Api.DINGTALK_CALLS, ""): 1})


async def test_a_card_that_would_not_change_is_left_alone(store, relay, phone):
    await put(store)
    await relay.drain()
    await put(store)

    await relay.drain()

    assert len(phone.shown) == 1


async def test_a_ring_is_sent_although_nothing_changed(store, relay, phone):
    await put(store)
    await relay.drain()
    await put(store, ring=True)

    await relay.drain()

    assert [ring for _, _, ring, _ in phone.shown] == [False, True]


async def test_a_ring_is_not_swallowed_by_a_silent_change(store, relay, phone):
    await put(store)
    await relay.drain()
    await put(store, ring=True)
    await put(store, payload={"newer": 1})

    await relay.drain()

    assert phone.shown[-1][2] is True


async def test_what_the_platform_gave_comes_back_with_the_next_change(store, relay, phone):
    await put(store)
    await relay.drain()
    await put(store, payload={"n": 2})

    await relay.drain()

    assert [ref for *_, ref in phone.shown] == [None, {"n": 1}]


async def test_a_change_during_delivery_is_sent_next(store, relay, phone):
    async def change(due):
        if due.version == 1:
            await put(store, payload={"n": 2})

    phone.before.append(change)
    await put(store)

    await relay.drain()

    assert [version for _, version, *_ in phone.shown] == [1, 2]


async def test_a_press_during_delivery_keeps_its_code(store, relay, phone):
    async def press(due):
        async with store.begin() as tx:
            await tx.outbox.pressed("lead:1/1", "LiLei", "task", "code")

    phone.before.append(press)
    await put(store)

    await relay.drain()

    assert [c["code"] for c in (await row(store)).ref["codes"]] == ["code"]


async def test_relays_side_by_side_send_each_message_once(store):
    phones = [Phone() for _ in range(4)]
    for n in range(50):
        await put(store, f"lead:{n}/1", account=f"rep{n}")

    await asyncio.gather(*(Relay(store, {Channel.WECOM: p}).drain() for p in phones))

    shown = [key for phone in phones for key, *_ in phone.shown]
    assert len(shown) == len(set(shown)) == 50


async def test_a_lost_lease_runs_out(store, relay, phone, clock):
    await put(store)
    async with store.begin() as tx:
        await tx.outbox.lease(1)  # and the process dies here

    await relay.drain()
    assert phone.shown == []

    clock.tick(seconds=61)
    await relay.drain()
    assert len(phone.shown) == 1


async def test_a_limit_is_waited_out(store, relay, phone, clock):
    phone.errors.append(Later("45009", timedelta(minutes=1)))
    await put(store)

    await relay.drain()
    assert phone.shown == []

    clock.tick(minutes=1)
    await relay.drain()
    assert len(phone.shown) == 1


async def test_what_can_never_be_delivered_is_given_up_with_its_reason(store, relay, phone, clock):
    phone.errors.append(Undeliverable("60111 no such member"))
    await put(store)

    await relay.drain()
    clock.tick(days=1)
    await relay.drain()

    assert phone.shown == []
    assert "60111" in (await row(store)).error


async def test_a_newer_card_gets_its_chance_after_the_old_one_was_refused(store, relay, phone):
    async def change(due):
        if due.version == 1:
            await put(store, payload={"n": 2})
            raise Undeliverable("bad payload")

    phone.before.append(change)
    await put(store)

    await relay.drain()

    assert [version for _, version, *_ in phone.shown] == [2]


async def test_a_bug_in_a_sender_stops_nobody_else(store, relay, phone):
    phone.errors.append(RuntimeError("oops"))
    await put(store, "lead:1/1")
    await put(store, "lead:2/1")

    await relay.drain()

    assert len(phone.shown) == 1


async def test_what_a_try_has_to_tell_the_next_one_is_kept_with_the_message(store, relay, phone):
    """A card that was made and reached nobody was forgotten with the process that made it."""
    failure = Later("busy")
    failure.ref = {"undelivered": "lead_1@1-ab"}
    phone.errors = [failure]
    await put(store)

    await relay.drain()

    assert (await row(store)).ref == {"undelivered": "lead_1@1-ab"}


async def test_what_the_platform_threw_back_unread_is_no_message(store, relay, phone):
    """Each try used up a place in the minute, and a list took the card's place in the end."""
    failure = Later("429", timedelta(seconds=1))
    failure.unsent = True
    phone.errors = [failure]
    await put(store)

    await relay.drain()

    async with store.read() as tx:
        [used] = (await tx.quota.used([(Api.WECOM_MEMBER, "lilei")])).values()
    assert used.count == 0


async def test_what_was_not_asked_counts_as_no_try_and_no_message(store, relay, phone, clock):
    phone.errors.append(Held("message/send is held back", timedelta(minutes=1)))
    await put(store)

    await relay.drain()

    held = await row(store)
    assert (held.attempts, held.due_at) == (0, clock() + timedelta(minutes=1))
    async with store.read() as tx:
        assert (await tx.quota.total(Api.WECOM_APP)).count == 0


@pytest.mark.parametrize("error", [Lost("TimeoutError"), Later("45009")])
async def test_a_try_without_an_answer_is_remembered(store, relay, phone, clock, error):
    phone.errors.append(error)
    await put(store)

    await relay.drain()
    assert (await row(store)).unsure is isinstance(error, Lost)

    clock.tick(minutes=1)
    await relay.drain()
    assert (await row(store)).unsure is False


async def test_what_a_dead_process_had_may_be_there(store, clock):
    await put(store)
    async with store.begin() as tx:
        await tx.outbox.lease(1)  # and the process dies here
    clock.tick(seconds=61)

    async with store.begin() as tx:
        (due,) = await tx.outbox.lease(1)

    assert due.unsure


async def test_a_newer_payload_has_not_been_tried(store, relay, phone):
    phone.errors.append(Lost("TimeoutError"))
    await put(store)
    await relay.drain()

    await put(store, payload={"n": 2})

    assert (await row(store)).unsure is False


async def test_the_same_words_to_the_same_person_are_known_to_have_been_said(store, clock):
    """With the check for repeats the second of two equal answers vanished."""
    for key, text, account in [
        ("reply:1", "没有线索", "lilei"),
        ("reply:2", "没有线索", "lilei"),
        ("reply:3", "没有线索", "hanmei"),
        ("reply:4", "有 1 条线索", "lilei"),
    ]:
        await put(store, key, {"msgtype": "text", "text": text}, account=account)
        clock.tick(seconds=1)

    async with store.begin() as tx:
        dues = await tx.outbox.lease(9)

    assert [due.key for due in dues if due.said_before] == ["reply:2"]


async def test_what_was_said_the_day_before_has_not_been_said(store, clock):
    for key in ("reply:1", "reply:2"):
        await put(store, key, {"msgtype": "text", "text": "没有线索"})
        clock.tick(days=1, minutes=1)

    async with store.begin() as tx:
        dues = await tx.outbox.lease(9)

    assert [due.said_before for due in dues] == [False, False]


UNTRUSTED = Alarm("wecom:60020", "企业微信不认这台机器的 IP")


async def alarms(store):
    async with store.read() as tx:
        return [alarm.key for alarm in await tx.alarms.on()]


@pytest.mark.parametrize("kind", [Later, Undeliverable])
async def test_what_the_admin_can_mend_is_told_to_the_admin(store, relay, phone, kind):
    phone.errors.append(kind("81013", alarm=Alarm("wecom:81013@lilei", "收不到")))
    await put(store)

    await relay.drain()

    assert await alarms(store) == ["wecom:81013@lilei"]
    assert [key for key, *_ in phone.shown if key.startswith("alarm:")]


async def test_an_alarm_to_a_dead_phone_is_not_given_up_with_it(store, relay, phone):
    """Both alarms went to the one phone that was known to be dead, and nobody heard of either."""

    async def refuse(due):
        if due.account == "admin":
            raise Undeliverable("81013", alarm=Alarm("wecom:81013@admin", "收不到"))

    phone.before.append(refuse)
    async with store.begin() as tx:
        people = [m for m in (await tx.members.all()).values() if m.role == Role.MANAGER]
        (row_,) = [_person(member) for member in people]
        await tx.members.sync([row_, {**row_, "name": "管工", "role": "admin", "wecom": "admin"}])
        await sound(tx, Alarm("wecom_group:93000", "群机器人的地址不对"))

    await relay.drain()

    heard = sorted(key.rpartition("/")[0] for key, *_ in phone.shown)
    assert heard == ["alarm:wecom:81013@admin", "alarm:wecom_group:93000"]


def _person(member):
    names = ("name", "role", "wecom", "dingtalk", "grade", "capacity")
    lists = ("regions", "products", "industries")
    return {n: getattr(member, n) for n in names} | {n: list(getattr(member, n)) for n in lists}


async def test_what_waits_for_the_admin_waits_longer_each_time_and_arrives(
    store, relay, phone, clock
):
    refusals = [Later("43012", alarm=CARDS) for _ in range(8)]

    async def refuse(due):
        if due.key == "lead:1/1" and refusals:
            raise refusals.pop()

    phone.before.append(refuse)
    await put(store)
    waits = []
    for _ in range(8):
        await relay.drain()
        waits.append((await row(store)).due_at - clock())
        clock.now = (await row(store)).due_at
    await relay.drain()

    assert [wait.total_seconds() / 60 for wait in waits] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [key for key, *_ in phone.shown if key == "lead:1/1"] == ["lead:1/1"]


CARDS = Alarm("wecom_cards:43012", "应用没有设「接收消息」")


async def test_a_digest_waits_for_the_admin_for_two_days(store, relay, phone, clock):
    """A wrong webhook lost the digest at once."""
    robot = Alarm("wecom_group:93000", "群机器人的地址不对")
    group = Relay(store, {Channel.WECOM_GROUP: phone})
    digest = Put(
        key="digest:1", channel=Channel.WECOM_GROUP, account="", payload={}, rank=Rank.EXTRA
    )
    async with store.begin() as tx:
        await tx.outbox.put([digest])
    phone.errors.extend(Later("93000", timedelta(hours=1), robot) for _ in range(60))

    for _ in range(48):
        await group.drain()
        clock.tick(hours=1)
    waiting = (await row(store, "digest:1")).due_at
    clock.tick(hours=1)
    await group.drain()

    assert waiting is not None
    assert (await row(store, "digest:1")).due_at is None


async def test_a_message_that_arrives_ends_what_said_it_could_not(store, relay, phone, clock):
    async with store.begin() as tx:
        for alarm in (UNTRUSTED, CARDS, Alarm("wecom:81013@hanmei", "收不到")):
            await sound(tx, alarm)
    await put(store)

    await relay.drain()

    assert sorted(await alarms(store)) == ["wecom:81013@hanmei", "wecom_cards:43012"]


async def test_a_channel_without_a_sender_waits(store, relay, phone):
    async with store.begin() as tx:
        await tx.outbox.put([Put(key="m", channel=Channel.MAIL, account="a@b.c", payload={})])

    await relay.drain()

    assert (await row(store, "m")).due_at is not None


async def test_only_the_holder_of_a_card_can_press_it(store, relay):
    await put(store)
    async with store.begin() as tx:
        assert not await tx.outbox.pressed("lead:1/1", "hanmei", "task", "code")


def test_back_off_grows_and_is_bounded():
    waits = [backoff(n).total_seconds() for n in (1, 2, 5, 30)]

    assert waits == sorted(waits)
    assert waits[0] <= 1.2
    assert waits[-1] <= 720


# -- a platform that is down -----------------------------------------------------------

WAITING = 40


class Dead:
    """Answers nothing but HTTP 500 as long as it is ``down``."""

    def __init__(self):
        self.down, self.asked, self.shown = True, 0, []

    async def show(self, due):
        self.asked += 1
        if self.down:
            raise Down("message/send: HTTP 500")
        self.shown.append(due.key)


@pytest.fixture
async def dead(store):
    for n in range(WAITING):
        await put(store, key=f"lead:{n}/1", account=f"rep{n}")
    return Dead()


async def test_a_platform_that_is_down_is_tried_with_one_message_and_not_with_all(
    store, dead, clock
):
    """Each of the waiting messages went on trying by itself: forty probes for one outage."""
    relay = Relay(store, {Channel.WECOM: dead})
    await relay.drain()
    together = dead.asked

    for _ in range(10):
        clock.tick(seconds=40)
        await relay.drain()

    assert together <= 16
    assert dead.asked == together + 10


async def test_what_waited_for_a_platform_goes_out_once_it_is_well(store, dead, clock):
    relay = Relay(store, {Channel.WECOM: dead})
    for _ in range(5):
        await relay.drain()
        clock.tick(seconds=40)
    dead.down = False

    for _ in range(4):
        await relay.drain()
        clock.tick(minutes=11)

    assert sorted(dead.shown) == sorted(f"lead:{n}/1" for n in range(WAITING))


async def test_what_only_waited_for_the_outage_goes_out_with_the_first_that_gets_through(
    store, dead, clock
):
    """It had counted as tries of its own, each with a longer wait after it."""
    relay = Relay(store, {Channel.WECOM: dead})
    for _ in range(3):
        await relay.drain()
        clock.tick(seconds=40)
    untried = [n for n in range(WAITING) if not (await row(store, f"lead:{n}/1")).attempts]
    dead.down = False

    await relay.drain()

    assert len(untried) >= WAITING - 20
    assert {f"lead:{n}/1" for n in untried} <= set(dead.shown)


async def test_another_channel_does_not_rest_with_one_that_is_down(store, dead, phone):
    async with store.begin() as tx:
        await tx.outbox.put([Put(key="other", channel=Channel.DINGTALK, account="w", payload={})])
    relay = Relay(store, {Channel.WECOM: dead, Channel.DINGTALK: phone})

    await relay.drain()

    assert [key for key, *_ in phone.shown] == ["other"]


@pytest.mark.parametrize("answer", [Undeliverable("no"), Later("45009"), Lost("a bug")])
async def test_a_platform_that_answers_at_all_is_not_down(store, phone, clock, answer):
    answer.down = False
    await put(store)
    await put(store, key="lead:2/1")
    phone.errors = [answer]
    relay = Relay(store, {Channel.WECOM: phone})

    await relay.drain()

    assert len(phone.shown) == 1
