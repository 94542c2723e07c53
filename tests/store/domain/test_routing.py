"""Who gets a lead."""

from dataclasses import replace
from datetime import timedelta

import pytest

from store.domain.conditions import in_region
from store.domain.regions import landline_region
from store.domain.routing import Desk, choose, fits, lately
from store.domain.rules import RoutingRule
from store.domain.team import Role
from tests.store.domain.leads import CALENDAR_NOW as NOW
from tests.store.domain.leads import CHEN, HAN, LI, lead


def desks(*people, loads=(), turns=()):
    loads = [*loads, *[0] * len(people)]
    turns = [*turns, *[None] * len(people)]
    return [Desk(m, loads[i], turns[i]) for i, m in enumerate(people)]


def test_turns_go_round():
    minute = timedelta(minutes=1)

    first = choose(lead(), (), desks(LI, HAN))
    second = choose(lead(), (), desks(LI, HAN, turns=(NOW,)))
    third = choose(lead(), (), desks(LI, HAN, turns=(NOW, NOW + minute)))

    assert [c.to for c in (first, second, third)] == [LI, HAN, LI]


def test_the_least_loaded_is_chosen_by_that_strategy():
    rule = RoutingRule(name="少的先", assign="least_load")

    assert choose(lead(), (rule,), desks(LI, HAN, loads=(9, 2))).to == HAN


def test_full_people_are_skipped():
    assert choose(lead(), (), desks(LI, HAN, loads=(50,))).to == HAN


def test_nobody_left_asks_the_managers_and_says_why():
    choice = choose(lead(), (), desks(LI, HAN, loads=(50, 50)))

    assert (choice.to, choice.why) == (None, "合适的人都满了")


@pytest.mark.parametrize(
    ("region", "wanted", "fit"),
    [
        ("江苏苏州", ("华东",), True), ("上海", ("华东",), True), ("广东深圳", ("华东",), False),
        ("江苏苏州", ("江苏",), True), ("", ("华东",), True), ("江苏", (), True),
    ],
)  # fmt: skip
def test_regions_are_understood(region, wanted, fit):
    assert fits(replace(LI, regions=wanted), lead(region=region)) is fit


def test_a_region_nobody_has_goes_to_the_managers():
    east = replace(LI, regions=("华东",))

    choice = choose(lead(region="广东深圳"), (), desks(east))

    assert (choice.to, choice.why) == (None, "没有人负责这个地区")


def test_the_first_rule_that_holds_and_finds_somebody_decides():
    rules = (
        RoutingRule(name="华南", when={"region": "华南"}, to=("李雷",)),
        RoutingRule(name="CRM", when={"product": ("CRM",)}, to=("韩梅",)),
    )

    assert choose(lead(region="浙江", product="CRM 专业版"), rules, desks(LI, HAN)).to == HAN
    assert choose(lead(region="广东", product="CRM"), rules, desks(LI, HAN)).to == LI


def test_all_conditions_of_a_rule_must_hold():
    rule = RoutingRule(name="x", when={"region": "华东", "min_score": 60}, to=("韩梅",))

    cold = choose(lead(region="上海", score=50), (rule,), desks(LI, HAN))
    warm = choose(lead(region="上海", score=60), (rule,), desks(LI, HAN))

    assert (cold.to, cold.passed) == (LI, (("x", "min_score"),))
    assert warm.to == HAN


def test_sources_and_industries_route_too():
    rules = (
        RoutingRule(name="展会", when={"source": ("展会",)}, to=("韩梅",)),
        RoutingRule(name="医疗", when={"industry": "医疗"}, to=("李雷",)),
    )

    assert choose(lead(source="展会"), rules, desks(LI, HAN)).to == HAN
    assert choose(lead(industry="医疗器械"), rules, desks(LI, HAN)).to == LI


def test_the_rep_the_prospect_named_gets_it():
    choice = choose(lead(rep="韩梅"), (), desks(LI, HAN))

    assert (choice.to, choice.why) == (HAN, "客户指名找 韩梅")


def test_the_former_owner_comes_first():
    assert choose(lead(), (), desks(LI, HAN), former=HAN.id).to == HAN


def test_who_refused_is_not_asked_again():
    assert choose(lead(refused=(1,)), (), desks(LI, HAN)).to == HAN


def test_only_active_reps_are_given_leads():
    gone, boss = replace(LI, active=False), replace(CHEN, role=Role.MANAGER)

    assert choose(lead(), (), desks(gone, boss)).why == "团队里还没有销售"


def test_a_grab_is_for_everybody_suitable():
    rule = RoutingRule(name="抢", assign="grab")

    choice = choose(lead(), (rule,), desks(LI, HAN))

    assert (choice.to, choice.grab) == (None, (LI, HAN))


def test_grades_are_matched():
    strong, weak = replace(LI, grade="A"), replace(HAN, grade="D")
    rule = RoutingRule(name="级别", assign="grade")

    assert choose(lead(grade="D"), (rule,), desks(strong, weak)).to == weak
    assert choose(lead(grade="A"), (rule,), desks(weak, strong)).to == strong


def test_what_no_rule_is_for_goes_round_among_those_it_fits():
    south = RoutingRule(name="华南", when={"region": "华南"}, to=("韩梅",))

    choice = choose(lead(region="北京"), (south,), desks(LI, HAN))

    assert (choice.to, choice.rule) == (LI, "轮流分配")


@pytest.mark.parametrize(
    ("when", "more", "held"),
    [
        ({"region": "华东"}, {"region": "江苏苏州"}, True),
        ({"industry": "医疗"}, {"industry": "医疗器械"}, True),
        ({"product": ("CRM", "工单")}, {"product": "工单系统"}, True),
        ({"source": "website"}, {}, True), ({"source": "web"}, {}, False),
        ({"channel": "百度"}, {"channel": "百度"}, True),
        ({"keyword": "crm"}, {"keyword": "CRM 价格"}, True),
        ({"keyword": True}, {"keyword": ""}, False),
        ({"min_score": 40}, {"score": 40}, True), ({"min_score": 41}, {"score": 40}, False),
        ({"grade": ("A", "B")}, {"grade": "B"}, True), ({"grade": "A"}, {"grade": "B"}, False),
        ({"company_size": True}, {"fields": {"公司规模": "500人以上"}}, True),
        ({"company_size": "500人"}, {"fields": {"company_size": "500人以上"}}, True),
        ({"company_size": "50人以下"}, {"fields": {"规模": "150人以下"}}, False),  # was True
        ({"company_size": "50"}, {"fields": {"规模": "500-999人"}}, False),  # was True
        ({"company_size": "50"}, {"fields": {"规模": "1,50"}}, False),
        ({"company_size": "50人以下"}, {"fields": {"规模": "民营,50人以下,上市"}}, True),
        ({"company_size": "50-99"}, {"fields": {"规模": "50-99人"}}, True),
        ({"company_size": "人以上"}, {"fields": {"规模": "500人以上"}}, True),
        ({"min_size": 200}, {"fields": {"人数": "100-499人"}}, False),
        ({"min_size": 100}, {"fields": {"人数": "100-499人"}}, True),
        ({"min_size": 1000}, {"fields": {"规模": "1,000+"}}, True),
        ({"min_size": 10000}, {"fields": {"规模": "1万人以上"}}, True),
        ({"max_size": 50}, {"fields": {"规模": "50人以下"}}, True),
        ({"max_size": 50}, {"fields": {"规模": "50人以上"}}, False),
        ({"max_size": 50}, {"fields": {"规模": 20}}, True),
        ({"min_size": 1}, {"fields": {"规模": "不清楚"}}, False),
        ({"min_size": 1}, {}, False),
        ({"min_complete": 30}, {"company": "", "title": ""}, True),
        ({"min_complete": 90}, {}, False),
    ],
)  # fmt: skip
def test_every_listed_field_is_a_condition(when, more, held):
    rule = RoutingRule(name="x", when=when, to=("韩梅",))

    choice = choose(lead(**more), (rule,), desks(LI, HAN))

    assert (choice.to == HAN) is held


def many(count, rules, people, loads=(), back=None):
    """Who gets one lead after the other, each taking their turn."""
    team = desks(*people, loads=loads)
    for desk in team:
        desk.back = desk.member == back
    got = []
    for n in range(count):
        choice = choose(lead(), rules, team)
        desk = next(d for d in team if d.member == choice.to)
        desk.load, desk.turn, desk.turn_at = desk.load + 1, choice.turn, NOW + timedelta(seconds=n)
        got.append(choice.to.name)
    return got, team


def test_a_weight_of_two_gets_two_turns_and_they_are_spread():
    got, _ = many(9, (), [replace(LI, weight=2), HAN])

    assert got.count("李雷") == 6
    assert "李雷李雷李雷" not in "".join(got)


def test_a_rule_may_weigh_for_itself():
    rule = RoutingRule(name="x", weights={"韩梅": 3})

    got, _ = many(8, (rule,), [LI, HAN])

    assert got.count("韩梅") == 6


def test_who_comes_back_gets_the_next_lead_and_not_all_of_them():
    """They were given every lead until they had had as many turns as the others."""
    _, team = many(20, (), [LI, HAN])
    team.append(Desk(replace(CHEN, id=9, role=Role.REP), 0, None))

    got = []
    for n in range(6):
        choice = choose(lead(), (), team)
        desk = next(d for d in team if d.member == choice.to)
        desk.turn, desk.turn_at = choice.turn, NOW + timedelta(days=1, seconds=n)
        got.append(choice.to.name)

    assert got.count("陈主管") == 2


def test_least_load_does_not_flood_who_comes_back():
    """Their hands are empty: every lead went to them until they had as many as the others."""
    rule = RoutingRule(name="少的先", assign="least_load")

    got, _ = many(6, (rule,), [LI, HAN], loads=(0, 20), back=LI)

    assert got == ["李雷", "韩梅"] * 3


def test_coming_back_is_lately_for_a_month():
    days = [lately(NOW - timedelta(days=n), NOW) for n in (-1, 0, 29, 30)]

    assert days == [False, True, True, False]
    assert not lately(None, NOW)


def test_who_is_away_is_skipped_and_it_is_kept_why():
    team = desks(LI, HAN, CHEN, loads=(50, 0, 0))
    team[1].off = "请假中"

    choice = choose(lead(), (), team)

    assert choice.to is None
    assert choice.skipped == {"full": (1,), "off": (2,), "inactive": (3,)}
    assert choice.why == "合适的人都满了"


def test_each_choice_keeps_the_rules_it_looked_at_and_whom_it_skipped():
    rules = (
        RoutingRule(name="华南", when={"region": "华南"}),
        RoutingRule(name="CRM", assign="least_load"),
    )
    south = replace(CHEN, id=9, role=Role.REP, regions=("华南",))

    choice = choose(lead(region="上海"), rules, desks(LI, HAN, south, loads=(3, 2)))

    assert (choice.to, choice.rule) == (HAN, "CRM")
    assert choice.passed == (("华南", "region"),)
    assert choice.skipped == {"load": (1,), "region": (9,)}


def test_named_and_former_stand_where_the_rules_say():
    rules = (
        RoutingRule(name="大客户", when={"min_score": 80}, to=("李雷",)),
        RoutingRule(name="指名", assign="named"),
        RoutingRule(name="老客户", assign="former"),
    )

    big = choose(lead(rep="韩梅", score=90), rules, desks(LI, HAN))
    small = choose(lead(rep="韩梅", score=50), rules, desks(LI, HAN))
    known = choose(lead(score=50), rules, desks(LI, HAN), former=HAN.id)

    assert [c.to for c in (big, small, known)] == [LI, HAN, HAN]


def test_a_named_rep_who_is_full_or_away_is_not_given_it():
    full = choose(lead(rep="韩梅"), (), desks(LI, HAN, loads=(0, 50)))

    assert (full.to, full.passed) == (LI, (("客户指名", "nobody"),))


def test_a_team_without_history_takes_nobody_elses_prior():
    """Whoever is new has no former owner, no turns and no outcomes: they simply take turns."""
    got, team = many(6, (), [LI, HAN, replace(CHEN, id=9, role=Role.REP)])

    assert got == ["李雷", "韩梅", "陈主管"] * 2
    assert {round(d.turn, 6) for d in team} == {1.5}


@pytest.mark.parametrize(
    ("region", "wanted", "lies"),
    [
        ("江苏苏州", "华东", True),
        ("江苏省苏州市", "江苏", True),
        ("苏州", "苏州", True),
        ("华东", "华东", True),
        ("海南海口", "华南", True),
        ("吉林吉林", "东北", True),
        ("江苏、浙江", "浙江", True),
        ("青海海南", "西北", True),
        ("青海海南", "青海海南", True),
        ("青海海南", "华南", False),
        ("青海省海南州", "海南", False),
        ("海南藏族自治州", "海南", False),
        ("上海南汇", "海南", False),
        ("上海南汇", "华南", False),
        ("江西南昌", "西南", False),
        ("广西南宁", "西南", False),
        ("湖北京山", "华北", False),
        ("天津河北区", "河北", False),
        ("山东青岛市香港中路18号", "港澳台", False),
        ("上海市浙江中路", "浙江", False),
        ("上海市南京西路", "南京", False),
        ("华东区", "华东", True),
    ],
)
def test_a_region_is_of_the_province_it_begins_with(region, wanted, lies):
    """A bug gave 青海海南 and 上海南汇 to 华南, 江西南昌 to 西南, 天津河北区 to 河北."""
    assert in_region(region, wanted) is lies


def test_a_landline_of_qinghai_is_not_of_the_south():
    assert in_region(str(landline_region("0974")), "华南") is False
