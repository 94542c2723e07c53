"""Whatever is posted to a stand-in, it refuses as the platform would and stays up."""

import json

import pytest

VALUES = [None, True, 7, -1.5, "", "汉\0😀", [], [None], ["a", {}], {}, {"a": [1]}]
WECOM = {
    "message/send": {"touser": "lilei", "agentid": 0, "msgtype": "template_card"},
    "message/update_template_card": {"userids": ["lilei"], "agentid": 0, "response_code": "x"},
    "message/recall": {"msgid": "x"},
    "externalcontact/add_msg_template": {"external_userid": ["wm"], "text": {"content": "x"}},
    "externalcontact/get_groupmsg_list_v2": {
        "start_time": 1,
        "end_time": 2,
        "filter_type": 0,
        "limit": 1,
        "cursor": "",
    },
    "externalcontact/get_groupmsg_task": {"msgid": "x"},
    "externalcontact/get_groupmsg_send_result": {"msgid": "x"},
    "externalcontact/send_welcome_msg": {"welcome_code": "x", "text": {"content": "x"}},
    "webhook/send": {"msgtype": "image", "image": {"base64": "", "md5": ""}},
}
DINGTALK = {
    "/v1.0/robot/oToMessages/batchSend": {"userIds": [], "msgKey": "", "msgParam": ""},
    "/v1.0/robot/otoMessages/batchRecall": {"processQueryKeys": []},
    "/v1.0/robot/groupMessages/send": {"openConversationId": "", "msgKey": "", "msgParam": ""},
    "/v1.0/oauth2/accessToken": {"appKey": "", "appSecret": ""},
    "/v1.0/gateway/connections/open": {"clientId": "", "clientSecret": "", "subscriptions": []},
    "/robot/sendBySession": {"msgtype": "actionCard", "actionCard": {"btns": []}},
}


def nonsense(body):
    return [{**body, name: value} for name in body for value in VALUES]


@pytest.mark.parametrize("path", WECOM)
async def test_wecom_refuses_with_a_number(product, agent, path):
    body = {name: agent if name == "agentid" else value for name, value in WECOM[path].items()}

    answers = [await product.wecom(path, **each) for each in nonsense(body)]

    assert all(isinstance(answer["errcode"], int) for answer in answers)


@pytest.mark.parametrize("part", ["main_title", "button_list", "card_action", "action_menu",
                                  "horizontal_content_list", "button_selection", "task_id"])  # fmt: skip
async def test_wecom_refuses_or_shows_any_part_of_a_card(product, state, agent, card, part):
    body = {"touser": "lilei", "agentid": agent, "msgtype": "template_card"}

    answers = [
        await product.wecom("message/send", **body, template_card=card(f"t{i}") | {part: value})
        for i, value in enumerate(VALUES)
    ]

    shown = len(state.chats.get("wecom:lilei", []))
    assert sum(answer["errcode"] == 0 for answer in answers) == shown


@pytest.mark.parametrize("path", DINGTALK)
async def test_dingtalk_refuses_with_a_code(product, path):
    answers = [await product.dingtalk(path, **each) for each in nonsense(DINGTALK[path])]

    assert all(status < 500 for status, _ in answers)
    assert all("code" in answer for status, answer in answers if status >= 400)


async def test_what_a_connection_says_beside_acks_is_ignored(product, state):
    opened = await product.ticket()
    url = f"{opened['endpoint']}?ticket={opened['ticket']}"

    async with product.session.ws_connect(url) as ws:
        for text in ("", "{", "[]", json.dumps({"headers": 1}), json.dumps({"headers": {}})):
            await ws.send_str(text)
        await product.sandbox.dingtalk.hand.say("zhaomin", "我的")

        while (frame := await ws.receive_json(timeout=60))["type"] == "SYSTEM":
            pass
    assert json.loads(frame["data"])["text"] == {"content": "我的"}


async def test_half_a_character_is_shown_as_a_question_mark(product, state):
    async with product.session.get(f"{product.url}/sandbox/events") as watching:
        half = {"phone": "wecom:lilei", "text": "\ud83d 我的"}
        status, _ = await product.page_post("say", half)
        param = '{"content": "\\ud83d 你好"}'
        sent, _ = await product.dingtalk(
            "/v1.0/robot/oToMessages/batchSend",
            userIds=["zhaomin"],
            msgKey="sampleText",
            msgParam=param,
        )
        seen = b""
        while "你好".encode() not in seen:
            seen += await watching.content.readline()

    assert (status, sent) == (200, 200)
    assert product.calls[0].findtext("Content") == "? 我的"
