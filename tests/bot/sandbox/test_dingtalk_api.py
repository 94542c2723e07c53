import json
from datetime import timedelta

import pytest

SEND = "/v1.0/robot/oToMessages/batchSend"


@pytest.fixture
def send(product):
    async def post(*users, **changes):
        body = {"userIds": list(users), "msgKey": "sampleText", "msgParam": '{"content":"你好"}'}
        return await product.dingtalk(SEND, **{**body, **changes})

    return post


@pytest.fixture
def post(product):
    async def ask(path, **request):
        url = product.settings["dingtalk"]["api_base"] + path
        async with product.session.post(url, **request) as response:
            return response.status, await response.json()

    return ask


async def test_the_token_call_knows_its_app_and_wants_json(product, post):
    section = product.settings["dingtalk"]
    pair = {"appKey": section["client_id"], "appSecret": section["client_secret"]}
    path = "/v1.0/oauth2/accessToken"

    good, again = await post(path, json=pair), await post(path, json=pair)
    wrong = await post(path, json={**pair, "appSecret": "x"})
    form = await post(path, data=pair)

    assert good[1]["expireIn"] == 7200
    assert good == again
    assert (wrong[0], wrong[1]["code"]) == (400, "invalidClientIdOrSecret")
    assert (form[0], form[1]["code"]) == (400, "Missingbody")


async def test_an_expired_token_is_400_invalid_authentication(product, post):
    token = product.sandbox.dingtalk.api.tokens.issue()
    product.clock.forward(timedelta(hours=2))

    status, answer = await post(SEND, json={}, headers={"x-acs-dingtalk-access-token": token})

    assert (status, answer["code"]) == (400, "InvalidAuthentication")
    assert "requestid" in answer


@pytest.mark.parametrize("path", ["/v1.0/robot/OToMessages/batchSend", "/topapi/none"])
async def test_an_unknown_path_is_404_with_json(post, path):
    status, answer = await post(path, json={})

    assert (status, answer["code"]) == (404, "error.notFound")


async def test_unknown_people_are_listed_beside_those_who_got_it(state, send):
    status, answer = await send("zhaomin", "nobody")

    assert status == 200
    assert answer["invalidStaffIdList"] == ["nobody"]
    assert answer["processQueryKey"]
    assert state.chats["dingtalk:zhaomin"][0].body == {"text": "你好"}


@pytest.mark.parametrize(
    ("users", "changes", "code"),
    [
        (["u"] * 21, {}, "invalidParameter.userIds.overMax"),
        ([], {}, "invalidParameter.userIds.empty"),
        (["$:LWCP_v1:$abc"], {}, "staffId.notExisted"),
        (["zhaomin"], {"robotCode": "other"}, "invalidParameter.robotCode.auth"),
        (["zhaomin"], {"msgKey": "samplePoster"}, "invalidParameter.msgKey.invalid"),
        (["zhaomin"], {"msgParam": {"content": "对象"}}, "msgParam.invalid"),
        (["zhaomin"], {"msgParam": "not json"}, "msgParam.invalid"),
        (["zhaomin"], {"msgParam": '{"content": 1}'}, "msgParam.invalid"),
        (["zhaomin"], {"msgParam": "{}"}, "msgParam.invalid"),
        (["zhaomin"], {"msgParam": json.dumps({"content": "x" * 15000})}, "msgParam.tooLong"),
    ],
)
async def test_a_message_is_refused_with_the_platforms_code(state, send, users, changes, code):
    status, answer = await send(*users, **changes)

    assert (status, answer["code"]) == (400, code)
    assert state.chats == {}


async def test_an_action_card_wants_every_button_of_its_key(state, send):
    param = {"title": "新线索", "text": "### #1"}
    param |= {f"actionTitle{i}": "领取" for i in (1, 2, 3)}
    param |= {f"actionURL{i}": "dtmd://x" for i in (1, 2)}

    two = await send("zhaomin", msgKey="sampleActionCard2", msgParam=json.dumps(param))
    three = await send("zhaomin", msgKey="sampleActionCard3", msgParam=json.dumps(param))

    assert two[0] == 200
    assert three[1]["code"] == "msgParam.invalid"
    assert len(state.chats["dingtalk:zhaomin"][0].body["buttons"]) == 2


async def test_a_recalled_message_leaves_no_trace(product, state, send):
    _, sent = await send("zhaomin")
    keys = [sent["processQueryKey"], "unknown"]

    status, answer = await product.dingtalk(
        "/v1.0/robot/otoMessages/batchRecall", processQueryKeys=keys
    )

    assert status == 200
    assert answer["successResult"] == keys[:1]
    assert set(answer["failedResult"]) == {"unknown"}
    assert state.chats["dingtalk:zhaomin"][0].recalled


async def test_a_group_message_wants_the_groups_own_id(product, state):
    body = {"msgKey": "sampleText", "msgParam": '{"content":"日报"}'}
    path = "/v1.0/robot/groupMessages/send"

    wrong = await product.dingtalk(path, openConversationId="cidOfOneToOne==", **body)
    missing = await product.dingtalk(path, **body)
    right = await product.dingtalk(
        path, openConversationId=product.sandbox.dingtalk.org.group_id, **body
    )

    assert (wrong[1]["code"], missing[1]["code"]) == (
        "resource.not.found",
        "miss.openConversationId",
    )
    assert right[0] == 200
    assert state.chats["dingtalk-group"][0].body == {"text": "日报"}
