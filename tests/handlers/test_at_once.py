"""Different things done at the same instant: both are done, whoever was first."""

import asyncio

import pytest

from bot.gather import take_together
from store.domain.lead import Place
from tests.handlers.people import captured, enquiry, lead, says

PHONE = "199777{:05d}"
ROUNDS = 4


async def pooled(store, phone):
    one = await captured(store, phone=phone)
    await says(store, "chenzg", f"分配 {one.id} 王强")
    async with store.begin() as tx:
        there = await tx.leads.get(one.id)
        await tx.leads.save([there.unsuitable(tx.now, "等主管分配")])
    return one.id


async def both(*work):
    """Raises what either of them raised: a deadlock was an error nobody was told of."""
    return await asyncio.gather(*work)


async def test_a_claim_and_the_person_asking_again(store):
    for n in range(ROUNDS):
        number = await pooled(store, PHONE.format(n))

        told, [again] = await both(
            says(store, "lilei", f"领取 {number}"),
            take_together(store, [enquiry(phone=PHONE.format(n), message="再问一下")]),
        )

        assert (again.id, again.duplicate) == (number, True)
        assert str(number) in told
        assert (await lead(store, number)).place == Place.OWNER


async def test_a_transfer_and_the_person_asking_again(store):
    for n in range(ROUNDS):
        one = await captured(store, phone=PHONE.format(n), rep="李雷")
        await says(store, "lilei", f"接受 {one.id}")

        await both(
            take_together(store, [enquiry(phone=PHONE.format(n), message="再问一下")]),
            says(store, "lilei", f"转交 {one.id} 韩梅"),
        )

        assert (await lead(store, one.id)).owner.name == "韩梅"


@pytest.mark.parametrize("line", ["转交 {} 韩梅", "放回 {}"])
async def test_a_rep_acts_while_the_manager_sends_them_on_leave(store, line):
    for n in range(ROUNDS):
        one = await captured(store, phone=PHONE.format(n), rep="李雷")
        await says(store, "lilei", f"接受 {one.id}")

        await both(
            says(store, "lilei", line.format(one.id)), says(store, "chenzg", "请假 李雷 今天下午")
        )
        await says(store, "lilei", "上班")

        now = await lead(store, one.id)
        assert now.owner is None or now.owner.name == "韩梅"
