"""渠道活码, 获客链接, remarks and tags as the stand-in keeps them: as strict as the sheet."""

import pytest
from aiohttp import ClientSession

CODE = {"type": 1, "scene": 2, "state": "展会", "remark": "展会", "user": ["lilei"]}


@pytest.fixture
def ask(product):
    async def post(name, **body):
        return await product.wecom(f"externalcontact/{name}", **body)

    return post


@pytest.fixture
async def contact(product):
    return await product.sandbox.wecom.hand.meet("lilei", "苏禾", "展会")


async def test_a_code_has_a_picture_and_whoever_scans_it_comes_by_its_channel(product, ask):
    made = await ask("add_contact_way", **CODE)
    async with ClientSession() as session, session.get(made["qr_code"]) as picture:
        png = await picture.read()

    way = product.sandbox.wecom.ways.named("展会")
    await product.sandbox.wecom.hand.scan(way, "苏禾")

    half, whole = product.calls
    assert png.startswith(b"\x89PNG")
    assert half.findtext("ChangeType") == "add_half_external_contact"
    assert whole.findtext("ChangeType") == "add_external_contact"
    assert [e.findtext("State") for e in (half, whole)] == ["展会", "展会"]
    assert (half.findtext("WelcomeCode") != "", whole.findtext("WelcomeCode")) == (True, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": 1, "user": ["lilei", "hanmei"]}, 40058),
        ({"type": 3}, 40058),
        ({"user": "lilei"}, 40035),
        ({"user": ["nobody"]}, 40003),
        ({"type": 2, "user": ["lilei"] * 101}, 41041),
        ({"state": "长" * 31}, 40058),
        ({"remark": "长" * 31}, 40058),
    ],
)
async def test_a_code_that_cannot_be_is_refused(ask, changes, code):
    assert (await ask("add_contact_way", **CODE | changes))["errcode"] == code


async def test_a_code_is_changed_and_deleted(ask):
    made = await ask("add_contact_way", **CODE | {"type": 2, "user": ["lilei", "hanmei"]})
    which = {"config_id": made["config_id"]}

    await ask("update_contact_way", **which, user=["hanmei"], state="展会")
    shown = (await ask("get_contact_way", **which))["contact_way"]
    await ask("del_contact_way", **which)

    assert shown["user"] == ["hanmei"]
    assert (await ask("get_contact_way", **which))["errcode"] == 40058


async def test_a_link_is_made_for_a_range_of_people(ask):
    path = "customer_acquisition/create_link"
    made = await ask(path, link_name="官网", range={"user_list": ["lilei"]})
    refused = await ask(path, link_name="官网", range={})

    assert made["link"]["url"].startswith("https://work.weixin.qq.com/ca/")
    assert refused["errcode"] == 40035


async def test_remark_and_tags_are_what_the_look_up_shows(product, ask, contact):
    who = {"userid": "lilei", "external_userid": contact.external_userid}
    made = await ask("add_corp_tag", group_name="线索阶段", tag=[{"name": "意向"}])
    [tag] = made["tag_group"]["tag"]

    await ask("mark_tag", **who, add_tag=[tag["id"]])
    await ask("remark", **who, remark="苏禾-展会", remark_mobiles=["13800000001"])

    seen = await product.get("externalcontact/get", external_userid=contact.external_userid)
    [follower] = seen["follow_user"]
    assert follower["remark"] == "苏禾-展会"
    assert follower["remark_mobiles"] == ["13800000001"]
    assert [t["tag_name"] for t in follower["tags"]] == ["意向"]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("remark", {"remark": "长" * 21}, 40035),
        ("remark", {"userid": "nobody"}, 40003),
        ("remark", {"userid": "hanmei"}, 84061),
        ("remark", {"external_userid": "wm-unknown"}, 40096),
        ("mark_tag", {"add_tag": ["et-unknown"]}, 40068),
        ("mark_tag", {}, 40063),
    ],
)
async def test_a_write_that_cannot_be_is_refused(ask, contact, name, body, code):
    who = {"userid": "lilei", "external_userid": contact.external_userid}

    assert (await ask(name, **who | body))["errcode"] == code


async def test_a_tag_exists_once(ask):
    one = {"group_name": "线索阶段", "tag": [{"name": "意向"}]}

    first = await ask("add_corp_tag", **one)
    again = await ask("add_corp_tag", **one)

    assert [a["errcode"] for a in (first, again)] == [0, 40071]


async def test_who_deleted_a_member_is_no_contact_any_more(product, ask, contact):
    await product.sandbox.wecom.hand.part(contact, "lilei", by_customer=True)

    seen = await product.get("externalcontact/get", external_userid=contact.external_userid)

    assert product.calls[-1].findtext("ChangeType") == "del_follow_user"
    assert seen["errcode"] == 84061
