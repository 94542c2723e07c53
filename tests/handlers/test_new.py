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


@pytest.mark.parametrize(
    ("text", "name", "company"),
    [
        # Neither was read: nothing but the number was on the card.
        ("云栖科技的王建国总 13800138000 想看CRM报价，上海的", "王建国总", "云栖科技"),
        ("腾飞电子李经理13800138000要10套", "李经理", "腾飞电子"),
        ("帮我录一下：陈晓东，电话13800138000，公司是北京华信科技", "陈晓东", "北京华信科技"),
        ("13800138000 是王总的号", "王总", ""),
        ("昨天展会认识的赵工，13800138000", "赵工", ""),
        ("13800138000（王总）", "王总", ""),
        ("称呼：王先生 手机：13800138000 留言：想了解", "王先生", ""),
        # The firm was taken for the person, 找小李 for a name, and Lee for Tom Lee.
        ("客户：上海博雅，联系人：何静，电话：13800138000", "何静", "上海博雅"),
        ("联系电话13800138000找小李", "小李", ""),
        ("联系人:Tom Lee,tel:13800138000,company: Acme Ltd", "Tom Lee", "Acme Ltd"),
    ],
)
def test_who_it_is_and_of_which_firm_is_read_out_of_a_sentence(text, name, company):
    read = read_sentence(text, CHEN)

    assert (read.name, read.company) == (name, company)


def test_a_title_and_what_is_named_are_read_and_a_title_is_no_name():
    read = read_sentence("高级经理 王芳 13800138000，职位：采购主管，意向产品：CRM 专业版", CHEN)

    assert (read.name, read.title, read.product) == ("王芳", "采购主管", "CRM 专业版")


def test_an_extension_and_a_second_number_are_kept():
    """Only the first number was, and without its extension."""
    read = read_sentence("李小姐 0571-88886666转801 或 13800138000", CHEN)

    assert read.phone == "+8657188886666"
    assert read.fields == {"分机": "801", "其他电话": "+8613800138000"}


@pytest.mark.parametrize("text", ["刘女士 微信 wxid_abc123", "wxid_abc123 刘女士"])
def test_a_wechat_number_is_read_whole(text):
    assert read_sentence(text, CHEN).wechat == "wxid_abc123"
