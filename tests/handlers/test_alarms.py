"""What only the admin can mend is told once, by what still works, and told again when it is over."""

from dataclasses import replace

import pytest
from sqlalchemy import event, select

from handlers.alarms import astray, outlived, over, sound, unheard
from handlers.commands import understand
from handlers.people import leave
from store import tables as t
from store.domain.errors import Alarm
from store.domain.team import Platform, Role
from store.outbox import Due

UNTRUSTED = Alarm("wecom:60020", "这台机器的地址不可信，到应用页的「企业可信IP」加上 203.0.113.9")
BOTH = {"wecom": "laoguan", "dingtalk": "guan01"}


@pytest.fixture
async def office(store):
    """Both platforms are connected; the one manager is in WeCom alone."""
    return replace(store, rules=replace(store.rules, wecom=True, dingtalk=True))


async def hire(office, role=Role.ADMIN, **accounts):
    person = {"name": "管工", "role": role, "regions": [], "products": [], "industries": []}
    person |= {"grade": "", "capacity": 50, "wecom": None, "dingtalk": None, **accounts}
    async with office.begin() as tx:
        known = await tx.members.all()
        people = [_row(member) for member in known.values()]
        await tx.members.sync([*people, person])


def _row(member):
    names = ("name", "role", "wecom", "dingtalk", "grade", "capacity")
    lists = ("regions", "products", "industries")
    return {n: getattr(member, n) for n in names} | {n: list(getattr(member, n)) for n in lists}


async def sounded(office, alarm=UNTRUSTED):
    async with office.begin() as tx:
        await sound(tx, alarm)


async def worked(office, prefix="wecom:", account=""):
    async with office.begin() as tx:
        await over(tx, prefix, account)


async def messages(office):
    async with office.read() as tx:
        rows = await tx.conn.execute(select(t.outbox).order_by(t.outbox.c.key))
        return list(rows)


async def delivered(office) -> list[Due]:
    """Whatever is due reaches its phone."""
    async with office.begin() as tx:
        dues = await tx.outbox.lease(20)
        for due in dues:
            await tx.outbox.sent(due, None)
        return list(dues)


async def test_the_admin_hears_of_a_broken_wecom_through_dingtalk(office):
    await hire(office, **BOTH)

    await sounded(office)

    (row,) = await messages(office)
    assert (row.channel, row.account, row.ring) == ("dingtalk", "guan01", True)
    assert "203.0.113.9" in str(row.payload)


async def test_the_admin_hears_of_a_broken_dingtalk_through_wecom(office):
    await hire(office, **BOTH)

    await sounded(office, Alarm("dingtalk:40089", "client_secret 不对"))

    (row,) = await messages(office)
    assert (row.channel, row.account) == ("wecom", "laoguan")


async def test_a_side_channel_leaves_the_chats_usable(office):
    await hire(office, wecom="laoguan")

    await sounded(office, Alarm("wecom_group:93000", "群机器人的地址不对"))

    (row,) = await messages(office)
    assert row.channel == "wecom"
    assert row.payload["template_card"]["main_title"]["title"].startswith("企业微信群机器人")


async def test_without_an_admin_the_managers_hear_it(office):
    await sounded(office, Alarm("dingtalk:40089", "client_secret 不对"))

    assert [row.account for row in await messages(office)] == ["chenzg"]


async def test_who_has_only_the_broken_platform_gets_a_letter(office):
    mailing = replace(office, rules=replace(office.rules, alarm_mail="it@example.com"))

    await sounded(mailing)

    (row,) = await messages(mailing)
    assert (row.channel, row.account) == ("mail", "it@example.com")
    assert set(row.payload) == {"subject", "text"}
    assert UNTRUSTED.text in row.payload["text"]


async def test_without_e_mail_it_waits_for_the_platform_and_then_says_that_it_is_over(
    office, clock
):
    await sounded(office)
    clock.tick(minutes=25)

    await worked(office)

    (due,) = await delivered(office)
    assert (due.channel, due.account) == ("wecom", "chenzg")
    card = due.payload["template_card"]
    assert card["main_title"] == {"title": "企业微信恢复了", "desc": "10:00 到 10:25，共 25 分钟"}


async def test_it_is_told_once_and_again_after_a_day(office, clock):
    await hire(office, **BOTH)
    heard = []

    for _ in range(49):
        await sounded(office)
        heard += await delivered(office)
        clock.tick(hours=1)

    assert len(heard) == 3


async def test_two_alarms_of_both_platforms_do_not_send_each_through_the_other(office):
    await hire(office, **BOTH)
    await sounded(office)
    mailing = replace(office, rules=replace(office.rules, alarm_mail="it@example.com"))

    await sounded(mailing, Alarm("dingtalk:40089", "client_secret 不对"))

    assert {row.channel for row in await messages(mailing)} == {"dingtalk", "mail"}


async def test_one_persons_alarm_is_not_over_when_others_are_reached(office, clock):
    await sounded(office, Alarm("wecom:81013@lilei", "李雷收不到"))
    clock.tick(minutes=1)

    await worked(office, account="hanmei")
    still = await on(office)
    await worked(office, account="LiLei")

    assert still == ["wecom:81013@lilei"]
    assert await on(office) == []


async def on(office):
    async with office.read() as tx:
        return [alarm.key for alarm in await tx.alarms.on()]


async def test_a_success_elsewhere_ends_nothing(office):
    await sounded(office, Alarm("wecom_group:93000", "群机器人的地址不对"))

    await worked(office, "wecom:")

    assert await on(office) == ["wecom_group:93000"]


async def test_a_success_costs_no_query_while_no_alarm_is_on(office):
    statements = []
    await worked(office)
    event.listen(
        office.engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2])
    )

    for _ in range(5):
        await worked(office)

    assert [s for s in statements if "alarms" in s] == []


async def test_an_alarm_after_a_quiet_look_is_still_found(office, clock):
    await worked(office)
    await sounded(office)

    await worked(office)

    assert await on(office) == []


async def test_an_alarm_of_another_process_is_found_a_little_later(office, clock):
    other = replace(office, _watch=type(office._watch)())
    await worked(office)
    await sounded(other)

    clock.tick(seconds=11)
    await worked(office)

    assert await on(office) == []


async def test_it_comes_back_and_is_told_again(office, clock):
    await hire(office, **BOTH)
    await sounded(office)
    await delivered(office)
    await worked(office)
    await delivered(office)
    clock.tick(minutes=5)

    await sounded(office)

    (due,) = await delivered(office)
    assert "10:05 开始" in str(due.payload)


async def test_a_platform_that_is_not_connected_gets_nothing(store):
    office = replace(store, rules=replace(store.rules, wecom=True, dingtalk=False))
    await hire(office, **BOTH)

    await sounded(office)

    assert [row.channel for row in await messages(office)] == ["wecom"]


async def test_a_key_and_a_text_of_any_length_are_kept(office):
    await hire(office, **BOTH)

    await sounded(office, Alarm("wecom:" + "长" * 300, "话" * 3_000))
    await sounded(office, Alarm("wecom:" + "长" * 300, "话" * 3_000))

    assert len(await messages(office)) == 1


async def test_the_manager_asks_what_is_on(office):
    await sounded(office)

    async with office.begin() as tx:
        manager = await tx.members.by_name("陈主管")
        reply = await understand("/告警")(tx, manager)

    assert reply.card.title == "1 件事要处理"
    assert reply.card.rows == (("10:00", f"企业微信：{UNTRUSTED.text}"),)


async def test_the_manager_asks_and_nothing_is_on(office):
    async with office.begin() as tx:
        manager = await tx.members.by_name("陈主管")
        reply = await understand("告警")(tx, manager)

    assert reply.card.title == "都正常，没有要处理的"


# -- the way to somebody who can do something ------------------------------------

ROBOT = Alarm("wecom_group:93000", "群机器人的地址不对")
UNSEEN = Alarm("wecom:81013@laoguan", "laoguan 收不到企业微信消息")


async def not_delivered(office, key, alarm=None):
    """The relay gives the message up."""
    async with office.begin() as tx:
        (due,) = [due for due in await tx.outbox.lease(20) if due.key == key]
        await tx.outbox.failed(due, "81013", None)
        if alarm is not None:
            await sound(tx, alarm)
        await unheard(tx, key)


async def waiting(office):
    return [(row.channel, row.account) for row in await messages(office) if row.due_at]


async def test_when_no_admin_can_be_reached_the_managers_hear_it_and_nobody_did(office):
    await hire(office, wecom="laoguan")
    await sounded(office, UNSEEN)

    await sounded(office, ROBOT)

    assert await waiting(office) == [("wecom", "chenzg")] * 2


async def test_an_alarm_that_did_not_arrive_goes_to_the_other_platform_and_stayed_on_the_first(
    office,
):
    await hire(office, **BOTH)
    await sounded(office, ROBOT)
    (first,) = await messages(office)

    await not_delivered(office, first.key, UNSEEN)

    assert await waiting(office) == [("dingtalk", "guan01")] * 2


async def test_an_alarm_that_did_not_arrive_goes_to_the_managers(office):
    await hire(office, wecom="laoguan")
    await sounded(office, ROBOT)
    (first,) = await messages(office)

    await not_delivered(office, first.key)

    assert await waiting(office) == [("wecom", "chenzg")]


async def test_what_reached_nobody_at_all_is_told_again_in_an_hour_and_not_in_a_day(office, clock):
    await sounded(office, ROBOT)
    (first,) = await messages(office)
    await not_delivered(office, first.key)
    clock.tick(minutes=59)
    await sounded(office, ROBOT)
    early = await waiting(office)

    clock.tick(minutes=1)
    await sounded(office, ROBOT)

    assert early == []
    assert await waiting(office) == [("wecom", "chenzg")]


async def test_one_of_two_who_heard_it_is_enough(office):
    await hire(office, wecom="laoguan")
    async with office.begin() as tx:
        people = [_row(member) for member in (await tx.members.all()).values()]
        await tx.members.sync([*people, {**people[-1], "name": "管二", "wecom": "guaner"}])
    await sounded(office, ROBOT)
    (first, second) = await messages(office)
    async with office.begin() as tx:
        await tx.outbox.sent(
            next(d for d in await tx.outbox.lease(9) if d.key == second.key), None
        )
        await astray(tx, first.key)

    async with office.read() as tx:
        (alarm,) = await tx.alarms.on()

    assert {told.account for told in alarm.told} == {first.account, second.account}


# -- what it was about is no more --------------------------------------------------


async def test_a_corrected_account_ends_its_alarm_and_stayed_on_for_ever(office):
    await sounded(office, Alarm("wecom:60111@lilie", "企业微信里没有账号 lilie"))

    async with office.begin() as tx:
        await outlived(tx)

    (row,) = await messages(office)
    assert await on(office) == []
    assert row.payload["template_card"]["main_title"]["title"] == "企业微信这件事不用处理了"


async def test_the_alarm_of_somebody_who_is_still_there_stays_on(office):
    await sounded(office, Alarm("wecom:81013@LiLei", "收不到"))

    async with office.begin() as tx:
        await outlived(tx)

    assert await on(office) == ["wecom:81013@LiLei"]


async def test_who_leaves_takes_their_alarm_with_them(office):
    await sounded(office, Alarm("wecom:81013@lilei", "收不到"))

    async with office.begin() as tx:
        await leave(tx, Platform.WECOM, "lilei")

    assert await on(office) == []


@pytest.mark.parametrize(
    ("key", "configured", "left"),
    [
        ("wecom_group:93000", {"wecom"}, []),
        ("wecom_group:93000", {"wecom", "wecom_group"}, ["wecom_group:93000"]),
        ("wecom_directory:60011", {"dingtalk"}, []),
        ("dingtalk.calls:over", {"wecom"}, []),
        ("aibot:kicked", {"wecom"}, []),
        ("mail:auth", {"wecom"}, []),
        ("learned:drift", {"wecom"}, ["learned:drift"]),
        ("wecom:60020", {"wecom"}, ["wecom:60020"]),
    ],
)
async def test_the_alarms_of_a_channel_end_when_it_is_taken_out(office, key, configured, left):
    await sounded(office, Alarm(key, "坏了"))

    async with office.begin() as tx:
        await outlived(tx, configured)

    assert await on(office) == left
