"""The sheet's error table, row by row: what DingTalk answers, and what becomes of the message."""

import json
import re
from pathlib import Path

import pytest

from bot.platforms.dingtalk.answers import DingTalkError, NeedsAdmin, TokenRefused, read_answer
from store.domain.errors import Later, Spent
from tests.bot.dingtalk.conftest import Clock

SHEET = Path(__file__).parents[3] / "../shared/platforms/dingtalk.md"
SEND, OLD, HOOK = "/v1.0/robot/oToMessages/batchSend", "/topapi/v2/user/get", "robot/send"
GROUP, CARD, TODO = (
    "/v1.0/robot/groupMessages/send",
    "/v1.0/card/instances/createAndDeliver",
    "/v1.0/todo/users/x/tasks",
)
DENIED = "Forbidden.AccessDenied."
SCOPES = {"accessdenieddetail": {"requiredScopes": ["Card.Instance.Write"]}}
SAID = {"sub_code": "60011", "sub_msg": "没有调用该接口的权限 qyapi_get_member，请申请"}


def new(code, status=400, **more):
    return status, {"code": code, "requestid": "30EE", "message": "…", **more}


def old(code, errmsg=""):
    return 200, {"errcode": code, "errmsg": errmsg}


def sub(code):
    return 200, {"errcode": 88, "sub_code": str(code), "errmsg": "ding talk error"}


TABLE = [
    (1, SEND, new("InvalidAuthentication"), "refresh"),
    (2, OLD, old(40014), "refresh"),
    (2, OLD, old(40001), "refresh"),
    (2, OLD, old(42001), "refresh"),
    (3, OLD, old(41001), "never"),
    (4, OLD, sub(60011), "admin 600 dingtalk_todo:scope."),
    (4, OLD, sub(40014), "refresh"),
    (4, OLD, sub(90018), "later 1"),
    (4, OLD, sub("isp.xxx"), "later"),
    (4, OLD, (200, {"errcode": 88, "sub_code": ""}), "later"),
    (6, SEND, new("invalidClientIdOrSecret"), "admin 600 dingtalk:secret"),
    (7, OLD, old(40089), "admin 600 dingtalk:secret"),
    (8, SEND, new("Missingbody"), "never"),
    (9, CARD, new(f"{DENIED}AccessTokenPermissionDenied", 403, **SCOPES),
     "admin 600 dingtalk_card:scope.Card.Instance.Write"),
    (9, TODO, new(f"{DENIED}AccessTokenPermissionDenied", 403, **SCOPES),
     "admin 600 dingtalk_todo:scope.Card.Instance.Write"),
    (10, OLD, (200, {"errcode": 88, **SAID}), "admin 600 dingtalk_todo:scope.qyapi_get_member"),
    (10, OLD, old(60011), "admin 600 dingtalk_todo:scope."),
    (11, SEND, new(f"{DENIED}IpNotInWhiteList", 403), "admin 600 dingtalk:forbidden.ip"),
    (11, OLD, old(60020), "admin 600 dingtalk:forbidden.ip"),
    (12, SEND, new(f"{DENIED}QpsLimitForAppkeyAndApi", 403), "later 1"),
    (12, OLD, old(90018), "later 1"),
    (13, SEND, new(f"{DENIED}QpmLimitForAppkeyAndApi", 403), "later 60"),
    (14, SEND, new(f"{DENIED}QpsLimitForApi", 403), "later 1"),
    (14, OLD, old(90002), "later 1"),
    (15, SEND, new(f"{DENIED}ApiCountLimitForOrg", 403), "month over"),
    (15, OLD, old(90020), "month over"),
    *((16, OLD, old(code), "admin 60 dingtalk:paused") for code in
      (90001, 90003, 90004, 90005, 90006, 90007, 90008)),
    (17, SEND, (405, "<html>405</html>"), "later 300"),
    (17, OLD, (200, {"status": 1111, "wait": 5, "punish": "deny"}), "later 300"),
    (18, SEND, new("system.busy", 429), "later"),
    (18, SEND, new("systemBusy", 429), "later"),
    (19, OLD, old(-1), "later"),
    (19, OLD, old(15), "later"),
    *((20, SEND, new(code, 500), "later") for code in
      ("system.busy", "system.error", "systemError", "unknownError")),
    (21, SEND, (502, ""), "later"),
    (21, SEND, (503, ""), "later"),
    (21, SEND, new("service.timeout", 504), "later"),
    (21, SEND, new("operationTimeout", 504), "later"),
    (22, SEND, new("error.notFound", 404), "never"),
    (23, SEND, new("staffId.notExisted"), "never"),
    *((26, SEND, new(code), "later 5") for code in
      ("send.too.fast", "send.toofast", "send.byToken.tooFast")),
    (27, SEND, new("chatbotId.notAllow.sendOTO"), "admin 600 dingtalk:robot.oto"),
    (28, SEND, new("robot.oto.notExist"), "admin 600 dingtalk:robot.session"),
    (28, SEND, new("session.expired"), "admin 600 dingtalk:robot.session"),
    (29, SEND, new("invalidParameter.robotCode.auth"), "admin 600 dingtalk:robot.code"),
    (30, GROUP, new("resource.not.found"), "never"),
    (31, GROUP, new("invalid.openConversationId"), "never"),
    (31, GROUP, new("miss.openConversationId"), "never"),
    *((32, GROUP, new(code), "never") for code in
      ("group.disbanded", "bot.stopped", "conversation.org.notMatch",
       "conversation.org.dismatch")),
    (33, SEND, new("invalidParameter.msgKey.invalid"), "never"),
    (33, SEND, new("msgParam.invalid"), "never"),
    (33, SEND, new("msgParam.tooLong"), "never"),
    *((34, SEND, new(code), "never") for code in
      ("contain.notAllowed.text", "contain.notAllowed.content", "contain.notAllowed.picture",
       "contain.unsafe.url", "param.contentUnsafe")),
    (35, SEND, new("bot.forbidden.sendMessage"), "admin 600 dingtalk:robot.muted"),
    (35, GROUP, new("send.forbidden"), "admin 600 dingtalk_group:robot.muted"),
    (36, SEND, new("processQueryKey.expireTime"), "never"),
    (36, SEND, new("invalid.processQueryKey"), "never"),
    *((37, CARD, new(code), "never") for code in
      ("param.cardAlreadyExist", "param.cardNotExist", "cardInstance.notExist",
       "param.templateNotExist", "param.templateUnpublished", "param.userIdNotExist")),
    (40, CARD, new("param.openSpaceIdInvalid", 500), "never"),
    (41, CARD, new("param.userIdNotExist", 500), "never"),
    (42, CARD, new("param.callbackRouteKeyExist", 500), "never"),
    *((44, HOOK, old(code), "admin 600 dingtalk_group:webhook.token") for code in
      (300001, 300005, 400101)),
    (45, HOOK, old(310000, "description:keywords not in content;"),
     "admin 600 dingtalk_group:webhook.keyword"),
    (45, HOOK, old(310000, "invalid timestamp"), "admin 600 dingtalk_group:webhook.clock"),
    (45, HOOK, old(310000, "sign not match"), "admin 600 dingtalk_group:webhook.sign"),
    (45, HOOK, old(310000, "ip 1.2.3.4 not in whitelist"),
     "admin 600 dingtalk_group:webhook.ip"),
    (45, HOOK, old(310000, "?"), "admin 600 dingtalk_group:webhook.setting"),
    *((46, HOOK, old(code), "later 600") for code in (410100, 130101, 302033)),
    *((47, HOOK, old(code), "never") for code in (400013, 400102, 400106)),
    *((48, HOOK, old(code), "never") for code in (430101, 430102, 430103, 430104)),
    (49, HOOK, old(460101), "never"),
    *((50, HOOK, old(code), "never") for code in (40035, 400105, 43004, 43002, 43009)),
    *((51, OLD, old(code), "never") for code in (33012, 60121, 40003, 40031)),
    (52, OLD, old(50002), "admin 600 dingtalk_todo:range"),
    (52, "/topapi/v2/department/listsub", old(50004), "admin 600 dingtalk_directory:range"),
    (53, OLD, old(50003), "admin 600 dingtalk:app.disabled"),
    (54, OLD, old(40078), "never"),
    (55, OLD, old(60003), "never"),
    (60, TODO, new("todo.taskCreate.paramError"), "never"),
    (60, TODO, new("todo.taskCreate.flowControlError"), "later"),
]  # fmt: skip
"""Row, call, answer, and what comes of it. What the sender makes of a "never" is in test_falling."""

ELSEWHERE = {
    5: "connections/open: test_stream",
    24: "batchSend's lists: test_sender",
    25: "batchSend's lists: test_sender",
    38: "with 37",
    39: "with 37",
    43: "sessionWebhook: test_sender",
    56: "JSAPI signatures: no page of ours signs",
    57: "event callbacks are registered by hand",
    58: "results of work notifications are not asked for",
    59: "no DING is sent",
    61: "no AI table is written",
    62: "no form and no CRM is read",
}


def outcome(what, status, body):
    """In one word what a caller is told, with the wait in seconds and the alarm's key."""
    raw = body if isinstance(body, str) else json.dumps(body)
    try:
        read_answer(what, status, raw.encode(), Clock()())
    except TokenRefused:
        return "refresh"
    except Spent:
        return "month over"
    except NeedsAdmin as error:
        return f"admin {error.after.total_seconds():.0f} {error.alarm.key}"
    except Later as later:
        return "later" if later.after is None else f"later {later.after.total_seconds():.0f}"
    except DingTalkError:
        return "never"
    return "fine"


@pytest.mark.parametrize(("row", "what", "answer", "expected"), TABLE)
def test_the_table_is_carried_out(row, what, answer, expected):
    assert outcome(what, *answer) == expected


@pytest.mark.skipif(not SHEET.exists(), reason="the sheet is not beside the project")
def test_every_row_of_the_sheet_is_here():
    table = SHEET.read_text("utf-8").split("### 3.4")[1].split("## 4.")[0]
    rows = {int(number) for number in re.findall(r"^\| (\d+) \| ", table, re.MULTILINE)}

    assert rows == {row for row, *_ in TABLE} | set(ELSEWHERE)


def test_what_an_admin_reads_is_short_and_says_what_to_do():
    for _, what, (status, body), expected in TABLE:
        if expected.startswith("admin"):
            error = told(what, status, body)
            assert len(error.alarm.text) <= 120
            assert len(error.alarm.key) <= 80
            assert "！" not in error.alarm.text


def told(what, status, body) -> NeedsAdmin:
    with pytest.raises(NeedsAdmin) as error:
        read_answer(what, status, json.dumps(body).encode(), Clock()())
    return error.value


def test_a_missing_scope_is_named_to_the_admin():
    error = told(CARD, *new(f"{DENIED}AccessTokenPermissionDenied", 403, **SCOPES))

    assert "Card.Instance.Write" in error.alarm.text
