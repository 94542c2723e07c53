"""Mistakes in the rules are told when the file is read, not when the first lead comes."""

from datetime import date

import pytest

from bot import check
from bot.check import explain
from bot.config import RULES, Step, parse
from cards.mail import templates
from store.domain.conditions import FIELDS
from store.domain.errors import ConfigError
from tests.conftest import team


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


STEP = {"after": "1d", "channel": "email", "template": "brand"}


@pytest.mark.parametrize(
    ("journey", "key"),
    [
        ({"steps": [STEP | {"template": "brnad"}]}, "steps.0.template"),
        ({"steps": [STEP], "reasons": ["no_buget"]}, "reasons"),
        ({"steps": []}, "steps"),
    ],
)
def test_a_journey_that_could_never_go_is_a_mistake(journey, key):
    with pytest.raises(ConfigError, match=rf"journey\.0\.{key}"):
        parse({"journey": [{"name": "wake-up", **journey}]})


def test_a_step_can_ask_for_every_letter_there_is():
    for name in templates():
        assert Step.model_validate(STEP | {"template": name}).template == name


def test_one_account_is_one_person():
    team = [{"name": "李雷", "wecom": "LiLei"}, {"name": "韩梅", "wecom": "lilei"}]

    with pytest.raises(ConfigError, match=r"\[\[team\]\] wecom: twice: lilei"):
        parse({"team": team})


def test_somebody_no_card_can_reach_is_a_mistake():
    with pytest.raises(ConfigError, match=r"team\.0: write their wecom or dingtalk account"):
        parse({"team": [{"name": "李雷"}]})


def test_check_tells_working_time_in_hours():
    assert "24 小时（工作时间）没联系、15 天没跟进" in explain(parse({}))


# -- what check tells ----------------------------------------------------------------------

TOLD = {
    "calendar": {"hours": ["08:30-12:00"], "holidays": ["2027-02-05"], "extra_workdays": ["2027-02-06"]},
    "sla": {"accept": "7m", "accept_tries": 4, "first_response": "40m", "first_response_hot": "8m", "grace": "3h"},
    "pool": {
        "no_contact": "30h", "no_follow_up": "16d", "no_conversion": "17d", "hard_max": "21d",
        "protect": "11d", "extend": "6d", "idle_to_marketing": "31d", "cap": 60, "daily_claims": 12,
        "cooldown": "8d", "embargo": "2h", "warn_before": ["5h"], "exempt_stages": ["quoted"],
        "policy": [{"name": "展会的", "when": {"source": ["expo"]}, "no_contact": "9h"}],
        "scope": [{"name": "华东公海", "when": {"region": ["华东"]}}],
    },
    "routing": [{"name": "东边", "when": {"region": ["华东"]}, "assign": "least_load"}],
    "scoring": [{"name": "总监", "when": {"title": ["总监"]}, "points": 25}],
    "dispatch": {"required": ["phone"], "min_score": 20, "consent": True, "working_time": False},
    "score": {"mql": 55, "hot": 75, "half_life": "10d", "grades": [90, 70, 50]},
    "digest": {"at": "17:30"},
    "nurture": {"quiet": "22:00-08:00", "per_day": 2},
    "journey": [{"name": "唤醒", "steps": [{"after": "2d", "channel": "email", "template": "case"}]}],
    "stage": [{"name": "following"}, {"name": "演示", "exempt": True}],
    "sop": [{"stage": "following", "every": "3d", "questions": [{"id": "budget", "label": "预算"}]}],
    "task": [{"stage": "intent", "after": "2d", "text": "发案例"}],
    "attempts": {"most": 7, "workdays": 9},
    "field": [{"name": "预算", "type": "number", "required": True}],
    "channel": [{"name": "展会", "kind": "paid", "per_month": 8000, "sources": ["expo"]}],
    "roi": {"margin": 0.3},
    "line": [{"name": "云客服", "products": ["呼叫中心"], "keywords": ["坐席"]}],
}  # fmt: skip


def test_every_section_of_rules_has_a_sentence():
    assert set(TOLD) == RULES


@pytest.mark.parametrize("section", TOLD)
def test_check_tells_each_rule_that_was_changed(section):
    values = TOLD[section]
    whole = explain(parse(team(**{section: values})))

    told = (
        [explain(parse(team(**{section: {key: value}}))) for key, value in values.items()]
        if isinstance(values, dict)
        else [whole]
    )

    assert explain(parse(team())) not in told


def test_check_warns_of_a_year_whose_holidays_nobody_knows():
    warning = "注意：2035 年的放假安排还没有"

    assert warning in explain(parse({}), date(2034, 12, 1))
    assert "放假安排还没有" not in explain(parse({}), date(2026, 3, 2))


def test_every_condition_there_is_has_a_name_people_know():
    assert set(FIELDS) | {"event", "stage"} <= set(check.FIELDS)


def test_check_says_what_opens_the_gate_of_the_score_and_what_happens_meanwhile():
    # "满 90 分才分", and leads of 60 went out.
    told = explain(parse({"dispatch": {"min_score": 90}}))

    assert "满 60 分才分" in told
    assert "不到 60 分的先培育，分数到了自动分" in told
    assert "培育，分数" not in explain(parse({}))


def rule(**given):
    return {"routing": [{"name": "东", **given}]}


@pytest.mark.parametrize(
    ("values", "mistake"),
    [
        # Held for nobody, or for everybody who said anything, and nothing was said.
        (rule(when={"region": []}), r"routing\.0\.when: region: write what it has to be"),
        (rule(when={"region": False}), "region: write what it has to be"),
        (rule(when={"region": ""}), "region: write what it has to be"),
        (rule(when={"region": ["华东", " "]}), "region: write what it has to be"),
        (rule(when={"grade": "高"}), "grade: unknown: 高; there are A, B, C, D"),
        (rule(when={"min_score": 400}), "min_score: write a number from 0 to 100"),
        (rule(when={"min_complete": -1}), "min_complete: write a number from 0 to 100"),
        (rule(when={"min_size": -1}), "min_size: write 0 or more"),
        (rule(when={"region": {"a": 1}}), r"when\.region: write a text, a list of texts"),
        # Leads are offered to reps: the rule found nobody, ever.
        (rule(to=["陈主管"]), r"\[\[routing\]\] to: no rep: 陈主管"),
        ({"routing": [{"name": "东"}, {"name": "东"}]}, r"\[\[routing\]\] name: twice: 东"),
        (rule(name=""), r"routing\.0\.name"),
        ({"routing": {"name": "东"}}, r"routing: write \[\[routing\]\], with two brackets"),
        (rule(to="李雷"), r'routing\.0\.to: write a list: \["…"\]'),
        ({"dispatch": {"required": ["预算"]}}, r"\[dispatch\] required: unknown: 预算"),
        # Was a TypeError without a key.
        (
            {"pool": {"policy": [{"name": "p", "when": {"stage": True}}]}},
            r"policy\.0\.when: stage",
        ),
        # Was an IndexError of check.
        ({"calendar": {"workdays": [1, 8]}}, r"calendar\.workdays\.1"),
        # Every offer lapsed in the same second, every lead was reclaimed at once.
        ({"sla": {"accept": "0m"}}, r"sla\.accept: write more than 0"),
        ({"pool": {"no_contact": "0h"}}, r"pool\.no_contact: write more than 0"),
        ({"sop": [{"stage": "intent", "every": "0d"}]}, r"sop\.0\.every: write more than 0"),
        ({"score": {"mql": 101}}, r"score\.mql"),
        ({"score": {"hot": -1}}, r"score\.hot"),
        ({"scoring": [{"name": "x", "points": 10**30}]}, r"scoring\.0\.points"),
        ({"scoring": [{"name": "x", "points": 1, "when": {"event": []}}]}, "event: unknown"),
        # A column 备注 was the message, and 公司 wrote over the company.
        ({"field": [{"name": "公司", "type": "number"}]}, "every lead has 公司 already"),
        ({"field": [{"name": "备注"}]}, r"field\.0\.name: every lead has 备注 already"),
        ({"field": [{"name": "event"}]}, "every lead has event already"),
        (
            {"field": [{"name": "用途", "type": "choice", "choices": ["a", "A"]}]},
            "each choice once",
        ),
        ({"field": [{"name": "用途", "type": "choice", "choices": [""]}]}, "no empty one"),
    ],
)
def test_a_rule_that_could_not_mean_what_was_written_names_its_key(values, mistake):
    with pytest.raises(ConfigError, match=mistake) as refused:
        parse(team(**values))

    assert len(refused.value.mistakes) == 1


def test_grades_of_people_are_those_of_leads():
    # An "a" matched no lead of grade A.
    assert parse({"team": [{"name": "李", "wecom": "li", "grade": "a"}]}).team[0].grade == "A"
    with pytest.raises(ConfigError, match=r"team\.0\.grade: write one of A, B, C, D"):
        parse({"team": [{"name": "李", "wecom": "li", "grade": "金牌"}]})


def test_check_says_of_weights_that_others_are_given_leads_too():
    # "轮流分配（李雷×2）" read as if nobody else had any.
    turns = explain(parse(team(**rule(weights={"李雷": 2}))))
    named = explain(parse(team(**rule(to=["李雷", "韩梅"], weights={"李雷": 2}))))

    assert "东：所有线索 → 轮流分配（合适的人，李雷×2）" in turns
    assert "东：所有线索 → 轮流分配（李雷×2、韩梅）" in named


def test_check_says_what_the_score_does_and_not_more():
    # "60 分起可以派给销售", while leads of any score went out, and that they waited for an opening.
    told = explain(parse({"calendar": {"always_open": True}}))

    assert "60 分起算市场认可（MQL），在培育的自动派给销售" in told
    assert "下班" not in told


def test_check_says_of_who_was_named_where_a_rule_puts_them():
    # Said that both come first, whatever the rules had written.
    placed = [{"name": "东"}, {"name": "指名", "assign": "named"}]
    told = explain(parse(team(routing=placed)))

    assert "  之前跟过的人先考虑\n" in told
    assert "2. 指名：所有线索 → 给客户指名的人" in told
