from datetime import UTC, datetime
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.domain.followup import FollowUp, read_follow_up

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)  # a Saturday, 16:00 in Shanghai


def read(text):
    return read_follow_up(text, NOW, SHANGHAI)


def following(text):
    at = read(text).next_at
    return at and f"{at.astimezone(SHANGHAI):%m-%d %H:%M}"


def test_a_whole_sentence_is_understood():
    text = "电话 聊了报价 12万 他们在和竞品比 #关注价格 下周三下午3点再约"

    assert read(text) == FollowUp(
        text=text,
        method="电话",
        outcome="接通",
        amount=120_000,
        tags=("关注价格",),
        objection="竞品",
        next_at=datetime(2026, 11, 25, 7, tzinfo=UTC),
        next_date_only=False,
        effective=True,
        step="再约",
    )


@pytest.mark.parametrize(
    ("text", "tried"),
    [("电话 13812345678", False), ("他微信 zhang88", False), ("电话 13812345678 没接", True),
     ("13812345678 聊了", True), ("电话聊了报价", True)],
)  # fmt: skip
def test_a_way_to_reach_somebody_that_is_written_down_is_no_try(text, tried):
    assert read(text).attempt is tried


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("电话聊了报价", "电话"),
        ("打了三次都没接", "电话"),
        ("微信发了方案", "微信"),
        ("今天上门演示了产品", "拜访"),
        ("发邮件给了报价单", "邮件"),
        ("视频会议过了一遍方案", "视频"),
        ("短信问候", "短信"),
        ("聊了报价，下周三微信发方案", ""),  # what is planned is not what was done
        ("电话聊了报价，下周三上门", "电话"),
        ("聊了报价", ""),
        ("电话 13812345678", ""),  # was 电话: it names a number, nobody was called
        ("电话：0571-88888888 加了微信", "微信"),  # was 电话
        ("客户的电话是13812345678，微信聊了报价", "微信"),  # was 电话
        ("新电话 13812345678 他说有意向", ""),  # was 电话
        ("微信号 zhang88，电话聊了报价", "电话"),  # was 微信
        ("邮箱 wang@x.cn 电话聊的", "电话"),  # was 邮件
        ("电话 13812345678 没接", "电话"),
        ("电话 13812345678 聊了报价", "电话"),
        ("打电话13812345678没人接", "电话"),
        ("打了电话 13812345678", "电话"),
        ("微信 聊了 CRM 报价", "微信"),
        ("called 13812345678, no answer", "电话"),
    ],
)
def test_the_method_is_how_it_was_done_not_how_it_goes_on(text, method):
    assert read(text).method == method


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("电话接通", "接通"),
        ("电话没接", "未接通"),
        ("没接通", "未接通"),
        ("关机", "未接通"),
        ("是空号", "空号"),
        ("客户说不需要", "拒绝"),
        ("没有意向", "拒绝"),
        ("不感兴趣", "拒绝"),
        ("挺感兴趣的", "有意向"),
        ("有意向，要方案", "有意向"),
        ("发了资料", ""),
        ("客户没拒绝，说再看看", ""),  # these were all refusals
        ("不是没兴趣，是没时间", ""),
        ("客户说不考虑别家了，就选我们", "有意向"),
        ("他们不感兴趣竞品，周四签约", ""),
        ("客户没有明确拒绝", ""),
        ("有没有兴趣还不清楚", ""),
        ("客户不同意分期", ""),  # was agreement
        ("客户不考虑换供应商", "拒绝"),
        ("没时间，直接拒绝了", "拒绝"),
    ],
)
def test_a_negated_outcome_is_not_read_as_its_opposite(text, outcome):
    assert read(text).outcome == outcome


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("说太贵", "价格"),
        ("今年没预算", "预算"),
        ("在和竞品比", "竞品"),
        ("要请示老板", "决策"),
        ("说不着急", "时机"),
        ("功能不满足", "产品"),
        ("聊了报价", ""),
        ("没预算，还嫌贵", "预算"),
    ],
)
def test_the_first_objection_is_named(text, objection):
    assert read(text).objection == objection


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("预算20万，要请示", 200_000),
        ("电话13800138000打不通", None),
        ("打 138 0013 8000 聊了", None),
        ("座机010-62345678没人", None),
        ("2026年12月1日签", None),
        ("5天后再联系", None),
        ("客户有3000人", None),
        ("下周三3点再谈 8万5", 85_000),
        ("#50万级 客户", None),
        ("对方年营收2亿，想买3万的套餐", 30_000),  # was 2亿
        ("注册资金500万，员工50人", None),
        ("对方说别家报12万，我们报15万", 150_000),
        ("我们报价15万，竞品报12万", 150_000),
        ("报价从15万降到12万", 120_000),
        ("报价从15万到12万", 120_000),
        ("预算从12万到15万", 120_000),
        ("客户要2台，每台3万5，总共7万", 70_000),
        ("去年花了50万，今年预算30万", 300_000),
        ("原价10万，现在8万", 80_000),
        ("报价12万含税，优惠2万", 120_000),
        ("付定金2000块，尾款18000", 2_000),
        ("聊了报价12万，客户只有8万预算", 120_000),
    ],
)
def test_phones_dates_counts_and_tags_are_no_amounts(text, amount):
    assert read(text).amount == amount


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("周五回访", "11-27 09:00"),
        ("约了周五下午2点上门", "11-27 14:00"),
        ("下周三约了演示", "11-25 09:00"),
        ("下周三再约，他们月底上线", "11-25 09:00"),  # beside 再约, though 月底 comes last
        ("昨天见过，12月10日给答复", "12-10 09:00"),
        ("今天电话聊了需求", None),
        ("下午3点拜访了客户", None),  # had become tomorrow at 15:00
        ("周三去过一次", None),
        ("客户10月用了5万条短信", None),
        ("他们每天用竞品", None),
        ("昨天联系过", None),
        ("去年花了50万，今年预算30万", None),  # was the last day of the year
        ("今年没预算，明年3月再联系", "03-01 09:00"),
        ("下周三下午3点再约，周四发合同", "11-25 15:00"),  # was the contract's Thursday
        ("周四发合同，下周三下午3点再约", "11-25 15:00"),
        ("下周三下午3点见，周五上线", "11-25 15:00"),
        ("约了今天下午3点，客户改到明天上午10点", "11-22 10:00"),
        ("原来约了明天下午3点，客户说周五下午4点再约", "11-27 16:00"),
        ("明天发方案", "11-22 09:00"),
        ("客户生日12月15日，周五再打", "11-27 09:00"),
        ("#Q1预算 谈好", None),
        ("聊了报价", None),
    ],
)
def test_the_next_date_is_the_planned_one(text, at):
    assert following(text) == at


def test_a_date_without_a_time_says_so():
    assert read("周五回访").next_date_only
    assert not read("周五下午2点回访").next_date_only
    assert not read("聊了报价").next_date_only


def test_a_vague_next_step_is_asked_back():
    assert read("聊了报价，改天再聊").question == "具体哪一天？可以写「周四」或「3天后」"
    assert read("聊了报价，周五再聊").question == ""


def test_tags_are_kept_once_in_order_and_a_leads_number_is_none():
    text = "#重点客户 聊了 ＃价格敏感# #42 #重点客户"

    assert read(text).tags == ("重点客户", "价格敏感")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "电话",
        "已联系",
        "跟进",
        "ok",
        "电话 明天再打",
        "没接，明天再打",
        "打了三次都没接",
        "继续跟进。。。",
    ],
)
def test_a_bare_word_does_not_count_as_a_follow_up(text):
    assert not read(text).effective


@pytest.mark.parametrize(
    "text",
    [
        "聊了报价方案，觉得合适",
        "微信发了方案，说太贵",
        "电话 12万",
        "今天电话聊了需求，对功能不满意",
    ],
)
def test_a_line_that_tells_something_counts(text):
    assert read(text).effective


def test_a_naive_clock_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        read_follow_up("电话", datetime(2026, 11, 21, 16), SHANGHAI)  # noqa: DTZ001 - the point


@given(st.text(max_size=80))
def test_no_text_makes_it_fail_and_the_text_is_kept(text):
    result = read(text)

    assert result.text == text
    assert result.next_at is None or result.next_at.tzinfo is UTC


def test_a_very_long_text_costs_little():
    began = process_time()

    read("电话 聊了报价 12万 下周三下午3点再约，" * 500)

    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "method", "outcome", "at"),
    [
        ("called, interested, next Wednesday 3pm", "电话", "有意向", "11-25 15:00"),
        ("Call no answer, in 2 days", "电话", "未接通", "11-23 09:00"),
        ("phone, not interested", "电话", "拒绝", None),
        ("emailed the offer", "邮件", "", None),
        ("WeChat, sent prices, Friday 10am", "微信", "", "11-27 10:00"),
        ("visited, wants a quote", "拜访", "有意向", None),
        ("sms reminder", "短信", "", None),
        ("video demo, agreed", "视频", "有意向", None),
        ("met on Monday", "拜访", "", None),
        ("spoke with Anna, will visit tomorrow 2pm", "", "接通", "11-22 14:00"),
        ("called, wrong number", "电话", "空号", None),
    ],
)
def test_a_follow_up_may_be_written_in_english(text, method, outcome, at):
    result = read(text)

    assert (result.method, result.outcome) == (method, outcome)
    assert following(text) == at


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("微信，预算 20 万，月底前定", "定"),  # was 前定
        ("等他们审批，12/31前签", "签"),
        ("Called, quoted 120k, follow up next Tuesday 3pm", "follow up"),  # was up
        ("No answer, try again tomorrow", "try again"),
        ("电话聊了 下周三再约", "再约"),
    ],
)
def test_the_next_step_has_all_of_its_words_and_no_more(text, step):
    assert read(text).step == step


def test_what_it_was_changed_to_is_the_price():
    assert read("客户嫌贵 12w->10w 明天答复").amount == 100_000  # was 12万
    assert read("拜访了，意向很高").outcome == "有意向"


def test_today_without_an_hour_is_asked_and_rings_at_no_hour_that_is_over():
    log = read("电话聊了报价 今天再联系")  # rang at once, for 09:00

    assert (log.next_at, log.question) == (None, "今天几点？")
