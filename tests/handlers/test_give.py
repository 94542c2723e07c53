"""The manager gives leads out: one or many, to one or in turns, over a cap only when told to."""

from dataclasses import replace

import pytest

from handlers.commands import giving
from store.domain.lead import Due, Kind
from store.domain.rules import RoutingRule
from tests.handlers.people import captured, enquiry, lead, says
from tests.handlers.test_capture import take
from tests.handlers.test_work import pooled


async def fill(store, name="李雷", count=50):
    return await take(store, *(enquiry(rep=name) for _ in range(count)))


async def owners(store, ids):
    found = [(await lead(store, n)).owner for n in ids]
    return [owner.name if owner else None for owner in found]


async def history(store, lead_id):
    async with store.read() as tx:
        return (await tx.leads.history([lead_id]))[lead_id]


@pytest.mark.parametrize(
    ("line", "ids", "words"),
    [
        ("42 李雷", (42,), "李雷"),
        ("42李雷", (42,), "李雷"),
        ("42", (42,), ""),
        ("#42 #43、44 李雷 韩梅", (42, 43, 44), "李雷 韩梅"),
        ("42,43 李雷 照给 老客户", (42, 43), "李雷 照给 老客户"),
        ("42 42 李雷", (42,), "李雷"),
        ("42 43 自动", (42, 43), "自动"),
    ],
)
def test_numbers_come_first_then_whom(line, ids, words):
    read = giving(line)

    assert (read.ids, read.words) == (ids, words)


@pytest.mark.parametrize("line", ["", "李雷", "abc 42"])
def test_without_a_number_nothing_can_be_given(line):
    with pytest.raises(ValueError, match=f"^{line}$"):
        giving(line)


async def test_bulk_assignment_rotates_among_the_named_and_sets_deadlines(store):
    ids = [await pooled(store) for _ in range(4)]

    said = await says(store, "chenzg", f"分配 {' '.join(map(str, ids))} 李雷 韩梅")

    got = await owners(store, ids)
    after = [await lead(store, n) for n in ids]
    assert (got.count("李雷"), got.count("韩梅")) == (2, 2)
    assert "已给 李雷" in said
    assert "已给 韩梅" in said
    assert {one.due for one in after} == {Due.ACCEPT}
    assert all(one.due_at is not None for one in after)


async def test_bulk_assignment_without_a_name_goes_by_the_rules(store):
    ids = [(await captured(store)).id for _ in range(3)]
    for number, account in zip(ids, ("lilei", "hanmei"), strict=False):
        await says(store, account, f"放回 {number}")

    await says(store, "chenzg", f"分配 {' '.join(map(str, ids))}")

    assert sorted(await owners(store, ids)) == ["李雷", "王强", "韩梅"]


async def test_bulk_assignment_obeys_the_cap_and_names_what_is_left(store):
    await fill(store, count=49)
    ids = [await pooled_of(store, "韩梅") for _ in range(3)]

    said = await says(store, "chenzg", f"分配 {' '.join(map(str, ids))} 李雷")

    assert await owners(store, ids) == ["李雷", None, None]
    assert f"#{ids[1]} 没给" in said
    assert "照给" in said


async def pooled_of(store, name):
    new = await captured(store, rep=name)
    await says(store, "hanmei", f"放回 {new.id}")
    return new.id


async def test_one_more_than_the_cap_only_when_the_manager_says_so_and_it_is_kept(store):
    """It was given without a word, and the cap was just a remark."""
    await fill(store)
    number = await pooled_of(store, "韩梅")

    asked = await says(store, "chenzg", f"分配 {number} 李雷")
    assert f"/分配 {number} 李雷 照给" in asked
    assert await owners(store, [number]) == [None]

    said = await says(store, "chenzg", f"分配 {number} 李雷 照给 老客户介绍的")
    event = (await history(store, number))[-1]
    assert "已给 李雷" in said
    assert "老客户介绍的" in event.text
    assert event.data["over"] == "手上 50 条，满了"


async def test_who_is_on_leave_is_given_nothing_on_any_path(store):
    await says(store, "lilei", "请假 今天")
    number = await pooled_of(store, "韩梅")
    mine = await captured(store, rep="韩梅")

    fresh = await take(store, *(enquiry() for _ in range(6)), enquiry(rep="李雷"))
    asked = await says(store, "chenzg", f"分配 {number} 李雷")
    handed = await says(store, "hanmei", f"转交 {mine.id} 李雷")
    declined = await says(store, "hanmei", f"退回 {mine.id} 不归我跟")

    assert "李雷" not in await owners(store, [done.id for done in fresh])
    assert "请假中" in asked
    assert "请假中" in handed
    assert "转给了 王强" in declined


async def test_who_asks_again_and_whose_seller_is_away_gets_somebody_else(store, clock):
    """The customer of somebody on leave was put on their desk, whatever the roster said."""
    new = await captured(store, phone="19912345678", rep="李雷")
    await says(store, "lilei", f"成交 {new.id} 5万")
    await says(store, "lilei", "请假 今天")

    await captured(store, phone="19912345678", message="再加 10 个账号")

    assert (await lead(store, new.id)).owner.name != "李雷"


async def test_who_comes_back_is_not_flooded(store, clock):
    """Whoever had been away a week got every lead of the morning."""
    await says(store, "lilei", "请假 今天")
    await take(store, *(enquiry() for _ in range(10)))
    await says(store, "lilei", "上班")

    done = await take(store, *(enquiry() for _ in range(6)))

    assert (await owners(store, [d.id for d in done])).count("李雷") == 2


async def test_what_a_manager_gave_and_nobody_took_goes_on_with_three_tries(store):
    new = await captured(store)
    for _ in range(4):
        await says(store, "chenzg", f"分配 {new.id} 韩梅")
        await says(store, "chenzg", f"分配 {new.id} 李雷")

    assert (await lead(store, new.id)).tries == 1


async def test_the_card_that_asks_whom_says_who_cannot(store):
    await says(store, "lilei", "请假 今天")
    new = await captured(store)

    asked = await says(store, "chenzg", f"分配 {new.id}")

    assert f"/分配 {new.id} 王强" in asked
    assert "请假中" in asked


async def test_a_closed_lead_in_a_batch_harms_no_neighbour(store):
    one, two = await pooled(store), await pooled(store)
    await says(store, "hanmei", f"领取 {one}")
    await says(store, "hanmei", f"无效 {one} 空号")

    said = await says(store, "chenzg", f"分配 {one} {two} 韩梅")

    assert "已经结束" in said
    assert await owners(store, [two]) == ["韩梅"]


async def test_the_rules_it_evaluated_are_kept_with_each_assignment(store):
    await says(store, "lilei", "请假 今天")
    new = await captured(store)

    event = next(past for past in await history(store, new.id) if past.kind == Kind.ASSIGNED)

    assert event.data["rule"] == "轮流分配"
    assert event.data["skipped"]["off"]
    assert event.data["skipped"]["turn"]


@pytest.mark.parametrize(
    ("how", "why"), [("manager", "规则「南方」请主管决定"), ("grab", "规则「南方」让大家抢")]
)
async def test_what_the_rules_leave_to_others_is_said_as_it_is(store, how, why):
    """A bug said that nobody was there, and everybody was."""
    ruled = replace(
        store, rules=replace(store.rules, routing=(RoutingRule(name="南方", assign=how),))
    )
    ids = [(await captured(ruled)).id for _ in range(2)]

    said = await says(ruled, "chenzg", f"分配 {ids[0]} {ids[1]} 自动")

    assert (f"#{ids[0]} 没给：{why}" in said, "不在" in said) == (True, False)
    assert await owners(ruled, ids) == [None, None]


async def test_who_said_no_is_named_with_that_reason(store):
    """A bug said that 李雷 was away or full."""
    ids = [(await captured(store, rep="李雷")).id for _ in range(2)]
    await says(store, "lilei", f"退回 {ids[0]} 不归我跟")

    said = await says(store, "chenzg", f"分配 {ids[0]} {ids[1]} 李雷")
    over = await says(store, "chenzg", f"分配 {ids[0]} 李雷 照给")

    assert f"#{ids[0]} 没给：李雷 没接这一条" in said
    assert f"「分配 {ids[0]} 李雷 照给」" in said
    assert "已给 李雷" in over


async def test_each_of_several_is_named_with_what_is_in_the_way(store):
    await fill(store)
    await says(store, "hanmei", "请假 今天")
    ids = [(await captured(store, rep="王强")).id for _ in range(2)]

    said = await says(store, "chenzg", f"分配 {ids[0]} {ids[1]} 李雷 韩梅")

    assert "李雷 手上 50 条，满了" in said
    assert "韩梅 请假中" in said


async def test_a_manager_can_be_given_several_like_anybody(store):
    """A bug said that the manager was away or full."""
    ids = [await pooled(store) for _ in range(2)]

    await says(store, "chenzg", f"分配 {ids[0]} {ids[1]} 陈主管")

    assert await owners(store, ids) == ["陈主管", "陈主管"]


async def test_who_is_asked_already_gets_no_new_time(store, clock):
    """A bug started the five minutes again."""
    new = await captured(store, rep="李雷")
    clock.tick(minutes=4)

    one = await says(store, "chenzg", f"分配 {new.id} 李雷")
    anyway = await says(store, "chenzg", f"分配 {new.id} 李雷 照给")
    other = await says(store, "chenzg", f"分配 {new.id} 韩梅")

    assert f"#{new.id} 已经派给 李雷 了，在等他接受" in one
    assert one == anyway
    assert "已给 韩梅" in other


async def test_the_time_of_an_offer_stays_as_it_was(store, clock):
    new = await captured(store, rep="李雷")
    clock.tick(minutes=4)

    await says(store, "chenzg", f"分配 {new.id} 李雷")

    after = await lead(store, new.id)
    assert (after.due_at, after.placed_at) == (new.due_at, new.placed_at)
