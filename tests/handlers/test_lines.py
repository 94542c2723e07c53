"""The same person in another business line: a linked second lead."""

import asyncio
from dataclasses import replace

import pytest

from bot.config import parse
from bot.wiring import rules
from handlers.capture import capture
from store.db import Store
from store.domain.lead import Kind, Place
from store.domain.lines import LineRule, line_of, named
from store.domain.newlead import NewLead
from store.domain.team import Platform
from tests.conftest import team
from tests.handlers.people import answers, captured, enquiry, lead, says

PHONE = "19912345678"
LINES = (
    LineRule(name="CRM", products=("CRM", "客户管理"), keywords=("销售漏斗",)),
    LineRule(name="云客服", products=("呼叫中心",), keywords=("坐席", "外呼")),
)


@pytest.fixture
def lines(store, settings):
    given = [{"name": r.name, "products": r.products, "keywords": r.keywords} for r in LINES]
    own = rules(parse(team(database=settings.database.model_dump(), line=given)))
    return replace(store, rules=own)


@pytest.mark.parametrize(
    ("product", "message", "line"),
    [
        ("CRM 标准版", "", "CRM"),
        ("", "想装 20 个坐席", "云客服"),
        ("crm", "顺便问问外呼", "CRM"),
        ("", "销售漏斗，还有坐席", "CRM"),
        ("", "坐席，还有销售漏斗", "云客服"),
        ("云客服", "", "云客服"),
        ("", "你好", ""),
        ("", "", ""),
    ],
)
def test_the_line_is_that_of_the_product_else_of_the_words(product, message, line):
    assert line_of(NewLead(source="x", product=product, message=message), LINES) == line


def test_a_line_is_known_by_its_name_too():
    assert [named(text, LINES) for text in ("云客服", "呼叫中心", "外呼", "别的")] == [
        "云客服", "云客服", "云客服", "",
    ]  # fmt: skip


async def asked_for_both(lines: Store):
    first = await captured(lines, phone=PHONE, product="CRM", message="50 人用", rep="李雷")
    await captured(lines, phone=PHONE, message="还想装 20 个坐席")
    return first


async def test_another_line_of_whom_nobody_has_is_proposed_without_saying_who(lines):
    """The managers read the name, and the number out of the words, of a lead in the pool."""
    first = await captured(lines, phone=PHONE, name="欧阳静", product="CRM", rep="李雷")
    await says(lines, "lilei", f"放回 {first.id}")
    for who in ("lilei", "hanmei"):
        await says(lines, who, "请假")
    await says(lines, "wangqiang", "请假", platform=Platform.DINGTALK)

    await captured(lines, phone=PHONE, name="欧阳静", message=f"我是欧阳静，坐席的事打 {PHONE}")

    [card] = [r for key, r in (await answers(lines)).items() if key.startswith("line:")]
    assert card.account == "chenzg"
    assert "欧阳*" in str(card.payload)
    assert not [secret for secret in ("欧阳静", PHONE) if secret in str(card.payload)]


async def test_another_line_is_proposed_to_the_owner_by_keyword(lines):
    first = await asked_for_both(lines)

    rows = await answers(lines)
    [card] = [row for key, row in rows.items() if key.startswith("line:")]

    assert first.line == "CRM"
    assert card.account == "lilei"
    assert "还问到 云客服" in str(card.payload)
    assert f"/新线 {first.id} 云客服" in str(card.payload)


async def test_the_press_makes_a_linked_second_lead(lines):
    first = await asked_for_both(lines)

    said = await says(lines, "lilei", f"新线 {first.id} 云客服")

    one, two = await lead(lines, first.id), await lead(lines, first.id + 1)
    assert f"#{two.id} 建好了（云客服）" in said
    assert (one.linked, two.linked) == ((two.id,), (one.id,))
    assert (two.line, two.phone, two.message) == ("云客服", one.phone, "还想装 20 个坐席")
    assert (two.doubles, two.merged_into) == ((), None)
    async with lines.read() as tx:
        history = await tx.leads.history([one.id, two.id])
    assert all(Kind.LINKED in [past.kind for past in history[n]] for n in (one.id, two.id))
    assert f"#{two.id}" in await says(lines, "lilei", f"线索 {one.id} 详情")


async def test_what_comes_next_goes_to_the_lead_of_its_line(lines):
    first = await asked_for_both(lines)
    await says(lines, "lilei", f"新线 {first.id} 云客服")

    async with lines.begin() as tx:
        done = await capture(
            tx,
            [
                enquiry(phone=PHONE, message="外呼怎么收费"),
                enquiry(phone=PHONE, product="CRM", message="CRM 怎么收费"),
                enquiry(phone=PHONE, message="在吗"),
            ],
        )

    assert [one.id for one in done] == [first.id + 1, first.id, first.id]
    assert all(one.duplicate for one in done)
    assert not [key for key in await answers(lines) if key.startswith("doubt:")]


async def test_it_goes_there_although_only_the_other_one_knows_the_mail_it_came_from(lines):
    """It was taken for a question about the line of the lead that has the mail."""
    first = await asked_for_both(lines)
    await says(lines, "lilei", f"新线 {first.id} 云客服")
    await captured(lines, phone=PHONE, email="p5@example.com", product="CRM")

    later = await captured(lines, email="p5@example.com", product="云客服")

    assert later.id == first.id + 1
    assert later.email == "p5@example.com"


async def test_the_same_line_twice_is_no_error_and_no_second_one(lines):
    first = await asked_for_both(lines)
    await says(lines, "lilei", f"新线 {first.id} 云客服")

    again = await says(lines, "lilei", f"新线 {first.id} 呼叫中心")
    own = await says(lines, "lilei", f"新线 {first.id} CRM")

    assert f"已经有了，是 #{first.id + 1}" in again
    assert f"#{first.id} 本来就是「CRM」" in own


async def test_by_hand_without_any_line_configured(store):
    first = await captured(store, phone=PHONE, rep="李雷")

    said = await says(store, "lilei", f"新线 {first.id} 培训服务")

    assert "建好了（培训服务）" in said
    assert (await lead(store, first.id + 1)).product == "培训服务"
    assert "想要什么产品" in await says(store, "lilei", f"新线 {first.id}")


async def test_only_who_may_see_the_lead_makes_another(store):
    first = await captured(store, phone=PHONE, rep="李雷")

    assert "建好了" not in await says(store, "hanmei", f"新线 {first.id} 培训")


async def test_a_withdrawal_holds_in_every_line(lines):
    from handlers.journeys import opt_out  # noqa: PLC0415

    first = await asked_for_both(lines)
    await says(lines, "lilei", f"新线 {first.id} 云客服")
    async with lines.begin() as tx:
        token = await tx.links.make(first.id + 1, "optout", "brand")
    async with lines.begin() as tx:
        await opt_out(tx, token, "邮件退订")

    assert (await lead(lines, first.id)).opted_out_at is not None


async def test_plain_words_to_one_line_stop_the_other_too(lines):
    first = await asked_for_both(lines)
    await says(lines, "lilei", f"新线 {first.id} 云客服")

    await captured(lines, phone=PHONE, message="外呼就算了，别再联系我")

    assert (await lead(lines, first.id)).opted_out_at is not None
    assert (await lead(lines, first.id + 1)).opted_out_at is not None


async def test_a_new_line_of_who_wants_to_be_left_alone_is_offered_to_nobody(lines):
    """It was sent to somebody to call, though the person had not asked."""
    first = await asked_for_both(lines)
    await says(lines, "lilei", f"接受 {first.id}")
    await captured(lines, phone=PHONE, message="别再联系我")

    await says(lines, "lilei", f"新线 {first.id} 云客服")

    made = await lead(lines, first.id + 1)
    assert made.left_alone
    assert (made.owner, made.place) == (None, Place.MARKETING)


async def test_two_presses_at_once_make_one(lines):
    first = await asked_for_both(lines)

    said = await asyncio.gather(
        *(says(lines, "lilei", f"新线 {first.id} 云客服") for _ in range(2))
    )

    assert sum("建好了" in one for one in said) == 1
