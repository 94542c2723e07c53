import base64
from dataclasses import replace
from datetime import timedelta

import pytest
import segno
from aiohttp import web

from bot.platforms.wecom.client import WeComError
from bot.platforms.wecom.contacts import (
    ProfileSender,
    StageTags,
    WaySender,
    WelcomeSender,
)
from bot.platforms.wecom.customers import MOST_PAGES, customer
from bot.platforms.wecom.pictures import LARGEST, PNG, drawn
from bot.platforms.wecom.sender import AppSender, ContactLookup
from handlers.ways import as_json, from_json
from store.domain.errors import Later, Undeliverable
from store.domain.team import Channel
from store.domain.ways import Way, WayKind
from store.outbox import Due
from tests.bot.wecom.given import HANG, HANG_UP, IN_PIECES, NOON, refusal

WELCOME, REMARK, MARK = (
    f"externalcontact/{name}" for name in ("send_welcome_msg", "remark", "mark_tag")
)
GET, TAGS, ADD_TAG = (
    f"externalcontact/{name}" for name in ("get", "get_corp_tag_list", "add_corp_tag")
)
ADD, UPDATE = "externalcontact/add_contact_way", "externalcontact/update_contact_way"
SHOWN = "externalcontact/get_contact_way"
LINKS = "externalcontact/customer_acquisition"
LINK = f"{LINKS}/create_link"


def due(channel, payload, **changes):
    values = {
        "key": "k",
        "channel": channel,
        "account": "wm1",
        "payload": payload,
        "version": 1,
        "attempts": 1,
        "ring": False,
        "ref": None,
    }
    return Due(**(values | changes))


class Notes(list):
    async def __call__(self, *what):
        self.append(what)


@pytest.fixture
def notes():
    return Notes()


# -- the welcome ---------------------------------------------------------------


def greeting(**changes):
    payload = {
        "welcome_code": "WC1",
        "text": {"content": "你好"},
        "userid": "lilei",
        "since": NOON.isoformat(),
    }
    return due(Channel.WECOM_WELCOME, payload, **changes)


@pytest.fixture
def welcome(client, clock, notes):
    return WelcomeSender(client, clock, notes)


async def test_a_welcome_goes_out_with_its_code(welcome, gateway, notes):
    await welcome.show(greeting())

    assert gateway.bodies(WELCOME) == [{"welcome_code": "WC1", "text": {"content": "你好"}}]
    assert notes == [("wm1", "lilei", "")]


async def test_a_chat_that_has_begun_needs_no_welcome(welcome, gateway, notes):
    gateway.answers(WELCOME, refusal(41051))

    await welcome.show(greeting())

    assert notes == [("wm1", "lilei", "")]


@pytest.mark.parametrize("answer", [refusal(41096), refusal(45033), HANG_UP])
async def test_what_passes_is_tried_again_within_the_window(welcome, gateway, notes, answer):
    gateway.answers(WELCOME, answer)

    with pytest.raises(Later) as later:
        await welcome.show(greeting())

    assert later.value.after <= timedelta(seconds=1)
    assert notes == []


async def test_a_limit_is_waited_for_within_the_window_in_few_calls(
    welcome, gateway, clock, notes
):
    """A welcome under 45009 asked once a second, each of them."""
    gateway.always[WELCOME] = refusal(45009)

    for second in range(20):
        with pytest.raises((Later, Undeliverable)):
            await welcome.show(greeting(attempts=second + 1))
        clock.forward(seconds=1)

    assert len(gateway.calls(WELCOME)) == 3
    assert notes[0] == ("wm1", "lilei", "企业微信这会儿太忙")


async def test_a_limit_that_passes_within_the_window_costs_no_welcome(
    welcome, gateway, clock, notes
):
    gateway.answers(WELCOME, refusal(45009))
    with pytest.raises(Later) as later:
        await welcome.show(greeting())
    clock.forward(seconds=later.value.after.total_seconds())

    await welcome.show(greeting(attempts=2))

    assert notes == [("wm1", "lilei", "")]


async def test_a_busy_platform_is_asked_more_and_more_slowly(welcome, gateway, clock):
    gateway.always[WELCOME] = refusal(-1)
    waits = []
    for attempt in range(1, 5):
        with pytest.raises(Later) as later:
            await welcome.show(greeting(attempts=attempt))
        waits.append(later.value.after.total_seconds())
        clock.forward(seconds=waits[-1])

    assert waits == [1, 2, 4, 8]


async def test_after_the_window_nothing_is_tried_and_it_is_noted(welcome, gateway, clock, notes):
    clock.forward(seconds=20)

    with pytest.raises(Undeliverable):
        await welcome.show(greeting(attempts=2))

    assert gateway.calls(WELCOME) == []
    assert notes == [("wm1", "lilei", "超过 20 秒")]


async def test_the_first_try_is_made_whatever_our_clock_says(welcome, gateway, clock):
    clock.forward(minutes=5)

    await welcome.show(greeting())

    assert len(gateway.calls(WELCOME)) == 1


@pytest.mark.parametrize(
    ("code", "why"), [(41050, "超过 20 秒"), (48002, "没有客户联系权限"), (99999, "99999")]
)
async def test_a_refused_welcome_is_given_up_with_the_reason(welcome, gateway, notes, code, why):
    gateway.answers(WELCOME, refusal(code))

    with pytest.raises(Undeliverable):
        await welcome.show(greeting())

    [(_, _, noted)] = notes
    assert why in noted


# -- remark and tag ------------------------------------------------------------


def profile(ref=None, **changes):
    payload = {"userid": "lilei", "remark": {}, "tag": ""} | changes
    return due(Channel.WECOM_PROFILE, payload, ref=ref)


def followed(**changes):
    follower = {"userid": "LiLei", "remark": "苏禾", "remark_mobiles": []} | changes
    contact = {"external_userid": "wm1", "name": "苏禾", "type": 1}
    return {"errcode": 0, "external_contact": contact, "follow_user": [follower]}


def tagged(*names):
    tags = [{"id": f"et-{name}", "name": name} for name in names]
    return {"errcode": 0, "tag_group": [{"group_name": "线索阶段", "tag": tags}]}


def made_tag(name):
    group = {"group_name": "线索阶段", "tag": [{"id": f"et-{name}", "name": name}]}
    return {"errcode": 0, "tag_group": group}


@pytest.fixture
def parted():
    return Notes()


@pytest.fixture
def profiles(client, parted):
    return ProfileSender(client, StageTags(client), parted)


async def test_the_tag_of_a_stage_is_made_once(profiles, gateway):
    gateway.answers(TAGS, tagged())
    gateway.answers(ADD_TAG, made_tag("意向"))

    first = await profiles.show(profile(tag="意向"))
    await profiles.show(profile(tag="意向"))

    assert first == {"tag": "意向", "tag_id": "et-意向"}
    assert gateway.bodies(ADD_TAG) == [{"group_name": "线索阶段", "tag": [{"name": "意向"}]}]
    assert gateway.bodies(MARK)[0]["add_tag"] == ["et-意向"]


async def test_the_next_stage_takes_the_last_one_off(profiles, gateway):
    gateway.answers(TAGS, tagged("意向", "已报价"))

    await profiles.show(profile({"tag": "意向", "tag_id": "et-意向"}, tag="已报价"))

    assert gateway.bodies(MARK) == [
        {
            "userid": "lilei",
            "external_userid": "wm1",
            "add_tag": ["et-已报价"],
            "remove_tag": ["et-意向"],
        }
    ]


async def test_what_is_so_already_costs_no_call(profiles, gateway):
    ref = {"tag": "意向", "tag_id": "et-意向", "remark": {"remark": "苏禾-展会"}}

    await profiles.show(profile(ref, tag="意向", remark={"remark": "苏禾-展会"}))

    assert gateway.seen == []


async def test_a_tag_that_was_deleted_in_the_console_is_asked_for_again(profiles, gateway):
    gateway.answers(TAGS, tagged("意向"), tagged())
    gateway.answers(MARK, refusal(40068))
    gateway.answers(ADD_TAG, made_tag("意向"))

    ref = await profiles.show(profile({"tag": "跟进中", "tag_id": "et-old"}, tag="意向"))

    assert ref["tag"] == "意向"
    assert "remove_tag" not in gateway.bodies(MARK)[-1]


async def test_a_tag_somebody_else_has_just_made_is_found_the_next_time(profiles, gateway):
    gateway.answers(TAGS, tagged(), tagged("意向"))
    gateway.answers(ADD_TAG, refusal(40071))

    with pytest.raises(Later):
        await profiles.show(profile(tag="意向"))
    ref = await profiles.show(profile(tag="意向"))

    assert ref["tag_id"] == "et-意向"


async def test_two_writes_at_once_are_for_later(profiles, gateway):
    gateway.answers(TAGS, tagged("意向"))
    gateway.answers(MARK, refusal(45035))

    with pytest.raises(Later):
        await profiles.show(profile(tag="意向"))


async def test_a_contact_who_is_gone_for_good_is_noted(profiles, gateway, parted):
    """The remark was given up, and the next message went to nobody again."""
    gateway.answers(GET, refusal(84061))
    wanted = profile(remark={"remark": "苏禾-展会"})

    with pytest.raises(Undeliverable):
        await profiles.show(due(wanted.channel, wanted.payload, attempts=5))

    assert parted == [("wm1", "lilei")]


async def test_the_event_ahead_of_the_data_gets_a_few_tries(profiles, gateway):
    gateway.answers(GET, refusal(84061), refusal(84061))
    wanted = profile(remark={"remark": "苏禾-展会"})

    with pytest.raises(Later):
        await profiles.show(wanted)
    with pytest.raises(WeComError):
        await profiles.show(due(wanted.channel, wanted.payload, attempts=9))


async def test_the_nickname_becomes_our_remark_and_the_phone_is_added(profiles, gateway):
    gateway.answers(GET, followed(remark_mobiles=["13800000001"]))
    wanted = {"remark": "苏禾-展会", "company": "云栖制造", "phone": "+8613800000002"}

    await profiles.show(profile(remark=wanted))

    assert gateway.bodies(REMARK) == [
        {
            "userid": "lilei",
            "external_userid": "wm1",
            "remark": "苏禾-展会",
            "remark_company": "云栖制造",
            "remark_mobiles": ["13800000001", "13800000002"],
        }
    ]


async def test_what_a_member_wrote_stays(profiles, gateway):
    known = {
        "remark": "苏总 老客户",
        "remark_mobiles": ["13800000002"],
        "remark_corp_name": "云栖",
    }
    gateway.answers(GET, followed(**known))
    wanted = {"remark": "苏禾-展会", "company": "云栖制造", "phone": "+8613800000002"}

    await profiles.show(profile(remark=wanted))

    assert gateway.calls(REMARK) == []


async def test_our_own_remark_may_become_a_better_one(profiles, gateway):
    gateway.answers(GET, followed(remark="苏-展会"))

    await profiles.show(profile({"remark": {"remark": "苏-展会"}}, remark={"remark": "苏禾-展会"}))

    assert gateway.bodies(REMARK)[0]["remark"] == "苏禾-展会"


async def test_a_member_on_the_second_page_of_followers_is_found(profiles, gateway):
    """Who came after the first 500 was taken for somebody without the contact."""
    first = followed(userid="hanmei") | {"next_cursor": "C2"}
    gateway.answers(GET, first, followed(remark="苏禾"))

    await profiles.show(profile(remark={"remark": "苏禾-展会"}))

    assert [seen.query.get("cursor") for seen in gateway.calls(GET)] == [None, "C2"]
    assert gateway.bodies(REMARK)[0]["remark"] == "苏禾-展会"


async def test_a_look_up_asks_for_every_page(client, gateway):
    notes = Notes()
    first = followed(userid="hanmei") | {"next_cursor": "C2"}
    gateway.answers(GET, first, followed(remark_mobiles=["13800000001"]))
    lookup = due(Channel.WECOM_CONTACT, {"userid": "lilei"})

    await ContactLookup(client, notes, notes).show(lookup)

    assert notes[0][1]["remark_mobiles"] == ["13800000001"]


async def test_a_cursor_that_never_ends_is_given_up(client, gateway):
    gateway.always[GET] = followed(userid="hanmei") | {"next_cursor": "C2"}

    answer = await customer(client, "wm1")

    assert len(answer["follow_user"]) == len(gateway.calls(GET)) == MOST_PAGES


async def test_a_member_who_lost_the_contact_writes_nothing(profiles, gateway):
    gateway.answers(GET, followed(userid="hanmei"))

    with pytest.raises(Later):
        await profiles.show(profile(remark={"remark": "苏禾"}))


# -- codes and links -----------------------------------------------------------


@pytest.fixture
def told():
    return Notes()


@pytest.fixture
def ways(client, notes, told):
    async def known(way):
        return way

    return WaySender(
        client=client,
        known=known,
        made=notes,
        shown=told,
        failed=told,
        read=from_json,
        patience=60.0,
    )


def order(*, attempts=1, step="", **changes):
    way = Way(**({"kind": WayKind.CODE, "name": "展会", "userids": ("lilei",)} | changes))
    payload = {"way": as_json(way), "by": 7} | ({"step": step} if step else {})
    return due(Channel.WECOM_WAY, payload, account=way.name, attempts=attempts)


def picture_of(url, **changes):
    return order(step="picture", id="c1", url=url, **changes)


async def test_one_member_is_type_one_and_several_are_type_two(ways, gateway, base):
    url = f"{base}/cgi-bin/code.png"
    gateway.answers(ADD, {"errcode": 0, "config_id": "c1", "qr_code": url})

    ref = await ways.show(order())

    [body] = gateway.bodies(ADD)
    assert (body["type"], body["scene"], body["state"], body["user"]) == (1, 2, "展会", ["lilei"])
    assert ref == {"id": "c1"}


async def test_a_code_is_kept_before_its_picture_is_fetched(ways, gateway, base, notes):
    url = f"{base}/cgi-bin/code.png"
    gateway.answers(ADD, {"errcode": 0, "config_id": "c1", "qr_code": url})

    await ways.show(order(userids=("lilei", "hanmei")))

    [(way, by, gone)] = notes
    assert gateway.bodies(ADD)[0]["type"] == 2
    assert (way.id, way.url, by, gone) == ("c1", url, 7, "")
    assert gateway.calls("code.png") == []


async def test_the_picture_is_handed_back(ways, gateway, base, told):
    gateway.answers("code.png", web.Response(body=drawn("x"), content_type="image/png"))

    await ways.show(picture_of(f"{base}/cgi-bin/code.png"))

    [(way, by, png)] = told
    assert (way.id, by, png) == ("c1", 7, drawn("x"))
    assert "access_token" not in gateway.calls("code.png")[0].query


async def test_a_picture_that_comes_in_pieces_is_whole(ways, gateway, base, told):
    """One read of the stream gave the first piece, and half a picture was shown."""
    gateway.always["code.png"] = IN_PIECES

    await ways.show(picture_of(f"{base}/cgi-bin/code.png"))

    [(_, _, png)] = told
    assert png == drawn("x")


async def test_a_host_of_pictures_that_hangs_makes_no_other_code(ways, gateway, base, told):
    """Three tries of 20 s were longer than the relay waits: a new code every minute."""
    gateway.always["code.png"] = HANG
    ways = replace(ways, patience=0.2)

    for attempt in (1, 2):
        with pytest.raises(Later):
            await ways.show(picture_of(f"{base}/cgi-bin/code.png", attempts=attempt))
    await ways.show(picture_of(f"{base}/cgi-bin/code.png", attempts=3))

    [(way, _, png)] = told
    assert (way.id, png) == ("c1", None)  # told by its address
    assert gateway.calls(ADD) == []


async def test_a_picture_without_end_is_none(ways, gateway, base, told):
    gateway.always["code.png"] = web.Response(body=PNG + bytes(LARGEST), content_type="image/png")

    with pytest.raises(Later, match="too large"):
        await ways.show(picture_of(f"{base}/cgi-bin/code.png"))

    assert told == []


@pytest.mark.parametrize("code", [40035, 40058, 40068, 84999])
async def test_a_code_that_was_deleted_at_wecom_is_made_anew(ways, gateway, base, notes, code):
    """The name was blocked for good: every order changed what was no longer there."""
    gateway.answers(UPDATE, refusal(code))
    gateway.answers(SHOWN, refusal(code))
    gateway.answers(ADD, {"errcode": 0, "config_id": "c2", "qr_code": f"{base}/2.png"})

    await ways.show(order(id="c1", url=f"{base}/1.png"))

    [(way, _, gone)] = notes
    assert (way.id, way.url, gone) == ("c2", f"{base}/2.png", "c1")


async def test_a_code_that_is_there_and_cannot_be_changed_stays(ways, gateway, told):
    gateway.answers(UPDATE, refusal(40058))
    gateway.answers(SHOWN, {"errcode": 0, "contact_way": {"config_id": "c1"}})

    with pytest.raises(Undeliverable):
        await ways.show(order(id="c1", url="https://p.example/1.png"))

    assert gateway.calls(ADD) == []
    assert "40058" in told[0][2]


@pytest.mark.parametrize("code", [40003, 84074, 48002])
async def test_what_is_wrong_with_a_member_is_no_deleted_code(ways, gateway, code):
    gateway.answers(UPDATE, refusal(code))

    with pytest.raises(Undeliverable):
        await ways.show(order(id="c1", url="https://p.example/1.png"))

    assert gateway.calls(SHOWN) == []
    assert gateway.calls(ADD) == []


async def test_a_link_that_was_deleted_at_wecom_is_made_anew(ways, gateway, notes):
    gateway.answers(f"{LINKS}/update_link", refusal(40035))
    gateway.answers(f"{LINKS}/get", refusal(40035))
    link = {"link_id": "ca2", "url": "https://work.weixin.qq.com/ca/y"}
    gateway.answers(LINK, {"errcode": 0, "link": link})

    await ways.show(order(kind=WayKind.LINK, name="官网", id="ca1", url="https://x.example"))

    [(way, _, gone)] = notes
    assert (way.id, gone) == ("ca2", "ca1")
    assert way.url.startswith("https://work.weixin.qq.com/ca/y?customer_channel=")


async def test_a_code_that_is_there_gets_other_people(ways, gateway, base, notes):
    await ways.show(order(id="c1", url=f"{base}/cgi-bin/code.png"))

    assert gateway.calls(ADD) == []
    assert gateway.bodies(UPDATE)[0]["config_id"] == "c1"
    assert notes[0][0].id == "c1"


async def test_a_link_carries_its_channel_and_is_drawn_here(ways, gateway, notes, told):
    link = {"link_id": "ca1", "link_name": "官网", "url": "https://work.weixin.qq.com/ca/x"}
    gateway.answers(LINK, {"errcode": 0, "link": link})

    await ways.show(order(kind=WayKind.LINK, name="官网"))

    [(way, _, _)] = notes
    await ways.show(due(Channel.WECOM_WAY, {"way": as_json(way), "by": 7, "step": "picture"}))
    assert told == [(way, 7, drawn(way.url))]
    assert way.url == "https://work.weixin.qq.com/ca/x?customer_channel=%E5%AE%98%E7%BD%91"
    assert gateway.bodies(LINK)[0]["range"] == {"user_list": ["lilei"]}


async def test_why_it_was_refused_is_handed_back(ways, gateway, told):
    gateway.answers(ADD, refusal(84074))

    with pytest.raises(Undeliverable):
        await ways.show(order())

    [(way, by, why)] = told
    assert (way.name, by) == ("展会", 7)
    assert "客户联系权限" in why


async def test_a_picture_is_uploaded_and_shown_as_an_image(client, clock, gateway):
    gateway.answers("media/upload", {"errcode": 0, "media_id": "m1", "type": "image"})
    png = PNG + b"the rest"
    payload = {"msgtype": "image", "png": base64.b64encode(png).decode()}

    await AppSender(client, 1, clock).show(due(Channel.WECOM, payload, account="zhousc"))

    [upload] = gateway.calls("media/upload")
    assert upload.query["type"] == "image"
    assert png in upload.raw
    assert b'name="media"' in upload.raw
    assert gateway.bodies("message/send")[0]["image"] == {"media_id": "m1"}


def test_a_drawn_code_is_a_png_of_one_address():
    assert drawn("https://example.com").startswith(PNG)
    assert segno.make("https://example.com", micro=False).version >= 1
