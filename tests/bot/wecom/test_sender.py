import asyncio
import base64
import re
from datetime import timedelta

import pytest
from hypothesis import given as each
from hypothesis import settings as effort
from hypothesis import strategies as st

from bot.platforms.named import key_of
from bot.platforms.wecom.client import WeComError
from bot.platforms.wecom.pictures import drawn
from bot.platforms.wecom.sender import (
    AppSender,
    ContactLookup,
    GroupSender,
    MassSender,
    task_id,
)
from cards import wecom
from cards.model import Button, Card
from store.domain.errors import Anew, Later, Lost, Undeliverable
from store.domain.team import Channel
from store.outbox import Due
from tests.bot.wecom.given import HANG_UP, NOON, refusal

CARD = {"card_type": "button_interaction", "main_title": {"title": "新线索 #42"}}
PAYLOAD = {"msgtype": "template_card", "template_card": CARD}
SENT = {"errcode": 0, "errmsg": "ok", "msgid": "m1", "response_code": "rc-1"}
UPDATE, SEND = "message/update_template_card", "message/send"


def due(**changes):
    values = {
        "key": "lead:42/lilei",
        "channel": Channel.WECOM,
        "account": "lilei",
        "payload": PAYLOAD,
        "version": 1,
        "attempts": 1,
        "ring": False,
        "ref": None,
    }
    return Due(**(values | changes))


def code(name, **ago):
    return {"code": name, "at": (NOON - timedelta(**ago)).isoformat()}


def ref(*codes):
    return {"task_id": "lead_42@lilei-0a0a0a0a0a0a", "codes": list(codes), "msgid": "m0"}


@pytest.fixture
def app(client, clock):
    return AppSender(client, 1000002, clock)


async def test_a_card_is_sent_and_its_code_kept(app, gateway):
    gateway.answers(SEND, SENT)

    kept = await app.show(due())

    (body,) = gateway.bodies(SEND)
    assert body == {
        "touser": "lilei",
        "agentid": 1000002,
        "msgtype": "template_card",
        "template_card": {**CARD, "task_id": kept["task_id"]},
        "enable_duplicate_check": 1,
        "duplicate_check_interval": 3600,
    }
    assert kept["codes"] == [{"code": "rc-1", "at": "2026-03-02T04:00:00+00:00"}]
    assert kept["msgid"] == "m1"
    assert key_of(kept["task_id"]) == "lead:42/lilei"


async def test_a_card_that_is_there_is_changed_in_silence_with_the_newest_code(app, gateway):
    there = ref(code("pressed", minutes=1), code("sent", hours=5))

    kept = await app.show(due(ref=there))

    assert gateway.bodies(UPDATE) == [
        {
            "userids": ["lilei"],
            "agentid": 1000002,
            "response_code": "pressed",
            "template_card": CARD,
        }
    ]
    assert gateway.calls(SEND) == []
    assert kept == ref(code("sent", hours=5))


async def test_a_ringing_card_is_a_new_one(app, gateway):
    gateway.answers(SEND, SENT)

    kept = await app.show(due(ring=True, ref=ref(code("unspent", minutes=1))))

    assert gateway.calls(UPDATE) == []
    assert [one["code"] for one in kept["codes"]] == ["rc-1"]


@pytest.mark.parametrize("codes", [(), (code("old", hours=72),), (code("", hours=1),)])
async def test_without_a_usable_code_a_new_card_is_sent(app, gateway, codes):
    gateway.answers(SEND, SENT)

    kept = await app.show(due(ref=ref(*codes)))

    assert gateway.calls(UPDATE) == []
    assert kept["task_id"] != ref()["task_id"]


@pytest.mark.parametrize("spent", [60140, 42022])
async def test_a_spent_code_gives_way_to_the_one_before_it(app, gateway, spent):
    gateway.answers(UPDATE, refusal(spent))

    kept = await app.show(due(ref=ref(code("sent", hours=5), code("spent", hours=1))))

    tried = [body["response_code"] for body in gateway.bodies(UPDATE)]
    assert tried == ["spent", "sent"]
    assert gateway.calls(SEND) == []
    assert kept["codes"] == []


async def test_when_every_code_is_spent_a_new_card_is_asked_for_and_not_sent_uncounted(
    app, gateway
):
    gateway.always[UPDATE] = refusal(60140)

    with pytest.raises(Anew):
        await app.show(due(ref=ref(code("spent", hours=1))))

    assert len(gateway.calls(UPDATE)) == 1
    assert gateway.calls(SEND) == []


async def test_a_notice_without_buttons_has_no_code_and_is_sent_anew(app, gateway):
    gateway.answers(SEND, {"errcode": 0, "msgid": "m1"}, {"errcode": 0, "msgid": "m2"})

    first = await app.show(due())
    second = await app.show(due(ref=first))

    assert first["codes"] == []
    assert (second["msgid"], gateway.calls(UPDATE)) == ("m2", [])


TEXT = {"msgtype": "text", "text": {"content": "线索 #42 该回访了"}}


async def test_a_text_is_always_sent(app, gateway):
    kept = await app.show(due(payload=TEXT, ref=ref(code("unspent", minutes=1))))

    assert gateway.bodies(SEND) == [
        {
            "touser": "lilei",
            "agentid": 1000002,
            **TEXT,
            "enable_duplicate_check": 1,
            "duplicate_check_interval": 3600,
        }
    ]
    assert kept == {"codes": [], "msgid": ""}


async def test_a_text_whose_answer_was_lost_is_the_same_request_again(app, gateway):
    """It was sent without the check, and shown twice."""
    gateway.answers(SEND, HANG_UP, SENT)

    with pytest.raises(Lost):
        await app.show(due(payload=TEXT))
    await app.show(due(payload=TEXT, attempts=2, unsure=True))

    first, again = gateway.bodies(SEND)
    assert first == again
    assert first["enable_duplicate_check"] == 1


async def test_a_text_that_was_said_before_is_sent_without_the_check(app, gateway):
    """WeCom would answer errcode 0 and show nothing."""
    await app.show(due(payload=TEXT, said_before=True))

    assert gateway.bodies(SEND) == [{"touser": "lilei", "agentid": 1000002, **TEXT}]


PICTURE = {"msgtype": "image", "png": base64.b64encode(drawn("x")).decode()}


async def test_a_picture_whose_answer_was_lost_is_the_same_request_again(app, gateway):
    """It was uploaded anew, which is another media_id and another picture on the phone."""
    gateway.answers("media/upload", {"errcode": 0, "media_id": "M1"}, refusal(40004))
    gateway.answers(SEND, HANG_UP, SENT)

    with pytest.raises(Lost):
        await app.show(due(payload=PICTURE))
    await app.show(due(payload=PICTURE, attempts=2, unsure=True))

    first, again = gateway.bodies(SEND)
    assert first == again
    assert first["image"] == {"media_id": "M1"}


async def test_a_picture_that_wecom_no_longer_has_is_uploaded_once_more(app, gateway):
    """40007 gave the message up."""
    gateway.answers("media/upload", *({"errcode": 0, "media_id": f"M{n}"} for n in (1, 2)))
    gateway.answers(SEND, refusal(40007), SENT)

    await app.show(due(payload=PICTURE))

    assert [body["image"]["media_id"] for body in gateway.bodies(SEND)] == ["M1", "M2"]


async def test_a_picture_is_uploaded_anew_before_three_days_are_over(app, gateway, clock):
    gateway.always["media/upload"] = {"errcode": 0, "media_id": "M1"}

    await app.show(due(payload=PICTURE))
    clock.forward(hours=61)
    await app.show(due(payload=PICTURE))

    assert len(gateway.calls("media/upload")) == 2


@pytest.mark.parametrize("account", ["lilei", "LiLei"])
async def test_a_member_who_is_named_invalid_in_a_success_is_undeliverable(app, gateway, account):
    gateway.answers(SEND, {**SENT, "invaliduser": "wangwu|lilei"})

    with pytest.raises(Undeliverable, match="visible range") as refused:
        await app.show(due(account=account))

    assert refused.value.alarm.key == f"wecom:81013@{account}"


async def test_an_update_names_invalid_members_in_a_list(app, gateway):
    gateway.answers(UPDATE, {"errcode": 0, "invaliduser": ["lilei"]})

    with pytest.raises(Undeliverable):
        await app.show(due(account="LiLei", ref=ref(code("unspent", minutes=1))))


async def test_other_members_being_invalid_does_not_matter(app, gateway):
    gateway.answers(SEND, {**SENT, "invaliduser": "lileili|li"})

    assert (await app.show(due()))["msgid"] == "m1"


@pytest.mark.parametrize("error", [81013, 60011, 60021, 50002, 60111, 40003, 301021, 41054, 40098])
async def test_a_member_who_cannot_be_reached_is_dropped_and_reported(app, gateway, error):
    """Nobody was told: the next message went the same way."""
    gateway.answers(SEND, refusal(error))

    with pytest.raises(Undeliverable) as refused:
        await app.show(due())

    assert not isinstance(refused.value, Later)
    assert refused.value.alarm.key == f"wecom:{error}@lilei"
    assert "lilei" in refused.value.alarm.text


@pytest.mark.parametrize("error", [60111, 40003, 301021])
async def test_an_unknown_member_makes_the_directory_be_read_where_it_is_followed(
    client, clock, gateway, error
):
    asked = []

    async def missing(account):
        asked.append(account)

    gateway.answers(SEND, refusal(error))

    with pytest.raises(Undeliverable) as refused:
        await AppSender(client, 1000002, clock, missing=missing).show(due())

    assert (asked, refused.value.alarm) == (["lilei"], None)


async def test_only_a_card_with_codes_shows_that_the_callback_is_there(app):
    assert list(app.proves(due(), {"codes": [{"code": "rc"}]})) == ["wecom_cards:43012"]
    assert list(app.proves(due(), {"codes": []})) == []


async def test_a_refused_change_is_not_sent_as_a_new_card(app, gateway):
    gateway.answers(UPDATE, refusal(42035))

    with pytest.raises(WeComError):
        await app.show(due(ref=ref(code("unspent", minutes=1))))

    assert gateway.calls(SEND) == []


BUTTONS = [{"text": f"按钮{n}", "style": 2, "key": f"/线索 {n}"} for n in range(1, 5)]
PRESSABLE = {"msgtype": "template_card", "template_card": {**CARD, "button_list": BUTTONS}}


async def test_where_buttons_are_not_allowed_a_notice_has_them_in_its_menu(client, clock, gateway):
    app = AppSender(client, 1000002, clock, "https://leads.example.com")
    gateway.answers(SEND, refusal(42031), SENT)

    kept = await app.show(due(payload=PRESSABLE, lead_id=42))

    refused, sent = (body["template_card"] for body in gateway.bodies(SEND))
    assert refused["task_id"] != sent["task_id"] == kept["task_id"]
    assert sent == {
        "card_type": "text_notice",
        "main_title": CARD["main_title"],
        "action_menu": {
            "desc": "可以做什么",
            "action_list": [{"text": b["text"], "key": b["key"]} for b in BUTTONS[:3]],
        },
        "card_action": {"type": 1, "url": "https://leads.example.com/app/leads/42"},
        "task_id": kept["task_id"],
    }
    assert kept["codes"][0]["code"] == "rc-1"


async def test_without_a_callback_url_the_lead_is_seen_without_buttons_and_the_admin_told(
    client, clock, gateway
):
    """The card was kept back, and nobody heard of the lead."""
    told = []

    async def alarmed(alarm):
        told.append(alarm.key)

    app = AppSender(client, 1000002, clock, "https://leads.example.com", alarmed=alarmed)
    gateway.answers(SEND, refusal(43012), {"errcode": 0, "msgid": "m1"})

    kept = await app.show(due(payload=PRESSABLE, lead_id=42))

    _, sent = (body["template_card"] for body in gateway.bodies(SEND))
    assert sent == {
        "card_type": "text_notice",
        "main_title": CARD["main_title"],
        "card_action": {"type": 1, "url": "https://leads.example.com/app/leads/42"},
        "task_id": kept["task_id"],
    }
    assert "notice" not in kept
    assert told == ["wecom_cards:43012"]


@pytest.mark.parametrize("ring", [False, True])
async def test_a_phone_with_a_notice_is_not_asked_for_buttons_again(client, clock, gateway, ring):
    app = AppSender(client, 1000002, clock, "https://leads.example.com")
    gateway.answers(SEND, SENT)
    there = {**ref(code("unspent", minutes=1)), "notice": True}

    kept = await app.show(due(payload=PRESSABLE, ring=ring, ref=there))

    [body] = gateway.bodies(SEND if ring else UPDATE)
    assert body["template_card"]["card_type"] == "text_notice"
    assert kept["notice"]


def test_a_task_id_is_the_same_for_every_try_and_new_for_every_payload():
    first, again = task_id(due(put_at=NOON)), task_id(due(put_at=NOON, attempts=2))
    newer = task_id(due(put_at=NOON, version=2))

    assert first == again != newer
    assert first.startswith("lead_42@lilei-")


async def test_a_card_whose_answer_was_lost_is_not_shown_twice(app, gateway):
    gateway.answers(SEND, HANG_UP, SENT)

    with pytest.raises(Later):
        await app.show(due(put_at=NOON))
    await app.show(due(put_at=NOON, attempts=2))

    first, again = gateway.bodies(SEND)
    assert first == again
    assert first["enable_duplicate_check"] == 1


async def test_a_repeated_task_id_after_a_lost_answer_means_that_the_card_is_there(app, gateway):
    gateway.answers(SEND, refusal(42014))

    kept = await app.show(due(attempts=2, unsure=True))

    assert kept["codes"] == []
    assert key_of(kept["task_id"]) == "lead:42/lilei"


@pytest.mark.parametrize("code", [42014, 42015, 42020])
async def test_a_refused_task_id_gives_way_to_another_one(app, gateway, code):
    """The card was given up, or on a second try taken for shown although it was not."""
    gateway.answers(SEND, refusal(code), SENT)

    kept = await app.show(due(attempts=2))

    first, second = (body["template_card"]["task_id"] for body in gateway.bodies(SEND))
    assert first != second == kept["task_id"]
    assert key_of(second) == "lead:42/lilei"


async def test_a_second_task_id_is_not_followed_by_a_third(app, gateway):
    gateway.always[SEND] = refusal(42016)

    with pytest.raises(Undeliverable):
        await app.show(due())

    # The words that are sent instead have none.
    kinds = [body["msgtype"] for body in gateway.bodies(SEND)]
    assert kinds == ["template_card", "template_card", "text"]


@each(
    st.text(max_size=150) | st.from_regex(r"lead:[0-9]{1,9}/[a-zA-Z0-9_.@-]{1,20}", fullmatch=True)
)
@effort(deadline=None)
def test_a_task_id_fits_the_platform_and_leads_back_to_its_key(key):
    name = task_id(due(key=key))

    assert re.fullmatch(r"[0-9A-Za-z_@-]{1,128}", name)
    assert key_of(name) == key or len(name) == 128


@each(st.text(max_size=60))
def test_a_foreign_task_id_breaks_nothing(name):
    assert isinstance(key_of(name), str)


async def test_the_group_gets_the_payload_as_it_is(client, gateway):
    payload = {"msgtype": "markdown", "markdown": {"content": "**日报**"}}

    kept = await GroupSender(client).show(due(channel=Channel.WECOM_GROUP, payload=payload))

    assert kept is None
    assert gateway.bodies("webhook/send") == [payload]


async def test_messages_of_the_robot_stay_in_their_order(client, gateway):
    """The digest's picture stood above its text."""
    robot = GroupSender(client)

    await asyncio.gather(*(robot.show(due(payload={"n": n})) for n in range(5)))

    assert [body["n"] for body in gateway.bodies("webhook/send")] == [0, 1, 2, 3, 4]
    assert gateway.most_at_once["webhook/send"] == 1


@pytest.mark.parametrize("error", [93000, 93004, 45009])
async def test_a_robot_that_is_gone_or_full_waits(client, gateway, error):
    """A wrong webhook gave the digest up."""
    gateway.answers("webhook/send", refusal(error, "invalid webhook url"))

    with pytest.raises(Later) as refused:
        await GroupSender(client).show(due())

    assert refused.value.after == timedelta(seconds=60)


MASS = {"sender": "wangwu", "text": {"content": "张先生，资料发您了"}}
CREATE = "externalcontact/add_msg_template"


@pytest.fixture
def noted():
    return []


def noting(noted, what):
    async def note(*who):
        noted.append((what, *who))

    return note


@pytest.fixture
def mass(client, noted):
    return MassSender(client, noting(noted, "gone"), noting(noted, "doubted"), lambda: NOON)


async def test_a_mass_message_becomes_a_task_of_the_owner(mass, gateway):
    gateway.answers(CREATE, {"errcode": 0, "fail_list": [], "msgid": "msg1"})

    kept = await mass.show(due(account="wmEXAMPLE", payload=MASS))

    assert gateway.bodies(CREATE) == [
        {"chat_type": "single", "external_userid": ["wmEXAMPLE"], **MASS}
    ]
    assert kept == {"msgid": "msg1"}


@pytest.mark.parametrize("answer", [refusal(41048), {"errcode": 0, "fail_list": ["wmEXAMPLE"]}])
async def test_a_contact_who_may_be_gone_is_undeliverable_and_asked_about(
    mass, gateway, answer, noted
):
    gateway.answers(CREATE, answer)

    with pytest.raises(Undeliverable):
        await mass.show(due(account="wmEXAMPLE", payload=MASS))

    assert noted == [("doubted", "wmEXAMPLE", "wangwu")]


async def test_a_contact_who_is_gone_is_noted(mass, gateway, noted):
    """84061 gave the message up, and the next one was sent the same way."""
    gateway.answers(CREATE, refusal(84061))

    with pytest.raises(Undeliverable):
        await mass.show(due(account="wmEXAMPLE", payload=MASS))

    assert noted == [("gone", "wmEXAMPLE", "wangwu")]


LISTED, RESULT = "externalcontact/get_groupmsg_list_v2", "externalcontact/get_groupmsg_send_result"
OURS = {"msgid": "msg1", "create_type": 0, "text": MASS["text"]}
FOR_HIM = {"errcode": 0, "send_list": [{"external_userid": "wmEXAMPLE", "status": 0}]}


def unanswered():
    return due(account="wmEXAMPLE", payload=MASS, unsure=True, put_at=NOON)


async def test_a_task_that_was_made_without_an_answer_is_found_and_not_made_again(mass, gateway):
    """The member had two of them, and the customer the same words twice."""
    gateway.answers(LISTED, {"errcode": 0, "group_msg_list": [OURS]})
    gateway.answers(RESULT, FOR_HIM)

    assert await mass.show(unanswered()) == {"msgid": "msg1"}

    assert gateway.bodies(CREATE) == []
    assert gateway.bodies(RESULT) == [{"msgid": "msg1", "userid": "wangwu"}]
    [asked] = gateway.bodies(LISTED)
    assert asked["start_time"] <= NOON.timestamp() <= asked["end_time"]
    assert (asked["chat_type"], asked["filter_type"]) == ("single", 0)


@pytest.mark.parametrize(
    ("listed", "result"),
    [
        ([], FOR_HIM),
        ([OURS | {"text": {"content": "别的话"}}], FOR_HIM),
        ([OURS], {"errcode": 0, "send_list": [{"external_userid": "wmOTHER", "status": 0}]}),
        ([OURS], refusal(41047)),
    ],
)
async def test_a_task_that_is_another_one_does_not_stand_for_it(mass, gateway, listed, result):
    gateway.answers(LISTED, {"errcode": 0, "group_msg_list": listed})
    gateway.answers(RESULT, result)
    gateway.answers(CREATE, {"errcode": 0, "fail_list": [], "msgid": "msg2"})

    assert await mass.show(unanswered()) == {"msgid": "msg2"}


async def test_the_list_of_tasks_is_read_to_its_end(mass, gateway):
    gateway.answers(
        LISTED,
        {"errcode": 0, "group_msg_list": [], "next_cursor": "c1"},
        {"errcode": 0, "group_msg_list": [OURS]},
    )
    gateway.answers(RESULT, FOR_HIM)

    assert await mass.show(unanswered()) == {"msgid": "msg1"}

    assert [body.get("cursor") for body in gateway.bodies(LISTED)] == [None, "c1"]


async def test_a_task_that_is_being_dispatched_is_asked_about_later(mass, gateway):
    gateway.answers(LISTED, {"errcode": 0, "group_msg_list": [OURS]})
    gateway.answers(RESULT, refusal(41063))

    with pytest.raises(Later) as later:
        await mass.show(unanswered())

    assert later.value.after == timedelta(seconds=10)
    assert gateway.bodies(CREATE) == []


async def test_a_list_of_tasks_that_is_refused_keeps_nobody_from_being_written_to(mass, gateway):
    gateway.answers(LISTED, refusal(40058))
    gateway.answers(CREATE, {"errcode": 0, "fail_list": [], "msgid": "msg2"})

    assert await mass.show(unanswered()) == {"msgid": "msg2"}


async def test_a_first_try_asks_nothing(mass, gateway):
    gateway.answers(CREATE, {"errcode": 0, "fail_list": [], "msgid": "msg1"})

    await mass.show(due(account="wmEXAMPLE", payload=MASS))

    assert gateway.bodies(LISTED) == []


LOOKUP = "externalcontact/get"
CONTACT = {
    "errcode": 0,
    "external_contact": {"external_userid": "wmEXAMPLE", "name": "张先生", "type": 1},
    "follow_user": [
        {"userid": "lisi", "remark": "老张", "createtime": 1750000000},
        {
            "userid": "wangwu",
            "remark": "张-展会",
            "createtime": 1760000200,
            "remark_corp_name": "某公司",
            "remark_mobiles": ["13800000000", ""],
            "add_way": 16,
            "state": "expo2026",
        },
    ],
}


@pytest.fixture
def found():
    return []


@pytest.fixture
def lookup(client, found, noted):
    async def keep(external_userid, about):
        found.append((external_userid, about))

    return ContactLookup(client, keep, noting(noted, "gone"))


def asked(**changes):
    values = {"account": "wmEXAMPLE", "payload": {}, "channel": Channel.WECOM_CONTACT}
    return due(**(values | changes))


async def test_a_contact_is_looked_up_and_told_as_its_newest_follower_sees_it(
    lookup, gateway, found
):
    gateway.answers(LOOKUP, CONTACT)

    await lookup.show(asked())

    assert gateway.calls(LOOKUP)[0].query["external_userid"] == "wmEXAMPLE"
    assert found == [
        (
            "wmEXAMPLE",
            {
                "name": "张先生",
                "company": "某公司",
                "title": "",
                "unionid": "",
                "userid": "wangwu",
                "remark": "张-展会",
                "description": "",
                "remark_mobiles": ["13800000000"],
                "state": "expo2026",
                "add_way": 16,
            },
        )
    ]


async def test_the_follower_who_was_asked_for_is_the_one_told(lookup, gateway, found):
    gateway.answers(LOOKUP, CONTACT)

    await lookup.show(asked(payload={"userid": "LiSi"}))

    assert found[0][1]["remark"] == "老张"


async def test_a_contact_at_wecom_has_a_company_and_a_title_of_its_own(lookup, gateway, found):
    own = {
        "name": "李总",
        "corp_name": "腾讯",
        "corp_full_name": "",
        "position": "总监",
        "type": 2,
    }
    gateway.answers(LOOKUP, {"errcode": 0, "external_contact": own, "follow_user": []})

    await lookup.show(asked())

    assert (found[0][1]["company"], found[0][1]["title"]) == ("腾讯", "总监")


@pytest.mark.parametrize("userid", ["wangwu", "zhaoliu"])
async def test_a_contact_in_doubt_is_gone_when_the_member_is_no_follower(
    lookup, gateway, found, noted, userid
):
    gone = ["gone"] if userid == "zhaoliu" else []
    gateway.answers(LOOKUP, CONTACT)

    await lookup.show(asked(payload={"userid": userid, "doubt": True}))

    assert [what for what, *_ in noted] == gone
    assert len(found) == (not gone)


async def test_a_relation_that_is_not_there_yet_is_asked_for_again_and_then_noted_as_gone(
    lookup, gateway, found, noted
):
    gateway.always[LOOKUP] = refusal(84061)

    with pytest.raises(Later) as later:
        await lookup.show(asked(attempts=1))
    with pytest.raises(Undeliverable):
        await lookup.show(asked(attempts=5))

    assert later.value.after == timedelta(seconds=5)
    assert (found, noted) == ([], [("gone", "wmEXAMPLE", "")])


async def test_a_new_card_takes_the_one_it_replaces_back_while_it_can(app, gateway):
    gateway.always[SEND] = SENT
    gateway.always["message/recall"] = {"errcode": 0, "errmsg": "ok"}
    fresh = {**ref(), "at": (NOON - timedelta(hours=23)).isoformat()}
    old = {**ref(), "at": (NOON - timedelta(hours=25)).isoformat()}

    kept = await app.show(due(ring=True, ref=fresh))
    await app.show(due(ring=True, ref=old))

    assert gateway.bodies("message/recall") == [{"msgid": "m0"}]
    assert kept["at"] == NOON.isoformat()


async def test_a_card_that_cannot_be_taken_back_stays_beside_the_new_one(app, gateway):
    gateway.always[SEND] = SENT
    gateway.always["message/recall"] = refusal(42052)

    kept = await app.show(due(ring=True, ref={**ref(), "at": NOON.isoformat()}))

    assert kept["msgid"] == "m1"


# -- what WeCom refuses ------------------------------------------------------------


@pytest.mark.parametrize("refused", [82004, 42035, 999999])
async def test_a_card_that_is_refused_is_said_in_words_and_was_told_to_nobody(
    app, gateway, refused
):
    gateway.answers("message/send", refusal(refused))

    ref = await app.show(due(payload=wecom.render(Card(
        title="新线索 #42\u0300\u0301", rows=(("公司", "云\U0001f4a3帆"),), why="刚来",
        buttons=(Button("接受", "/接受 42"),),
    ))))  # fmt: skip

    body = gateway.bodies("message/send")[1]
    assert body["msgtype"] == "text"
    assert body["text"]["content"] == "新线索 #42\n公司：云帆\n刚来\n接受，发：/接受 42"
    assert ref["codes"] == []


async def test_what_is_refused_in_words_too_is_an_alarm(app, gateway):
    gateway.always["message/send"] = refusal(82004)

    with pytest.raises(WeComError) as no:
        await app.show(due())

    assert no.value.alarm.key == "wecom_refused:82004:message/send"
    assert "82004" in no.value.alarm.text
    assert len(gateway.calls("message/send")) == 2


async def test_words_that_are_harmless_already_are_not_said_twice(app, gateway):
    gateway.always["message/send"] = refusal(82004)

    with pytest.raises(WeComError):
        await app.show(due(payload=wecom.text("好")))

    assert len(gateway.calls("message/send")) == 1


async def test_a_busy_platform_makes_the_words_wait(app, gateway):
    gateway.answers("message/send", refusal(82004), refusal(45009))

    with pytest.raises(Later):
        await app.show(due())
