"""The ledger, on both databases."""

from datetime import timedelta

from store.domain.quota import Api, Level

LI = (Api.WECOM_MEMBER, "lilei")
CALLS = (Api.DINGTALK_CALLS, "")


async def spend(store, *lines, n=1):
    async with store.begin() as tx:
        await tx.quota.add(dict.fromkeys(lines, n))


async def count(store, line):
    async with store.read() as tx:
        return (await tx.quota.used([line]))[line].count


async def test_counts_add_up_in_one_row_a_stretch(store):
    await spend(store, LI, n=3)
    await spend(store, LI, n=2)

    assert await count(store, LI) == 5


async def test_a_minute_slides_and_forgets(store, clock):
    await spend(store, LI)
    clock.tick(seconds=59)
    await spend(store, LI)

    assert await count(store, LI) == 2
    clock.tick(seconds=12)
    assert await count(store, LI) == 1


async def test_each_account_has_its_own_minute_and_the_month_is_everybodys(store):
    await spend(store, LI, CALLS)
    await spend(store, (Api.WECOM_MEMBER, "hanmei"), CALLS)

    assert await count(store, LI) == 1
    assert await count(store, CALLS) == 2


async def test_a_new_month_begins_at_midnight_in_china(store, clock):
    await spend(store, CALLS, n=4990)
    clock.tick(days=29, hours=13, minutes=59)
    assert await count(store, CALLS) == 4990

    clock.tick(minutes=1)
    assert await count(store, CALLS) == 0


async def test_what_arrives_late_counts_from_when_it_arrived(store, clock):
    await spend(store, LI)
    sent_at = clock()
    clock.tick(seconds=45)

    async with store.begin() as tx:
        await tx.quota.shift([LI], sent_at)

    clock.tick(seconds=30)
    assert await count(store, LI) == 1


async def test_a_robot_that_was_told_to_be_silent_is_until_then(store, clock):
    async with store.begin() as tx:
        await tx.quota.block("dingtalk_group:", clock() + timedelta(minutes=10))
        await tx.quota.block("dingtalk_group:", clock() + timedelta(minutes=10))

    async with store.read() as tx:
        assert set(await tx.quota.blocked(["dingtalk_group:", "wecom_group:"])) == {
            "dingtalk_group:"
        }
    clock.tick(minutes=10)
    async with store.read() as tx:
        assert await tx.quota.blocked(["dingtalk_group:"]) == {}


async def test_the_busiest_account_is_told_without_its_name(store):
    await spend(store, LI, n=7)
    await spend(store, (Api.WECOM_MEMBER, "hanmei"), n=2)

    async with store.read() as tx:
        assert (await tx.quota.busiest(Api.WECOM_MEMBER)).count == 7


async def test_the_level_is_that_of_the_tightest(store):
    await spend(store, CALLS, n=4200)

    async with store.read() as tx:
        assert await tx.quota.level(Api.DINGTALK_CALLS, Api.DINGTALK_PUSHES) == Level.TIGHT


async def test_minutes_are_forgotten_and_months_are_kept(store, clock):
    await spend(store, LI, CALLS)
    clock.tick(hours=3)

    async with store.begin() as tx:
        await tx.quota.forget()

    assert await count(store, CALLS) == 1
    clock.tick(hours=-3)
    assert await count(store, LI) == 0
