"""Stages of one's own: named, ordered, kept out of the reclaim, on every card."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config import parse
from bot.wiring import rules
from bot.wiring import team as people
from cards.lead import View, lead_card
from jobs.scheduler import Clockwork
from store.db import open_store
from store.domain.errors import ConfigError
from store.domain.lead import Place, Stage
from store.domain.sop import Question, Sop, find_question
from tests.conftest import team
from tests.handlers.people import captured, lead, says

STAGES = [{"name": "跟进中"}, {"name": "演示"}, {"name": "谈判", "exempt": True}]


@pytest.fixture
async def store(database, clock):
    tasks = [
        {"stage": "演示", "after": "1d", "text": "问问演示怎么样"},
        {"stage": "跟进中", "after": "2d", "text": "发资料"},
    ]
    settings = parse(team(database={"url": database}, stage=STAGES, task=tasks))
    store = open_store(settings.database.url, rules(settings), clock)
    async with store.begin() as tx:
        await tx.members.sync(people(settings))
    yield store
    await store.close()


async def followed(store):
    one = await captured(store)
    await says(store, "lilei", f"接受 {one.id}")
    await says(store, "lilei", f"跟进 {one.id} 电话 接通了，聊得不错")
    return await lead(store, one.id)


async def onward(store, one):
    async with store.read() as tx:
        card = lead_card(one, one.owner, View(now=tx.now, rules=tx.rules))
    return card.title, [button.line for button in card.buttons]


async def test_a_lead_goes_through_them_in_their_order(store):
    one = await followed(store)

    first = await onward(store, one)
    said = await says(store, "lilei", f"阶段 {one.id} 演示")
    second = await onward(store, await lead(store, one.id))
    await says(store, "lilei", f"阶段 {one.id} 谈判")
    last = await onward(store, await lead(store, one.id))

    assert (first[0].split()[0], f"/阶段 {one.id} 演示" in first[1]) == ("跟进中", True)
    assert "已到「演示」" in said
    assert "提醒你问问演示怎么样" in said
    assert (second[0].split()[0], f"/阶段 {one.id} 谈判" in second[1]) == ("演示", True)
    assert (last[0].split()[0], f"/成交 {one.id}" in last[1]) == ("谈判", True)


async def test_the_first_follow_up_enters_a_stage_too(store):
    one = await followed(store)  # had no task

    async with store.read() as tx:
        assert [(r.kind, r.text) for r in await tx.reminders.of(one.id)] == [("task", "发资料")]
    assert one.next_at is not None

    await says(store, "lilei", f"跟进 {one.id} 电话 又聊了聊方案")

    async with store.read() as tx:
        assert len(await tx.reminders.of(one.id)) == 1


async def test_a_stage_that_is_not_used_here_is_refused_with_those_that_are(store):
    one = await followed(store)

    said = await says(store, "lilei", f"阶段 {one.id} 已报价")

    assert "跟进中、演示、谈判" in said
    assert (await lead(store, one.id)).stage == Stage.FOLLOWING


async def test_only_an_exempt_stage_is_kept_from_the_pool(store, clock):
    kept, taken = await followed(store), None
    taken = await captured(store)
    await says(store, "hanmei", f"接受 {taken.id}")
    await says(store, "hanmei", f"跟进 {taken.id} 电话 接通了，聊得不错")
    await says(store, "lilei", f"阶段 {kept.id} 谈判")
    await says(store, "hanmei", f"阶段 {taken.id} 演示")

    for _ in range(5):
        clock.now += timedelta(days=10)
        await Clockwork(store, lambda: None).beat()

    assert (await lead(store, kept.id)).owner is not None
    assert (await lead(store, taken.id)).place == Place.POOL


async def test_the_funnel_has_a_step_for_each(store):
    one = await followed(store)
    await says(store, "lilei", f"阶段 {one.id} 演示")

    async with store.read() as tx:
        figures = await tx.figures.of(tx.now.date(), tx.now)

    assert [name for name, _ in figures.funnel] == [
        "新线索", "已分配", "跟进中", "演示", "谈判", "成交",
    ]  # fmt: skip
    assert dict(figures.funnel)["演示"] == 1


async def test_a_lead_in_a_stage_that_was_dropped_can_go_on(store, database, clock):
    one = await followed(store)
    await says(store, "lilei", f"阶段 {one.id} 演示")
    fewer = parse(team(database={"url": database}, stage=[STAGES[0], STAGES[2]]))
    later = open_store(database, rules(fewer), clock)

    card = await onward(later, await lead(later, one.id))
    said = await says(later, "lilei", f"阶段 {one.id} 谈判")
    await later.close()

    # The card offered to go back to 跟进中.
    assert (card[0].split()[0], f"/阶段 {one.id} 谈判" in card[1]) == ("演示", True)
    assert "已到「谈判」" in said


@pytest.mark.parametrize(
    ("values", "mistake"),
    [
        ({"stage": [{"name": "演示"}]}, "the first is following"),
        ({"stage": [{"name": "following"}, {"name": "成交"}]}, "no stage of the work"),
        ({"stage": [{"name": "following"}, {"name": "a b"}]}, "without blanks"),
        ({"stage": [{"name": "following"}, {"name": "A"}, {"name": "A"}]}, "twice"),
        ({"task": [{"stage": "演示", "after": "1d", "text": "x"}]}, "stage: unknown: 演示"),
        ({"pool": {"exempt_stages": ["演示"]}}, "exempt_stages: unknown: 演示"),
        (
            {"pool": {"policy": [{"name": "x", "when": {"stage": "演示"}, "exempt": True}]}},
            "when.stage: unknown: 演示",
        ),
    ],
)
def test_a_stage_nobody_knows_is_a_mistake_of_the_configuration(values, mistake):
    with pytest.raises(ConfigError, match=mistake):
        parse(team(**values))


BUDGET = Question(id="budget", label="有预算", options=("是", "否"))
AMOUNT = Question(id="amount", label="预算")
BOSS = Question(id="boss", label="谁拍板")


@pytest.mark.parametrize(
    ("words", "question", "said"),
    [
        ("有预算 是", BUDGET, "是"),
        ("有预算是", BUDGET, "是"),
        ("有预算：否", BUDGET, "否"),
        ("有预算 是的", BUDGET, "是的"),
        ("预算是20万", AMOUNT, "20万"),
        ("预算为：20万", AMOUNT, "20万"),
        ("预算，20万", AMOUNT, "20万"),
        ("预算 老板说了才是", AMOUNT, "老板说了才是"),
        ("谁拍板 张有为", BOSS, "张有为"),
    ],
)
def test_an_answer_is_kept_whole(words, question, said):
    """A bug took 是 from both ends, and nothing was left of it."""
    assert find_question(words, (BUDGET, AMOUNT, BOSS)) == (question, said)


async def test_every_button_of_a_question_answers_it(store):
    sops = (Sop(stage="following", questions=(BUDGET,)),)
    asking = replace(store, rules=replace(store.rules, sops=sops))

    for option in BUDGET.options:
        one = await captured(asking, rep="李雷")
        await says(asking, "lilei", f"跟进 {one.id} 电话 聊了报价方案")
        said = await says(asking, "lilei", f"答 {one.id} 有预算 {option}")
        assert f"有预算：{option}，要问的都问到了" in said
