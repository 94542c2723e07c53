from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.crypto import card_secret
from bot.platforms.dingtalk.sender import DingTalkSender
from bot.platforms.named import key_of
from store.domain.errors import Anew, Later, Spent, Undeliverable
from store.domain.team import Channel
from store.outbox import Due
from tests.bot.dingtalk.conftest import CLIENT_ID, SECRET, Clock, settings
from tests.bot.dingtalk.fakes import FakeApi

CREATE = "/v1.0/card/instances/createAndDeliver"
CHANGE = "/v1.0/card/instances"
REGISTER = "/v1.0/card/callbacks/register"
SEND = "/v1.0/robot/oToMessages/batchSend"
RECALL = "/v1.0/robot/otoMessages/batchRecall"
TEMPLATE = "0b2c.schema"
MAP, PRIVATE = {"title": "新线索 #42", "line1": "/领取 42"}, {"canPress1": "true"}
PAYLOAD = {
    "msgKey": "sampleMarkdown",
    "msgParam": {"title": "新线索 #42", "text": "### 新线索 #42"},
    "card": {"cardParamMap": MAP, "private": PRIVATE},
}
BY_KEY = {"updateCardDataByKey": True, "updatePrivateDataByKey": True}
PUT_AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def delivered(success: object = True, carrier: str = "carrier+/==") -> dict:
    place = {"spaceType": "IM_ROBOT", "spaceId": "user01", "success": success}
    place |= {"carrierId": carrier, "errorMsg": "" if success is True else "spaceId is illegal"}
    return {"success": True, "result": {"outTrackId": "x", "deliverResults": [place]}}


@pytest.fixture
async def api(aiohttp_server) -> FakeApi:
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    api.says(CREATE, delivered())
    api.says(CHANGE, {"success": True, "result": True})
    api.says(SEND, {"processQueryKey": "qk", "invalidStaffIdList": []})
    return api


def sender_of(api: FakeApi, session: ClientSession, clock: Clock, **more: object):
    chosen = settings(api.base, card_template_id=TEMPLATE, **more)
    url = "https://leads.example.com/dingtalk/cards"
    return DingTalkSender(DingTalkClient(session, chosen, clock), chosen, clock, url)


@pytest.fixture
def sender(api, session, clock) -> DingTalkSender:
    return sender_of(api, session, clock)


def due(**changes: object) -> Due:
    first = Due(
        key="lead:42/7",
        channel=Channel.DINGTALK,
        account="user01",
        payload=PAYLOAD,
        version=3,
        attempts=1,
        ring=True,
        ref=None,
        put_at=PUT_AT,
    )
    return replace(first, **changes)


async def shown(sender: DingTalkSender, **changes: object) -> Due:
    """What is due the next time, when the card that is there may change."""
    ref = await sender.show(due(**changes))
    return due(ref=ref, ring=False, version=4, put_at=PUT_AT + timedelta(minutes=1))


async def test_a_card_is_made_for_one_person_with_what_only_they_may_see(api, sender, clock):
    ref = await sender.show(due())

    [body] = api.bodies(CREATE)
    track_id = body.pop("outTrackId")
    assert body == {
        "cardTemplateId": TEMPLATE,
        "userIdType": 1,
        "callbackType": "STREAM",
        "cardData": {"cardParamMap": MAP},
        "privateData": {"user01": {"cardParamMap": PRIVATE}},
        "openSpaceId": "dtv1.card//IM_ROBOT.user01",
        "imRobotOpenSpaceModel": {
            "supportForward": False,
            "lastMessageI18n": {"ZH_CN": "新线索 #42"},
            "notification": {"alertContent": "新线索 #42", "notificationOff": False},
        },
        "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT", "robotCode": CLIENT_ID},
    }
    assert ref == {
        "track_id": track_id,
        "query_key": "carrier+/==",
        "at": clock().isoformat(),
    }
    assert key_of(track_id) == "lead:42/7"
    assert len(track_id) <= 100


async def test_it_changes_in_place_and_overwrites_nothing_it_does_not_name(api, sender):
    later = await shown(sender)

    in_place, ref = sender.in_place(later), await sender.show(later)

    assert in_place
    assert ref == later.ref
    assert api.bodies(CHANGE) == [
        {
            "outTrackId": later.ref["track_id"],
            "userIdType": 1,
            "cardUpdateOptions": BY_KEY,
            "cardData": {"cardParamMap": MAP},
            "privateData": {"user01": {"cardParamMap": PRIVATE}},
        }
    ]


async def test_what_rings_is_a_new_card_and_the_old_one_is_taken_back(api, sender):
    later = replace(await shown(sender), ring=True)

    in_place, ref = sender.in_place(later), await sender.show(later)

    assert not in_place
    assert api.paths() == [CREATE, CREATE, RECALL]
    assert api.bodies(RECALL)[0]["processQueryKeys"] == ["carrier+/=="]
    assert ref["track_id"] != later.ref["track_id"]


async def test_a_lost_answer_makes_no_second_card(api, sender):
    api.says(CREATE, (500, ""), (400, {"code": "param.cardAlreadyExist"}))

    with pytest.raises(Later):
        await sender.show(due())
    ref = await sender.show(due(attempts=2))

    first, second = (body["outTrackId"] for body in api.bodies(CREATE))
    assert first == second == ref["track_id"]
    assert api.paths() == [CREATE, CREATE, CHANGE]


@pytest.mark.parametrize(
    "answer",
    [
        delivered(success=False),
        delivered(success="false"),
        {"success": True, "result": {"deliverResults": []}},
        {"success": True, "result": None},
        {},
        (400, {"code": "param.openSpaceIdInvalid"}),
    ],
)
async def test_success_that_reached_nobody_is_followed_by_an_action_card(api, sender, answer):
    api.says(CREATE, answer)

    ref = await sender.show(due())

    assert api.paths() == [CREATE, SEND]
    assert ref["query_key"] == "qk"


@pytest.mark.parametrize("kept", ["process", "row"])
@pytest.mark.parametrize("failure", [(500, ""), {"flowControlledStaffIdList": ["user01"]}])
async def test_a_card_that_reached_nobody_is_not_taken_for_one_that_is_there(
    api, session, clock, failure, kept
):
    """The next try heard that the card exists and called it delivered: nobody had it."""
    api.says(CREATE, delivered(success=False), (400, {"code": "param.cardAlreadyExist"}))
    api.says(SEND, failure, {"processQueryKey": "qk"})

    sender = sender_of(api, session, clock)
    with pytest.raises(Later) as later:
        await sender.show(due())
    known = later.value.ref if kept == "row" else None
    restarted = sender_of(api, session, clock) if kept == "row" else sender
    ref = await restarted.show(due(attempts=2, ref=known))

    assert api.paths() == [CREATE, SEND, SEND]
    assert ref["query_key"] == "qk"
    assert "track_id" not in ref


async def test_a_card_that_dingtalk_lost_is_made_anew_as_a_message_of_its_own(api, sender):
    later = await shown(sender)
    api.says(CHANGE, (400, {"code": "param.cardNotExist"}))

    with pytest.raises(Anew):
        await sender.show(later)

    assert not sender.in_place(replace(later, ref=later.ref | {"track_id": ""}))


@pytest.mark.parametrize("code", ["param.templateNotExist", "param.templateUnpublished"])
async def test_without_its_template_everything_goes_as_action_cards_and_the_admin_is_told(
    api, sender, clock, code
):
    later = await shown(sender)
    api.says(CREATE, (400, {"code": code}))

    with capture_logs() as logs:
        await sender.show(due())
        await sender.show(due(key="lead:43/7"))
        await sender.show(later)
    clock.tick(minutes=11)
    await sender.show(due(key="lead:44/7"))

    assert [log["log_level"] for log in logs if "falls_back" in log["event"]] == ["error"]
    assert code in logs[0]["why"]
    assert api.paths()[1:] == [CREATE, SEND, SEND, CHANGE, CREATE, SEND]


async def test_when_the_month_is_used_up_no_card_is_changed_by_a_call_any_more(api, sender, clock):
    later = await shown(sender)
    api.says(CHANGE, (403, {"code": "Forbidden.AccessDenied.ApiCountLimitForOrg"}))

    for _ in range(3):
        with pytest.raises(Spent):
            await sender.show(later)
    clock.tick(days=31)
    api.says(CHANGE, {"success": True, "result": True})
    await sender.show(later)

    assert api.paths().count(CHANGE) == 2


async def test_a_change_that_was_not_done_is_no_success(api, sender):
    later = await shown(sender)
    api.says(CHANGE, {"success": False})

    with pytest.raises(Undeliverable, match="success=false"):
        await sender.show(later)


async def test_a_message_without_variables_stays_an_action_card(api, sender):
    plain = {key: PAYLOAD[key] for key in ("msgKey", "msgParam")}

    await sender.show(due(payload=plain))

    assert api.paths() == [SEND]


async def test_without_a_template_nothing_is_interactive(api, session, clock):
    chosen = settings(api.base)
    sender = DingTalkSender(DingTalkClient(session, chosen, clock), chosen, clock)

    await sender.show(due())

    assert api.paths() == [SEND]
    assert "card" not in api.bodies(SEND)[0]


async def test_in_http_mode_the_address_for_presses_is_registered_once(api, session, clock):
    more = {"mode": "http", "token": "t0ken", "encoding_aes_key": "a" * 43}
    sender = sender_of(api, session, clock, **more)

    await sender.show(due())
    await sender.show(due(key="lead:43/7"))

    assert api.paths() == [REGISTER, CREATE, CREATE]
    assert api.bodies(REGISTER) == [
        {
            "callbackRouteKey": "leadbot",
            "callbackUrl": "https://leads.example.com/dingtalk/cards",
            "apiSecret": card_secret(SECRET),
            "forceUpdate": True,
        }
    ]
    made = api.bodies(CREATE)[0]
    assert (made["callbackType"], made["callbackRouteKey"]) == ("HTTP", "leadbot")


@pytest.mark.parametrize("listed", ["USER01", "user01 ", "somebody else"])
@pytest.mark.parametrize("name", ["invalidStaffIdList", "filteredStaffIdList"])
async def test_whoever_is_listed_of_one_receiver_is_that_one(api, sender, name, listed):
    api.says(SEND, {"processQueryKey": "qk", name: [listed]})
    plain = {key: PAYLOAD[key] for key in ("msgKey", "msgParam")}

    with pytest.raises(Undeliverable, match=name):
        await sender.show(due(payload=plain))


async def test_nothing_is_taken_back_for_a_message_that_reaches_nobody(api, sender):
    plain = {key: PAYLOAD[key] for key in ("msgKey", "msgParam")}
    ref = await sender.show(due(payload=plain))
    api.says(SEND, {"processQueryKey": "qk", "flowControlledStaffIdList": ["user01"]})

    with pytest.raises(Later):
        await sender.show(due(payload=plain, ref=ref))

    assert api.paths() == [SEND, SEND]
