"""Taking the last step back: everything is as before, the history keeps both."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from handlers import sweeps
from handlers.commands import COMMANDS
from handlers.journeys import advance
from store import tables as t
from store.domain.team import Platform
from store.domain.undo import INSTEAD
from tests.handlers.people import IDS, answers, captured, lead, says
from tests.handlers.test_work import card

COMPUTED = {"version"}


async def row(store, lead_id):
    async with store.read() as tx:
        found = (await tx.conn.execute(select(t.leads).where(t.leads.c.id == lead_id))).mappings()
        return {name: value for name, value in found.one().items() if name not in COMPUTED}


async def live(store, lead_id):
    """What will ring, and what will be sent: rows that are still due."""
    async with store.read() as tx:
        kept = []
        for table in (t.reminders, t.journeys):
            query = select(table).where(table.c.lead_id == lead_id, table.c.due_at.is_not(None))
            kept.append([tuple(r) for r in await tx.conn.execute(query.order_by(table.c.id))])
        return kept


async def kinds(store, lead_id):
    async with store.read() as tx:
        return [str(past.kind) for past in (await tx.leads.history([lead_id]))[lead_id]]


async def working(store):
    """A lead of 李雷 that he follows, with a reminder and a next date."""
    new = await captured(store, rep="李雷", email=f"w{next(IDS)}@example.com")
    for line in ("领取 {}", "跟进 {} 电话 聊了报价 8万 周五再约", "提醒 {} 明天9点 打电话"):
        await says(store, "lilei", line.format(new.id))
    return new.id


async def fresh(store):
    return (await captured(store, rep="李雷")).id


async def pooled(store):
    number = await working(store)
    await says(store, "lilei", f"放回 {number}")
    return number


UNDONE = [
    ("hanmei", pooled, "领取 {}"),
    ("lilei", working, "跟进 {} 微信 他们嫌贵 12万 #关注价格 下周三下午3点再约"),
    ("lilei", working, "改 {} 时间 明天下午3点"),
    ("lilei", working, "改 {} 金额 9万"),
    ("lilei", working, "阶段 {} 意向"),
    ("lilei", working, "阶段 {} 已报价"),
    ("lilei", working, "成交 {} 12万"),
    ("lilei", working, "流失 {} 选了别家"),
    ("lilei", working, "无效 {} 空号"),
    ("lilei", working, "退回 {} 未到时机"),
    ("lilei", working, "放回 {}"),
    ("lilei", working, "转交 {} 韩梅"),
    ("lilei", working, "延期 {}"),
    ("lilei", working, "认定 {} SQL 有预算，老板拍板"),
    ("lilei", working, "重要 {} 低"),
    ("lilei", working, "提醒 {} 每周一9点 回访"),
    ("lilei", working, "提醒 {} 取消"),
    ("lilei", working, "生日 {} 5月12日"),
    ("lilei", working, "求助 {} 王强 想问接口"),
    ("chenzg", working, "分配 {} 韩梅"),
    ("chenzg", pooled, "分配 {} 韩梅"),
    ("chenzg", working, "交接 李雷 韩梅"),
    ("lilei", fresh, "接受 {}"),
    ("lilei", working, "删除 {}"),
    ("lilei", working, "资料 {} 公司 云栖制造"),
    ("chenzg", working, "我来 {}"),
]


@pytest.mark.parametrize(("who", "begin", "line"), UNDONE, ids=[line for _, _, line in UNDONE])
async def test_undone_is_as_if_it_had_not_been_done(store, clock, who, begin, line):
    number = await begin(store)
    clock.tick(minutes=1)
    before, due = await row(store, number), await live(store, number)
    done = await says(store, who, line.format(number))
    assert (await row(store, number), await live(store, number)) != (before, due), done
    clock.tick(minutes=10)

    answer = await says(store, who, "撤销")

    assert "已撤销" in answer, done
    assert await row(store, number) == before
    assert await live(store, number) == due
    assert (await kinds(store, number))[-1] == "undone"


async def test_the_history_keeps_what_was_undone(store):
    number = await working(store)
    await says(store, "lilei", f"成交 {number} 12万")

    await says(store, "lilei", "撤销")

    assert (await kinds(store, number))[-2:] == ["won", "undone"]
    assert "撤销 成交" in await says(store, "lilei", f"线索 {number} 详情")


async def test_after_ten_minutes_it_stays(store, clock):
    number = await working(store)
    await says(store, "lilei", f"放回 {number}")
    clock.tick(minutes=11)

    assert await says(store, "lilei", "撤销") == (
        "最后一步是 10:00 的「放回」，过了 10 分钟，撤不回来了"
    )
    clock.tick(days=1)
    assert "最后一步是昨天 10:00 的「放回」" in await says(store, "lilei", "撤销")
    assert (await lead(store, number)).owner is None


async def test_who_came_between_is_told(store, clock):
    number = await working(store)
    await says(store, "lilei", f"放回 {number}")
    await says(store, "hanmei", f"领取 {number}")

    assert "韩梅 之后动过" in await says(store, "lilei", "撤销")
    assert (await lead(store, number)).owner.name == "韩梅"


async def test_nothing_done_nothing_to_undo(store):
    assert "没有可以撤销的" in await says(store, "hanmei", "撤销")


async def test_the_same_step_is_not_undone_twice(store):
    number = await working(store)
    await says(store, "lilei", f"阶段 {number} 意向")
    await says(store, "lilei", "撤销")

    assert "已经撤销过了" in await says(store, "lilei", "撤销")


async def test_somebody_elses_step_is_not_mine_to_undo(store):
    number = await working(store)
    await says(store, "lilei", f"阶段 {number} 意向")

    assert "没有可以撤销的" in await says(store, "hanmei", f"撤销 {number}")
    assert (await lead(store, number)).stage == "intent"


async def test_an_old_cards_button_does_not_undo_another_lead(store):
    one, two = await working(store), await working(store)

    answer = await says(store, "lilei", f"撤销 {one}")

    assert f"最后一步是 #{two}" in answer


async def test_an_undone_claim_still_counts_for_the_day(store):
    for number in [await pooled(store) for _ in range(10)]:
        await says(store, "hanmei", f"领取 {number}")
        await says(store, "hanmei", "撤销")

    assert "每天最多 10 条" in await says(store, "hanmei", f"领取 {await pooled(store)}")


async def test_several_claimed_with_one_line_are_given_back_with_one(store):
    one, two = await pooled(store), await pooled(store)
    await says(store, "hanmei", f"领取 {one} {two}")

    assert f"#{one} #{two}" in await says(store, "hanmei", "撤销")
    assert [(await lead(store, n)).owner for n in (one, two)] == [None, None]


async def test_the_journey_of_an_undone_return_is_stopped_again(store):
    number = await working(store)
    await says(store, "lilei", f"退回 {number} 未到时机")
    assert (await live(store, number))[1]

    await says(store, "lilei", "撤销")

    assert not (await live(store, number))[1]


async def test_everybodys_card_is_put_right(store):
    number = await working(store)
    await says(store, "lilei", f"转交 {number} 韩梅")

    await says(store, "lilei", "撤销")

    assert "已由 李雷 接手" in await card(store, number, "hanmei")
    assert "跟进中" in await card(store, number, "lilei")


async def test_the_card_offers_to_undo_what_its_reader_did_and_to_nobody_else(store):
    number = await working(store)
    await says(store, "lilei", f"转交 {number} 韩梅")

    assert f"/撤销 {number}" in await card(store, number, "lilei")
    assert f"/撤销 {number}" not in await card(store, number, "hanmei")


async def test_what_was_undone_is_in_no_figure(store):
    number = await working(store)
    await says(store, "lilei", f"成交 {number} 12万")
    await says(store, "lilei", "撤销")

    async with store.read() as tx:
        today = tx.now.astimezone(tx.rules.zone).date()
        figures = await tx.figures.of(today, tx.now)

    assert (figures.won, figures.won_amount) == (0, 0)


async def test_a_full_rep_gets_nothing_back(store):
    number = await working(store)
    await says(store, "lilei", f"放回 {number}")
    async with store.begin() as tx:
        await tx.conn.execute(
            t.members.update().where(t.members.c.name == "李雷").values(capacity=0)
        )

    assert "手上已满" in await says(store, "lilei", "撤销")
    assert (await lead(store, number)).owner is None


async def test_the_echo_says_that_its_follow_up_is_gone(store):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"跟进 {new.id} 电话 聊了报价 12万")

    await says(store, "lilei", f"撤销 {new.id}")

    [echo] = [r for key, r in (await answers(store)).items() if key.startswith("log:")]
    assert "已撤销" in str(echo.payload)
    assert "12 万" not in str(echo.payload)


async def test_undo_on_the_other_platform(store):
    new = await captured(store, rep="王强")
    await says(store, "wangqiang", f"领取 {new.id}", Platform.DINGTALK)

    assert "已撤销" in await says(store, "wangqiang", "撤销", Platform.DINGTALK)
    assert (await lead(store, new.id)).offered


async def test_a_letter_that_has_gone_out_cannot_be_unsent_and_that_is_said(store, clock):
    number = await working(store)
    await says(store, "lilei", f"退回 {number} 未到时机")
    async with store.begin() as tx:
        [journey] = await tx.journeys.due(tx.now + timedelta(days=2), 1)
        await advance(tx, journey)

    answer = await says(store, "lilei", "撤销")

    assert "收不回来" in answer
    assert (await lead(store, number)).owner.name == "李雷"
    assert not (await live(store, number))[1]


# -- the last action decides ---------------------------------------------------


PASSED = [
    ("lilei", "备注 {a} 接口周五给", "备注 "),
    ("lilei", "录入 赵七 13800138777 想要报价", "无效"),
    ("lilei", "请假 明天", "上班"),
    ("lilei", "合并 {a} {b}", "分开 "),
    ("lilei", "不同 {a} {b}", "合并 "),
    ("chenzg", "点评 {a} 先问清楚", "点评 "),
    ("chenzg", "新线 {a} 云客服", "放回"),
]


@pytest.mark.parametrize(("who", "line", "instead"), PASSED, ids=[line for _, line, _ in PASSED])
async def test_what_cannot_be_taken_back_is_named_and_nothing_older_is_undone(
    store, who, line, instead
):
    # An older action was taken back: the stage.
    a, b = await working(store), await working(store)
    older = await captured(store, rep="李雷")
    await says(store, "lilei", f"阶段 {older.id} 意向")
    await says(store, "chenzg", f"重要 {older.id} 高")
    before = await row(store, older.id)
    done = await says(store, who, line.format(a=a, b=b))

    answer = await says(store, who, "撤销")

    assert f"「{line.split()[0]}」，撤不回来" in answer, done
    assert re.match(r"你最后一步是(?: #\d+ 的)?「", answer)  # was "最后一步是#7 的"
    assert instead in answer
    after = await row(store, older.id)
    assert after | {"due_at": None} == before | {"due_at": None}  # 请假 puts it off


async def test_who_was_at_work_anyway_has_done_nothing(store):
    number = await working(store)
    await says(store, "lilei", f"阶段 {number} 意向")
    await says(store, "lilei", "上班")

    assert "已撤销「阶段」" in await says(store, "lilei", "撤销")


LOOKS = {
    "帮助", "我的", "待看", "今日", "线索", "公海", "为什么", "撤销", "查重", "重复", "日报", "漏斗",
    "分布", "渠道", "配额", "告警", "交接",
}  # fmt: skip
"""Commands that only look; 交接 keeps what it did itself."""


def test_every_command_looks_or_is_undone_or_says_what_to_do_instead():
    acts = {command.names[0] for command in COMMANDS} - LOOKS

    assert {c.names[0] for c in COMMANDS if c.undo} | set(INSTEAD) == acts
    assert not {c.names[0] for c in COMMANDS if c.undo} & set(INSTEAD)


# -- what comes between --------------------------------------------------------


async def test_the_clocks_own_reminder_stands_in_nobodys_way(store, clock):
    hot = {"company": "云栖", "title": "总经理", "product": "CRM", "message": "尽快报价"}
    number = (await captured(store, rep="李雷", **hot)).id
    await says(store, "lilei", f"接受 {number}")
    for _ in range(4):
        clock.tick(minutes=1)
        async with store.begin() as tx:
            await sweeps.deadlines(tx)
    assert {"nudged", "late"} & set(await kinds(store, number))

    assert "已撤销" in await says(store, "lilei", "撤销")


async def test_what_somebody_did_and_took_back_stands_in_nobodys_way(store):
    number = await working(store)
    await says(store, "lilei", f"放回 {number}")
    await says(store, "hanmei", f"领取 {number}")
    await says(store, "hanmei", "撤销")

    assert "已撤销" in await says(store, "lilei", "撤销")
    assert (await lead(store, number)).owner.name == "李雷"


# -- importance ----------------------------------------------------------------


@pytest.mark.parametrize("begin", [working, pooled])
async def test_the_score_goes_back_with_the_importance(store, begin):
    # Score and grade stayed as they had been set by hand.
    number = await begin(store)
    was = await lead(store, number)
    await says(store, "chenzg", f"重要 {number} {'低' if was.grade == 'A' else '高'}")

    await says(store, "chenzg", "撤销")

    now = await lead(store, number)
    assert (now.importance, now.score, now.grade) == ("", was.score, was.grade)


async def test_the_score_goes_back_with_what_was_filled_in(store):
    # The company was gone again, and its 15 points were not.
    number = await working(store)
    was = await lead(store, number)
    await says(store, "lilei", f"资料 {number} 公司 云栖制造")
    filled = await lead(store, number)

    await says(store, "lilei", "撤销")

    after = await lead(store, number)
    assert filled.score > was.score
    assert (after.company, after.score, after.grade) == ("", was.score, was.grade)
