"""When to call again, as it is typed on a phone between two calls."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from store.domain.followup import read_follow_up
from store.domain.times import find_time

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 10, tzinfo=SHANGHAI)  # a Saturday

READ = """
下周3 = 11-25
下周3下午3点 = 11-25 15:00
下星期3 = 11-25
礼拜三 = 11-25
礼拜3 = 11-25
下禮拜三下午兩點 = 11-25 14:00
下礼拜天 = 11-29
週五下班前 = 11-27 17:00
後天上午十點 = 11-23 10:00
下個月１號 = 12-01
两個小時後 = 11-21 12:00
明天下午３：３０ = 11-22 15:30
年后 = 02-15
过完年 = 02-15
过完国庆 = 10-08
春节回来 = 02-15
春节回来后 = 02-15
年前 = 02-05
年初八 = 02-13
初八上班后 = 02-13
大年初八 = 02-13
三八节 = 03-08
元月 = 01-01
元月5号 = 01-05
26下午3点 = 11-26 15:00
季度末 = 12-31
季末 = 12-31
年尾 = 12-31
明年年终 = 12-31
12月尾 = 12-31
年内 = 12-31
周内 = 11-22
周三到五 = 11-25
周三至周五 = 11-25
下周三到五下午3点 = 11-25 15:00
25-26号 = 11-25
25号到28号 = 11-25
12月25-26日 = 12-25
12-5号 = 12-05
20261201 = 12-01
周三以后 = 11-26
周三之后 = 11-26
25号后 = 11-26
25号以后 = 11-26
月底以后 = 12-01
下周以后 = 11-30
上午十点半到十一点 = 11-21 10:30
明天上午9-10点 = 11-22 09:00
明天上午9、10点 = 11-22 09:00
明天上午九、十点 = 11-22 09:00
明天上午十一二点 = 11-22 11:00
下午3、4点 = 11-21 15:00
明天下午两三点 = 11-22 14:00
明天下午三四点钟 = 11-22 15:00
三点五分 = 11-21 15:05
三点过五分 = 11-21 15:05
3点过5分 = 11-21 15:05
三点过一刻 = 11-21 15:15
两点一刻 = 11-21 14:15
下午2点45 = 11-21 14:45
明天下午3.30 = 11-22 15:30
明天17.30 = 11-22 17:30
下午3.30 = 11-21 15:30
明早 = 11-22 09:00
明天一早 = 11-22 08:00
周三一早 = 11-25 08:00
明天一上班 = 11-22 09:00
周一上班后 = 11-23 09:00
今晚八点 = 11-21 20:00
明天晚饭后 = 11-22 19:00
大后天 = 11-24
25号 = 11-25
下个月初 = 12-01
下个月今天 = 12-21
一个月后的今天 = 12-21
下周今天 = 11-28
下周这个时候 = 11-28 10:00
下个月这个时候 = 12-21 10:00
半个钟后 = 11-21 10:30
半小时后 = 11-21 10:30
EOD = 11-21 17:00
今天EOD = 11-21 17:00
明天EOD = 11-22 17:00
by EOD tomorrow = 11-22 17:00
Friday COB = 11-27 17:00
end of day = 11-21 17:00
EOM = 11-30
end of next week = 11-27
this afternoon = 11-21 14:00
tmr 3pm = 11-22 15:00
"""

ASKED = """
周三四 = 是周三，还是周四？
周三、四 = 是周三，还是周四？
下周三、四 = 是下周三，还是下周四？
下周三四下午3点 = 是下周三，还是下周四？
下周三或四 = 是下周三，还是下周四？
下周三/四 = 是下周三，还是下周四？
周二四六 = 是周二，还是周四六？
周六日 = 是周六，还是周日？
周三周四 = 是周三，还是周四？
周三和周五 = 是周三，还是周五？
明天后天 = 是明天，还是后天？
25、26号 = 是25号，还是26号？
25/26号 = 是25号，还是26号？
25号和26号 = 是25号，还是26号？
5-6号 = 是5号到6号，还是5月6号？
2月30日 = 没有2月30日，改到哪一天？
4月31号 = 没有4月31号，改到哪一天？
十来天后 = 具体哪一天？可以写「周四」或「3天后」
一个月后的25号 = 一个月后和25号对不上，以哪个为准？
两周后的周三 = 两周后和周三对不上，以哪个为准？
节后 = 是哪个节？可以写「元旦后」或「春节后」
节后再联系 = 是哪个节？可以写「元旦后」或「春节后」
放完假后 = 是哪个节？可以写「元旦后」或「春节后」
再下周三 = 具体哪一天？可以写「周四」或「3天后」
大下周三 = 具体哪一天？可以写「周四」或「3天后」
年前年后 = 具体哪一天？可以写「周四」或「3天后」
外后天 = 具体哪一天？可以写「周四」或「3天后」
隔周三 = 具体哪一天？可以写「周四」或「3天后」
下周后半周 = 具体哪一天？可以写「周四」或「3天后」
改日再聊 = 具体哪一天？可以写「周四」或「3天后」
这两天再约 = 具体哪一天？可以写「周四」或「3天后」
过些日子 = 具体哪一天？可以写「周四」或「3天后」
回头再联系 = 具体哪一天？可以写「周四」或「3天后」
有空再聊 = 具体哪一天？可以写「周四」或「3天后」
出差回来再约 = 具体哪一天？可以写「周四」或「3天后」
开年再谈 = 具体哪一天？可以写「周四」或「3天后」
晚点再打 = 具体几点？可以写「下午3点」或「2小时后」
稍后联系 = 具体几点？可以写「下午3点」或「2小时后」
过会儿再打 = 具体几点？可以写「下午3点」或「2小时后」
"""


def lines(table):
    return [tuple(line.split(" = ")) for line in table.strip().splitlines()]


@pytest.mark.parametrize(("text", "at"), lines(READ))
def test_what_names_one_time_is_that_time(text, at):
    result = find_time(text, NOW, SHANGHAI)

    assert f"{result.at.astimezone(SHANGHAI):%m-%d %H:%M}".startswith(at)
    assert result.date_only is (len(at) == len("11-25"))
    assert result.ambiguous == ""
    assert (result.start, result.end) == (0, len(text))


@pytest.mark.parametrize(("text", "question"), lines(ASKED))
def test_what_names_two_times_or_none_is_asked_about(text, question):
    assert find_time(text, NOW, SHANGHAI).ambiguous == question
    log = read_follow_up(f"电话聊了需求，{text}", NOW, SHANGHAI)
    assert log.question == question  # most of these were a date, or lost without a word


@pytest.mark.parametrize(
    "text",
    [
        "客户最近在忙",
        "晚点到的货",
        "回头客",
        "环节后面有问题",
        "产品有3、4点不足",
        "客户要3、5号楼的报价",
        "合同编号20261201",
        "10-15人参会",
        "10-15w",
        "报价10/15万",
        "12元月付",
        "年内部调整",
        "价格12.50",
        "上下午都行",
        "周围三五家",
        "细节后续聊",
    ],
)
def test_what_only_looks_like_a_time_is_none(text):
    assert find_time(text, NOW, SHANGHAI) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("聊了需求，晚点发方案，周五再约", "11-27 09:00"),
        ("客户这两天要开会，下周三下午再约", "11-25 14:00"),
        ("电话没接，明天晚点再打", "11-22 09:00"),
        ("周三周四去了两趟，下周一再约", "11-23 09:00"),
        ("明天上下午都行", "11-22 09:00"),  # was this afternoon
        ("明天上午9、10点再约", "11-22 09:00"),
        ("周三五个人来参观", "11-25 09:00"),
        ("周三三点再约", "11-25 15:00"),
        ("周三下午3点改4点", "11-25 16:00"),  # was this afternoon
        ("周三下午5点改到7点半", "11-25 19:30"),
        ("明天开会到下午3点，之后打", "11-22 15:00"),  # was this afternoon
        ("明天去他们公司上午10点见", "11-22 10:00"),
        ("周三不方便，下周一再约", "11-23 09:00"),
        ("别忘了周三联系", "11-25 09:00"),
        ("周三别忘了联系", "11-25 09:00"),
        ("25日前给答复", "11-25 09:00"),  # was 25 days ago, and lost
        ("月中前后再联系", "12-15 09:00"),
        ("元月5号再约", "01-05 09:00"),  # was 5 December
        ("周三、李总再约", "11-25 09:00"),
        ("下周三下午3点演示，回头发资料", "11-25 15:00"),
    ],
)
def test_a_vague_word_beside_a_date_asks_nothing(text, at):
    log = read_follow_up(text, NOW, SHANGHAI)

    assert f"{log.next_at.astimezone(SHANGHAI):%m-%d %H:%M}" == at
    assert log.question == ""


def test_money_of_two_figures_is_no_date():
    log = read_follow_up("报价10-15w，可谈", NOW, SHANGHAI)  # was 15 October, and no money

    assert (log.amount, log.next_at) == (100_000, None)


def test_a_day_the_next_month_does_not_have_is_no_day_of_another_month():
    april = find_time("下个月31号", datetime(2026, 3, 31, 18, tzinfo=SHANGHAI), SHANGHAI)

    assert april.ambiguous == "没有下个月31号，改到哪一天？"  # was 31 May


def test_a_follow_up_may_be_written_in_traditional_characters():
    log = read_follow_up("電話 聊了報價 12萬 嫌貴 下週三下午3點再約，週五發合同", NOW, SHANGHAI)

    assert (log.method, log.outcome, log.amount) == ("电话", "接通", 120_000)  # was no call
    assert (log.objection, log.question) == ("价格", "")
    assert f"{log.next_at.astimezone(SHANGHAI):%m-%d %H:%M}" == "11-25 15:00"


@pytest.mark.parametrize(
    "text", ["不要周三打", "除了周三都行", "周三以外都可以", "周三没空", "周三前都没空", "周末不上班", "晚上别打", "周三下午3点取消了"]
)  # fmt: skip
def test_a_day_that_does_not_suit_is_no_appointment(text):
    log = read_follow_up(text, NOW, SHANGHAI)

    assert (log.next_at, log.question) == (None, "")  # was that very day


def test_today_or_tomorrow_is_asked_about():
    assert read_follow_up("今天或明天再约", NOW, SHANGHAI).question == "是今天，还是明天？"
    assert read_follow_up("别周三，周五", NOW, SHANGHAI).question == "是周三，还是周五？"
    assert read_follow_up("今天或明天", NOW, SHANGHAI).question == "是今天，还是明天？"
