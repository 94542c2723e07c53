"""From one person to another: nothing is lost on the way."""

from dataclasses import fields

from sqlalchemy import select, update

from bot.dispatch import hear
from bot.incoming import ContactAdded
from handlers import handover
from handlers.sweeps import deadlines
from store import tables as t
from tests.handlers.people import answers, captured, lead, says
from tests.handlers.test_undo import live
from tests.handlers.test_work import card

MET = {"state": "", "welcome_code": ""}
MOVES = {
    "owner", "placed_at", "accepted_at", "called_at", "why", "version", "due_at", "due", "swept_at",
}  # fmt: skip


async def worked(store):
    """A lead of 李雷 with all there can be: stage, follow-ups, answers, reminders, a task."""
    new = await captured(store, rep="李雷")
    for line in (
        "领取 {}",
        "跟进 {} 电话 聊了报价 8万 #关注价格",
        "阶段 {} 已报价",
        "提醒 {} 每周一9点 回访",
        "提醒 {} 明天 发合同",
        "生日 {} 5月12日",
        "延期 {}",
    ):
        await says(store, "lilei", line.format(new.id))
    return new.id


async def test_a_transfer_keeps_everything(store, clock):
    number = await worked(store)
    clock.tick(hours=1)
    before, rings = await lead(store, number), (await live(store, number))[0]

    await says(store, "lilei", f"转交 {number} 韩梅")

    after, still = await lead(store, number), (await live(store, number))[0]
    changed = {f.name for f in fields(before) if getattr(before, f.name) != getattr(after, f.name)}
    assert after.owner.name == "韩梅"
    assert changed <= MOVES
    assert len(rings) == 4
    assert [(r[0], *r[3:7]) for r in still] == [(r[0], *r[3:7]) for r in rings]
    assert {r[2] for r in still} == {after.owner.id}
    assert "聊了报价" in await card(store, number, "hanmei")


async def test_a_transfer_moves_no_deadline(store, clock):
    number = await worked(store)
    clock.tick(days=5)
    before = await lead(store, number)

    await says(store, "lilei", f"转交 {number} 韩梅")

    after = await lead(store, number)
    assert (after.followed_at, after.contacted_at, after.extended) == (
        before.followed_at, before.contacted_at, True,
    )  # fmt: skip


async def test_everything_of_a_leaver_goes_to_one_person_with_one_line(store):
    numbers = [await worked(store) for _ in range(3)]

    answer = await says(store, "chenzg", "交接 李雷 韩梅")

    assert "韩梅 3 条" in answer
    for number in numbers:
        now = await lead(store, number)
        assert (now.owner.name, now.stage) == ("韩梅", "quoted")
        assert {r[2] for r in (await live(store, number))[0]} == {now.owner.id}


async def test_more_than_one_line_can_take_is_said(store, monkeypatch):
    # The rest stayed where it was, and the answer named those that went only.
    monkeypatch.setattr(handover, "MOST", 2)
    for _ in range(3):
        await captured(store, rep="李雷")

    first = await says(store, "chenzg", "交接 李雷 韩梅")
    second = await says(store, "chenzg", "交接 李雷 韩梅")

    assert ("韩梅 2 条" in first, "再发一次" in first) == (True, True)
    assert ("韩梅 1 条" in second, "再发一次" in second) == (True, False)


async def test_or_is_spread_by_the_rules(store):
    numbers = [await worked(store) for _ in range(4)]

    answer = await says(store, "chenzg", "交接 李雷")

    owners = [(await lead(store, number)).owner.name for number in numbers]
    assert sorted(owners) == ["王强", "王强", "韩梅", "韩梅"]
    assert "跟进和提醒一起过去了" in answer


async def test_a_full_colleague_gets_what_fits_and_the_rest_is_told(store):
    numbers = [await worked(store) for _ in range(3)]
    async with store.begin() as tx:
        await tx.conn.execute(
            update(t.members).where(t.members.c.name == "韩梅").values(capacity=2)
        )

    answer = await says(store, "chenzg", "交接 李雷 韩梅")

    assert "还有 1 条没交：韩梅 手上满了" in answer
    owners = [(await lead(store, number)).owner.name for number in numbers]
    assert owners == ["韩梅", "韩梅", "李雷"]


async def test_the_contact_of_a_full_colleague_is_not_handed_back_over_their_cap(store):
    """By the rules it went to who had met the customer in WeCom, however full their hands."""
    await hear(store, ContactAdded(id="c1", external_userid="wm1", userid="lilei", **MET))
    await says(store, "chenzg", "分配 1 韩梅")
    await says(store, "hanmei", "接受 1")
    async with store.begin() as tx:
        await tx.conn.execute(
            update(t.members).where(t.members.c.name == "李雷").values(capacity=1)
        )
    await captured(store, rep="李雷")

    await says(store, "chenzg", "交接 韩梅")

    assert (await lead(store, 1)).owner.name == "王强"


async def test_who_is_away_is_handed_nothing_over_unless_the_manager_says_so(store):
    """A bug gave everything to a colleague who was on leave."""
    numbers = [await worked(store) for _ in range(2)]
    await says(store, "hanmei", "请假 今天到周五")

    refused = await says(store, "chenzg", "交接 李雷 韩梅")
    kept = [(await lead(store, number)).owner.name for number in numbers]
    done = await says(store, "chenzg", "交接 李雷 韩梅 照给")

    assert ("韩梅 请假中" in refused, "「交接 李雷 韩梅 照给」" in refused) == (True, True)
    assert kept == ["李雷", "李雷"]
    assert "韩梅 2 条" in done
    assert {(await lead(store, number)).owner.name for number in numbers} == {"韩梅"}


async def test_a_hand_over_past_the_cap_is_the_managers_word(store):
    numbers = [await worked(store) for _ in range(3)]
    async with store.begin() as tx:
        await tx.conn.execute(
            update(t.members).where(t.members.c.name == "韩梅").values(capacity=2)
        )

    await says(store, "chenzg", "交接 李雷 韩梅 照给")

    assert {(await lead(store, number)).owner.name for number in numbers} == {"韩梅"}
    async with store.read() as tx:
        rows = await tx.conn.execute(
            select(t.events.c.data).where(t.events.c.kind == "transferred").order_by(t.events.c.id)
        )
        assert [row.data.get("over", "") for row in rows] == ["", "", "满了"]


async def test_who_does_not_sell_is_given_nothing_on_any_way(store):
    """A bug made a marketing colleague the owner of leads they could not work."""
    number = await worked(store)

    answers = [
        await says(store, who, line)
        for who, line in (
            ("chenzg", "交接 李雷 周市场"),
            ("chenzg", "交接 李雷 周市场 照给"),
            ("chenzg", f"分配 {number} 周市场"),
            ("chenzg", f"分配 {number} 周市场 照给"),
            ("lilei", f"转交 {number} 周市场"),
        )
    ]

    assert all("周市场 不跟线索，可以是：" in answer for answer in answers)
    assert (await lead(store, number)).owner.name == "李雷"


async def test_who_is_away_takes_nothing_new_before_they_are_back(store):
    """A bug let leads lie with somebody whose clocks stood still."""
    number = await worked(store)
    await says(store, "lilei", f"放回 {number}")
    await says(store, "hanmei", "请假 今天到周五")

    refused = await says(store, "hanmei", f"领取 {number}")
    await says(store, "hanmei", "上班")

    assert "先发「上班」" in refused
    assert "已领取" in await says(store, "hanmei", f"领取 {number}")


async def test_a_manager_who_is_away_takes_nothing_over(store):
    number = await worked(store)
    await says(store, "chenzg", "请假 今天")

    assert "先发「上班」" in await says(store, "chenzg", f"我来 {number}")
    assert (await lead(store, number)).owner.name == "李雷"


async def test_what_a_leaver_left_behind_can_still_be_handed_over(store):
    number = await worked(store)
    async with store.begin() as tx:
        await tx.conn.execute(
            update(t.members).where(t.members.c.name == "李雷").values(active=False)
        )
    from handlers.people import hand_over  # noqa: PLC0415

    async with store.begin() as tx:
        await hand_over(tx)

    assert "韩梅 1 条" in await says(store, "chenzg", "交接 李雷 韩梅")
    assert (await lead(store, number)).owner.name == "韩梅"


async def test_a_hand_over_of_nothing_or_to_nobody_is_refused(store):
    assert "没有在跟的线索" in await says(store, "chenzg", "交接 李雷 韩梅")
    assert "团队里没有「老王」" in await says(store, "chenzg", "交接 老王 韩梅")
    assert "主管来做" in await says(store, "lilei", "交接 李雷 韩梅")


async def test_an_expert_sees_the_lead_and_does_not_own_it(store):
    number = await worked(store)

    assert "请 韩梅 帮忙" in await says(store, "lilei", f"求助 {number} 韩梅 想问接口")

    shown = await card(store, number, "hanmei")
    assert "李雷 请你帮忙" in shown
    assert "想问接口" in shown
    assert "19900" in shown.replace(" ", "")
    assert (await lead(store, number)).owner.name == "李雷"
    assert "在 李雷 名下" in await says(store, "hanmei", f"成交 {number} 1万")


async def test_the_expert_answers_and_the_owner_reads_it(store):
    number = await worked(store)
    await says(store, "lilei", f"求助 {number} 韩梅 想问接口")

    await says(store, "hanmei", f"备注 {number} 接口周五给")

    words = [str(r.payload) for k, r in (await answers(store)).items() if k.startswith("word:")]
    assert [("接口周五给" in one, "韩梅 备注" in one) for one in words] == [(True, True)]
    assert "备注 接口周五给" in await says(store, "lilei", f"线索 {number} 详情")


async def test_the_experts_card_is_kept_true_and_ends_with_the_lead(store):
    number = await worked(store)
    await says(store, "lilei", f"求助 {number} 韩梅 想问接口")

    await says(store, "lilei", f"阶段 {number} 意向")
    assert "意向" in await card(store, number, "hanmei")
    await says(store, "lilei", f"成交 {number} 12万")

    shown = await card(store, number, "hanmei")
    assert "请你帮忙" not in shown
    assert "19900" not in shown.replace(" ", "")
    assert "在 李雷 名下" in await says(store, "hanmei", f"备注 {number} 还在吗")


async def test_who_was_not_asked_notes_nothing(store):
    number = await worked(store)

    assert "在 李雷 名下" in await says(store, "hanmei", f"备注 {number} 我也想看")


async def test_the_managers_comment_reaches_the_rep(store):
    number = await worked(store)

    assert "李雷 会看到" in await says(store, "chenzg", f"点评 {number} 先问清楚谁决定")

    [row] = [r for k, r in (await answers(store)).items() if k.startswith("word:")]
    assert row.account == "lilei"
    assert "陈主管 点评" in str(row.payload)
    assert "先问清楚谁决定" in str(row.payload)
    assert "点评 先问清楚谁决定" in await says(store, "lilei", f"线索 {number} 详情")
    assert "主管来做" in await says(store, "lilei", f"点评 {number} 我自己写")


async def test_two_comments_are_two_messages(store):
    number = await worked(store)

    for words in ("先问预算", "再问决策人"):
        await says(store, "chenzg", f"点评 {number} {words}")

    assert sum(key.startswith("word:") for key in await answers(store)) == 2


async def test_money_of_nothing_is_no_deal(store):
    number = await worked(store)

    for words in ("0", "0元", "0万"):
        assert "成交多少" in await says(store, "lilei", f"成交 {number} {words}")
    assert (await lead(store, number)).stage == "quoted"


async def test_the_amount_that_was_talked_about_is_one_press(store):
    number = await worked(store)

    assert f"/成交 {number} 80000元" in await says(store, "lilei", f"成交 {number}")
    assert "成交 8 万" in await says(store, "lilei", f"成交 {number} 80000元")


async def test_the_clock_leaves_a_handed_over_lead_where_it_is(store, clock):
    number = await worked(store)
    await says(store, "lilei", f"转交 {number} 韩梅")
    clock.tick(days=2)

    async with store.begin() as tx:
        while await deadlines(tx):
            pass

    assert (await lead(store, number)).owner.name == "韩梅"
