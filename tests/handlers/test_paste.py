"""What is pasted or forwarded without a command and looks like a lead."""

from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from cards.dingtalk import SAY, URL_BYTES
from cards.limits import utf8
from handlers.commands import with_quote
from handlers.paste import looks_like_lead
from store import tables as t
from store.domain.team import Platform
from tests.handlers.people import answers, captured, lead, says

PASTED = "客户姓名：苏禾\n电话 139 1234 5678\n杭州云栖科技有限公司，想换 CRM，下周方便沟通"


async def count(store) -> int:
    async with store.read() as tx:
        return await tx.conn.scalar(select(func.count()).select_from(t.leads))


def button(payload: dict) -> str:
    """The line of the card's only button, of either platform."""
    from bot.sandbox.dingtalk.phone import command_of  # noqa: PLC0415

    if "template_card" in payload:
        return payload["template_card"]["button_list"][0]["key"]
    return command_of(payload["msgParam"]["singleURL"])


async def offered(store, account, text, platform=Platform.WECOM) -> dict:
    await says(store, account, text, platform)
    rows = [r for k, r in (await answers(store)).items() if k.startswith("reply:")]
    return rows[-1].payload


@pytest.mark.parametrize(
    ("account", "platform"), [("lilei", Platform.WECOM), ("wangqiang", Platform.DINGTALK)]
)
async def test_a_pasted_lead_is_asked_about_and_stored_by_the_press(store, account, platform):
    card = await offered(store, account, PASTED, platform)

    assert "像是一条线索，要录入吗" in str(card)
    assert "苏禾" in str(card)
    assert "新客户" in str(card)
    assert await count(store) == 0

    answer = await says(store, account, button(card), platform)
    assert "已记下，归你跟" in answer
    made = await lead(store, 1)
    assert (made.name, made.phone) == ("苏禾", "+8613912345678")


async def test_a_known_person_is_told_on_the_card(store):
    known = await captured(store, phone="13912345678", name="苏禾", rep="韩梅")

    card = str(await offered(store, "lilei", PASTED))

    assert "已有这位客户，有同事在跟，还没联系" in card
    assert "韩梅" not in card
    assert f"#{known.id}" not in card


async def test_pressing_twice_makes_one_lead(store):
    card = await offered(store, "lilei", PASTED)

    await says(store, "lilei", button(card))
    again = await says(store, "lilei", button(card))

    assert "已有这位客户" in again
    assert await count(store) == 1


async def test_an_e_mail_address_is_enough(store):
    card = str(await offered(store, "lilei", "王工 wang@example.com 想了解报价"))

    assert "像是一条线索" in card


@pytest.mark.parametrize("account", ["lilei", "chenzg", "zhousc"])
async def test_everybody_of_the_team_may_paste(store, account):
    assert "像是一条线索" in str(await offered(store, account, PASTED))


@pytest.mark.parametrize(
    "text",
    [
        "跟近 42 打了电话 13912345678",
        "/录人 王五 13912345678",
        "你好",
        "今天开会吗",
        "42",
    ],
)
def test_a_slip_of_the_thumb_and_small_talk_are_no_leads(text):
    assert not looks_like_lead(text)


@pytest.mark.parametrize(
    "text",
    ["13912345678", "王芳 139 1234 5678 采购主管", "139 1234 5678 王芳", "刘女士 wx：liu_2020"],
)
def test_a_number_however_it_is_written_is_somebody(text):
    """A number with blanks was taken for a mistyped command, a WeChat number for nothing."""
    assert looks_like_lead(text)


async def test_the_card_is_filled_with_all_that_was_read_and_the_verdict(store):
    pasted = "云栖科技的王建国总，采购总监，0571-88886666转801，wang@example.com 想看 CRM"

    rows = str(await offered(store, "lilei", pasted))

    for told in ("王建国总", "转801", "云栖科技，采购总监", "浙江杭州", "新客户"):
        assert told in rows


async def test_a_text_too_long_for_a_button_keeps_who_it_is(store):
    text = (
        f"会议纪要{'，谈了很多很多内容' * 60}，联系人：苏禾，手机 13912345678，邮箱 su@example.com"
    )

    card = await offered(store, "wangqiang", text, Platform.DINGTALK)

    line = button(card)
    assert utf8(line) <= 1024
    assert len(SAY) + len(quote(line, safe="")) <= URL_BYTES
    await says(store, "wangqiang", line, Platform.DINGTALK)
    made = await lead(store, 1)
    assert (made.name, made.phone, made.email) == ("苏禾", "+8613912345678", "su@example.com")
    assert "谈了很多很多内容" in made.message


@pytest.mark.parametrize(
    ("line", "quoted", "meant"),
    [
        ("", "王五 13912345678", "王五 13912345678"),
        ("录入", "王五 13912345678", "录入 王五 13912345678"),
        ("／录入", "王五 13912345678", "／录入 王五 13912345678"),
        ("领取 42", "#42 新线索", "领取 42"),
        ("王五 13912345678", "上一句", "王五 13912345678"),
    ],
)
def test_a_reply_without_words_of_its_own_is_about_what_it_answers(line, quoted, meant):
    assert with_quote(line, quoted) == meant
