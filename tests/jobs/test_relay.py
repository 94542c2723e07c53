"""The phones match the outbox, whatever happens on the way."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import select

from jobs.relay import Relay, backoff
from store import tables as t
from store.domain.errors import Later, Undeliverable
from store.domain.team import Channel
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
