"""Nothing above the silent limits, nothing lost: bursts, the end of a month, robots that say stop."""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from handlers import quota
from handlers.alarms import sound
from handlers.announce import show
from jobs.relay import Relay
from store import tables as t
from store.domain.errors import Alarm, Anew, Later, Spent
from store.domain.quota import METERS, Api, Level, Rank
from store.domain.team import Channel, Platform
from store.outbox import Put
from tests.handlers.people import captured, says


@dataclass
class Phones:
    """Keeps when it was told to show what. Cards that are there can be changed unless said so."""

    clock: object
    shown: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    changes: bool = False

    def in_place(self, due) -> bool:
        return self.changes and due.ref == {"there": True} and not due.ring

    async def show(self, due):
        if self.errors:
            raise self.errors.pop(0)
        self.shown.append((due.key, self.clock(), self.in_place(due), str(due.payload)))
        return {"there": True}

    def messages(self):
        return [(key, at) for key, at, changed, _ in self.shown if not changed]

    def text(self):
        return "\n".join(text for *_, text in self.shown)


@pytest.fixture
def phone(clock):
    return Phones(clock)


@pytest.fixture
def relay(store, phone):
    return Relay(store, dict.fromkeys(Channel, phone))


async def put(store, key, *, rank=Rank.MATTERS, channel=Channel.WECOM, account="lilei", **more):
    async with store.begin() as tx:
        row = Put(key=key, channel=channel, account=account, payload={"n": 1}, rank=rank, **more)
        await tx.outbox.put([row])


async def row(store, key):
    async with store.read() as tx:
        return (await tx.conn.execute(select(t.outbox).where(t.outbox.c.key == key))).one()


async def spend(store, api, n):
    async with store.begin() as tx:
        await tx.quota.add({(api, ""): n})


async def li(store):
    async with store.read() as tx:
        return next(m for m in (await tx.members.all()).values() if m.wecom == "lilei")


async def burst(store, count, **more):
    """Cards of so many new leads for 李雷, as if each had come by itself."""
    leads = [await captured(store, rep="李雷", **more) for _ in range(count)]
    reader = await li(store)
    async with store.begin() as tx:
        for lead in await tx.leads.many(lead.id for lead in leads):
            await show(tx, lead, reader)
        await tx.conn.execute(
            t.outbox.update().where(t.outbox.c.lead_id.is_not(None)).values(rank=Rank.MATTERS)
        )
    return [lead.id for lead in leads]


async def listed_of(store, leads):
    """Those of 李雷's leads that only a list has named."""
    reader = await li(store)
    rows = {n: await row(store, f"lead:{n}/{reader.id}") for n in leads}
    return [n for n, one in rows.items() if one.listed_at is not None]


async def test_no_phone_gets_more_than_the_minute_holds(store, relay, phone, clock):
    for n in range(60):
        await put(store, f"reply:{n}", rank=Rank.ASKED)

    for _ in range(30):
        await relay.drain()
        clock.tick(seconds=10)

    times = [at for _, at in phone.messages()]
    assert len(times) == 60
    minute = timedelta(minutes=1)
    assert max(sum(at <= one < at + minute for one in times) for at in times) <= 24


async def test_a_burst_of_leads_becomes_single_cards_and_one_list_that_names_the_rest(
    store, relay, phone, clock
):
    leads = await burst(store, 30)

    await relay.drain()
    clock.tick(seconds=6)
    await relay.drain()

    singles = [key for key, _ in phone.messages() if key.startswith("lead:")]
    lists = [key for key, _ in phone.messages() if key.startswith("list:")]
    assert len(singles) <= 15
    assert 1 <= len(lists) <= 2
    assert all(re.search(rf"#{lead}\b", phone.text()) for lead in leads)


async def test_a_lead_that_only_a_list_names_is_found_and_opened_later(store, relay, phone, clock):
    leads = await burst(store, 30)
    await relay.drain()
    listed = (await listed_of(store, leads))[0]

    found = await says(store, "lilei", "待看")
    clock.tick(minutes=2)
    await says(store, "lilei", f"线索 {listed}")
    await relay.drain()

    assert "待看" in found
    assert f"lead:{listed}/{(await li(store)).id}" in [key for key, _ in phone.messages()]
    assert (await row(store, f"lead:{listed}/{(await li(store)).id}")).listed_at is None


async def test_accepting_from_the_list_brings_the_card_with_the_number(store, relay, phone, clock):
    leads = await burst(store, 30)
    await relay.drain()
    reader = await li(store)
    listed = (await listed_of(store, leads))[0]
    clock.tick(minutes=2)

    await says(store, "lilei", f"领取 {listed}")
    await relay.drain()

    assert f"lead:{listed}/{reader.id}" in [key for key, _ in phone.messages()]


async def test_a_silent_change_of_a_listed_lead_sends_nothing(store, relay, phone, clock):
    leads = await burst(store, 30)
    await relay.drain()
    reader = await li(store)
    listed = (await listed_of(store, leads))[0]
    clock.tick(minutes=2)
    await relay.drain()
    before = len(phone.shown)

    await put(store, f"lead:{listed}/{reader.id}", rank=Rank.QUIET, lead_id=listed)
    await relay.drain()

    assert len(phone.shown) == before


async def test_what_matters_most_goes_before_what_was_put_earlier(store, relay, phone):
    await put(store, "digest:1", rank=Rank.EXTRA)
    await put(store, "remind:1", rank=Rank.TOLD)
    await put(store, "lead:9", rank=Rank.MATTERS)

    await relay.drain()

    assert [key for key, *_ in phone.shown] == ["lead:9", "remind:1", "digest:1"]


async def test_a_change_in_place_costs_nothing_of_the_minute(store, relay, phone):
    phone.changes = True
    await put(store, "lead:1/1")
    for n in range(40):
        async with store.begin() as tx:
            change = Put(key="lead:1/1", channel=Channel.WECOM, account="lilei", payload={"v": n})
            await tx.outbox.put([change])
        await relay.drain()

    async with store.read() as tx:
        used = (await tx.quota.used([(Api.WECOM_MEMBER, "lilei")])).values()
        assert [one.count for one in used] == [1]


async def test_a_card_that_cannot_be_changed_any_more_is_sent_anew_and_counted(
    store, relay, phone
):
    phone.changes = True
    await put(store, "lead:1/1")
    await relay.drain()
    phone.errors.append(Anew("60140"))

    async with store.begin() as tx:
        await tx.outbox.put(
            [Put(key="lead:1/1", channel=Channel.WECOM, account="lilei", payload={"v": 2})]
        )
    await relay.drain()

    assert [changed for _, _, changed, _ in phone.shown] == [False, False]
    async with store.read() as tx:
        assert (await tx.quota.total(Api.WECOM_APP)).count == 2


async def test_a_robot_that_says_wait_is_left_alone_for_all_its_messages(
    store, relay, phone, clock
):
    phone.errors.append(Later("410100", timedelta(minutes=10)))
    for n in range(3):
        await put(store, f"digest:{n}", channel=Channel.DINGTALK_GROUP, account="")
        await relay.drain()

    assert phone.shown == []
    assert phone.errors == []
    clock.tick(minutes=10)
    await relay.drain()
    assert len(phone.shown) == 3


async def test_a_robot_says_twenty_a_minute_at_most(store, relay, phone, clock):
    for n in range(50):
        await put(store, f"digest:{n}", channel=Channel.WECOM_GROUP, account="")

    for _ in range(30):
        await relay.drain()
        clock.tick(seconds=10)

    times = [at for _, at in phone.messages()]
    assert len(times) == 50
    assert max(sum(at <= one < at + timedelta(minutes=1) for one in times) for at in times) < 20


async def test_a_customer_is_in_one_mass_task_a_day(store, relay, phone, clock):
    await put(store, "journey:1", channel=Channel.WECOM_MASS, account="wmone")
    await put(store, "journey:2", channel=Channel.WECOM_MASS, account="wmone")
    await put(store, "journey:3", channel=Channel.WECOM_MASS, account="wmtwo")

    await relay.drain()
    assert len(phone.shown) == 2

    clock.tick(hours=14)  # midnight in China
    await relay.drain()
    assert len(phone.shown) == 3


# -- the end of a month ----------------------------------------------------------


async def test_when_it_gets_tight_the_manager_is_told_once(store, relay, phone, clock):
    await spend(store, Api.DINGTALK_CALLS, 4100)
    for n in range(3):
        await put(store, f"lead:{n}", channel=Channel.DINGTALK, account="wangqiang")
        await relay.drain()
        clock.tick(minutes=1)

    warnings = [text for key, *_, text in phone.shown if key.startswith("quota:")]
    assert len(warnings) == 1
    assert "钉钉本月调用已用 82%" in warnings[0]
    assert "4月1日重新计算" in warnings[0]


async def test_whatever_goes_out_tells_of_every_allowance_that_is_tight(store, relay, phone):
    await spend(store, Api.DINGTALK_PUSHES, 2500)

    await put(store, "lead:1", channel=Channel.WECOM)  # looked at WeCom's day alone
    await relay.drain()

    assert "钉钉本月推送已用 83%" in phone.text()


async def test_the_manager_hears_each_step_once_a_month_on_one_card(store, relay, phone, clock):
    titles = []
    for more in (4000, 1, 750, 250, 10):
        await spend(store, Api.DINGTALK_CALLS, more)
        await put(store, f"lead:{more}", channel=Channel.WECOM)
        await relay.drain()
    for key, *_, text in phone.shown:
        if key.startswith("quota:"):
            titles.append((key, re.search("钉钉本月调用(已用 ..%|用完了)", text)[1]))

    assert [title for _, title in titles] == ["已用 80%", "已用 95%", "用完了"]
    assert len({key for key, _ in titles}) == 1
    clock.tick(days=30)
    await put(store, "lead:april", channel=Channel.WECOM)
    await relay.drain()
    assert len([key for key, *_ in phone.shown if key.startswith("quota:")]) == 3
    async with store.read() as tx:
        assert await tx.alarms.on() == []


async def test_the_platforms_word_is_believed_and_said(store, relay, phone, clock):
    await spend(store, Api.DINGTALK_CALLS, 12)
    phone.errors.append(Spent("used up", timedelta(days=20)))
    await put(store, "lead:1", channel=Channel.DINGTALK, account="wangqiang")
    await relay.drain()

    on = replace(store, rules=replace(store.rules, dingtalk=True))
    answer = await says(on, "chenzg", "配额")

    assert "钉钉本月调用用完了" in answer  # it said that there was plenty
    assert "12 / 5,000（0%，平台说用完了）" in answer
    async with store.read() as tx:
        assert [alarm.key for alarm in await tx.alarms.on()] == ["dingtalk.calls:over"]
    clock.tick(days=30)
    assert "平台配额够用" in await says(on, "chenzg", "配额")


async def test_after_a_restart_what_waits_for_the_next_month_tries_once(store, relay, phone):
    phone.errors.append(Spent("used up", timedelta(days=20)))
    await put(store, "lead:1", channel=Channel.DINGTALK, account="wangqiang")
    await relay.drain()

    async with store.begin() as tx:  # an add-on was bought, and the service restarted
        await quota.try_again(tx)
    await relay.drain()

    assert "lead:1" in [key for key, *_ in phone.shown]  # it waited for the next month
    async with store.read() as tx:
        assert (await tx.quota.total(Api.DINGTALK_CALLS)).level == Level.PLENTY


async def test_what_a_session_answered_does_not_end_dingtalks_alarm(store, clock):
    class Session(Phones):
        async def show(self, due):
            await super().show(due)

        def detour(self, due, ref):
            return ref is None

    async with store.begin() as tx:
        await sound(tx, Alarm("dingtalk:secret", "client_secret 不对"))
    await put(store, "reply:1", channel=Channel.DINGTALK, account="wangqiang")

    await Relay(store, {Channel.DINGTALK: Session(clock)}).drain()
    async with store.read() as tx:
        still = [alarm.key for alarm in await tx.alarms.on()]
    await put(store, "lead:1", channel=Channel.DINGTALK, account="wangqiang")
    await Relay(store, {Channel.DINGTALK: Phones(clock)}).drain()

    assert still == ["dingtalk:secret"]
    async with store.read() as tx:
        assert await tx.alarms.on() == []


async def test_bystanders_changes_stop_when_the_platform_says_so(store, relay, phone):
    async with store.begin() as tx:
        await tx.quota.spent(Api.DINGTALK_CALLS)
    await put(store, "m:quiet", rank=Rank.QUIET, channel=Channel.DINGTALK, account="a")
    await put(store, "m:matters", rank=Rank.MATTERS, channel=Channel.DINGTALK, account="a")

    await relay.drain()

    assert [key for key, *_ in phone.shown if key.startswith("m:")] == ["m:matters"]


@pytest.mark.parametrize(("percent", "goes"), [(79, True), (80, False), (96, False)])
async def test_to_dos_yield_first_when_it_is_tight(store, relay, phone, percent, goes):
    await spend(store, Api.DINGTALK_CALLS, 50 * percent)

    rank = Rank.QUIET  # as handlers.todos puts them
    await put(store, "todo:1", channel=Channel.DINGTALK_TODO, account="wangqiang", rank=rank)
    await relay.drain()

    assert ("todo:1" in [key for key, *_ in phone.shown]) is goes


async def test_an_entry_that_is_there_is_ticked_off_when_the_month_begins(
    store, relay, phone, clock
):
    more = {"channel": Channel.DINGTALK_TODO, "account": "wangqiang"}
    await put(store, "todo:1", rank=Rank.QUIET, **more)
    await relay.drain()
    await spend(store, Api.DINGTALK_CALLS, 4900)

    async with store.begin() as tx:
        done = Put(key="todo:1", payload={"done": True}, rank=Rank.KEPT, **more)
        await tx.outbox.put([done])
    await relay.drain()
    assert len(phone.shown) == 1 + 1  # and the warning for the manager

    clock.tick(days=29, hours=14)
    await relay.drain()
    assert "'done': True" in phone.text()


async def test_to_dos_are_put_where_they_yield(store, clock):
    on = replace(store, rules=replace(store.rules, todo=True))
    lead = await captured(on, rep="王强")
    await says(on, "wangqiang", f"领取 {lead.id}", Platform.DINGTALK)
    await says(on, "wangqiang", f"提醒 {lead.id} 明天9点 打电话", Platform.DINGTALK)
    async with on.read() as tx:
        rows = await tx.conn.execute(
            select(t.outbox).where(t.outbox.c.channel == Channel.DINGTALK_TODO)
        )
        assert [row.rank for row in rows] == [Rank.QUIET]


async def test_every_limit_is_shown_to_the_manager(store):
    on = replace(store, rules=replace(store.rules, wecom=True, dingtalk=True))
    async with on.begin() as tx:
        await tx.quota.add({(Api.WECOM_MASS, "wmone"): 1, (Api.WECOM_HOUR, "lilei"): 77})
        await tx.quota.add({(Api.AIBOT_MINUTE, "chat"): 5})

    answer = await says(on, "chenzg", "配额")

    assert "77 / 1,000" in answer
    assert "1 / 1（100%）" in answer
    assert "5 / 30（16%）" in answer
    assert answer.count(" / ") >= len(METERS)


async def test_bystanders_cards_stop_first_and_the_owners_last(store, relay, phone):
    ranks = [Rank.MATTERS, Rank.ASKED, Rank.TOLD, Rank.KEPT, Rank.QUIET, Rank.EXTRA]

    async def gone_out(percent):
        phone.shown.clear()
        await spend(store, Api.DINGTALK_CALLS, 50 * percent)
        for rank in ranks:
            key = f"m{percent}:{rank}"
            await put(store, key, rank=rank, channel=Channel.DINGTALK, account=f"{percent}")
        await relay.drain()
        return {rank for rank in ranks for key, *_ in phone.shown if key == f"m{percent}:{rank}"}

    assert await gone_out(81) == {*ranks} - {Rank.QUIET}
    assert await gone_out(15) == {Rank.MATTERS, Rank.ASKED, Rank.TOLD}


async def test_the_month_is_over_the_group_calls_whom_the_robot_cannot_reach(
    template, database, clock
):
    from bot.config import parse  # noqa: PLC0415
    from bot.wiring import rules, team  # noqa: PLC0415
    from store.db import open_store  # noqa: PLC0415
    from tests.conftest import team as people  # noqa: PLC0415

    dingtalk = {
        "corp_id": "d",
        "client_id": "d",
        "client_secret": "s",
        "group_webhook": "https://x",
    }
    settings = parse(people(database={"url": database}, dingtalk=dingtalk))
    store = open_store(database, rules(settings), clock)
    async with store.begin() as tx:
        await tx.members.sync(team(settings))
    phone = Phones(clock, errors=[Spent("used up", timedelta(days=20))] * 2)
    relay = Relay(store, dict.fromkeys(Channel, phone))

    await put(store, "lead:1", channel=Channel.DINGTALK, account="wangqiang")
    await put(store, "lead:2", channel=Channel.DINGTALK, account="wangqiang")
    await relay.drain()

    shown = {key: rest for key, *rest in phone.shown}
    assert f"nudge:{clock():%Y%m%d%H}/wangqiang" in shown
    assert "钉钉本月调用用完了" in str(shown)  # the manager was not told
    assert len(phone.shown) == 2
    async with store.read() as tx:
        assert (await tx.quota.total(Api.DINGTALK_CALLS)).level == Level.OVER
    assert "@wangqiang" in phone.text()
    assert (await row(store, "lead:1")).due_at == clock() + timedelta(days=20)
    await store.close()


async def test_reminders_merge_when_the_day_is_tight(store, relay, phone, clock):
    numbers = [(await captured(store, rep="李雷")).id for _ in range(3)]
    for number in numbers:
        await says(store, "lilei", f"领取 {number}")
    for number, at in zip(numbers, ("10:05", "10:20", "16:00"), strict=True):
        await says(store, "lilei", f"提醒 {number} 今天{at} 回电话")
    await spend(store, Api.WECOM_APP, 700)  # of 800: four people of the team are in WeCom
    clock.tick(minutes=6)

    from handlers import sweeps  # noqa: PLC0415

    async with store.begin() as tx:
        await sweeps.reminders(tx)

    async with store.read() as tx:
        rows = (await tx.conn.execute(select(t.outbox).order_by(t.outbox.c.key))).all()
    merged = [r for r in rows if r.key.startswith("morning:")]
    assert len(merged) == 1
    assert "10:20" in str(merged[0].payload)
    assert "16:00" not in str(merged[0].payload)
    assert not [r for r in rows if r.key.startswith("remind:")]


async def test_the_manager_asks_and_is_told_what_is_left(store):
    await spend(store, Api.WECOM_APP, 80)

    on = replace(store, rules=replace(store.rules, wecom=True, dingtalk=True))
    answer = await says(on, "chenzg", "配额")

    assert "80 / 800（10%）" in answer
    assert "0 / 5,000（0%）" in answer
