"""Leads go out when they may, in the order they deserve, to who is there; nothing is lost on the way."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy import update

from bot.config import parse
from bot.dispatch import hear
from bot.incoming import ContactAdded
from bot.wiring import rules
from bot.wiring import team as people_of
from jobs.scheduler import Clockwork
from store import tables as t
from store.db import Store
from store.domain.lead import Due, Kind, Place
from store.domain.rules import Gates, RoutingRule
from store.domain.team import Platform
from tests.handlers.people import answers, captured, enquiry, lead, says
from tests.handlers.test_capture import kinds, take

NIGHT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # Tuesday, 02:00 in Shanghai
OPENING = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # Tuesday, 09:00
POOR, FAIR, GOOD = (
    {"message": ""},
    {"message": "了解一下"},
    {"message": "尽快报价", "company": "云栖", "product": "CRM", "title": "总经理"},
)


@pytest.fixture
def beat(store):
    return Clockwork(store, lambda: None).beat


def gated(store, **gates):
    return replace(store, rules=replace(store.rules, gates=Gates(**gates)))


async def card(store, number, account):
    rows = (await answers(store)).items()
    return next(
        (
            str(r.payload)
            for k, r in rows
            if k.startswith(f"lead:{number}/") and r.account == account
        ),
        "",
    )


# -- the night -----------------------------------------------------------------------


async def test_the_nights_leads_go_out_at_the_opening_in_score_order(store, beat, clock):
    """They rang at two in the morning, first come first served."""
    clock.now = NIGHT
    poor, good, fair = [await captured(store, **more) for more in (POOR, GOOD, FAIR)]
    clock.now = OPENING - timedelta(seconds=1)
    await beat()
    before = [(await lead(store, one.id)).owner for one in (poor, good, fair)]

    clock.now = OPENING
    await beat()

    names = [(await lead(store, one.id)).owner.name for one in (good, fair, poor)]
    assert before == [None, None, None]
    assert names == ["李雷", "韩梅", "王强"]


async def test_a_lead_of_noon_waits_for_who_works_over_midnight(store, clock):
    """It was offered at once: the two hours after midnight made the whole day a lunch."""
    hours = ((time(22), time(2)),)
    late = replace(store.rules, calendar=replace(store.rules.calendar, hours=hours))
    store = replace(store, rules=late)
    clock.now = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # Monday noon

    new = await captured(store)
    clock.now = new.due_at
    await Clockwork(store, lambda: None).beat()

    assert (new.owner, new.why) == (None, "等开门，3月2日 22:00 派")
    assert (await lead(store, new.id)).owner.name == "李雷"
    assert clock.now == datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


async def test_what_waits_for_the_opening_says_so_and_rings_nobody(store, clock):
    clock.now = NIGHT

    new = await captured(store)

    assert (new.place, new.due, new.due_at) == (Place.POOL, Due.DISPATCH, OPENING)
    assert new.why == "等开门，3月3日 09:00 派"
    assert not [key for key in await answers(store) if key.startswith("lead:")]
    assert "等开门" in await says(store, "chenzg", f"为什么 {new.id}")


async def test_a_restart_in_the_night_loses_nothing(store, clock):
    clock.now = NIGHT
    new = await captured(store)
    clock.now = OPENING + timedelta(hours=2)

    await Clockwork(replace(store), lambda: None).beat()

    assert (await lead(store, new.id)).owner.name == "李雷"


async def test_the_best_of_the_night_gets_the_last_free_hand(store, beat, clock):
    async with store.begin() as tx:
        await tx.conn.execute(update(t.members).values(capacity=1))
    clock.now = NIGHT
    for account in ("lilei", "hanmei"):
        await says(store, account, "请假 今天")
    poor, good = [await captured(store, **more) for more in (POOR, GOOD)]

    clock.now = OPENING
    await beat()

    assert (await lead(store, good.id)).owner.name == "王强"
    assert (await lead(store, poor.id)).owner is None
    assert "请分配" in await card(store, poor.id, "chenzg")


async def test_nobody_claims_from_the_night_but_the_manager_may_give_it(store, clock):
    clock.now = NIGHT
    new = await captured(store)

    refused = await says(store, "lilei", f"领取 {new.id}")
    listed = await says(store, "lilei", "公海")
    given = await says(store, "chenzg", f"分配 {new.id} 韩梅")

    assert "等开门，3月3日 09:00 派，到时自动分配" in refused
    assert "现在是空的" in listed
    assert "已给 韩梅" in given
    assert (await lead(store, new.id)).hold == ""


async def test_asking_twice_in_one_night_is_one_lead_that_waits_once(store, beat, clock):
    clock.now = NIGHT
    first = await captured(store, phone="19912345678")
    await captured(store, phone="19912345678", message="还有个问题")

    assert (await kinds(store, first.id)).count(Kind.HELD) == 1

    clock.now = OPENING
    await beat()
    assert (await lead(store, first.id)).owner.name == "李雷"


async def test_what_a_rep_types_at_night_is_theirs_at_once(store, clock):
    clock.now = NIGHT

    said = await says(store, "hanmei", "录入 赵丽 19900001111 想要报价")

    assert "归你跟" in said


async def test_the_contact_of_a_manager_waits_for_the_morning_like_every_lead(store, beat, clock):
    """It rang at a rep's at two o'clock: it was thought to be with who had met it."""
    clock.now = NIGHT
    met = ContactAdded(id="c1", external_userid="wm1", userid="chenzg", state="", welcome_code="")

    await hear(store, met)

    night = await lead(store, 1)
    assert (night.owner, night.due, night.due_at) == (None, Due.DISPATCH, OPENING)
    clock.now = OPENING
    await beat()
    assert (await lead(store, 1)).owner is not None


async def test_what_somebody_on_leave_types_at_night_wakes_no_colleague(store, clock):
    await says(store, "hanmei", "请假 今天到周五")
    clock.now = NIGHT

    said = await says(store, "hanmei", "录入 赵丽 19900001111 想要报价")

    assert "等开门" in said
    assert (await lead(store, 1)).owner is None


async def test_a_no_in_the_night_waits_for_the_morning(store, beat, clock):
    new = await captured(store)
    clock.now = NIGHT

    await says(store, "lilei", f"退回 {new.id} 不归我跟")
    night = await lead(store, new.id)
    clock.now = OPENING
    await beat()

    assert (night.owner, night.due) == (None, Due.DISPATCH)
    assert (await lead(store, new.id)).owner.name == "韩梅"


async def test_a_night_of_many_is_one_list_on_each_phone(store, beat, clock):
    clock.now = NIGHT
    await take(store, *(enquiry() for _ in range(60)))

    clock.now = OPENING
    await beat()

    rows = await answers(store)
    lists = [row for key, row in rows.items() if key.startswith("list:")]
    assert {row.account for row in lists} == {"lilei", "hanmei", "wangqiang"}
    assert len(lists) == 3


# -- the other gates -------------------------------------------------------------------


async def test_what_lacks_something_stays_with_marketing_until_it_is_known(store):
    asks = gated(store, required=("company",))
    new = await captured(asks, phone="19912345678")
    told = await card(asks, new.id, "zhousc")

    await captured(asks, phone="19912345678", company="云栖制造")

    assert (new.place, new.why) == (Place.MARKETING, "等资料：公司")
    assert "等资料：公司" in told
    assert (await lead(asks, new.id)).owner.name == "李雷"


async def test_a_gate_that_is_taken_away_lets_out_what_waited_at_it(store):
    """They stayed with marketing for ever, waiting for a company nobody asked for any more."""
    asks = gated(store, required=("company",), consent=True)
    said = (POOR, {"message": "尽快报价"}, {"message": "别再联系我了"})
    poor, good, alone = [await captured(asks, **more) for more in said]
    agrees = gated(store, consent=True)

    await Clockwork(agrees, lambda: None).beat()
    waits = await lead(store, poor.id)
    await Clockwork(store, lambda: None).beat()

    assert (waits.owner, waits.why) == (None, "等客户同意联系")
    assert (await lead(store, good.id)).owner.name == "李雷"  # the better one first
    assert (await lead(store, poor.id)).owner.name == "韩梅"
    assert (await lead(store, alone.id)).owner is None


async def test_below_the_least_score_waits_and_what_they_do_opens(store):
    asks = gated(store, min_score=50)
    new = await captured(asks, phone="19912345678", message="")
    seen = enquiry(phone="19912345678", message="", fields={"event": "download"})

    await take(asks, seen)
    once = await lead(asks, new.id)
    await take(asks, seen)

    assert (new.place, once.place, once.owner) == (Place.MARKETING, Place.MARKETING, None)
    assert once.score < 50 <= (await lead(asks, new.id)).score
    assert (await lead(asks, new.id)).owner.name == "李雷"


async def test_without_consent_nobody_calls(store):
    asks = gated(store, consent=True)

    new = await captured(asks, phone="19912345678")
    await take(asks, enquiry(phone="19912345678", consent={"text": "同意联系"}))

    assert new.why == "等客户同意联系"
    assert (await lead(asks, new.id)).owner.name == "李雷"


# -- accept or move on -------------------------------------------------------------------


async def lapse(store, beat, clock, times):
    for _ in range(times):
        clock.tick(minutes=5)
        await beat()


async def test_the_time_left_is_on_the_card_and_counts_working_time(store, clock):
    clock.now = datetime(2026, 3, 2, 3, 58, tzinfo=UTC)  # 11:58, lunch begins at 12:00

    new = await captured(store)

    assert "13:33 前（还剩 1 小时）接受，过时换人" in await card(store, new.id, "lilei")


async def test_after_three_everybody_may_grab_it_and_the_manager_knows(store, beat, clock):
    """Only the manager was asked, and nobody else could take it."""
    new = await captured(store)
    owners = []
    for _ in range(3):
        owners.append((await lead(store, new.id)).owner.name)
        await lapse(store, beat, clock, 1)

    after = await lead(store, new.id)
    assert owners == ["李雷", "韩梅", "王强"]
    assert (after.owner, after.place, after.grab) == (None, Place.POOL, True)
    assert "请分配" in await card(store, new.id, "chenzg")
    assert "3 个人都没接" in await card(store, new.id, "chenzg")
    for account in ("lilei", "hanmei", "wangqiang"):
        assert "抢单" in await card(store, new.id, account)


async def test_of_a_grab_one_wins_and_the_others_read_who(store, beat, clock):
    new = await captured(store)
    await lapse(store, beat, clock, 3)

    won = await says(store, "wangqiang", f"领取 {new.id}", Platform.DINGTALK)
    lost = await says(store, "hanmei", f"领取 {new.id}")

    assert "已领取" in won
    assert "已被 王强 领取" in lost
    assert "已由 王强 接手" in await card(store, new.id, "lilei")


async def test_who_said_no_is_not_asked_to_grab_it(store, beat, clock):
    new = await captured(store)
    await says(store, "lilei", f"退回 {new.id} 不归我跟")
    await lapse(store, beat, clock, 2)

    async with store.read() as tx:
        lines = (await tx.leads.history([new.id]))[new.id]
        [grab] = [past for past in lines if past.kind == Kind.GRAB]
        names = [(await tx.members.all())[m].name for m in grab.data["grab"]]
    assert sorted(names) == ["王强", "韩梅"]


async def test_a_late_press_gets_the_truth(store, beat, clock):
    """It said that she had taken it, while she had not even looked."""
    new = await captured(store)
    await lapse(store, beat, clock, 1)

    offered = await says(store, "lilei", f"领取 {new.id}")
    await says(store, "hanmei", f"领取 {new.id}")
    taken = await says(store, "lilei", f"领取 {new.id}")

    assert f"#{new.id} 已转给 韩梅，在等对方接受" in offered
    assert "已被 韩梅 领取" in taken


# -- bulk and import ---------------------------------------------------------------------


async def test_an_import_obeys_caps_rotates_and_sets_deadlines(store):
    done = await take(store, *(enquiry() for _ in range(155)))

    leads = [await lead(store, one.id) for one in done]
    given = [one for one in leads if one.owner]
    counts = {one.owner.name for one in given}
    assert (len(given), len(counts)) == (150, 3)
    assert all(one.due == Due.ACCEPT and one.due_at for one in given)
    assert all(one.why == "合适的人都满了" for one in leads if not one.owner)


async def test_an_existing_contact_does_not_drop_the_capture(store):
    """The second enquiry of a WeCom contact was taken for the first one."""
    first = await captured(store, phone="19912345678", external_userid="wmX", source="wecom")
    await says(store, "lilei", f"放回 {first.id}")

    [again] = await take(
        store, enquiry(phone="19912345678", external_userid="wmX", message="想看报价")
    )

    after = await lead(store, first.id)
    assert (again.id, after.message) == (first.id, "想看报价")
    assert Kind.ASKED_AGAIN in await kinds(store, first.id)
    assert after.owner is not None


async def test_people_who_come_back_cost_the_same_statements_whatever_their_number(store):
    phones = [f"199{n:08d}" for n in range(5000, 5060)]
    await take(store, *(enquiry(phone=phone) for phone in phones))

    async def statements(part):
        seen = []
        engine = store.engine.sync_engine
        listen = lambda *args: seen.append(args[2])  # noqa: E731
        listening.listen(engine, "before_cursor_execute", listen)
        await take(store, *(enquiry(phone=phone, message="再问") for phone in part))
        listening.remove(engine, "before_cursor_execute", listen)
        return len(seen)

    few = await statements(phones[:15])
    assert await statements(phones[15:]) <= few + 6  # the lists of three people


async def test_people_who_left_are_given_nothing_by_any_batch(store):
    async with store.begin() as tx:
        await tx.members.leave(Platform.WECOM, "lilei", tx.now)

    done = await take(store, *(enquiry() for _ in range(6)), enquiry(rep="李雷"))

    owners = {(await lead(store, one.id)).owner.name for one in done}
    assert owners == {"韩梅", "王强"}


async def test_a_nurtured_lead_that_is_up_for_grabs_can_be_taken(store):
    # It stayed with marketing: the card said 领取, and the press was refused.
    store = replace(
        store, rules=replace(store.rules, routing=(RoutingRule(name="抢单", assign="grab"),))
    )
    new = await captured(store, phone="19912345678")
    await says(store, "lilei", f"领取 {new.id}")
    await says(store, "lilei", f"退回 {new.id} 未到时机")
    await says(store, "lilei", "请假")
    await captured(store, phone="19912345678", message="现在要买了")

    said = await says(store, "hanmei", f"领取 {new.id}")

    assert "已领取" in said
    assert (await lead(store, new.id)).owner.name == "韩梅"


# -- small teams -------------------------------------------------------------------


def only(*people, **more):
    """An installation with other people than the usual."""
    return parse({"team": list(people), "mail": {"from": "hello@example.com"}, **more})


async def staffed(store, *people, **more):
    settings = only(*people, **more)
    async with store.begin() as tx:
        await tx.members.sync(people_of(settings))
    given = replace(rules(settings), version=store.rules.version)
    return Store(store.engine, given, store.clock)


async def lapses(store, clock, times):
    for _ in range(times):
        clock.tick(minutes=5)
        for _ in range(2):
            await Clockwork(store, lambda: None).beat()


async def test_a_team_of_one_that_was_busy_may_still_grab_it(store, clock):
    """It lay in the pool without a sound: nobody was left to ask, and nobody to tell."""
    alone = await staffed(store, {"name": "李雷", "wecom": "lilei"})
    new = await captured(alone)

    await lapses(alone, clock, 1)

    after = await lead(alone, new.id)
    assert (after.owner, after.grab) == (None, True)
    assert "抢单" in await card(alone, new.id, "lilei")
    assert "已领取" in await says(alone, "lilei", f"领取 {new.id}")


async def test_a_team_of_two_is_asked_twice_then_grabs_and_the_manager_knows(store, clock):
    two = await staffed(
        store, {"name": "李雷", "wecom": "lilei"}, {"name": "韩梅", "wecom": "hanmei"},
        {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
    )  # fmt: skip
    new = await captured(two)

    await lapses(two, clock, 2)

    assert "请分配" in await card(two, new.id, "chenzg")
    for who in ("lilei", "hanmei"):
        assert f"/领取 {new.id}" in await card(two, new.id, who)


async def test_the_only_one_who_said_no_is_not_asked_again(store, clock):
    alone = await staffed(
        store, {"name": "李雷", "wecom": "lilei"},
        {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
    )  # fmt: skip
    new = await captured(alone)

    await says(alone, "lilei", f"退回 {new.id} 不归我")

    after = await lead(alone, new.id)
    assert (after.owner, after.grab) == (None, False)
    assert "请分配" in await card(alone, new.id, "chenzg")


async def test_without_a_manager_the_admin_is_asked(store):
    """Nobody was."""
    bare = await staffed(store, {"name": "管理员", "wecom": "admin", "role": "admin"})
    new = await captured(bare)

    assert "请分配" in await card(bare, new.id, "admin")
    assert "团队里还没有能跟线索的人" in await says(bare, "admin", f"分配 {new.id} 管理员")


async def test_in_a_team_of_managers_they_give_and_accept_among_themselves(store, clock):
    """Nobody could be chosen, and who was named could not accept: 这一步由销售来做."""
    chiefs = await staffed(
        store, {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
        {"name": "林主管", "wecom": "linzg", "role": "manager"},
    )  # fmt: skip
    new = await captured(chiefs)

    assert "由销售来领，你来给" in await says(chiefs, "linzg", f"领取 {new.id}")
    assert f"/分配 {new.id} 林主管" in await says(chiefs, "chenzg", f"分配 {new.id}")
    await says(chiefs, "chenzg", f"分配 {new.id} 林主管")
    assert f"/领取 {new.id}" in await card(chiefs, new.id, "linzg")

    assert "已接受" in await says(chiefs, "linzg", f"领取 {new.id}")
    assert (await lead(chiefs, new.id)).accepted_at == clock()


async def test_nobody_is_said_to_have_been_told_where_nobody_manages(store, clock):
    """It said 已请主管看 to a team without one."""
    alone = await staffed(store, {"name": "李雷", "wecom": "lilei"})
    new = await captured(alone)
    await says(alone, "lilei", f"领取 {new.id}")

    clock.tick(minutes=31)
    await Clockwork(alone, lambda: None).beat()

    assert "超时" in await card(alone, new.id, "lilei")
    assert "主管" not in await card(alone, new.id, "lilei")


async def test_a_rule_that_asks_the_manager_proposes_whom_it_names(store):
    # 李雷, who has the least, came first, and whom the rule had named stood anywhere.
    rule = RoutingRule(name="大单", assign="manager", to=("王强",))
    asks = replace(store, rules=replace(store.rules, routing=(rule,)))

    new = await captured(asks)

    told = await card(asks, new.id, "chenzg")
    assert f"分配 {new.id} 王强" in told
    assert told.index(f"分配 {new.id} 王强") < told.index(f"分配 {new.id} 李雷")
