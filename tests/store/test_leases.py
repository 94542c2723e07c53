"""Of several processes one holds a name; its tokens are everybody's."""

import asyncio
from datetime import UTC, datetime, timedelta

from store.tokens import Token, token_key

SPAN = timedelta(seconds=30)


async def take(store, holder, name="bot"):
    async with store.begin() as tx:
        return await tx.leases.take(name, holder, SPAN)


async def test_of_ten_who_ask_at_once_one_gets_it(store):
    taken = await asyncio.gather(*(take(store, f"process-{n}") for n in range(10)))

    assert sorted(taken) == [False] * 9 + [True]


async def test_a_holder_renews_and_nobody_else_can(store, clock):
    await take(store, "first")
    clock.tick(seconds=29)
    renewed = await take(store, "first")
    clock.tick(seconds=29)

    assert (renewed, await take(store, "second")) == (True, False)


async def test_a_lease_that_ran_out_is_the_next_one_s_and_stays_so(store, clock):
    await take(store, "first")
    clock.tick(seconds=30)
    taken = await take(store, "second")

    assert (taken, await take(store, "first")) == (True, False)


async def test_only_the_holder_can_drop_it(store):
    await take(store, "first")
    async with store.begin() as tx:
        await tx.leases.drop("bot", "second")
    kept = await take(store, "second")
    async with store.begin() as tx:
        await tx.leases.drop("bot", "first")

    assert (kept, await take(store, "second")) == (False, True)


async def test_names_do_not_disturb_each_other(store):
    await take(store, "first", "bot")

    assert await take(store, "second", "other")


async def test_the_newest_token_is_found_until_it_runs_out(store, clock):
    key = token_key("wecom", "ww1", "s3cr3t")
    async with store.begin() as tx:
        await tx.tokens.keep(key, Token("old", clock() + SPAN))
        await tx.tokens.keep(key, Token("new", clock() + SPAN))
        found = await tx.tokens.find(key)
    clock.tick(seconds=30)
    async with store.read() as tx:
        later = await tx.tokens.find(key)

    assert (found and found.value, later) == ("new", None)


def test_a_key_tells_no_secret_and_a_new_secret_is_a_new_key():
    keys = {token_key("wecom", "ww1", secret) for secret in ("s3cr3t", "other")}

    assert len(keys) == 2
    assert not any("s3cr3t" in key for key in keys)


def test_a_token_is_not_printed():
    assert "hidden" not in repr(Token("hidden", datetime.now(UTC)))
