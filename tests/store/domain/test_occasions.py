"""Birthdays and anniversaries: which day, and which morning it is told."""

from datetime import UTC, date, datetime

import pytest

from store.domain.lead import Stage
from store.domain.occasions import occasions, read_yearly
from tests.store.domain.leads import CALENDAR_NOW, LI, RULES, lead


@pytest.mark.parametrize(
    ("words", "said", "after"),
    [
        ("5月12日", "5月12日", date(2026, 5, 12)),
        ("1990-05-12", "5月12日", date(2026, 5, 12)),
        ("1990/5/12", "5月12日", date(2026, 5, 12)),
        ("19900512", "5月12日", date(2026, 5, 12)),
        ("05-12", "5月12日", date(2026, 5, 12)),
        ("五月十二", "5月12日", date(2026, 5, 12)),
        ("2月29日", "2月29日", date(2027, 2, 28)),
        ("农历五月初五", "农历5月5日", date(2026, 6, 19)),
        ("阴历腊月二十三", "农历12月23日", date(2027, 1, 30)),
        ("农历8月15", "农历8月15日", date(2026, 9, 25)),
    ],
)
def test_a_day_is_read_and_found_in_the_year(words, said, after):
    day = read_yearly(words)

    assert (str(day), day.after(date(2026, 3, 2))) == (said, after)


@pytest.mark.parametrize("words", ["", "2月30日", "13月1日", "五月", "生日快乐", "农历五月三十一"])
def test_what_is_no_day_of_a_year_is_none(words):
    assert read_yearly(words) is None


def test_nobody_is_reminded_of_a_lead_without_an_owner_or_lost():
    born = {"birthday": "5月12日"}

    assert occasions(lead(fields=born), CALENDAR_NOW, RULES.calendar) == []
    assert (
        occasions(lead(owner=LI, fields=born, stage=Stage.LOST), CALENDAR_NOW, RULES.calendar)
        == []
    )


def test_a_customer_has_both_days():
    won = lead(owner=LI, stage=Stage.WON, closed_at=CALENDAR_NOW, fields={"birthday": "5月12日"})

    found = occasions(won, CALENDAR_NOW, RULES.calendar)

    assert [one.kind for one in found] == ["birthday", "anniversary"]
    assert found[1].at == datetime(2027, 3, 2, 1, tzinfo=UTC)
    assert "1 周年" in found[1].text


def test_a_written_date_of_contract_wins_over_the_day_it_was_noted():
    fields = {"签约日": "2024-06-01"}
    won = lead(owner=LI, stage=Stage.WON, closed_at=CALENDAR_NOW, fields=fields)

    [found] = occasions(won, CALENDAR_NOW, RULES.calendar)

    assert found.at == datetime(2026, 6, 1, 1, tzinfo=UTC)
    assert "2 周年" in found.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("腊月三十", "农历12月30日"),  # was the solar 30 December
        ("腊月廿三", "农历12月23日"),
        ("正月十五", "农历1月15日"),
        ("正月 十五", "农历1月15日"),
        ("冬月初三", "农历11月3日"),
        ("1990年腊月初八", "农历12月8日"),
        ("闰四月初三", "农历4月3日"),
        ("闰6月十二", "农历6月12日"),
        ("四月初三", "农历4月3日"),
        ("八月廿一", "农历8月21日"),
        ("大年初一", "农历1月1日"),
        ("除夕", "农历12月30日"),
        ("八月十五", "8月15日"),
        ("十二月三十号", "12月30日"),
        ("3 月 15 号", "3月15日"),
    ],
)
def test_a_day_only_the_lunar_year_has_is_a_lunar_one(words, said):
    assert str(read_yearly(words)) == said
