"""Who is meant by a sentence somebody typed behind 录入."""

import pytest

from handlers.new import read_sentence
from store.domain.regions import place_named
from tests.store.domain.leads import CHEN


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("王五 电话 13900139001 浙江宁波 想买呼叫中心", "王五"),
        ("赵六13612345678要报价", "赵六"),
        ("客户今天打电话来 姓陈 13612345699", "陈"),
        ("客户王五想要报价 13800138000", "王五"),
        ("13800138000 要报价 李雷", "李雷"),
        ("13800138000 想买呼叫中心", ""),
        ("宁波 13800138000 周医生", "周医生"),
        ("姓名：欧阳娜娜 13800138000", "欧阳娜娜"),
        ("客户陈先生 13800138000 昨天来电", "陈先生"),
        ("老李 13800138000", "老李"),
        ("阿强 13800138000", "阿强"),
        ("Tom 13800138000 need price", "Tom"),
    ],
)
def test_the_name_is_somebodys_and_not_what_they_did(text, name):
    assert read_sentence(text, CHEN).name == name


@pytest.mark.parametrize(
    ("text", "company"),
    [
        ("王五 13900139001 想买呼叫中心", ""),
        ("王五 13900139001 呼叫中心 报价", ""),
        ("王五 13900139001 开了家店", ""),
        ("王五 13900139001 需要给工厂装", ""),
        ("王五 13900139001 万达购物中心", "万达购物中心"),
        ("王五13900139001杭州云栖科技有限公司，想换 CRM", "杭州云栖科技有限公司"),
        ("宁波第一医院 周医生 13800138000", "宁波第一医院"),
    ],
)
def test_what_is_wanted_is_no_company(text, company):
    assert read_sentence(text, CHEN).company == company


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("王五 电话 13900139001 浙江宁波 想买呼叫中心", "浙江宁波"),
        ("王五 13900139001 浙江省宁波市", "浙江宁波"),
        ("王五 13900139001 人在苏州", "江苏苏州"),
        ("王五 13800138000", "北京"),  # of the number
    ],
)
def test_a_place_that_is_named_wins_over_the_number(text, region):
    assert read_sentence(text, CHEN).region == region


@pytest.mark.parametrize("text", ["张朝阳", "朝阳区", "上海银行", "中山路 3 号", "南京东路"])
def test_a_person_a_street_and_a_bank_are_no_places(text):
    assert place_named(text) == ""
