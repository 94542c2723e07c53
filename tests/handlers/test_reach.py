"""A number, a mailbox or a WeChat id that is filled in from the chat."""

import pytest

from store.domain.lead import Place
from store.domain.reach import way_of
from tests.handlers.people import answers, captured, lead, says
from tests.handlers.test_masked import pooled

PHONE = "19912345678"


async def mine(store, **values):
    """A lead that 李雷 has."""
    one = await captured(store, **{"rep": "李雷", "name": "赵丽"} | values)
    await says(store, "lilei", f"接受 {one.id}")
    return one.id


async def keys(store, number):
    async with store.read() as tx:
        return {(k.kind, k.value) for k in (await tx.leads.keys_of([number])).get(number, ())}


async def questions(store):
    rows = (await answers(store)).items()
    return {key: str(row.payload) for key, row in rows if key.startswith("doubt:")}


@pytest.mark.parametrize(
    ("written", "way"),
    [
        ("电话 13800138000", ("电话", "13800138000")),
        ("手机号：13800138000", ("电话", "13800138000")),
        ("电话13800138000", ("电话", "13800138000")),
        ("13800138000", ("电话", "13800138000")),
        ("邮箱 a@x.cn", ("邮箱", "a@x.cn")),
        ("a@x.cn", ("邮箱", "a@x.cn")),
        ("微信号 wang_88", ("微信", "wang_88")),
        ("职位 总监", None),
        ("公司 云栖", None),
    ],
)
def test_which_way_to_reach_somebody_is_meant(written, way):
    assert way_of(written) == way


async def test_a_phone_is_normalised_and_the_old_one_stays_beside_it(store):
    """资料 took no number: 可以填：姓名、公司…"""
    number = await mine(store, phone="13800001111", region="")

    said = await says(store, "lilei", f"资料 {number} 电话 ０２１-62345678 转 801")

    after = await lead(store, number)
    assert (after.phone, after.phone_sure) == ("+862162345678", True)
    assert after.fields == {"分机": "801", "其他电话": "+8613800001111"}
    assert "021-62345678转801" in said
    assert "13800001111" in said
    assert "+86" not in said
    assert f"/撤销 {number}" in said
    again = await captured(store, name="赵丽", phone="021-62345678")
    assert again.id == number, "it is known by the number from now on"


async def test_a_mailbox_and_a_wechat_id_are_kept_too(store):
    number = await mine(store)

    await says(store, "lilei", f"资料 {number} 邮箱 Zhao@Example.COM")
    await says(store, "lilei", f"资料 {number} 微信 zhaoli_88")

    after = await lead(store, number)
    assert (after.email, after.wechat) == ("zhao@example.com", "zhaoli_88")
    assert {("email", "zhao@example.com"), ("wechat", "zhaoli_88")} <= await keys(store, number)
    told = await says(store, "lilei", f"资料 {number}")
    assert "邮箱：zhao@example.com" in told
    assert "微信：zhaoli_88" in told


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("电话 没有", "电话"),
        ("电话 138OO138000", "字母"),
        ("邮箱 zhao@", "邮箱的写法不对"),
        ("微信 同手机号", "微信"),
    ],
)
async def test_what_reaches_nobody_is_answered_with_how_to_write_it(store, words, why):
    number = await mine(store)
    before = await lead(store, number)

    said = await says(store, "lilei", f"资料 {number} {words}")

    assert why in said
    assert f"例如：资料 {number} " in said
    assert await lead(store, number) == before


async def test_only_who_may_fill_in_the_lead_may_add_a_number(store):
    number = await mine(store)

    refused = [
        await says(store, who, f"资料 {number} 电话 {PHONE}") for who in ("hanmei", "zhousc")
    ]

    assert all("李雷" in said for said in refused)
    assert (await lead(store, number)).phone != f"+86{PHONE}"
    assert "记下了" in await says(store, "chenzg", f"资料 {number} 电话 {PHONE}")


@pytest.mark.parametrize("name", ["赵丽", "司马光", ""])
async def test_somebody_elses_number_asks_and_tells_nothing_of_them(store, name):
    other = await captured(store, name=name, phone=PHONE, rep="韩梅", company="云栖机密")
    number = await mine(store)

    said = await says(store, "lilei", f"资料 {number} 电话 {PHONE}")

    after, asked = await lead(store, number), await questions(store)
    assert "和一位已有客户有点像，等核对" in said
    assert not [s for s in ("司马光", "云栖机密", "韩梅", f"#{other.id} ") if s in said]
    assert (after.doubles, after.phone) == ((other.id,), f"+86{PHONE}")
    assert (await lead(store, other.id)).merged_into is None
    assert list(asked) == [f"doubt:{number}/4/ask"]
    assert "合并" in await says(store, "chenzg", f"重复 {number}")


async def test_two_that_were_told_apart_are_not_asked_about_again(store):
    other = await captured(store, name="司马光", phone=PHONE, rep="韩梅")
    number = await mine(store, phone=PHONE)
    await says(store, "chenzg", f"不同 {number} {other.id}")
    await says(store, "lilei", f"资料 {number} 电话 13800009999")

    said = await says(store, "lilei", f"资料 {number} 电话 {PHONE}")

    assert "有点像" not in said
    assert (await lead(store, number)).doubles == ()


async def test_a_number_is_taken_back_with_all_that_followed_from_it(store, clock):
    await captured(store, name="司马光", phone=PHONE, rep="韩梅")
    number = await mine(store, phone="", wechat="zhaoli_88")
    before, known = await lead(store, number), await keys(store, number)
    await says(store, "lilei", f"资料 {number} 电话 {PHONE} 转 801")
    assert await questions(store)
    clock.tick(minutes=9)

    said = await says(store, "lilei", "撤销")

    after = await lead(store, number)
    assert "已撤销「资料」" in said
    same = ("phone", "phone_sure", "region", "fields", "doubles", "score", "other_names")
    assert [getattr(after, n) for n in same] == [getattr(before, n) for n in same]
    assert await keys(store, number) == known
    assert "没有要核对的重复" in await says(store, "chenzg", "重复")
    assert all("不用核对" in text for text in (await questions(store)).values())


async def test_after_ten_minutes_a_number_stays(store, clock):
    number = await mine(store)
    await says(store, "lilei", f"资料 {number} 电话 {PHONE}")
    clock.tick(minutes=11)

    assert "撤不回来了" in await says(store, "lilei", "撤销")
    assert (await lead(store, number)).phone == f"+86{PHONE}"


async def test_what_is_filled_in_of_a_pooled_lead_is_masked_at_once(store):
    number = await pooled(store, name="欧阳静", phone="13800001111")

    said = await says(store, "chenzg", f"资料 {number} 微信 oyj_8888")
    history = await says(store, "chenzg", f"线索 {number} 详情")

    assert (await lead(store, number)).place == Place.POOL
    assert not [s for s in ("欧阳静", "oyj_8888", "13800001111") if s in said + history]
