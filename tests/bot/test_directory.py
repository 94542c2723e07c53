"""The team follows the directories of both platforms, played strictly, on both databases."""

import pytest

from bot.sandbox.staff import SALES, Label
from bot.sandbox.wecom.errors import No
from store import tables as t
from store.domain.lead import Place
from store.domain.team import Platform, Role
from tests.bot.company import company, until
from tests.handlers.people import captured, says


@pytest.fixture
async def firm(database, clock):
    async with company(database, clock) as firm:
        await firm.read()
        yield firm


@pytest.fixture
async def lite(sqlite, clock):
    async with company(sqlite, clock) as firm:
        await firm.read()
        yield firm


async def test_people_of_both_directories_are_in_the_team_by_department(firm):
    li, wang = await firm.member("lilei"), await firm.member("wangqiang", Platform.DINGTALK)

    assert (li.name, li.role, li.source, li.capacity) == ("李雷", Role.REP, "wecom", 9)
    assert li.departments == ("销售部", "示例公司")
    assert (wang.name, wang.role, wang.source) == ("王强", Role.REP, "dingtalk")
    assert (await firm.member("chenzg")).role == Role.MANAGER


async def test_who_leaves_wecom_has_no_access_and_the_manager_their_leads(firm):
    store = firm.service.store
    made = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {made.id}")

    firm.sandbox.wecom.staff.dismiss("lilei")
    await firm.sandbox.wecom.hand.report_staff("delete_user", UserID="lilei")

    assert await firm.member("lilei") is None
    row = next(row for row in await firm.rows(t.leads) if row.id == made.id)
    assert (row.owner_id, row.place) == (None, Place.POOL)
    await firm.service.relay.drain()
    shown = [m for m in firm.sandbox.state.chats["wecom:chenzg"] if m.kind == "card"]
    assert any("已离开，待交接" in str(message.body) for message in shown)


async def test_who_leaves_dingtalk_has_no_access(firm):
    firm.sandbox.dingtalk.staff.dismiss("wangqiang")
    data = {"timeStamp": "1700000000000", "userId": ["wangqiang"]}

    await firm.sandbox.dingtalk.gateway.report("user_leave_org", data)

    async def gone() -> bool:
        return await firm.member("wangqiang", Platform.DINGTALK) is None

    await until(gone)
    assert await firm.member("zhaomin", Platform.DINGTALK) is not None


async def test_a_leaver_nobody_reported_is_found_by_reading(firm, clock):
    firm.sandbox.wecom.staff.dismiss("lilei")
    firm.sandbox.dingtalk.staff.dismiss("wangqiang")
    clock.tick(hours=1)

    await firm.read()

    assert await firm.member("lilei") is None
    assert await firm.member("wangqiang", Platform.DINGTALK) is None
    assert await firm.member("hanmei") is not None


@pytest.mark.parametrize("status", [2, 5])
async def test_whom_wecom_calls_disabled_or_gone_is_out(lite, clock, status):
    lite.sandbox.wecom.staff.find("lilei").status = status
    clock.tick(hours=1)

    await lite.read()

    assert await lite.member("lilei") is None


async def test_who_has_not_activated_wecom_is_not_given_leads_yet(lite, clock):
    lite.sandbox.wecom.staff.hire("linfeng", "林峰", SALES).status = 4
    clock.tick(hours=1)

    await lite.read()

    assert await lite.member("linfeng") is None


async def test_who_is_no_longer_in_the_visible_range_is_out(lite, clock):
    lite.sandbox.wecom.staff.find("lilei").seen = False
    clock.tick(hours=1)

    await lite.read()

    assert await lite.member("lilei") is None


async def test_dingtalk_keeps_silent_about_people_outside_its_range_so_they_stay(lite, clock):
    lite.sandbox.dingtalk.staff.find("wangqiang").seen = False
    clock.tick(hours=1)

    await lite.read()

    assert await lite.member("wangqiang", Platform.DINGTALK) is not None


async def test_a_new_colleague_is_in_the_team_soon_after_the_event(firm, clock):
    clock.tick(minutes=1)
    firm.sandbox.wecom.staff.hire("linfeng", "林峰", SALES)
    firm.sandbox.dingtalk.staff.hire("gaoyuan", "高远", SALES)

    await firm.sandbox.wecom.hand.report_staff("create_user", UserID="linfeng", Department="2")
    await firm.sandbox.dingtalk.gateway.report("user_add_org", {"userId": ["gaoyuan"]})

    async def there() -> bool:
        await firm.step()
        return await firm.member("gaoyuan", Platform.DINGTALK) is not None

    await until(there)
    assert (await firm.member("linfeng")).name == "林峰"


async def test_a_change_of_account_is_followed_at_once(lite):
    before = await lite.member("lilei")
    lite.sandbox.wecom.staff.dismiss("lilei")
    lite.sandbox.wecom.staff.hire("li.lei", "李雷", SALES)

    await lite.sandbox.wecom.hand.report_staff("update_user", UserID="lilei", NewUserID="li.lei")

    assert (await lite.member("li.lei")).id == before.id
    assert await lite.member("lilei") is None


async def test_out_of_the_visible_range_and_in_again(lite, clock):
    staff = lite.sandbox.wecom.staff
    staff.find("lilei").seen = False
    await lite.sandbox.wecom.hand.report_range("lilei", "unsubscribe")
    assert await lite.member("lilei") is None
    clock.tick(minutes=1)
    staff.find("lilei").seen = True

    await lite.sandbox.wecom.hand.report_range("lilei", "subscribe")

    assert (await lite.member("lilei")).name == "李雷"


async def test_people_put_into_the_range_one_by_one_are_in_the_team(sqlite, clock):
    """An app that is shown to persons, not departments, read an empty company."""
    roles = [{"role": "manager", "tag": "带队"}, {"role": "rep", "department": "*"}]
    async with company(sqlite, clock, role=roles) as firm:
        staff = firm.sandbox.wecom.staff
        staff.hidden |= set(staff.units)
        staff.labels[7] = Label("带队", {"chenzg"}, set())
        for account in ("lilei", "chenzg"):
            staff.find(account).alone = True
        await firm.read()

        assert (await firm.member("lilei")).role == Role.REP
        assert (await firm.member("chenzg")).role == Role.MANAGER
        assert await firm.member("hanmei") is None


async def test_one_more_person_in_the_range_is_there_soon_and_one_less_is_out(sqlite, clock):
    async with company(sqlite, clock, role=[{"role": "rep", "department": "*"}]) as firm:
        staff, hand = firm.sandbox.wecom.staff, firm.sandbox.wecom.hand
        staff.hidden |= set(staff.units)
        staff.find("lilei").alone = True
        await firm.read()
        clock.tick(minutes=1)

        staff.find("hanmei").alone = True
        await hand.report_range("hanmei", "subscribe")
        await firm.step()
        before = await firm.member("hanmei")
        staff.find("lilei").alone = False
        await hand.report_range("lilei", "unsubscribe")

        assert before.name == "韩梅"
        assert await firm.member("lilei") is None


async def test_a_tag_in_the_range_brings_its_people_and_departments(sqlite, clock):
    roles = [{"role": "rep", "department": "管理部"}, {"role": "rep", "tag": "线索"}]
    async with company(sqlite, clock, role=roles) as firm:
        staff = firm.sandbox.wecom.staff
        staff.hidden |= set(staff.units)
        staff.labels[7], staff.opened = Label("线索", {"hanmei"}, {3}), {7}
        await firm.read()

        assert (await firm.member("hanmei")).departments == ()
        assert (await firm.member("chenzg")).departments == ("管理部",)
        assert await firm.member("lilei") is None


async def test_a_tag_makes_a_manager_and_a_department_can_carry_it(sqlite, clock):
    roles = [{"role": "manager", "tag": "带队"}, {"role": "rep", "department": "销售部"}]
    async with company(sqlite, clock, role=roles) as firm:
        firm.sandbox.wecom.staff.labels[7] = Label("带队", {"hanmei"}, {3})
        await firm.read()

        assert (await firm.member("hanmei")).role == Role.MANAGER
        assert (await firm.member("chenzg")).role == Role.MANAGER
        assert (await firm.member("lilei")).role == Role.REP


async def test_an_app_that_sees_a_branch_only_reads_that_branch(sqlite, clock):
    scope = {"sync": True, "dingtalk_departments": [2]}
    async with company(sqlite, clock, directory=scope) as firm:
        firm.sandbox.dingtalk.directory.top = 2
        await firm.read()

        assert await firm.member("sunzg", Platform.DINGTALK) is None
        assert (await firm.member("wangqiang", Platform.DINGTALK)).departments == ("销售部",)


async def test_departments_of_many_pages_are_read_whole(lite, clock):
    for number in range(230):
        lite.sandbox.dingtalk.staff.hire(f"u{number}", f"同事{number}", SALES)
    clock.tick(hours=1)

    await lite.read()

    assert await lite.member("u229", Platform.DINGTALK) is not None


@pytest.mark.parametrize("path", [
    "department/simplelist", "department/get", "user/list",
])  # fmt: skip
async def test_a_reading_that_fails_takes_nothing_from_anybody_and_is_tried_again(
    lite, clock, path
):
    api = lite.sandbox.wecom.api
    endpoint = api._endpoints.pop(path)  # answers 404 now
    lite.sandbox.wecom.staff.dismiss("lilei")
    clock.tick(hours=1)

    await lite.read()
    assert await lite.member("lilei") is not None
    assert await lite.member("hanmei") is not None

    api.add(path, endpoint)
    clock.tick(minutes=11)
    await lite.step()
    assert await lite.member("lilei") is None


async def test_what_the_admin_has_to_mend_for_a_reading_is_told_until_one_goes_well(lite, clock):
    """It was an error in the log every ten minutes."""
    lite.sandbox.wecom.api.refusals["department/simplelist"] = No(48002, "api forbidden")
    clock.tick(hours=1)
    await lite.read()
    told = [a.key for a in await lite.rows(t.alarms)]
    lite.sandbox.wecom.api.refusals.clear()
    clock.tick(minutes=11)

    await lite.step()

    assert told == ["wecom_directory:48002"]
    assert [a.key for a in await lite.rows(t.alarms)] == []


async def test_the_company_that_names_somebody_keeps_them_when_no_department_covers_them(
    sqlite, clock
):
    team = [{"name": "李雷", "wecom": "lilei", "role": "manager"}]
    async with company(sqlite, clock, team=team, role=[]) as firm:
        await firm.read()

        li = await firm.member("LILEI")
        assert (li.role, li.source, li.departments) == (
            Role.MANAGER,
            "config",
            ("销售部", "示例公司"),
        )
        assert await firm.member("hanmei") is None


async def test_a_directory_out_of_range_is_told_and_told_over(lite, clock):
    """It was tried again every ten minutes, and nobody knew why the team stood still."""
    lite.sandbox.faults.on("dingtalk", "invisible")
    clock.tick(hours=1)
    await lite.read()
    told = await keys(lite)
    lite.sandbox.faults.off()

    clock.tick(minutes=11)
    await lite.step()

    assert told == ["dingtalk_directory:range"]
    assert await keys(lite) == []


async def test_a_visible_range_that_is_empty_throws_nobody_out_and_is_told(lite, clock):
    staff = lite.sandbox.wecom.staff
    hidden = [person for person in staff.people.values() if person.seen]
    for person in hidden:
        person.seen = False
    clock.tick(hours=1)
    await lite.read()
    told, there = await keys(lite), await lite.member("lilei")
    for person in hidden:
        person.seen = True
    clock.tick(minutes=11)

    await lite.step()

    assert told == ["wecom_directory:range"]
    assert there is not None
    assert await keys(lite) == []


async def keys(firm):
    """Of the alarms that are on."""
    async with firm.service.store.read() as tx:
        return [standing.key for standing in await tx.alarms.on()]


async def test_every_night_the_directories_are_read(lite, clock):
    clock.tick(days=1)
    await lite.service.clockwork.beat()  # the first look only notes the tick
    lite.sandbox.wecom.staff.dismiss("lilei")
    clock.tick(days=1)

    await lite.service.clockwork.beat()
    await lite.step()

    assert await lite.member("lilei") is None


async def test_of_two_processes_one_reads(lite, clock):
    from jobs.directory import Following  # noqa: PLC0415

    first = lite.service.following
    second = Following(first.store, first.readers, lambda: None)
    clock.tick(hours=1)
    await first.ask()
    before = len(lite.sandbox.state.wires)

    await first.step()
    between = len(lite.sandbox.state.wires)
    await second.step()

    assert between > before
    assert len(lite.sandbox.state.wires) == between
