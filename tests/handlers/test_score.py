"""Scores that move: by what prospects do, by hand, and with time."""

from dataclasses import replace

import pytest
from sqlalchemy import event as listening

from handlers.journeys import clicked, opt_out
from handlers.score import cool
from store.domain.channels import ChannelRule
from store.domain.deadlines import respond_by
from store.domain.lead import Kind, Place
from store.domain.rules import Scale, ScoringRule
from tests.handlers.people import answers, captured, enquiry, lead, says
from tests.handlers.test_capture import kinds, take

PHONE = "19912345678"
RULES = (
    ScoringRule(name="留了手机", when={"phone": True}, points=20),
    ScoringRule(name="点链接", when={"event": "link_clicked"}, points=25),
    ScoringRule(name="看网页", when={"event": "page"}, points=10),
    ScoringRule(name="下载", when={"event": "download"}, points=30),
)


@pytest.fixture
def rated(store):
    return replace(store, rules=replace(store.rules, scale=Scale(rules=RULES)))


async def returned(store):
    new = await captured(store, phone=PHONE, rep="李雷", email="w5@example.com")
    await says(store, "lilei", f"退回 {new.id} 明年再说")
    return new.id


async def clicks(store, number):
    async with store.begin() as tx:
        token = await tx.links.make(number, "track", "case")
        await clicked(tx, token)


async def test_a_lead_in_marketing_that_crosses_by_clicks_returns_with_its_story(rated):
    """One click brought back whoever clicked, whatever the rules said a click is worth."""
    number = await returned(rated)

    await clicks(rated, number)
    once = await lead(rated, number)
    await clicks(rated, number)
    twice = await lead(rated, number)

    assert (once.place, once.score, once.qualification) == (Place.MARKETING, 45, "UQL")
    assert (twice.place, twice.score, twice.qualification) == (Place.OWNER, 70, "MQL")
    assert twice.owner.name == "李雷"
    card = (await answers(rated))[f"lead:{number}/{twice.owner.id}"]
    assert card.ring
    told = await kinds(rated, number)
    assert told[-4:] == [Kind.CLICKED, Kind.CLICKED, Kind.QUALIFIED, Kind.ASSIGNED]


async def test_what_a_website_saw_is_worth_points_and_no_call(rated, clock):
    new = await captured(rated, phone=PHONE)
    await says(rated, "lilei", f"领取 {new.id}")
    clock.tick(minutes=30)

    await take(rated, enquiry(phone=PHONE, message="", fields={"event": "page", "what": "价格页"}))

    after = await lead(rated, new.id)
    assert (after.score, after.asked_at) == (30, new.asked_at)
    assert (await kinds(rated, new.id))[-1] == Kind.VISITED


async def test_a_download_brings_a_nurtured_lead_back(rated):
    number = await returned(rated)
    seen = enquiry(phone=PHONE, message="", fields={"event": "download", "what": "白皮书"})

    await take(rated, seen)
    first = await lead(rated, number)
    await take(rated, seen)

    assert (first.place, first.score) == (Place.MARKETING, 50)
    assert (await lead(rated, number)).place == Place.OWNER


async def test_scores_fade_with_time_in_one_go(rated, clock):
    numbers = []
    for n in range(5):
        new = await captured(rated, phone=f"1991234000{n}", rep="李雷")
        await says(rated, "lilei", f"跟进 {new.id} 电话 聊了报价")
        await clicks(rated, new.id)
        numbers.append(new.id)
    clock.tick(days=14)
    seen = []
    listen = lambda *args: seen.append(args[2])  # noqa: E731
    listening.listen(rated.engine.sync_engine, "before_cursor_execute", listen)

    async with rated.begin() as tx:
        assert await cool(tx) == 5
    listening.remove(rated.engine.sync_engine, "before_cursor_execute", listen)

    assert {(await lead(rated, n)).score for n in numbers} == {32}
    assert len([line for line in seen if "leads" in line or "events" in line]) == 3
    async with rated.begin() as tx:
        assert await cool(tx) == 0


async def test_the_promise_of_a_first_call_keeps_its_score(rated, clock):
    new = await captured(rated, phone=PHONE, rep="李雷")
    await clicks(rated, new.id)
    clock.tick(days=14)

    async with rated.begin() as tx:
        await cool(tx)
    waiting = await lead(rated, new.id)
    await says(rated, "lilei", f"跟进 {new.id} 电话 聊了报价")
    clock.tick(days=1)
    async with rated.begin() as tx:
        await cool(tx)

    assert waiting.score == 45
    assert (await lead(rated, new.id)).score < 45


async def test_a_score_that_reaches_the_threshold_at_capture_is_a_marketing_lead(store):
    new = await captured(store, company="云栖制造", product="CRM")

    assert (new.score >= 60, new.qualification) == (True, "MQL")
    assert (await kinds(store, new.id))[:2] == [Kind.CAPTURED, Kind.QUALIFIED]


async def test_importance_by_hand_wins_until_it_is_cleared(rated):
    new = await captured(rated, phone=PHONE, rep="李雷")

    said = await says(rated, "lilei", f"重要 {new.id} 高")
    high = await lead(rated, new.id)
    await clicks(rated, new.id)
    clicked_since = await lead(rated, new.id)
    await says(rated, "lilei", f"重要 {new.id} 低")
    low = await lead(rated, new.id)
    await says(rated, "lilei", f"重要 {new.id} 自动")
    cleared = await lead(rated, new.id)

    assert "已设为高" in said
    assert (high.score, high.grade, high.importance) == (80, "A", "A")
    assert clicked_since.grade == "A"
    assert (low.score, low.grade) == (39, "D")
    assert (cleared.score, cleared.grade, cleared.importance) == (45, "C", "")


async def test_importance_is_for_who_answers_for_the_lead(rated):
    new = await captured(rated, phone=PHONE, rep="李雷")

    assert "不在你名下" in await says(rated, "hanmei", f"重要 {new.id} 高")
    assert "这样写" in await says(rated, "lilei", f"重要 {new.id} 随便")
    assert "已经是这样" in await says(rated, "lilei", f"重要 {new.id} 自动")


async def test_what_is_important_by_hand_is_first_in_the_pool(rated):
    first = await captured(rated, rep="李雷", region="北京")
    second = await captured(rated, rep="李雷", region="上海")
    await says(rated, "chenzg", f"重要 {second.id} 高")
    for number in (first.id, second.id):
        await says(rated, "lilei", f"放回 {number}")

    shown = await says(rated, "hanmei", "公海")

    assert shown.index(f"/领取 {second.id}") < shown.index(f"/领取 {first.id}")


async def test_marketing_qualifies_and_the_lead_goes_out(rated):
    number = await returned(rated)

    said = await says(rated, "zhousc", f"认定 {number} MQL 电话核实过，有需求")

    after = await lead(rated, number)
    async with rated.read() as tx:
        [line] = [
            past
            for past in (await tx.leads.history([number]))[number]
            if past.kind == Kind.QUALIFIED
        ]
    assert "已给 李雷" in said
    assert (after.qualification, after.owner.name) == ("MQL", "李雷")
    assert (line.by.name, line.data["qualification"]) == ("周市场", ["UQL", "MQL"])
    assert "电话核实过" in line.text


async def test_a_rep_qualifies_their_own_with_a_reason(rated):
    new = await captured(rated, rep="李雷")

    assert "为什么" in await says(rated, "lilei", f"认定 {new.id} SQL")
    assert "由负责的销售" in await says(rated, "hanmei", f"认定 {new.id} SQL 有预算")
    assert "由市场" in await says(rated, "lilei", f"认定 {new.id} MQL 有预算")
    await says(rated, "lilei", f"认定 {new.id} sql 有预算")
    assert "已经是" in await says(rated, "lilei", f"认定 {new.id} SQL 有预算")

    assert (await lead(rated, new.id)).qualification == "SQL"


async def test_a_stage_beyond_following_says_who_qualified(rated):
    new = await captured(rated, rep="李雷")
    await says(rated, "lilei", f"跟进 {new.id} 电话 聊了报价")

    await says(rated, "lilei", f"阶段 {new.id} 意向")

    async with rated.read() as tx:
        lines = (await tx.leads.history([new.id]))[new.id]
    [moved] = [past for past in lines if past.data.get("qualification")]
    assert (moved.by.name, moved.data["qualification"]) == ("李雷", ["UQL", "SQL"])


async def test_who_opted_out_is_not_brought_back_by_a_click(rated):
    number = await returned(rated)
    async with rated.begin() as tx:
        token = await tx.links.make(number, "optout", "case")
        await opt_out(tx, token, "邮件退订")

    for _ in range(4):
        await clicks(rated, number)

    assert (await lead(rated, number)).place == Place.MARKETING


async def test_a_score_that_fades_moves_no_promised_call_back(store, clock):
    # Hot when they asked again, "09:05"; a week later the card said 09:30 and the clock still 09:05.
    rules = replace(store.rules, scale=Scale(rules=(
        ScoringRule(name="留了手机", when={"phone": True}, points=60),
        ScoringRule(name="再来问", when={"event": "asked_again"}, points=30),
    )))  # fmt: skip
    store = replace(store, rules=rules)
    new = await captured(store, phone=PHONE, rep="李雷")
    await says(store, "lilei", f"领取 {new.id}")
    await says(store, "lilei", f"跟进 {new.id} 电话 聊了报价，对方要和老板商量")
    clock.tick(minutes=1)
    await captured(store, phone=PHONE, message="现在要了")
    before = await lead(store, new.id)
    clock.tick(days=9)

    async with store.begin() as tx:
        await cool(tx)

    after = await lead(store, new.id)
    limits, calendar = store.rules.limits, store.rules.calendar
    assert before.score >= limits.hot
    assert respond_by(after, limits, calendar) == respond_by(before, limits, calendar)


async def test_points_for_a_channel_count_from_the_first_moment(store):
    # The channel was told apart after the points were counted: 0 at first, 30 with the next page.
    rules = replace(
        store.rules,
        channels=(ChannelRule(name="展会", kind="paid", sources=("expo",)),),
        scale=Scale(rules=(ScoringRule(name="展会来的", when={"channel": "展会"}, points=30),)),
    )

    new = await captured(replace(store, rules=rules), source="expo")

    assert (new.channel, new.score) == ("展会", 30)
