"""Reminders: to the minute, coming round, one card a morning, tasks of a stage, days to remember."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from handlers.announce import record
from handlers.assign import pass_on
from handlers.people import leave
from handlers.sweeps import reminders
from store.db import open_store
from store.domain.team import Platform
from tests.handlers.people import answers, captured, lead, says

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
async def mine(store):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")
    return new.id


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


async def ring(store, clock, text):
    """The clock comes by at that minute; what is on phones because of it, by key."""
    clock.now = at(text)
    async with store.begin() as tx:
        while await reminders(tx):
            pass
    return {
        key: str(row.payload)
        for key, row in (await answers(store)).items()
        if key.startswith(("remind:", "morning:"))
    }


async def due(store, number):
    async with store.read() as tx:
        return [(r.kind, r.due_at) for r in await tx.reminders.of(number)]


async def test_it_rings_at_that_minute_and_once(store, clock, mine):
    await says(store, "lilei", f"提醒 {mine} 明天9点05 打电话")

    assert await ring(store, clock, "2026-03-03 09:04") == {}
    [first] = (await ring(store, clock, "2026-03-03 09:05")).values()
    assert "打电话" in first
    assert len(await ring(store, clock, "2026-03-03 09:06")) == 1
    assert await due(store, mine) == []


async def test_a_restart_loses_no_reminder(store, clock, mine, settings):
    await says(store, "lilei", f"提醒 {mine} 明天9点 打电话")
    await store.close()

    again = open_store(settings.database.url, store.rules, clock)
    rung = await ring(again, clock, "2026-03-03 11:00")
    await again.close()

    assert len(rung) == 1


async def test_it_comes_round_until_it_is_stopped(store, clock, mine):
    answer = await says(store, "lilei", f"提醒 {mine} 每周一9点 回访")
    assert "每周一9点 提醒你" in answer

    [first] = (await ring(store, clock, "2026-03-09 09:00")).values()
    assert f"/提醒 {mine} 取消" in first
    assert await due(store, mine) == [("asked", at("2026-03-16 09:00"))]
    assert len(await ring(store, clock, "2026-03-16 09:00")) == 2

    await says(store, "lilei", f"提醒 {mine} 取消")
    assert len(await ring(store, clock, "2026-03-23 09:00")) == 2


async def test_what_was_missed_while_nothing_ran_rings_once(store, clock, mine):
    await says(store, "lilei", f"提醒 {mine} 每天9点 回访")

    assert len(await ring(store, clock, "2026-03-13 10:00")) == 1
    assert await due(store, mine) == [("asked", at("2026-03-14 09:00"))]


async def test_what_can_mean_two_things_is_asked_back(store, clock, mine):
    clock.tick(hours=-1)  # at nine, 8点 may be this evening's

    for words in ("每隔三天 回访", "每小时 看看", "改天 回访", "8点 打电话", "周三或者周四 回访"):
        assert "提醒你" not in await says(store, "lilei", f"提醒 {mine} {words}")

    assert await due(store, mine) == []


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("周三四 打电话", "是周三，还是周四？例如："),  # was Wednesday, 四 打电话
        ("节后 打电话", "是哪个节？可以写「元旦后」或「春节后」"),
        ("2月30日 打电话", "没有2月30日，改到哪一天？例如："),
        ("晚点 打电话", "具体几点？可以写「下午3点」或「2小时后」"),
    ],
)
async def test_what_is_put_off_to_no_day_is_asked_back_with_one_example(store, mine, words, asked):
    answer = await says(store, "lilei", f"提醒 {mine} {words}")

    assert answer.startswith(asked)
    assert ("例如" in answer) is not ("可以写" in answer)
    assert await due(store, mine) == []


async def test_a_hundred_dates_are_one_card_a_morning(store, clock):
    for _ in range(12):
        new = await captured(store, rep="李雷")
        async with store.begin() as tx:
            for _ in range(10):
                await tx.reminders.add(
                    new.id, new.owner.id, at("2026-03-04 09:00"), "回访", "asked", date_only=True
                )

    rung = await ring(store, clock, "2026-03-04 09:00")

    [card] = rung.values()
    assert "今天要联系 120 位" in card


async def test_a_date_on_a_holiday_rings_on_the_next_working_day(store, clock, mine):
    await says(store, "lilei", f"提醒 {mine} 4月5日 回访")  # 清明, and a Sunday

    assert await due(store, mine) == [("asked", at("2026-04-07 09:00"))]


async def test_a_quote_is_asked_about_three_days_on(store, clock, mine):
    await says(store, "lilei", f"跟进 {mine} 电话 聊了需求")

    answer = await says(store, "lilei", f"阶段 {mine} 已报价")

    assert "提醒你问问报价" in answer
    assert await due(store, mine) == [("task", at("2026-03-05 09:00"))]
    assert (await lead(store, mine)).next_at == at("2026-03-05 09:00")


async def test_the_task_of_a_stage_ends_with_it(store, clock, mine):
    await says(store, "lilei", f"阶段 {mine} 已报价")

    await says(store, "lilei", f"阶段 {mine} 意向")

    assert await due(store, mine) == []


async def test_nobody_is_reminded_of_what_is_over(store, clock):
    for end in ("流失 {} 选了别家", "无效 {} 空号", "放回 {}", "退回 {} 未到时机"):
        number = (await captured(store, rep="李雷")).id
        await says(store, "lilei", f"提醒 {number} 每周一9点 回访")

        await says(store, "lilei", end.format(number))

        assert await due(store, number) == [], end


BIRTHDAYS = (
    ("3月7日", "2026-03-06 09:00"),  # a Saturday: told on Friday
    ("1990-05-12", "2026-05-12 09:00"),
    ("农历五月初五", "2026-06-18 09:00"),  # 19 June is a public holiday
)


async def test_a_birthday_is_told_that_morning_or_before_the_weekend(store, clock, mine):
    for said, rings in BIRTHDAYS:
        await says(store, "lilei", f"生日 {mine} {said}")
        assert await due(store, mine) == [("birthday", at(rings))]

    [card] = (await ring(store, clock, rings)).values()

    assert "生日" in card
    [(kind, again)] = await due(store, mine)
    assert (kind, again.year) == ("birthday", 2027)


async def test_what_happens_on_the_morning_of_a_birthday_does_not_put_it_off_a_year(
    store, clock, mine
):
    await says(store, "lilei", f"生日 {mine} 5月12日")
    clock.now = at("2026-05-12 08:30")

    await says(store, "lilei", f"提醒 {mine} 明天9点05 打电话")

    assert ("birthday", at("2026-05-12 09:00")) in await due(store, mine)  # was 2027
    assert len(await ring(store, clock, "2026-05-12 09:00")) == 1
    assert ("birthday", at("2027-05-12 09:00")) in await due(store, mine)


async def test_a_contract_to_come_has_no_anniversary_on_its_first_day(store, mine):
    new = await captured(store, rep="李雷", fields={"合同日期": "2026-05-12"})
    await says(store, "lilei", f"领取 {new.id}")

    assert await due(store, new.id) == [("anniversary", at("2027-05-12 09:00"))]


async def test_a_birthday_that_came_with_the_enquiry_is_known_to_the_owner(store, clock):
    new = await captured(store, rep="李雷", fields={"生日": "1990-05-12"})
    await says(store, "lilei", f"领取 {new.id}")

    assert await due(store, new.id) == [("birthday", at("2026-05-12 09:00"))]


async def test_a_deal_has_its_anniversary(store, clock, mine):
    await says(store, "lilei", f"成交 {mine} 12万")

    [(kind, when)] = await due(store, mine)
    assert (kind, when) == ("anniversary", at("2027-03-02 09:00"))
    [card] = (await ring(store, clock, "2027-03-02 09:00")).values()
    assert "1 周年" in card
    assert "记得问候" in card
    assert (await due(store, mine))[0][1].astimezone(SHANGHAI).date() == date(2028, 3, 2)


async def test_a_birthday_nobody_understands_is_asked_back(store, mine):
    assert "哪一天" in await says(store, "lilei", f"生日 {mine} 2月30日")


async def test_who_has_lost_the_lead_is_not_reminded_with_its_number(store, clock):
    # It rang at the rep the lead had been offered to, whole number and all.
    new = await captured(store, rep="李雷", phone="19912345678")
    await says(store, "lilei", f"提醒 {new.id} 明天9点05 看一眼")
    async with store.begin() as tx:
        await record(tx, *await pass_on(tx, await tx.leads.get(new.id), None))

    rung = await ring(store, clock, "2026-03-03 09:05")

    accounts = {row.account for key, row in (await answers(store)).items() if key in rung}
    assert accounts == {(await lead(store, new.id)).owner.wecom}
    assert accounts != {"lilei"}


async def test_a_day_of_another_year_is_echoed_with_its_year(store, mine):
    said = await says(store, "lilei", f"提醒 {mine} 明年3月3日 续约")
    logged = await says(store, "lilei", f"跟进 {mine} 电话 聊了合同条款 明年3月3日再约")

    assert "2027年3月3日 09:00 提醒你" in said  # was 3月3日
    assert "2027年3月3日" in logged


async def test_blanks_typed_inside_a_time_stay_out_of_the_reminders_text(store, mine):
    said = await says(store, "lilei", f"提醒 {mine} 明天 下午 3 点 打电话")

    assert f"明天 15:00 提醒你 #{mine} 打电话" in said  # was 14:00 「3 点 打电话」


async def test_a_repetition_keeps_all_of_its_days_or_is_refused(store, mine):
    every = await says(store, "lilei", f"提醒 {mine} 每周一到周五下午3点 打电话")
    refused = await says(store, "lilei", f"提醒 {mine} 每周一9点和周三15点 打电话")

    assert "每周一到周五下午3点 提醒你" in every  # was every Monday at 09:00
    assert "「每周三9点」" in refused


# -- whose reminders they are ----------------------------------------------------


async def ringing(store, lead_id):
    """Who will be reminded of what, by name."""
    async with store.read() as tx:
        team = await tx.members.all()
        return {r.text: team[r.member_id].name for r in await tx.reminders.of(lead_id)}


async def asked_by_three(store):
    """A lead of 李雷; he, the manager and an expert have a reminder of their own."""
    number = (await captured(store, rep="李雷")).id
    for who, line in (
        ("lilei", "接受 {}"),
        ("lilei", "求助 {} 韩梅 问接口"),
        ("lilei", "提醒 {} 明天9点 打电话"),
        ("chenzg", "提醒 {} 明天9点 问进展"),
        ("hanmei", "提醒 {} 明天9点 看接口"),
    ):
        await says(store, who, line.format(number))
    return number


async def test_a_transfer_takes_the_owners_reminders_and_nobody_elses(store):
    # The manager's own went to the new owner.
    number = await asked_by_three(store)

    await says(store, "lilei", f"转交 {number} 王强")

    assert await ringing(store, number) == {"打电话": "王强", "问进展": "陈主管", "看接口": "韩梅"}


@pytest.mark.parametrize("line", ["放回 {}", "删除 {}", "退回 {} 未到时机"])
async def test_who_gives_a_lead_away_ends_their_own_reminders_only(store, line):
    number = await asked_by_three(store)

    await says(store, "lilei", line.format(number))

    assert await ringing(store, number) == {"问进展": "陈主管"}


async def test_a_merge_and_a_split_leave_everybody_their_own_reminders(store):
    kept = (await captured(store, rep="王强")).id
    number = await asked_by_three(store)

    await says(store, "chenzg", f"合并 {kept} {number}")
    together = await ringing(store, kept)
    await says(store, "chenzg", f"分开 {number}")

    assert (together["打电话"], together["问进展"]) == ("王强", "陈主管")
    assert await ringing(store, number) == {"打电话": "李雷", "问进展": "陈主管", "看接口": "韩梅"}


async def test_what_was_agreed_goes_to_whoever_has_it_next(store, clock):
    # The next date stayed on the card, and nobody was reminded of it.
    number = (await captured(store, rep="李雷")).id
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价方案 明天9点再约")

    await says(store, "lilei", f"退回 {number} 不归我跟")

    now = await lead(store, number)
    async with store.read() as tx:
        [reminder] = await tx.reminders.of(number)
    assert (reminder.member_id, reminder.due_at) == (now.owner.id, now.next_at)


async def test_no_date_is_no_date(store):
    # The date before came back on the card, but not its reminder.
    number = (await captured(store, rep="李雷")).id
    await says(store, "lilei", f"跟进 {number} 电话 聊了报价方案 明天9点再约")
    await says(store, "lilei", f"跟进 {number} 电话 又聊了合同条款 周五下午3点再约")

    await says(store, "lilei", f"改 {number} 时间 无")

    assert (await lead(store, number)).next_at is None
    assert await ringing(store, number) == {}


async def test_a_reminder_of_a_lead_in_the_pool_is_masked(store, clock):
    # A leaver's reminder rang at the manager with the whole number, which the pool's card masks.
    new = await captured(store, rep="李雷", name="苏禾", phone="19912345678")
    await says(store, "lilei", f"领取 {new.id}")
    await says(store, "lilei", f"提醒 {new.id} 明天9点05 打电话")
    async with store.begin() as tx:
        await leave(tx, Platform.WECOM, "lilei")

    [card] = (await ring(store, clock, "2026-03-03 09:05")).values()

    assert "打电话" in card
    assert "19912345678" not in card
    assert "苏禾" not in card
    assert f"/跟进 {new.id}" not in card


async def test_today_without_an_hour_is_asked_when_the_morning_is_over(store):
    # "好，09:00 提醒你", at ten o'clock.
    new = await captured(store, rep="李雷")

    said = await says(store, "lilei", f"提醒 {new.id} 今天 打电话")

    assert said.startswith(f"今天几点？例如：提醒 {new.id}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("月底前 回访", "3月31日 09:00 提醒你 #{} 回访"),  # was "前 回访"
        ("5月31日前 回访", "5月29日 09:00 提醒你 #{} 回访"),  # a Sunday; was 1 June, too late
        ("5月31日 回访", "6月1日 09:00 提醒你 #{} 回访"),
        ("周五下班前 发合同", "周五 17:00 提醒你 #{} 发合同"),
    ],
)
async def test_by_a_day_off_is_the_working_day_before(store, words, said):
    new = await captured(store, rep="李雷")

    assert said.format(new.id) in await says(store, "lilei", f"提醒 {new.id} {words}")
