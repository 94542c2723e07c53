"""What the senders do where DingTalk refuses: another way, more plainly, or an admin is told."""

import json
from datetime import timedelta

import pytest

from bot.platforms.dingtalk.answers import DingTalkError, NeedsAdmin
from bot.platforms.dingtalk.bell import Bell
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.sender import DingTalkGroupSender, DingTalkSender
from store.domain.errors import Anew, Later, Spent, Undeliverable
from tests.bot.dingtalk import test_cards as cards
from tests.bot.dingtalk.conftest import settings
from tests.bot.dingtalk.fakes import FakeApi
from tests.bot.dingtalk.test_sender import GROUP_SEND, HOOK, SEND, SESSION, answering, due

NOTIFY = "/topapi/message/corpconversation/asyncsend_v2"
CARD = {
    "msgKey": "sampleActionCard2",
    "msgParam": {
        "title": "新线索 #42",
        "text": "### 新线索 #42\n\n**电话**　138\n\n[官网](https://evil.example/x) www.evil.example/y",
        "actionTitle1": "接受",
        "actionURL1": "dtmd://dingtalkclient/sendMessage?content=%E6%8E%A5%E5%8F%97%2042",
        "actionTitle2": "退回",
        "actionURL2": "dtmd://dingtalkclient/sendMessage?content=%E9%80%80%E5%9B%9E%2042",
    },
}
GONE_CODES = (
    "group.disbanded", "bot.stopped", "conversation.org.notMatch", "conversation.org.dismatch",
    "invalid.openConversationId", "resource.not.found",
)  # fmt: skip
CREATE, CHANGE = cards.CREATE, cards.CHANGE


class Heard:
    def __init__(self) -> None:
        self.alarms, self.ended, self.lost = [], [], []

    @property
    def bell(self) -> Bell:
        return Bell(self.sound, self.over)

    async def sound(self, alarm):
        self.alarms.append(alarm.key)

    async def over(self, prefix):
        self.ended.append(prefix)

    async def gone(self, group):
        self.lost.append(group)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
async def api(aiohttp_server) -> FakeApi:
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    api.says(SEND, {"processQueryKey": "qk"})
    api.says(CREATE, cards.delivered())
    api.says(NOTIFY, {"errcode": 0, "task_id": 1})
    return api


@pytest.fixture
def make(api, session, clock, heard):
    def make(**more):
        chosen = settings(api.base, **more)
        client = DingTalkClient(session, chosen, clock)
        return DingTalkSender(client, chosen, clock, "https://x.example/cards", heard.bell)

    return make


@pytest.fixture
def groups(api, session, clock, heard):
    chosen = settings(api.base, group_webhook=f"{api.base}{HOOK}?access_token=h00k")
    return DingTalkGroupSender(DingTalkClient(session, chosen, clock), chosen, clock, heard.gone)


def refuse(code, status=400):
    return status, {"code": code, "message": "…"}


def texts(api):
    return [json.loads(body["msgParam"]).get("content") for body in api.bodies(SEND)]


# -- who cannot be written to ----------------------------------------------------------


@pytest.mark.parametrize("code", ["robot.oto.notExist", "session.expired"])
async def test_without_a_chat_it_goes_as_a_work_notification(api, make, heard, code):
    """It was given up."""
    api.says(SEND, refuse(code))

    ref = await make(agent_id=77).show(due(CARD))

    [body] = api.bodies(NOTIFY)
    content = body["msg"]["text"]["content"]
    assert (ref, heard.alarms) == (None, [])
    assert (body["agent_id"], body["userid_list"]) == (77, "user01")
    assert "新线索 #42" in content
    assert "可以发：接受 42；退回 42" in content
    assert len(json.dumps(body["msg"], ensure_ascii=False).encode()) <= 2048


async def test_the_same_words_a_minute_later_are_other_words(api, make, clock):
    """DingTalk drops a notification that says what another one said that day."""
    api.says(SEND, refuse("robot.oto.notExist"))
    sender = make(agent_id=77)

    await sender.show(due(CARD))
    clock.tick(minutes=1)
    await sender.show(due(CARD))

    first, second = api.bodies(NOTIFY)
    assert first["msg"] != second["msg"]


async def test_a_robot_that_may_not_begin_chats_is_the_admins_business_too(api, make, heard):
    api.says(SEND, refuse("chatbotId.notAllow.sendOTO"))

    await make(agent_id=77).show(due(CARD))

    assert api.paths() == [SEND, NOTIFY]
    assert heard.alarms == ["dingtalk:robot.oto"]


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("chatbotId.notAllow.sendOTO", "dingtalk:robot.oto"),
        ("robot.oto.notExist", "dingtalk:robot.session@user01"),
    ],
)
async def test_without_an_agent_id_it_waits_for_the_admin(api, make, code, key):
    """It was given up."""
    api.says(SEND, refuse(code))

    with pytest.raises(Later) as later:
        await make().show(due(CARD))

    assert (later.value.alarm.key, later.value.after) == (key, timedelta(minutes=10))


@pytest.mark.parametrize(
    "answer",
    [
        refuse("staffId.notExisted"),
        {"processQueryKey": "qk", "invalidStaffIdList": ["user01"]},
        {"processQueryKey": "qk", "filteredStaffIdList": ["user01"]},
    ],
)
async def test_whom_dingtalk_does_not_know_is_told_to_the_admin_and_not_asked_for_again_at_once(
    api, make, clock, answer
):
    api.says(SEND, answer)
    sender, alarms = make(), []

    for _ in range(3):
        with pytest.raises(Undeliverable) as error:
            await sender.show(due(CARD))
        alarms.append(error.value.alarm.key)
    before = len(api.bodies(SEND))
    clock.tick(minutes=11)
    with pytest.raises(Undeliverable):
        await sender.show(due(CARD))

    assert set(alarms) == {"dingtalk:nobody@user01"}
    assert (before, len(api.bodies(SEND))) == (1, 2)


async def test_a_robot_that_is_not_there_is_no_lost_group_where_a_person_is_written_to(api, make):
    api.says(SEND, refuse("resource.not.found"))

    with pytest.raises(NeedsAdmin) as error:
        await make().show(due(CARD))

    assert error.value.alarm.key == "dingtalk:robot.code"


async def test_too_fast_is_waited_for_longer_each_time(api, make):
    """It was 5 seconds, each time."""
    api.says(SEND, refuse("send.too.fast"))
    sender, waits = make(), []

    for attempts in (1, 2, 3, 4, 5, 99):
        with pytest.raises(Later) as later:
            await sender.show(cards.replace(due(CARD), attempts=attempts))
        waits.append(later.value.after.total_seconds())

    assert waits == [5, 10, 20, 40, 60, 60]


async def test_a_way_around_shows_nothing_about_the_robot(api, make, groups, clock):
    """A reply through its session ended the alarm, and the next message sounded it again."""
    api.says(SESSION, {"errcode": 0})
    sender = make()
    replied, sent = due(answering(api, clock)), due(CARD)

    around = sender.detour(replied, await sender.show(replied))
    straight = sender.detour(sent, await sender.show(sent))

    assert (around, straight) == (True, False)
    assert not groups.detour(due({}, account=""), None)


# -- groups that are gone ----------------------------------------------------------------


@pytest.mark.parametrize("code", GONE_CODES)
async def test_a_lost_group_is_unbound_and_told(api, groups, heard, code):
    """Every digest went there again, and nobody knew."""
    api.says(GROUP_SEND, refuse(code))

    with pytest.raises(Undeliverable) as error:
        await groups.show(due(CARD, account="cid+/=="))

    assert heard.lost == ["cid+/=="]
    assert error.value.alarm.key == "dingtalk_group:lost@cid+/=="
    assert "绑定" in error.value.alarm.text


@pytest.mark.parametrize("code", [400013, 400102, 400106])
async def test_a_lost_group_robot_is_told(api, groups, heard, code):
    api.says(HOOK, {"errcode": code, "errmsg": "…"})

    with pytest.raises(Undeliverable) as error:
        await groups.show(due({"msgtype": "text", "text": {"content": "日报"}}, account=""))

    assert heard.lost == []
    assert error.value.alarm.key == "dingtalk_group:lost@"


async def test_another_mistake_loses_no_group(api, groups, heard):
    api.says(GROUP_SEND, refuse("msgParam.invalid"))

    with pytest.raises(DingTalkError) as error:
        await groups.show(due(CARD, account="cid+/=="))

    assert (heard.lost, error.value.alarm) == ([], None)


# -- the content check ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    ["contain.unsafe.url", "contain.notAllowed.text", "param.contentUnsafe", "msgParam.tooLong"],
)
async def test_what_the_content_check_refuses_is_said_without_links(api, make, code):
    """It was given up, and nobody knew of the lead."""
    api.says(SEND, refuse(code), {"processQueryKey": "plain"})

    ref = await make().show(due(CARD))

    assert ref["query_key"] == "plain"
    said = texts(api)[1]
    assert said == "新线索 #42\n\n电话　138\n\n官网 （链接）\n可以发：接受 42；退回 42"


async def test_what_is_refused_even_so_is_at_least_mentioned(api, make):
    api.says(SEND, refuse("contain.notAllowed.text"), refuse("contain.notAllowed.text"), {})

    await make().show(due(CARD))

    assert texts(api)[2] == "有一条消息没通过钉钉的内容检查，发「我的」看看手上的线索"


async def test_an_address_of_a_person_is_no_link(api, make):
    mail = {"msgKey": "sampleText", "msgParam": {"content": "邮箱 su.he@firm.example 预算 3.5万"}}
    api.says(SEND, refuse("contain.unsafe.url"), {})

    await make().show(due(mail))

    assert texts(api)[1] == "邮箱 su.he@firm.example 预算 3.5万"


@pytest.mark.parametrize("code", [430101, 430102, 430103, 430104, 460101])
async def test_the_group_robot_says_it_without_links_too(api, groups, code):
    digest = {
        "msgtype": "actionCard",
        "actionCard": {
            "title": "日报",
            "text": "### 日报\n[看](https://x.example)",
            "btns": [
                {"title": "公海", "actionURL": "dtmd://dingtalkclient/sendMessage?content=x"}
            ],
        },
    }
    api.says(HOOK, {"errcode": code, "errmsg": "…"}, {"errcode": 0})

    await groups.show(due(digest, account=""))

    refused, said = api.bodies(HOOK)
    assert said["text"] == {"content": "日报\n看\n可以发：x"}
    assert said["msgUuid"] == refused["msgUuid"]


# -- interactive cards -----------------------------------------------------------------------

DENIED = (
    403,
    {
        "code": "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        "accessdenieddetail": {"requiredScopes": ["Card.Instance.Write"]},
    },
)


async def test_without_the_permission_for_cards_everybody_gets_action_cards(
    api, make, heard, clock
):
    """The card waited for the permission, and the rep for the lead."""
    api.says(CREATE, DENIED)
    sender = make(card_template_id=cards.TEMPLATE)

    ref = await sender.show(cards.due())
    await sender.show(cards.due(key="lead:43/7"))
    clock.tick(minutes=11)
    api.says(CREATE, cards.delivered())
    await sender.show(cards.due(key="lead:44/7"))

    assert ref["query_key"] == "qk"
    assert api.paths() == [CREATE, SEND, SEND, CREATE]
    assert heard.alarms == ["dingtalk_card:scope.Card.Instance.Write"]
    assert heard.ended == ["dingtalk_card:"]


async def test_a_card_that_may_no_longer_be_changed_comes_anew_as_an_action_card(api, make, heard):
    sender = make(card_template_id=cards.TEMPLATE)
    later = await cards.shown(sender)
    api.says(CHANGE, DENIED)

    with pytest.raises(Anew):
        await sender.show(later)
    await sender.show(cards.replace(later, ref=None))

    assert api.paths() == [CREATE, CHANGE, SEND]
    assert heard.alarms == ["dingtalk_card:scope.Card.Instance.Write"]


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "code",
    [
        "param.cardDataInvalid", "param.cardDataTooLong", "param.userIdNotExist",
        "param.outTrackIdInvalid", "param.callbackRouteKeyInvalid", "invalidParameter.x",
    ],
)  # fmt: skip
async def test_a_card_that_is_refused_goes_to_that_phone_as_an_action_card(
    api, make, heard, code, status
):
    """It was given up."""
    api.says(CREATE, refuse(code, status), cards.delivered())
    sender = make(card_template_id=cards.TEMPLATE)

    ref = await sender.show(cards.due())
    await sender.show(cards.due(key="lead:43/7"))

    assert ref["query_key"] == "qk"
    assert api.paths() == [CREATE, SEND, CREATE]
    assert heard.alarms == []


async def test_a_change_that_is_refused_is_a_new_card(api, make):
    sender = make(card_template_id=cards.TEMPLATE)
    later = await cards.shown(sender)
    api.says(CHANGE, refuse("param.cardDataTooLong"))

    with pytest.raises(Anew):
        await sender.show(later)


async def test_a_card_made_by_a_lost_try_that_cannot_be_changed_is_no_endless_round(api, make):
    api.says(CREATE, refuse("param.cardAlreadyExist"))
    api.says(CHANGE, refuse("param.cardNotExist"))

    ref = await make(card_template_id=cards.TEMPLATE).show(cards.due())

    assert ref["query_key"] == "qk"


async def test_without_its_template_the_admin_is_told(api, make, heard):
    api.says(CREATE, refuse("param.templateUnpublished"))

    await make(card_template_id=cards.TEMPLATE).show(cards.due())

    assert heard.alarms == ["dingtalk_card:template"]


async def test_another_thing_for_the_admin_would_stop_an_action_card_too(api, make):
    api.says(CREATE, refuse("Forbidden.AccessDenied.IpNotInWhiteList", 403))

    with pytest.raises(NeedsAdmin):
        await make(card_template_id=cards.TEMPLATE).show(cards.due())

    assert api.paths() == [CREATE]


async def test_when_the_month_is_over_an_answer_still_has_its_session(api, make, clock):
    """It waited for the next month."""
    over = refuse("Forbidden.AccessDenied.ApiCountLimitForOrg", 403)
    api.says(CREATE, over)
    api.says(SESSION, {"errcode": 0})
    sender = make(card_template_id=cards.TEMPLATE)

    ref = await sender.show(cards.due(payload=answering(api, clock, cards.PAYLOAD)))
    with pytest.raises(Spent):
        await sender.show(cards.due())

    assert ref is None
    assert api.paths() == [CREATE, SESSION, CREATE]
