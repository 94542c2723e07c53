"""Who gets a lead."""

from dataclasses import replace
from datetime import timedelta

import pytest

from store.domain.routing import Desk, choose, fits
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

    assert cold.to is None


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
