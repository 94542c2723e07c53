"""One person, two leads: asked about, joined, and taken apart again."""

import asyncio
import re

import pytest
from sqlalchemy import select

from handlers.capture import capture
from handlers.journeys import opt_out
from store import tables as t
from store.db import open_store
from store.domain.consent import withdraws
from store.domain.lead import Kind, Place, Stage
from store.domain.match import Key
from tests.handlers.people import answers, captured, enquiry, lead, says

PHONE = "19912345678"


async def two(store, **more):
    """张丽 and 刘强 on one number: two leads and a question."""
    one = await captured(store, phone=PHONE, name="张丽", rep="李雷", **more.get("one", {}))
    two = await captured(store, phone=PHONE, name="刘强", rep="韩梅", **more.get("two", {}))
    return one, two


async def story(store, lead_id):
    async with store.read() as tx:
        return [past.kind for past in await tx.leads.story(lead_id)]


async def keys(store, lead_id):
    async with store.read() as tx:
        return set((await tx.leads.keys_of([lead_id])).get(lead_id, ()))


async def ledger(store, *ids):
    async with store.read() as tx:
        return [(c.given, c.text, c.source) for c in await tx.consents.of(ids)]


def phones_of(rows, account):
    return {key: str(row.payload) for key, row in rows.items() if row.account == account}


# -- the question ------------------------------------------------------------------


async def test_a_phone_with_two_names_asks_the_manager_instead_of_merging(store):
    one, other = await two(store)

    asked = phones_of(await answers(store), "chenzg")
    [card] = [card for key, card in asked.items() if key.startswith("doubt:")]

    assert other.id != one.id
    assert f"疑似重复 #{other.id} 刘强" in card
    assert f"/合并 {one.id} {other.id}" in card
    assert f"/不同 {other.id} {one.id}" in card


async def test_a_shared_landline_asks(store):
    await captured(store, phone="0571-88888888", name="张丽")
    await captured(store, phone="0571-88888888-801", name="刘强")

    assert any(key.startswith("doubt:") for key in await answers(store))


async def test_who_owns_both_is_asked_and_nobody_else(store):
    await captured(store, phone=PHONE, name="张丽", rep="李雷")
    await captured(store, phone=PHONE, name="刘强", rep="李雷")

    asked = [
        row.account for key, row in (await answers(store)).items() if key.startswith("doubt:")
    ]

    assert asked == ["lilei"]


async def test_many_questions_at_once_are_one_list(store):
    async with store.begin() as tx:
        await capture(tx, [enquiry(phone=f"1991234567{n}", name="张丽") for n in range(7)])
        await capture(tx, [enquiry(phone=f"1991234567{n}", name="刘强") for n in range(7)])

    asked = phones_of(await answers(store), "chenzg")
    assert [key.split(":")[0] for key in asked if key.startswith("doubt")] == ["doubts"]
    assert "疑似重复 7 对" in str(asked)
    assert "疑似重复 7 对" in await says(store, "chenzg", "重复")


async def test_questions_that_come_one_by_one_in_a_minute_become_a_list_too(store):
    """A hundred questions in a minute were a hundred cards, more than a phone takes."""
    for n in range(9):
        await captured(store, phone=f"1991234567{n}", name="张丽", rep="李雷")
        await captured(store, phone=f"1991234567{n}", name="刘强", rep="韩梅")

    asked = phones_of(await answers(store), "chenzg")

    assert len([key for key in asked if key.startswith("doubt:")]) == 5
    assert "疑似重复 9 对" in str(asked)


async def test_every_page_of_the_questions_shows_its_own_and_only_the_last_has_no_next(store):
    """Of eight pairs the last was on no page; of five the second page led to an empty one."""
    async with store.begin() as tx:
        await capture(tx, [enquiry(phone=f"1991234567{n}", name="张丽") for n in range(8)])
        await capture(tx, [enquiry(phone=f"1991234567{n}", name="刘强") for n in range(8)])

    pages = [await says(store, "chenzg", f"重复 {n}页") for n in (1, 2, 3, 9)]

    asked = [set(re.findall(r"/重复 (\d+)'", page)) for page in pages]
    assert [len(numbers) for numbers in asked] == [3, 3, 2, 2]
    assert len(set().union(*asked)) == 8
    assert ["下一页" in page for page in pages] == [True, True, False, False]


async def test_not_the_same_is_said_once_and_shown_everywhere(store):
    one, other = await two(store)

    said = await says(store, "chenzg", f"不同 {other.id} {one.id}")

    assert "各是各的" in said
    assert (await lead(store, other.id)).doubles == ()
    assert Kind.DISTINCT in await story(store, one.id)
    assert "没有要核对的重复" in await says(store, "chenzg", "重复")
    cards = [str(r.payload) for k, r in (await answers(store)).items() if k.startswith("doubt:")]
    assert all("各是各的" in card for card in cards)


# -- joining -----------------------------------------------------------------------


async def test_a_merge_fills_blanks_and_keeps_the_owner_the_history_and_the_keys(store):
    one, other = await two(store, two={"email": "l@x.cn", "company": "云栖"})

    said = await says(store, "chenzg", f"合并 {one.id} {other.id}")

    kept, gone = await lead(store, one.id), await lead(store, other.id)
    assert f"#{other.id} 已并入 #{one.id}" in said
    assert (kept.owner.name, kept.name, kept.email, kept.company) == (
        "李雷",
        "张丽",
        "l@x.cn",
        "云栖",
    )
    assert (gone.stage, gone.merged_into, gone.owner) == (Stage.MERGED, one.id, None)
    assert (await story(store, one.id)).count(Kind.CAPTURED) == 2
    assert await keys(store, other.id) == set()
    again = await captured(store, email="l@x.cn", phone=None)
    assert again.id == one.id


async def test_the_number_of_a_merged_lead_still_answers(store):
    one, other = await two(store)
    await says(store, "chenzg", f"合并 {one.id} {other.id}")

    await says(store, "chenzg", f"线索 {other.id}")
    card = phones_of(await answers(store), "chenzg")[f"lead:{other.id}/4"]

    assert f"已并入 #{one.id}" in card
    assert f"已并入 #{one.id}" in await says(store, "hanmei", f"领取 {other.id}")
    assert f"已并入 #{one.id}" in await says(store, "chenzg", f"合并 {one.id} {other.id}")


async def test_who_loses_the_card_is_told_where_it_went(store):
    one, other = await two(store)
    await says(store, "chenzg", f"合并 {one.id} {other.id}")

    cards = phones_of(await answers(store), "hanmei")

    assert f"已并入 #{one.id}" in cards[f"lead:{other.id}/2"]
    assert "已由 李雷 接手" in cards[f"lead:{one.id}/2"]
    assert "张丽" not in cards[f"lead:{one.id}/2"]


async def test_somebody_s_lead_is_never_given_to_nobody(store):
    one, other = await two(store)
    await says(store, "lilei", f"领取 {one.id}")
    await says(store, "lilei", f"放回 {one.id}")

    await says(store, "chenzg", f"合并 {one.id} {other.id}")

    assert (await lead(store, one.id)).merged_into == other.id
    assert (await lead(store, other.id)).owner.name == "韩梅"


async def test_reminders_go_along_to_the_one_who_keeps_it(store):
    one, other = await two(store)
    await says(store, "hanmei", f"领取 {other.id}")
    await says(store, "hanmei", f"提醒 {other.id} 明天9点 打电话")

    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    async with store.read() as tx:
        moved = [(r.lead_id, r.member_id, r.text) for r in await tx.reminders.of(one.id)]
    await says(store, "chenzg", f"分开 {other.id}")
    async with store.read() as tx:
        back = [(r.lead_id, r.member_id) for r in await tx.reminders.of(other.id)]

    assert moved == [(one.id, 1, "打电话")]
    assert back == [(other.id, 2)]


@pytest.mark.parametrize("who", ["lilei", "hanmei", "zhousc"])
async def test_who_has_only_one_of_them_may_not_merge_and_learns_nothing(store, who):
    one, other = await two(store)
    stranger = await captured(store, rep="王强")

    said = [await says(store, who, f"合并 {one.id} {n}") for n in (other.id, stranger.id)]

    assert {
        s.replace(str(n), "N") for s, n in zip(said, (other.id, stranger.id), strict=True)
    } == {f"#{one.id} 和 #N 要由主管来核对".replace(str(other.id), "N")}
    assert (await lead(store, other.id)).merged_into is None


async def test_a_rep_merges_what_is_all_their_own(store):
    one = await captured(store, phone=PHONE, name="张丽", rep="李雷")
    other = await captured(store, phone=PHONE, name="刘强", rep="李雷")

    await says(store, "lilei", f"合并 {one.id} {other.id}")

    assert (await lead(store, other.id)).merged_into == one.id


# -- consent -----------------------------------------------------------------------


async def withdraw(store, lead_id):
    async with store.begin() as tx:
        token = await tx.links.make(lead_id, "optout", "brand")
    async with store.begin() as tx:
        await opt_out(tx, token, "邮件退订")


async def test_a_merge_keeps_the_strictest_consent(store):
    one, other = await two(store, one={"consent": {"text": "同意联系我"}})
    await withdraw(store, other.id)

    await says(store, "chenzg", f"合并 {one.id} {other.id}")

    kept = await lead(store, one.id)
    assert kept.opted_out_at is not None
    assert kept.consent_text == "同意联系我"
    assert await ledger(store, one.id, other.id) == [
        (True, "同意联系我", "website"), (False, "邮件退订", "website"),
    ]  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("out", [(True, False), (False, True), (True, True)])
async def test_the_strictest_consent_holds_in_both_directions_and_goes_back(
    store, clock, first, out
):
    pair = await two(store, one={"consent": {"text": "同意联系我"}}, two={"email": "l@x.cn"})
    for one, left in zip(pair, out, strict=True):
        if left:
            await withdraw(store, one.id)
        clock.tick(minutes=1)
    before = [consent_of(await lead(store, one.id)) for one in pair]
    kept, other = pair[first], pair[1 - first]

    await says(store, "chenzg", f"合并 {kept.id} {other.id}")
    stays = (await lead(store, other.id)).merged_into or other.id
    merged = await lead(store, stays)
    await says(store, "chenzg", f"分开 {stays}")

    assert (merged.left_alone, merged.consent_text) == (True, "同意联系我")
    assert merged.opted_out_at == max(at for _, _, at in before if at)
    assert [consent_of(await lead(store, one.id)) for one in pair] == before


def consent_of(one):
    return one.consent_text, one.consent_at, one.opted_out_at


async def test_the_ledger_is_shown_with_the_lead_that_stays(store):
    one, other = await two(store, two={"consent": {"text": "同意联系我"}})
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    await withdraw(store, one.id)

    told = await says(store, "chenzg", f"线索 {one.id} 详情")

    assert "同意：2026-03-02 10:00 官网 同意联系我" in told
    assert "不再同意：2026-03-02 10:00 官网 邮件退订" in told
    assert "同意联系我" not in await says(store, "hanmei", f"线索 {one.id} 详情")


async def test_asking_again_with_a_new_consent_does_not_take_back_a_withdrawal(store):
    first = await captured(store, phone=PHONE)
    await withdraw(store, first.id)

    await captured(store, phone=PHONE, consent={"text": "同意", "at": "2026-03-02T10:00:00+08:00"})

    assert (await lead(store, first.id)).opted_out_at is not None
    assert [given for given, _, _ in await ledger(store, first.id)] == [False, True]


async def test_the_withdrawal_link_of_a_merged_lead_stops_the_one_that_stays(store):
    one, other = await two(store)
    await says(store, "chenzg", f"合并 {one.id} {other.id}")

    await withdraw(store, other.id)

    assert (await lead(store, one.id)).opted_out_at is not None


async def test_a_wish_to_be_left_alone_in_the_message_is_a_withdrawal(store):
    first = await captured(store, phone=PHONE, message="别再联系我了")

    assert first.opted_out_at is not None
    assert (await ledger(store, first.id))[0][:2] == (False, "别再联系我了")


@pytest.mark.parametrize(
    "text",
    [
        "别再联系我",
        "请不要再给我打电话",
        "退订",
        "不要再发短信了",
        "Please unsubscribe me",
        "do not call",
        "请停止推送",
        "别打扰我",
    ],
)
def test_withdrawals_in_plain_words(text):
    assert withdraws(text)


@pytest.mark.parametrize(
    "text",
    ["不要发票", "不要打折", "别的联系人是谁", "请联系我", "停止营业了吗", "不要联系方式公开", ""],
)
def test_what_is_no_withdrawal(text):
    assert not withdraws(text)


async def test_who_said_no_themselves_is_left_alone_after_a_split(store):
    # Said once more, it was not kept: taken apart the lead was mailed.
    one, other = await two(store, two={"message": "别再联系我了"})
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    await captured(store, phone=one.phone, name=one.name, message="不要再联系我了")

    await says(store, "chenzg", f"分开 {other.id}")

    outs = [(await lead(store, n)).opted_out_at is not None for n in (one.id, other.id)]
    assert outs == [True, True]


async def test_who_never_said_no_is_not_left_alone_for_somebody_else(store, clock):
    one, other = await captured(store), await captured(store, name="赵六")
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    clock.tick(minutes=1)
    await captured(store, phone=one.phone, name=one.name, message="不要再联系我了")

    await says(store, "chenzg", f"分开 {other.id}")

    outs = [(await lead(store, n)).opted_out_at is not None for n in (one.id, other.id)]
    assert outs == [True, False]


async def test_a_letter_ended_by_whoever_it_was_while_they_were_one_counts_for_both(store):
    one, other = await two(store)
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    await withdraw(store, one.id)

    await says(store, "chenzg", f"分开 {other.id}")

    outs = [(await lead(store, n)).opted_out_at is not None for n in (one.id, other.id)]
    assert outs == [True, True]
    assert (False, "邮件退订", "website") in await ledger(store, other.id)


async def test_one_of_two_who_said_no_leaves_and_the_other_still_counts(store):
    one, other = await two(store, two={"message": "别再联系我了"})
    third = await captured(store, name="孙七", message="不要再打电话")
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    await says(store, "chenzg", f"合并 {one.id} {third.id}")

    await says(store, "chenzg", f"分开 {other.id}")

    assert (await lead(store, one.id)).opted_out_at is not None


async def test_the_no_of_an_enquiry_goes_with_it(store, clock):
    # It stayed with the wrong lead, and who had said it was called again.
    first = await captured(store, phone=PHONE)
    clock.tick(minutes=1)
    await captured(store, phone=PHONE, message="别再联系我了")

    await says(store, "chenzg", f"分开 {first.id}")

    outs = [(await lead(store, n)).opted_out_at is not None for n in (first.id, first.id + 1)]
    assert outs == [False, True]
    assert (await ledger(store, first.id + 1))[0][:2] == (False, "别再联系我了")


async def test_ones_own_no_stays_when_the_enquiry_that_said_it_first_leaves(store, clock):
    first = await captured(store, phone=PHONE)
    clock.tick(minutes=1)
    await captured(store, phone=PHONE, message="别再联系我了")
    clock.tick(minutes=1)
    await withdraw(store, first.id)

    await says(store, "chenzg", f"分开 {first.id}")

    assert (await lead(store, first.id)).opted_out_at is not None


# -- taking apart ------------------------------------------------------------------


async def test_a_merge_by_hand_is_undone_from_the_card(store):
    one, other = await two(store, two={"email": "l@x.cn"})
    was = await keys(store, other.id)
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    card = phones_of(await answers(store), "chenzg")
    assert f"/分开 {other.id}" in str(card)

    said = await says(store, "chenzg", f"分开 {other.id}")

    kept, back = await lead(store, one.id), await lead(store, other.id)
    assert "已分开" in said
    assert (kept.email, kept.doubles, kept.joined_at) == ("", (), None)
    assert (back.stage, back.merged_into, back.owner.name) == ("assigned", None, "韩梅")
    assert await keys(store, other.id) == was
    assert Key("email", "l@x.cn") not in await keys(store, one.id)
    assert [k for k in await story(store, one.id) if k in {Kind.MERGED, Kind.SPLIT}] == [
        Kind.MERGED, Kind.SPLIT,
    ]  # fmt: skip
    assert "没有并进过" in await says(store, "chenzg", f"分开 {one.id}")


async def test_an_automatic_merge_is_undone_by_the_owner(store, clock):
    first = await captured(store, phone=PHONE, name="张先生", message="想要报价")
    await says(store, "lilei", f"跟进 {first.id} 电话 聊了报价")
    clock.tick(minutes=9)
    await captured(
        store, phone=PHONE, name="张三", email="z@x.cn", message="我要退货", external_id="A-9"
    )
    card = phones_of(await answers(store), "lilei")[f"lead:{first.id}/1"]
    assert f"/分开 {first.id}" in card

    await says(store, "lilei", f"分开 {first.id}")

    kept, other = await lead(store, first.id), await lead(store, first.id + 1)
    assert (kept.email, kept.message, kept.joined_at) == ("", "想要报价", None)
    assert (other.name, other.email, other.message) == ("张三", "z@x.cn", "我要退货")
    assert other.owner is not None
    assert Key("email", "z@x.cn") not in await keys(store, first.id)
    async with store.begin() as tx:
        [again] = await capture(
            tx, [enquiry(phone=PHONE, name="张三", email="z@x.cn", external_id="A-9")]
        )
    assert again.id == other.id


async def test_what_one_batch_joined_can_be_taken_apart_on_the_card_too(store):
    """Joined at the very instant at which the lead began, it offered no way back."""
    async with store.begin() as tx:
        [done, again] = await capture(tx, [enquiry(phone=PHONE, rep="李雷") for _ in "ab"])
    await says(store, "lilei", f"接受 {done.id}")

    card = phones_of(await answers(store), "lilei")[f"lead:{done.id}/1"]

    assert again.id == done.id
    assert f"/分开 {done.id}" in card


async def test_what_was_changed_since_stays(store):
    first = await captured(store, phone=PHONE)
    await captured(store, phone=PHONE, company="云栖", email="z@x.cn")
    async with store.begin() as tx:
        await tx.conn.execute(t.leads.update().values(company="云栖制造"))

    await says(store, "chenzg", f"分开 {first.id}")

    kept = await lead(store, first.id)
    assert (kept.company, kept.email) == ("云栖制造", "")


async def test_the_consent_goes_with_the_enquiry_it_came_with(store):
    first = await captured(store, phone=PHONE)
    await captured(store, phone=PHONE, consent={"text": "同意"})

    await says(store, "zhousc", f"分开 {first.id}")

    assert await ledger(store, first.id) == []
    assert await ledger(store, first.id + 1) == [(True, "同意", "website")]
    assert (await lead(store, first.id)).consent_text == ""


async def test_a_sleeping_lead_that_was_woken_by_mistake_sleeps_again(store):
    first = await captured(store, phone=PHONE)
    await says(store, "lilei", f"领取 {first.id}")
    await says(store, "lilei", f"流失 {first.id} 选了别家")
    await captured(store, phone=PHONE)

    await says(store, "chenzg", f"分开 {first.id}")

    kept = await lead(store, first.id)
    assert (kept.stage, kept.reason) == (Stage.LOST, "选了别家")


async def test_only_owner_manager_and_marketing_may_take_apart(store):
    first = await captured(store, phone=PHONE)
    await captured(store, phone=PHONE)

    assert "要由负责人、主管或市场来分开" in await says(store, "hanmei", f"分开 {first.id}")


async def test_taking_apart_peels_one_after_the_other(store):
    first = await captured(store, phone=PHONE, message="一")
    await captured(store, phone=PHONE, message="二")
    await captured(store, phone=PHONE, message="三")

    await says(store, "chenzg", f"分开 {first.id}")
    await says(store, "chenzg", f"分开 {first.id}")
    last = await says(store, "chenzg", f"分开 {first.id}")

    texts = [(await lead(store, n)).message for n in (first.id, first.id + 1, first.id + 2)]
    assert texts == ["一", "三", "二"]
    assert "没有并进过" in last


# -- what each is worth ----------------------------------------------------------------


async def test_what_is_split_off_takes_its_points_along_and_is_judged_at_once(store):
    """The one that stayed kept the points of the other's enquiry; the other's were no MQL."""
    first = await captured(store, phone=PHONE, message="")
    asked = {"message": "尽快报价", "company": "云栖", "product": "CRM", "title": "总经理"}
    await captured(store, phone=PHONE, **asked)
    joined = await lead(store, first.id)

    await says(store, "chenzg", f"分开 {first.id}")

    kept, other = await lead(store, first.id), await lead(store, first.id + 1)
    assert (joined.score >= 60, joined.qualification) == (True, "MQL")
    assert (kept.score, kept.qualification) == (first.score, "UQL")
    assert (other.score >= 60, other.qualification) == (True, "MQL")


async def test_what_was_split_off_never_counts_again(store):
    first = await captured(store, phone=PHONE, message="")
    await captured(store, phone=PHONE, message="")
    await says(store, "chenzg", f"分开 {first.id}")
    before = (await lead(store, first.id)).score

    await says(store, "chenzg", f"重要 {first.id} 高")
    await says(store, "chenzg", f"重要 {first.id} 自动")

    assert (await lead(store, first.id)).score == before == first.score


async def test_two_that_are_one_have_the_points_of_both_until_they_are_split(store):
    """Neither what was known of the other nor what they did counted until something else happened."""
    one, other = await two(store, one={"message": ""}, two={"message": "", "company": "云栖"})
    await captured(store, phone=other.phone, name=other.name, message="")
    await says(store, "chenzg", f"合并 {one.id} {other.id}")
    merged = await lead(store, one.id)

    await says(store, "chenzg", f"分开 {other.id}")

    assert merged.score == one.score + 15 + 20
    assert (await lead(store, one.id)).score == one.score
    assert (await lead(store, other.id)).score == one.score + 15 + 20


async def test_what_a_person_qualified_survives_the_split(store):
    first = await captured(store, phone=PHONE, message="")
    await captured(store, phone=PHONE, message="")
    await says(store, "chenzg", f"认定 {first.id} MQL 电话核实过")

    await says(store, "chenzg", f"分开 {first.id}")

    assert (await lead(store, first.id)).qualification == "MQL"


# -- at the same instant -------------------------------------------------------------


async def test_two_captures_at_the_same_instant_by_two_processes_are_one_lead(store, settings):
    other = open_store(settings.database.url, store.rules, store.clock)

    async def take(of):
        async with of.begin() as tx:
            return (await capture(tx, [enquiry(phone=PHONE, email="z@x.cn")]))[0]

    done = await asyncio.gather(*(take(of) for of in [store, other] * 8))
    await other.close()

    assert len({captured.id for captured in done}) == 1
    assert sum(not captured.duplicate for captured in done) == 1
    async with store.read() as tx:
        assert len((await tx.conn.execute(select(t.leads.c.id))).all()) == 1


async def test_an_existing_contact_does_not_drop_the_capture(store):
    """Elsewhere a lead whose contact existed already was thrown away; here it wakes theirs."""
    first = await captured(store, phone=PHONE)
    await says(store, "lilei", f"领取 {first.id}")
    await says(store, "lilei", f"退回 {first.id} 未到时机")
    assert (await lead(store, first.id)).place == Place.MARKETING

    again = await captured(store, phone=PHONE, message="现在可以谈了", campaign="春季")

    assert (again.id, again.owner.name, again.campaign) == (first.id, "李雷", "春季")
    assert again.message == "现在可以谈了"
    assert Kind.ASKED_AGAIN in await story(store, first.id)
