"""What each channel brought, cost and was worth."""

from dataclasses import replace

import pytest

from bot.config import parse
from bot.wiring import rules
from handlers.channels import days
from store.domain.channels import ChannelRule, Group, class_of, report
from store.domain.newlead import NewLead
from tests.conftest import team
from tests.handlers.people import captured, lead, says

RULES = (
    ChannelRule(
        name="展会", kind="paid", sources=("expo", "2026春季展"), per_month=9000, per_lead=10
    ),
    ChannelRule(name="老王渠道", kind="partner", sources=("laowang",), commission=0.1),
)


@pytest.mark.parametrize(
    ("came", "kind"),
    [
        ({"source": "expo"}, "paid"),
        ({"source": "website", "channel": "展会"}, "paid"),
        ({"source": "website", "campaign": "2026春季展"}, "paid"),
        ({"source": "website", "utm": {"utm_source": "LaoWang"}}, "partner"),
        ({"source": "website", "utm": {"utm_medium": "cpc"}}, "paid"),
        ({"source": "website"}, "own"),
        ({"source": "chat"}, "rep"),
        ({"source": "别处"}, "free"),
    ],
)
def test_a_channel_has_a_class(came, kind):
    assert class_of(NewLead(**came), RULES) == kind


def group(source, qualification, leads, amount=0, **more):
    values = {"channel": "", "campaign": "", "kind": "own", "utm": {}} | more
    return Group(source=source, qualification=qualification, leads=leads, amount=amount, **values)


def test_cost_and_return_by_channel():
    groups = [
        group("expo", "UQL", 6), group("website", "MQL", 2, channel="展会"),
        group("expo", "SQL", 1), group("expo", "won", 1, 60_000),
        group("laowang", "won", 1, 50_000), group("website", "UQL", 3),
    ]  # fmt: skip

    fair, own, partner = report(groups, RULES, 30, 0.3)

    assert (fair.name, fair.leads, fair.mql, fair.sql, fair.won) == ("展会", 10, 4, 2, 1)
    assert (fair.cost, fair.per_lead) == (9100, 910)
    assert fair.roi == pytest.approx((18_000 - 9100) / 9100)
    assert (partner.kind, partner.cost, partner.roi) == ("partner", 5000, 2.0)
    assert (own.name, own.cost, own.roi) == ("website", 0, None)


def test_money_spent_on_nothing_is_shown_and_a_month_is_thirty_days():
    [fair] = report([], RULES, 10, 1)

    assert (fair.name, fair.leads, fair.cost, fair.roi) == ("展会", 0, 3000, -1)


def test_a_sum_lost_is_no_win():
    [one, *_] = report([group("website", "SQL", 1, 90_000)], (), 30, 1)

    assert one.amount == 0


@pytest.mark.parametrize(
    ("text", "span"), [("", 30), ("90天", 90), ("最近7天", 7), ("365 days", 365)]
)
def test_the_span_is_read(text, span):
    assert days(text) == span


@pytest.mark.parametrize("text", ["0天", "展会", "999天"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the reader is told how to write it instead
        days(text)


async def test_the_manager_sees_each_channel_and_a_rep_does_not(store, settings, clock):
    given = [
        {"name": "展会", "kind": "paid", "sources": ["expo"], "per_month": 3000},
        {"name": "伙伴", "kind": "partner", "commission": 0.2},
    ]
    values = team(database=settings.database.model_dump(), channel=given, roi={"margin": 0.5})
    store = replace(store, rules=rules(parse(values)))
    won = await captured(store, source="expo", rep="李雷")
    await captured(store, source="expo", rep="李雷")
    await captured(store, channel="伙伴")
    await says(store, "lilei", f"成交 {won.id} 12万")

    said = await says(store, "chenzg", "渠道")

    made = await lead(store, won.id)
    assert (made.channel, made.channel_class) == ("展会", "paid")
    assert "展会（付费）：2 条 → MQL 1（50%） → SQL 1（100%） → 成交 1（100%）" in said
    assert "花费 3,000 元，每条 1,500 元，成交 12 万，ROI 1900%" in said
    assert "伙伴（伙伴）：1 条" in said
    assert "主管" in await says(store, "lilei", "渠道")
    clock.tick(days=40)
    assert "展会" in await says(store, "chenzg", "渠道 90天")
    assert "成交 0 元" in await says(store, "chenzg", "渠道")


async def test_a_merged_lead_is_counted_once(store):
    one = await captured(store, phone="19912345678", name="张丽")
    two = await captured(store, phone="19912345678", name="刘强")

    await says(store, "chenzg", f"合并 {one.id} {two.id}")

    assert "1 条" in await says(store, "chenzg", "渠道")
