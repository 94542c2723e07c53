"""Follow-ups: said back, corrected with a press, counted, and what a stage asks for."""

import pytest

from bot.config import parse
from store import tables as t
from tests.conftest import team
from tests.handlers.people import answers, captured, lead, says
from tests.handlers.test_work import card

SENTENCE = "电话 聊了报价 12万 对账太慢 他们在和竞品比 #关注价格 下周三下午3点再约"


async def logged(store, words=SENTENCE):
    new = await captured(store, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")
    await says(store, "lilei", f"跟进 {new.id} {words}")
    return new.id


async def echo(store):
    [row] = [r for key, r in (await answers(store)).items() if key.startswith("log:")]
    return str(row.payload)


async def rings(store, number):
    async with store.read() as tx:
        return [(r.kind, r.due_at, r.text) for r in await tx.reminders.of(number)]


def at(clock, text):
    from datetime import datetime  # noqa: PLC0415
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


async def test_a_sentence_fills_everything_and_the_card_says_it_back(store, clock):
    number = await logged(store)

    shown = await echo(store)

    for part in (
        "电话，接通",
        "12 万",
        "#关注价格",
        "竞品",
        "对账太慢",
        "再约",
        "3月11日 周三 15:00",
    ):
        assert part in shown
    for line in ("时间", "方式"):
        assert f"/改 {number} {line}" in shown
    assert f"/撤销 {number}" in shown


CORRECTIONS = [
    ("时间 明天9点", "3月3日 周二 09:00 提醒你"),
    ("方式 微信", "微信，接通"),
    ("结果 有意向", "微信，有意向"),
    ("金额 15万", "15 万"),
    ("标签 #急 #老客户", "#急 #老客户"),
    ("异议 价格", "价格"),
    ("痛点 库存不准", "库存不准"),
    ("下一步 发合同", "发合同"),
]


async def test_each_part_is_corrected_and_the_history_keeps_both(store):
    number = await logged(store)

    for line, said in CORRECTIONS:
        assert "改好" in await says(store, "lilei", f"改 {number} {line}")
        assert said in await echo(store)

    async with store.read() as tx:
        history = (await tx.leads.history([number]))[number]
    assert [str(p.kind) for p in history][-9:] == ["followed", *["corrected"] * 8]
    assert history[-9].text == SENTENCE


async def test_each_part_can_be_corrected_by_pressing(store):
    number = await logged(store)

    for line, _ in CORRECTIONS:
        field = line.split()[0]
        assert f"/改 {number} {field} " in await says(store, "lilei", f"改 {number} {field}")


async def test_everything_that_can_be_corrected_is_two_presses_away(store):
    number = await logged(store)

    first, second = [await says(store, "lilei", f"改 {number}{more}") for more in ("", " 更多")]

    for name in ("结果", "金额", "标签", "异议", "痛点", "下一步"):
        assert f"/改 {number} {name}" in first + second


async def test_reminder_deadline_and_amount_follow_a_correction(store, clock):
    number = await logged(store)

    await says(store, "lilei", f"改 {number} 时间 明天9点")
    await says(store, "lilei", f"改 {number} 金额 15万")

    now = await lead(store, number)
    assert (now.amount, now.next_at) == (150_000, at(clock, "2026-03-03 09:00"))
    assert [(kind, due) for kind, due, _ in await rings(store, number)] == [
        ("next", at(clock, "2026-03-03 09:00"))
    ]


async def test_an_amount_that_was_none_is_as_it_was_before(store):
    number = await logged(store, "电话 聊了方案 8万")
    await says(store, "lilei", f"跟进 {number} 电话 又聊了 房号12万")

    await says(store, "lilei", f"改 {number} 金额 无")

    assert (await lead(store, number)).amount == 80_000


async def test_nobody_answered_after_all_so_it_protects_no_longer(store, clock):
    number = await logged(store, "电话 聊了很久的方案细节")
    clock.tick(days=3)
    before = (await lead(store, number)).followed_at
    await says(store, "lilei", f"跟进 {number} 电话 聊了合同条款")

    await says(store, "lilei", f"改 {number} 结果 未接通")

    assert (await lead(store, number)).followed_at == before


async def test_only_ones_own_last_follow_up_is_corrected(store):
    number = await logged(store)

    assert "不是你记的" in await says(store, "chenzg", f"改 {number} 金额 1万")


async def test_a_correction_nobody_understands_is_refused_with_an_example(store):
    number = await logged(store)

    for line, said in (
        ("时间 改天", "具体哪一天"),
        ("方式 打鼓", "方式可以是"),
        ("金额 0", "多少"),
        ("颜色 红", "可以改"),
    ):
        assert said in await says(store, "lilei", f"改 {number} {line}")


async def test_a_note_about_colleagues_is_no_try_to_reach_the_customer(store):
    number = await logged(store, "电话 没接通")
    await says(store, "lilei", f"跟进 {number} 和主管内部讨论折扣")

    assert (await lead(store, number)).attempts == 1


async def test_six_tries_in_ten_working_days_suggest_a_return(store, clock):
    new = await captured(store, rep="李雷")
    for n in range(6):
        clock.tick(days=1 if n else 0)
        await says(store, "lilei", f"跟进 {new.id} 电话 没接通")
        shown = await card(store, new.id, "lilei")
        assert f"{n + 1}/6 次" in shown
        assert ("可以退回" in shown) is (n == 5)


async def test_six_tries_over_a_month_suggest_nothing(store, clock):
    new = await captured(store, rep="李雷")
    for _ in range(6):
        await says(store, "lilei", f"跟进 {new.id} 电话 没接通")
        clock.tick(days=6)
    await says(store, "lilei", f"线索 {new.id}")

    assert "可以退回" not in await card(store, new.id, "lilei")


async def test_reaching_somebody_ends_the_row_of_tries(store):
    new = await captured(store, rep="李雷")
    for words in ("没接通", "没接通", "接通 聊了需求", "没接通"):
        await says(store, "lilei", f"跟进 {new.id} 电话 {words}")

    assert "1/6 次" in await card(store, new.id, "lilei")


# -- what a stage asks for ---------------------------------------------------------


BUDGET = {"id": "budget", "label": "预算", "options": ["10万以内", "10万以上"]}
DECIDER = {"id": "decider", "label": "谁决定"}


@pytest.fixture
def settings(database):
    sop = [
        {"stage": "following", "questions": [BUDGET, DECIDER]},
        {"stage": "intent", "every": "3d", "channel": "微信"},
        {"stage": "intent", "min_score": 90, "every": "1d", "channel": "电话"},
    ]
    return parse(team(database={"url": database}, sop=sop))


async def test_a_stage_is_not_left_before_everything_was_asked(store):
    number = await logged(store)

    asked = await says(store, "lilei", f"阶段 {number} 意向")

    assert "还要问：预算、谁决定" in asked
    assert f"/答 {number} 预算 10万以内" in asked
    assert (await lead(store, number)).stage == "following"


async def test_answers_are_kept_and_open_the_way(store):
    number = await logged(store)

    first = await says(store, "lilei", f"答 {number} 预算 20万")
    second = await says(store, "lilei", f"答 {number} 谁决定 王总")
    moved = await says(store, "lilei", f"阶段 {number} 意向")

    now = await lead(store, number)
    assert "还要问：谁决定" in first
    assert "都问到了" in second
    assert "已到「意向」" in moved
    assert (now.fields["budget"], now.fields["decider"]) == ("20万", "王总")
    assert "问到 预算：20万" in await says(store, "lilei", f"线索 {number} 详情")


async def test_a_deal_needs_the_answers_too_giving_up_does_not(store):
    one, two = await logged(store), await logged(store)

    assert "还要问" in await says(store, "lilei", f"成交 {one} 12万")
    assert "记为流失" in await says(store, "lilei", f"流失 {two} 选了别家")


async def test_an_answer_to_nothing_is_refused_with_what_there_is_to_answer(store):
    number = await logged(store)

    assert "预算、谁决定" in await says(store, "lilei", f"答 {number} 颜色 红")


@pytest.mark.parametrize(
    ("score", "due", "channel"), [(10, "03-05", "微信"), (95, "03-03", "电话")]
)
async def test_nothing_agreed_the_stage_says_when_to_call_again(store, clock, score, due, channel):
    number = await logged(store, "电话 聊了需求")
    for words in ("预算 1万", "谁决定 王总"):
        await says(store, "lilei", f"答 {number} {words}")
    await says(store, "lilei", f"阶段 {number} 意向")
    async with store.begin() as tx:
        await tx.conn.execute(t.leads.update().where(t.leads.c.id == number).values(score=score))

    await says(store, "lilei", f"跟进 {number} 微信 聊了方案细节")

    assert (await lead(store, number)).next_at == at(clock, f"2026-{due} 09:00")
    assert channel in (await rings(store, number))[-1][2]


async def test_amounts_offered_instead_keep_every_yuan(store):
    number = await logged(store, "电话 聊了合同 报价 123456 元，客户说 98765 元")

    said = await says(store, "lilei", f"改 {number} 金额")

    assert f"/改 {number} 金额 " in said
    assert f"/改 {number} 金额 98765元" in said or f"/改 {number} 金额 123456元" in said


async def test_the_hint_of_a_deal_that_has_to_wait_keeps_every_yuan(store):
    number = await logged(store)

    assert f"成交 {number} 123456元" in await says(store, "lilei", f"成交 {number} 123456")


@pytest.mark.parametrize(
    ("words", "amount", "told"),
    [
        ("报价 2 0 万", 200_000, "20 万"),  # was 0 元
        ("报价 1 2万", None, "「1 2万」没记，是多少？"),  # was 2 万
        ("他们预算十几万", None, "「十几万」没记，是多少？"),
        ("他们出 $3k", None, "「$3k」是外币，没记"),
        ("报价 5-8万", 50_000, "5 万到 8 万，按低的记"),
    ],
)
async def test_what_nobody_can_book_is_asked_about(store, words, amount, told):
    number = await logged(store, f"电话 聊了 {words} 周五再约")

    assert told in await echo(store)
    assert (await lead(store, number)).amount == amount


async def test_an_amount_is_corrected_with_a_number_that_is_one(store):
    number = await logged(store)

    for words in ("1 2万", "0万", "十来万", "5-8万", "几万"):
        assert "多少？例如：金额 12万" in await says(store, "lilei", f"改 {number} 金额 {words}")
    await says(store, "lilei", f"改 {number} 金额 2 0 万")

    assert (await lead(store, number)).amount == 200_000
