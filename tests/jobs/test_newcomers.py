from datetime import timedelta

import pytest

from handlers.contacts import Met, leads_of
from jobs.newcomers import MARGIN, CatchUp
from store.domain.errors import Later


class WeCom:
    def __init__(self):
        self.asked, self.answers = [], []

    async def since(self, userids, at):
        self.asked.append((sorted(userids), at))
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def wecom():
    return WeCom()


@pytest.fixture
def fresh(store, wecom):
    return CatchUp(store, wecom, lambda: None)


@pytest.fixture
async def catch_up(store, fresh):
    """Where customers are met."""
    async with store.begin() as tx:
        await tx.contacts.meet("wm0", "hanmei", "")
    return fresh


async def test_a_company_without_customers_in_wecom_is_left_alone(fresh, wecom, clock):
    await fresh.step()
    clock.tick(hours=1)

    assert (await fresh.step(), wecom.asked) == (0, [])


async def test_the_first_look_asks_nobody(catch_up, wecom):
    assert (await catch_up.step(), wecom.asked) == (0, [])


async def test_what_could_not_be_read_is_asked_for_again_from_the_same_moment(
    catch_up, wecom, clock, store
):
    begun = clock()
    await catch_up.step()
    clock.tick(hours=1)
    wecom.answers = [Later("busy"), [Met(external_userid="wm1", userid="lilei", at=begun)]]

    with pytest.raises(Later):
        await catch_up.step()
    clock.tick(hours=1)
    new = await catch_up.step()

    assert [at for _, at in wecom.asked] == [begun - MARGIN] * 2
    assert wecom.asked[0][0] == ["chenzg", "hanmei", "lilei", "zhousc"]
    assert new == 1
    async with store.read() as tx:
        assert len(await leads_of(tx, "wm1")) == 1


async def test_whoever_left_meanwhile_is_not_met_once_more(catch_up, wecom, clock, store):
    await catch_up.step()
    met = Met(external_userid="wm1", userid="lilei", at=clock() + timedelta(minutes=1))
    wecom.answers = [[met], [met]]
    clock.tick(hours=1)
    await catch_up.step()
    async with store.begin() as tx:
        await tx.contacts.part("wm1", "lilei", "customer", clock())

    assert await catch_up.step() == 0
