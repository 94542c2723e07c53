"""Where people come from: the configuration, which wins, and the platforms' directories."""

from datetime import timedelta

import pytest

from bot.wiring import team as people
from store.domain.directory import Colleague, RoleRule, Snapshot
from store.domain.team import Platform, Role

REPS = RoleRule(role=Role.REP, department="销售部", regions=("华东",), capacity=7)
MANAGERS = RoleRule(role=Role.MANAGER, tag="主管")
RULES = (MANAGERS, REPS)
LIN = Colleague(account="linfeng", name="林峰", departments=("销售部", "公司"))


def seen(store, *colleagues, left=(), platform=Platform.WECOM, ago=timedelta(0)):
    return Snapshot(platform=platform, at=store.clock() - ago, people=colleagues, left=left)


async def follow(store, *colleagues, rules=RULES, **more):
    async with store.begin() as tx:
        await tx.members.follow(seen(store, *colleagues, **more), rules)


async def by(store, account, platform=Platform.WECOM):
    async with store.read() as tx:
        return await tx.members.by_account(platform, account)


async def named(store, name):
    async with store.read() as tx:
        return next((m for m in (await tx.members.all()).values() if m.name == name), None)


async def test_somebody_of_a_department_with_a_role_joins_the_team(store):
    await follow(store, LIN)

    lin = await by(store, "LinFeng")
    assert (lin.name, lin.role, lin.source) == ("林峰", Role.REP, "wecom")
    assert (lin.regions, lin.capacity, lin.departments) == (("华东",), 7, ("销售部", "公司"))


async def test_the_first_rule_that_covers_somebody_decides_their_role(store):
    await follow(store, Colleague(account="a", name="甲", departments=("销售部",), tags=("主管",)))

    assert (await by(store, "a")).role == Role.MANAGER


async def test_somebody_no_rule_covers_is_not_in_the_team(store):
    await follow(store, Colleague(account="b", name="乙", departments=("财务部",)))

    assert await by(store, "b") is None


@pytest.fixture
def at(store):
    """Minutes from now, as a platform's clock says them."""
    return lambda minutes: store.clock() + timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [-5, -10])
async def test_a_coming_no_newer_than_the_leaving_brings_nobody_back(store, at, minutes):
    """The platforms deliver out of order: a leaver had access again."""
    async with store.begin() as tx:
        await tx.members.leave(Platform.WECOM, "lilei", tx.now, at(-5))
        assert not await tx.members.join(Platform.WECOM, "LiLei", at(minutes))

    assert await by(store, "lilei") is None


async def test_a_coming_newer_than_the_leaving_does(store, at):
    async with store.begin() as tx:
        await tx.members.leave(Platform.WECOM, "lilei", tx.now, at(-5))
        assert await tx.members.join(Platform.WECOM, "lilei", at(-4))

    assert await by(store, "lilei") is not None


async def test_a_leaving_that_is_told_after_the_return_is_over(store, at):
    async with store.begin() as tx:
        await tx.members.join(Platform.WECOM, "lilei", at(-4))
        assert not await tx.members.leave(Platform.WECOM, "lilei", tx.now, at(-5))

    assert await by(store, "lilei") is not None


async def test_who_left_stays_gone_under_a_new_account(store):
    """A change of the account that was told after the leaving gave access to the new one."""
    async with store.begin() as tx:
        await tx.members.leave(Platform.WECOM, "lilei", tx.now)
        await tx.members.rename(Platform.WECOM, "lilei", "lilei2")

    assert await by(store, "lilei2") is None


async def test_whom_the_configuration_names_keeps_what_it_says(store):
    await follow(store, Colleague(account="lilei", name="李磊", departments=("财务部",)))

    li = await by(store, "lilei")
    assert (li.name, li.role, li.source) == ("李雷", Role.REP, "config")
    assert li.departments == ("财务部",)


async def test_somebody_who_is_in_nothing_that_was_read_stays(store):
    await follow(store, LIN)

    await follow(store)

    assert await by(store, "linfeng") is not None
    assert await by(store, "lilei") is not None


async def test_an_account_that_left_is_nobodys_at_once_and_stays_so_after_a_restart(
    store, settings
):
    async with store.begin() as tx:
        assert await tx.members.leave(Platform.WECOM, "LILEI", tx.now)
        assert not await tx.members.leave(Platform.WECOM, "lilei", tx.now)

    async with store.begin() as tx:
        await tx.members.sync(people(settings))

    assert await by(store, "lilei") is None
    assert not (await named(store, "李雷")).active


async def test_somebody_with_two_accounts_who_left_one_keeps_the_other(store):
    async with store.begin() as tx:
        person = {"name": "高远", "role": "rep", "wecom": "gaoyuan", "dingtalk": "user9"}
        scope = {"regions": [], "products": [], "industries": [], "grade": "", "capacity": 5}
        await tx.members.sync([person | scope])
        await tx.members.leave(Platform.WECOM, "gaoyuan", tx.now)

    assert await by(store, "gaoyuan") is None
    gao = await by(store, "user9", Platform.DINGTALK)
    assert gao.active
    assert gao.phone == ("dingtalk", "user9")


async def test_somebody_who_comes_back_is_the_same_member(store, clock):
    await follow(store, LIN)
    before = await by(store, "linfeng")
    await follow(store, left=["linfeng"])
    assert await by(store, "linfeng") is None
    clock.tick(days=1)

    await follow(store, LIN)

    assert (await by(store, "linfeng")).id == before.id


async def test_a_reading_that_began_before_somebody_left_does_not_bring_them_back(store, clock):
    await follow(store, LIN)
    clock.tick(minutes=5)
    async with store.begin() as tx:
        await tx.members.leave(Platform.WECOM, "linfeng", tx.now)

    await follow(store, LIN, ago=timedelta(minutes=1))

    assert await by(store, "linfeng") is None


async def test_somebody_who_moves_out_of_sales_is_out_of_the_team(store):
    await follow(store, LIN)

    await follow(store, Colleague(account="linfeng", name="林峰", departments=("财务部",)))

    assert await by(store, "linfeng") is None


async def test_two_people_of_one_name_are_told_apart(store):
    twin = Colleague(account="linfeng2", name="林峰", departments=("销售部",))

    await follow(store, LIN, twin)
    await follow(store, LIN, twin)

    assert (await by(store, "linfeng")).name == "林峰"
    assert (await by(store, "linfeng2")).name == "林峰（linfeng2）"


async def test_naming_somebody_from_the_directory_in_the_configuration_keeps_who_they_are(
    store, settings
):
    await follow(store, LIN)
    before = await by(store, "linfeng")
    scope = {"regions": [], "products": [], "industries": [], "grade": "", "capacity": 5}
    more = {"name": "小林", "role": "manager", "wecom": "LinFeng", "dingtalk": None, **scope}

    async with store.begin() as tx:
        await tx.members.sync([*people(settings), more])

    lin = await by(store, "linfeng")
    assert (lin.id, lin.name, lin.role, lin.source) == (before.id, "小林", "manager", "config")


async def test_somebody_dropped_from_the_configuration_is_brought_back_by_the_directory(
    store, settings
):
    async with store.begin() as tx:
        await tx.members.sync([p for p in people(settings) if p["name"] != "李雷"])
    assert await by(store, "lilei") is None

    await follow(store, Colleague(account="lilei", name="李雷", departments=("销售部",)))

    li = await by(store, "lilei")
    assert (li.name, li.source) == ("李雷", "wecom")


async def test_a_new_account_of_the_same_person_is_followed(store):
    async with store.begin() as tx:
        assert await tx.members.rename(Platform.WECOM, "lilei", "li.lei")
        assert not await tx.members.rename(Platform.WECOM, "li.lei", "hanmei")

    assert (await by(store, "li.lei")).name == "李雷"
    assert await by(store, "lilei") is None


@pytest.mark.parametrize("platform", list(Platform))
async def test_the_same_id_on_two_platforms_is_two_people(store, platform):
    other = next(p for p in Platform if p != platform)

    await follow(store, LIN, platform=platform)

    assert await by(store, "linfeng", platform) is not None
    assert await by(store, "linfeng", other) is None
