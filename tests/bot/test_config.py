"""Mistakes in the rules are told when the file is read, not when the first lead comes."""

import pytest

from bot.check import explain
from bot.config import parse
from store.domain.errors import ConfigError


def routing(**when):
    return {"routing": [{"name": "East", "when": when}]}


@pytest.mark.parametrize("section", ["routing", "scoring"])
def test_a_condition_nobody_knows_is_a_mistake(section):
    rule = {"name": "East", "when": {"regoin": "华东"}} | (
        {"points": 5} if section == "scoring" else {}
    )

    with pytest.raises(ConfigError, match=rf"{section}\.0\.when: unknown: regoin"):
        parse({section: [rule]})


def test_true_asks_for_any_value_and_is_not_the_digit_1():
    settings = parse(routing(phone=True))

    assert settings.routing[0].when["phone"] is True


@pytest.mark.parametrize("least", ["viel", True, ["60"]])
def test_the_least_score_is_a_number(least):
    with pytest.raises(ConfigError, match="min_score: write a number"):
        parse(routing(min_score=least))


def test_conditions_keep_what_was_written():
    settings = parse(routing(region=["华东", "上海"], source="website", min_score=60))

    assert settings.routing[0].when == {
        "region": ("华东", "上海"), "source": "website", "min_score": 60
    }  # fmt: skip


def test_check_says_rules_in_words():
    settings = parse(routing(region=["华东", "上海"], phone=True, min_score=60))

    assert "East：地区 华东或上海，电话 有填，分数不低于 60 → 轮流分配" in explain(settings)
