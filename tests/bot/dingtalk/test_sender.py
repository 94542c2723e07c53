import json
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from bot.platforms.dingtalk.answers import DingTalkError
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.crypto import robot_sign
from bot.platforms.dingtalk.sender import DingTalkGroupSender, DingTalkSender, webhook_message
from jobs.relay import TIMEOUT
from store.domain.errors import Later, Undeliverable
from store.domain.team import Channel
from store.outbox import Due
from tests.bot.dingtalk.conftest import CLIENT_ID, Clock, settings
from tests.bot.dingtalk.fakes import CUT, SILENCE, FakeApi

SEND = "/v1.0/robot/oToMessages/batchSend"
RECALL = "/v1.0/robot/otoMessages/batchRecall"
GROUP_SEND = "/v1.0/robot/groupMessages/send"
GROUP_RECALL = "/v1.0/robot/groupMessages/recall"
SESSION = "/robot/sendBySession"
HOOK = "/robot/send"
CARD = {
    "msgKey": "sampleActionCard2",
    "msgParam": {
        "title": "新线索 #42",
        "text": "### 新线索 #42",
        "actionTitle1": "接受",
        "actionURL1": "dtmd://dingtalkclient/sendMessage?content=1",
        "actionTitle2": "退回",
        "actionURL2": "dtmd://dingtalkclient/sendMessage?content=2",
    },
}
TEXT = {"msgKey": "sampleText", "msgParam": {"content": "已领取 #42"}}


@pytest.fixture
async def api(aiohttp_server) -> FakeApi:
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    api.says(SEND, {"processQueryKey": "qk+/=", "invalidStaffIdList": []})
    api.says(GROUP_SEND, {"processQueryKey": "gk"})
    return api


def parts(api: FakeApi, session: ClientSession, clock: Clock, **more: object) -> tuple:
    chosen = settings(api.base, **more)
    return DingTalkClient(session, chosen, clock), chosen, clock


@pytest.fixture
def sender(api, session, clock) -> DingTalkSender:
    return DingTalkSender(*parts(api, session, clock))


@pytest.fixture
def groups(api, session, clock) -> DingTalkGroupSender:
    hook = f"{api.base}{HOOK}?access_token=h00k"
    more = {"group_webhook": hook, "group_webhook_secret": "SEC000lead"}
    return DingTalkGroupSender(*parts(api, session, clock, **more))


def due(payload: dict, account: str = "user01", ref: dict | None = None) -> Due:
    channel = Channel.DINGTALK if account == "user01" else Channel.DINGTALK_GROUP
    return Due(
        key="lead:42/user01",
        channel=channel,
        account=account,
        payload=payload,
        version=3,
        attempts=0,
        ring=False,
        ref=ref,
    )


def answering(api: FakeApi, clock: Clock, payload: dict = TEXT, **left: float) -> dict:
    until = clock() + timedelta(**left or {"minutes": 90})
    return payload | {
        "session": {"url": f"{api.base}{SESSION}?session=x", "until": until.isoformat()}
    }


async def test_a_card_goes_to_one_person_with_its_parameters_as_json_inside_json(
    api, sender, clock
):
    ref = await sender.show(due(CARD))

    assert api.bodies(SEND) == [
        {
            "robotCode": CLIENT_ID,
            "userIds": ["user01"],
            "msgKey": "sampleActionCard2",
            "msgParam": json.dumps(CARD["msgParam"], ensure_ascii=False),
        }
    ]
    assert ref == {"query_key": "qk+/=", "at": clock().isoformat()}


async def test_shown_again_the_old_card_is_taken_back_once_the_new_one_is_there(
    api, sender, clock
):
    ref = await sender.show(due(CARD))
    clock.tick(hours=23)

    again = await sender.show(due(CARD, ref=ref))

    assert api.paths() == [SEND, SEND, RECALL]
    assert api.bodies(RECALL) == [{"robotCode": CLIENT_ID, "processQueryKeys": ["qk+/="]}]
    assert again["at"] == clock().isoformat()


async def test_a_card_older_than_a_day_stays_where_it_is(api, sender, clock):
    ref = await sender.show(due(CARD))
    clock.tick(hours=24)

    await sender.show(due(CARD, ref=ref))

    assert api.paths() == [SEND, SEND]


@pytest.mark.parametrize(
    "failure",
    [
        (400, {"code": "processQueryKey.expireTime"}),
        (500, {"code": "systemError"}),
        {"successResult": [], "failedResult": {"qk+/=": "too late"}},
    ],
)
async def test_a_card_that_cannot_be_taken_back_is_sent_all_the_same(api, sender, failure):
    api.says(RECALL, failure)
    ref = await sender.show(due(CARD))

    again = await sender.show(due(CARD, ref=ref))

    assert again["query_key"] == "qk+/="


@pytest.mark.parametrize("ref", [{}, {"query_key": "x"}, {"query_key": "x", "at": "2026-03-02"}])
async def test_a_reference_of_another_shape_is_passed_over(api, sender, ref):
    await sender.show(due(CARD, ref=ref))

    assert api.paths() == [SEND]


async def test_a_person_dingtalk_does_not_know_is_undeliverable(api, sender):
    api.says(SEND, {"processQueryKey": "qk", "invalidStaffIdList": ["user01"]})

    with pytest.raises(DingTalkError) as error:
        await sender.show(due(CARD))

    assert error.value.code == "invalidStaffIdList"


async def test_a_person_who_got_too_much_gets_it_a_minute_later(api, sender):
    api.says(SEND, {"processQueryKey": "qk", "flowControlledStaffIdList": ["user01"]})

    with pytest.raises(Later) as later:
        await sender.show(due(CARD))

    assert later.value.after == timedelta(seconds=60)


async def test_lists_that_are_missing_or_null_mean_nobody(api, sender):
    api.says(SEND, {"processQueryKey": "qk", "invalidStaffIdList": None})

    assert (await sender.show(due(CARD)))["query_key"] == "qk"


async def test_an_answer_goes_into_its_session_and_costs_no_call(api, sender, clock):
    api.says(SESSION, {"errcode": 0})

    ref = await sender.show(due(answering(api, clock)))

    assert ref is None
    assert api.paths() == [SESSION]
    [body] = api.bodies(SESSION)
    assert body.pop("msgUuid")
    assert body == {"msgtype": "text", "text": {"content": "已领取 #42"}}
    assert api.tokens == 0


async def test_an_answer_lost_in_the_session_is_said_there_again_under_the_same_id(
    api, sender, clock
):
    """It was sent by the robot at once, and was on the phone twice."""
    api.says(SESSION, CUT, {"errcode": 0})

    await sender.show(due(answering(api, clock)))

    first, again = (body["msgUuid"] for body in api.bodies(SESSION))
    assert first == again
    assert api.paths() == [SESSION, SESSION]


async def test_a_session_that_breaks_twice_is_followed_by_the_robot(api, sender, clock):
    api.says(SESSION, CUT)

    ref = await sender.show(due(answering(api, clock)))

    assert api.paths() == [SESSION, SESSION, SEND]
    assert ref["query_key"] == "qk+/="


async def test_a_message_that_is_there_is_not_sent_again_because_the_recall_hangs(
    api, sender, clock
):
    """One patience covered both: no answer to the recall was no answer to the message."""
    sender.recall_patience = 0.05
    api.says(RECALL, SILENCE)

    ref = await sender.show(due(CARD, ref={"query_key": "old", "at": clock().isoformat()}))

    assert ref["query_key"] == "qk+/="
    assert api.paths() == [SEND, RECALL]


def test_send_and_recall_together_end_before_somebody_else_sends_it():
    assert DingTalkSender.patience + DingTalkSender.recall_patience < TIMEOUT


@pytest.mark.parametrize(
    "failure", [{"errcode": 300001, "errmsg": "session 不存在"}, (500, ""), (302, ""), (200, "x")]
)
async def test_a_session_that_does_not_take_it_is_followed_by_the_robot(
    api, sender, clock, failure
):
    api.says(SESSION, failure)

    ref = await sender.show(due(answering(api, clock)))

    assert api.paths() == [SESSION, SEND]
    assert ref["query_key"] == "qk+/="


async def test_an_ended_session_is_not_tried(api, sender, clock):
    await sender.show(due(answering(api, clock, minutes=-1)))

    assert api.paths() == [SEND]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"url": "http://127.0.0.1:1/robot", "until": "2036-01-01T00:00:00+00:00"},
        {"url": "", "until": "2036-01-01T00:00:00+00:00"},
        {"until": "2036-01-01T00:00:00+00:00"},
    ],
)
async def test_an_address_elsewhere_is_never_posted_to(api, sender, elsewhere):
    await sender.show(due(TEXT | {"session": elsewhere}))

    assert api.paths() == [SEND]


async def test_what_a_session_cannot_show_goes_by_the_robot(api, sender, clock):
    picture = {"msgKey": "sampleImageMsg", "msgParam": {"photoURL": "@lAL"}}

    await sender.show(due(answering(api, clock, picture)))

    assert api.paths() == [SEND]


BUTTONS = [
    {"title": "接受", "actionURL": "dtmd://dingtalkclient/sendMessage?content=1"},
    {"title": "退回", "actionURL": "dtmd://dingtalkclient/sendMessage?content=2"},
]
HEAD = {"title": "t", "text": "md"}


@pytest.mark.parametrize(
    ("key", "param", "message"),
    [
        ("sampleText", {"content": "x"}, {"msgtype": "text", "text": {"content": "x"}}),
        ("sampleMarkdown", HEAD, {"msgtype": "markdown", "markdown": HEAD}),
        (
            "sampleActionCard",
            HEAD | {"singleTitle": "查看", "singleURL": "https://x"},
            {
                "msgtype": "actionCard",
                "actionCard": HEAD | {"singleTitle": "查看", "singleURL": "https://x"},
            },
        ),
        (
            "sampleActionCard2",
            CARD["msgParam"],
            {
                "msgtype": "actionCard",
                "actionCard": {
                    "title": "新线索 #42",
                    "text": "### 新线索 #42",
                    "btnOrientation": "0",
                    "btns": BUTTONS,
                },
            },
        ),
        (
            "sampleActionCard6",
            HEAD
            | {
                "buttonTitle1": "接受",
                "buttonUrl1": BUTTONS[0]["actionURL"],
                "buttonTitle2": "退回",
                "buttonUrl2": BUTTONS[1]["actionURL"],
            },
            {
                "msgtype": "actionCard",
                "actionCard": HEAD | {"btnOrientation": "1", "btns": BUTTONS},
            },
        ),
        ("sampleFile", {"mediaId": "x"}, None),
    ],
)
def test_each_robot_message_has_its_webhook_spelling(key, param, message):
    assert webhook_message({"msgKey": key, "msgParam": param}) == message


async def test_a_group_gets_the_robot_s_message_under_its_conversation_id(api, groups, clock):
    ref = await groups.show(due(CARD, account="cid6KeB+/=="))
    await groups.show(due(CARD, account="cid6KeB+/==", ref=ref))

    assert api.paths() == [GROUP_SEND, GROUP_SEND, GROUP_RECALL]
    assert api.bodies(GROUP_SEND)[0] == {
        "robotCode": CLIENT_ID,
        "openConversationId": "cid6KeB+/==",
        "msgKey": "sampleActionCard2",
        "msgParam": json.dumps(CARD["msgParam"], ensure_ascii=False),
    }
    assert api.bodies(GROUP_RECALL) == [
        {
            "robotCode": CLIENT_ID,
            "openConversationId": "cid6KeB+/==",
            "processQueryKeys": ["gk"],
        }
    ]
    assert ref == {"query_key": "gk", "at": clock().isoformat()}


DIGEST = {"msgtype": "markdown", "markdown": {"title": "日报", "text": "### 日报"}}


async def test_the_configured_webhook_is_signed(api, groups, clock):
    api.says(HOOK, {"errcode": 0})

    ref = await groups.show(due(DIGEST, account=""))

    (_, _, query, _, body), *_ = api.calls
    timestamp = str(int(clock().timestamp() * 1000))
    assert ref is None
    assert query == {
        "access_token": "h00k",
        "timestamp": timestamp,
        "sign": robot_sign("SEC000lead", timestamp),
    }
    assert body == DIGEST | {"msgUuid": body["msgUuid"]}


async def test_the_same_digest_tried_twice_carries_the_same_id(api, groups):
    api.says(HOOK, (500, ""), {"errcode": 0})

    with pytest.raises(Later):
        await groups.show(due(DIGEST, account=""))
    await groups.show(due(DIGEST, account=""))
    await groups.show(replace(due(DIGEST, account=""), version=4))

    first, second, newer = (body["msgUuid"] for body in api.bodies(HOOK))
    assert first == second != newer


@pytest.mark.parametrize("code", [410100, 130101])
async def test_twenty_messages_a_minute_pause_the_group_for_ten_minutes(api, groups, code):
    api.says(HOOK, {"errcode": code, "errmsg": "send too fast, exceed 20 times per minute"})

    with pytest.raises(Later) as later:
        await groups.show(due(DIGEST, account=""))

    assert later.value.after == timedelta(minutes=10)


async def test_without_a_secret_the_webhook_is_used_as_it_is(api, session, clock):
    more = {"group_webhook": f"{api.base}{HOOK}?access_token=h00k"}
    groups = DingTalkGroupSender(*parts(api, session, clock, **more))
    api.says(HOOK, {"errcode": 0})

    await groups.show(due(DIGEST, account=""))

    (_, _, query, _, _), *_ = api.calls
    assert query == {"access_token": "h00k"}


async def test_without_a_webhook_there_is_nowhere_to_send(api, session, clock):
    groups = DingTalkGroupSender(*parts(api, session, clock))

    with pytest.raises(Undeliverable, match="not configured"):
        await groups.show(due(DIGEST, account=""))


async def test_a_platform_that_takes_too_long_means_later(api, sender):
    sender.patience = 0.05
    api.answering.clear()

    with pytest.raises(Later, match="no answer"):
        await sender.show(due(CARD))

    api.answering.set()
