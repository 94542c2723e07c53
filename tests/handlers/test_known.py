"""Do we have them? Answered, and nothing else."""

from dataclasses import replace

import pytest

from handlers.known import team_of
from tests.handlers.people import answers, captured, lead, says
from tests.store.domain.leads import LI

PHONE = "19912345678"
SECRETS = ("赵丽", "秘密公司", "z@secret.cn", "很秘密的需求", "李雷", "#1")


async def known(store, state="owned"):
    new = await captured(
        store, phone=PHONE, name="赵丽", company="秘密公司", email="z@secret.cn",
        message="很秘密的需求", rep="李雷",
    )  # fmt: skip
    await says(store, "lilei", f"领取 {new.id}")
    lines = {"pool": f"放回 {new.id}", "marketing": f"退回 {new.id} 未到时机"}
    if state in lines:
        await says(store, "lilei", lines[state])
    return new


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("owned", "已有这位客户，有同事在跟，还没联系"),
        ("pool", "已有这位客户，在公海里"),
        ("marketing", "已有这位客户，市场在培育"),
    ],
)
@pytest.mark.parametrize("asked", [PHONE, "+86 199 1234 5678", "王二 Z@Secret.cn"])
async def test_duplicate_answers_leak_nothing(store, state, said, asked):
    await known(store, state)

    answer = await says(store, "hanmei", f"查重 {asked}")

    assert answer == said
    assert not [secret for secret in SECRETS if secret in answer]


async def test_a_duplicate_that_is_recorded_leaks_nothing_either(store):
    await known(store)

    answer = await says(store, "hanmei", f"录入 赵丽 {PHONE} 要一份报价")

    assert answer == "已有这位客户，有同事在跟，还没联系，这次的需求补进去了"
    assert "要一份报价" in (await lead(store, 1)).message
    assert "赵丽" not in str(
        [r.payload for r in (await answers(store)).values() if r.account == "hanmei"]
    )


async def test_a_likeness_leaks_nothing(store):
    await known(store)

    answer = await says(store, "hanmei", "查重 钱多多 19912345678")

    assert answer == "和一位已有客户有点像，录入后请主管核对"


async def test_who_may_see_it_is_told_which_one(store, clock):
    new = await known(store)
    await says(store, "lilei", f"跟进 {new.id} 电话 聊了报价")
    clock.tick(days=3)

    owner = await says(store, "lilei", f"查重 {PHONE}")
    manager = await says(store, "chenzg", f"查重 {PHONE}")
    other = await says(store, "hanmei", f"查重 {PHONE}")

    assert owner == manager == f"已有这位客户 #{new.id}，在 李雷 那里，跟进中，3 天前联系过"
    assert other == "已有这位客户，有同事在跟，3 天前联系过"


@pytest.mark.parametrize("part", ["1991234", "199****5678", "5678", "赵丽", "秘密公司"])
async def test_a_masked_number_is_not_found_by_a_part_of_it(store, part):
    await known(store)

    answer = await says(store, "hanmei", f"查重 {part}")

    assert "已有" not in answer


async def test_asking_stores_nothing(store):
    assert await says(store, "hanmei", f"查重 {PHONE}") == "新客户，还没有人录入过"
    assert await says(store, "hanmei", f"查重 {PHONE}") == "新客户，还没有人录入过"


def test_a_team_is_named_where_a_person_would_be():
    assert team_of(replace(LI, regions=("江苏",))) == "华东团队"
    assert team_of(replace(LI, regions=("华南",))) == "华南团队"
    assert team_of(replace(LI, departments=("大客户部",))) == "大客户部团队"
    assert team_of(LI) == "有同事"
