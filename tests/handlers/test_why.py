"""Why this score, why this person: each reader sees what is theirs."""

from dataclasses import replace

import pytest

from handlers.score import cool
from handlers.sweeps import deadlines
from store.domain.rules import RoutingRule, Scale, ScoringRule
from tests.handlers.people import captured, lead, says

RULES = (
    ScoringRule(name="留了手机", when={"phone": True}, points=20),
    ScoringRule(name="决策人", when={"title": "总监"}, points=20),
    ScoringRule(name="再来问", when={"event": "asked_again"}, points=30),
)


@pytest.fixture
def rated(store):
    """The store with rules of its own."""
    routing = (
        RoutingRule(name="华南", when={"region": "华南"}),
        RoutingRule(name="少的先", assign="least_load"),
    )
    rules = replace(store.rules, scale=Scale(rules=RULES), routing=routing)
    return replace(store, rules=rules)


async def test_points_per_rule_with_what_has_faded(rated, clock):
    new = await captured(rated, phone="19912345678", title="市场总监", rep="李雷")
    await captured(rated, phone="19912345678", message="报价多少")
    clock.tick(days=14)
    await says(rated, "lilei", f"跟进 {new.id} 电话 聊了报价")
    async with rated.begin() as tx:
        assert await cool(tx) == 1

    said = await says(rated, "lilei", f"为什么 {new.id}")

    assert "资料 40：留了手机 +20，决策人 +20" in said
    assert "行为 15（14 天减半）：再来问 +15（原 +30，14 天前）" in said
    assert "归你：客户指名找 李雷" in said


async def test_the_version_of_the_rules_that_judged_it_is_told(rated):
    new = await captured(replace(rated, rules=replace(rated.rules, version=3)))

    same = await says(
        replace(rated, rules=replace(rated.rules, version=3)), "lilei", f"为什么 {new.id}"
    )
    later = await says(
        replace(rated, rules=replace(rated.rules, version=4)), "lilei", f"为什么 {new.id}"
    )

    assert same.endswith("按第 3 版规则")
    assert later.endswith("按第 3 版规则，之后改过")


async def test_why_this_person_and_why_not_the_others(rated):
    await says(rated, "wangqiang", "请假 今天", "dingtalk")
    await captured(rated, rep="李雷")
    new = await captured(rated, region="上海")

    said = await says(rated, "chenzg", f"为什么 {new.id}")

    assert "归韩梅" in said
    assert "按规则「少的先」" in said
    assert "没用上：「华南」地区不符" in said
    assert "手上更多：李雷" in said
    assert "请假：王强" in said


async def test_a_colleague_reads_why_not_me_and_nothing_of_the_person(rated):
    new = await captured(rated, name="欧阳静", company="云栖制造", rep="李雷")

    said = await says(rated, "hanmei", f"为什么 {new.id}")

    assert "没给你：另有指名的人" in said
    assert "欧阳静" not in said
    assert "决策人" not in said
    assert "分 " not in said.split("\n")[0]


async def test_what_was_set_by_hand_is_told_with_what_the_rules_say(rated):
    new = await captured(rated, rep="李雷")
    await says(rated, "chenzg", f"重要 {new.id} 高")

    said = await says(rated, "lilei", f"为什么 {new.id}")

    assert "80 分 A 级，高分线索" in said
    assert "陈主管 设为高，按规则是 20 分" in said


async def test_who_qualified_it_and_why_is_told(rated):
    new = await captured(rated, rep="李雷")
    await says(rated, "lilei", f"认定 {new.id} SQL 预算 20 万，王总拍板")

    said = await says(rated, "chenzg", f"为什么 {new.id}")

    assert (await lead(rated, new.id)).qualification == "SQL"
    assert "销售认可（SQL）" in said
    assert "李雷 预算 20 万，王总拍板" in said


async def test_a_lead_nobody_suits_says_why_for_everybody(rated):
    async with rated.begin() as tx:
        for name in ("李雷", "韩梅", "王强"):
            member = await tx.members.by_name(name)
            await tx.members.go(member, tx.now, tx.now.replace(hour=20), member)
    new = await captured(rated)

    said = await says(rated, "chenzg", f"为什么 {new.id}")

    assert "没有人负责：合适的人都不在" in said
    assert "请假：李雷、韩梅、王强" in said


async def test_of_a_grab_the_rule_and_who_could_press_are_told(store):
    """It read 公海领取 and nothing else: the rule was kept and never said."""
    routing = (RoutingRule(name="华南大家抢", when={"region": "华南"}, assign="grab"),)
    own = replace(store, rules=replace(store.rules, routing=routing))
    new = await captured(own, region="广东深圳")
    await says(own, "hanmei", f"领取 {new.id}")

    said = await says(own, "lilei", f"为什么 {new.id}")

    assert "归韩梅：抢到的" in said
    assert "按规则「华南大家抢」" in said
    assert "一起抢的：李雷、韩梅、王强" in said


async def test_of_the_last_resort_it_is_told_who_let_it_pass(store, clock):
    """It read 抢到的 and no more; who had let it lapse was said to have given it back."""
    new = await captured(store)
    for _ in range(3):
        clock.tick(minutes=5, seconds=1)
        async with store.begin() as tx:
            await deadlines(tx)
    await says(store, "lilei", f"领取 {new.id}")

    said = await says(store, "hanmei", f"为什么 {new.id}")

    assert "归李雷：抢到的" in said
    assert "一起抢的：李雷、韩梅、王强" in said
    assert "没给你：派过，没接" in said
    assert "派过，没接：李雷、王强" in said
