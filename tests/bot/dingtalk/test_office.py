"""To-do entries, approvals and the directory against an API that answers what a test wants."""

import json
from urllib.parse import unquote

import pytest

from bot.config import Approval
from bot.platforms.dingtalk.answers import DingTalkError
from bot.platforms.dingtalk.approval import ApprovalReader
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.directory import DingTalkDirectory
from bot.platforms.dingtalk.todo import TodoSender
from store.domain.errors import Later, Undeliverable
from store.domain.team import Channel
from store.outbox import Due
from tests.bot.dingtalk.conftest import settings
from tests.bot.dingtalk.fakes import FakeApi

GET, LISTSUB, LISTSIMPLE = (
    f"/topapi/{path}" for path in ("v2/user/get", "v2/department/listsub", "user/listsimple")
)
TOP = "/topapi/v2/department/get"
EXISTS = (400, {"code": "todo.taskCreate.paramError", "message": "task exist"})


@pytest.fixture
async def api(aiohttp_server):
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    api.says(GET, ok({"userid": "user01", "unionid": "uN+1/=="}))
    api.says(TOP, ok({"dept_id": 1, "name": "公司", "parent_id": 0}))
    return api


@pytest.fixture
def client(api, session, clock):
    return DingTalkClient(session, settings(api.base), clock)


@pytest.fixture
def directory(client, clock):
    return DingTalkDirectory(client, [1], clock)


def ok(result):
    return {"errcode": 0, "result": result}


def due(*, ref=None, attempts=1, **changes):
    payload = {"subject": "#42 苏禾 打电话", "url": "https://x.example/app/leads/42",
               "due": "2026-03-03T01:00:00+00:00", "done": False} | changes  # fmt: skip
    return Due(key="todo:42/7/1", channel=Channel.DINGTALK_TODO, account="user01",
               payload=payload, version=1, attempts=attempts, ring=False, ref=ref)  # fmt: skip


def tasks(api):
    return [(m, unquote(path), q, body) for m, path, q, _, body in api.calls if "/todo/" in path]


# -- to-dos ---------------------------------------------------------------------


async def test_an_entry_has_what_the_platform_insists_on(api, client, directory):
    api.says("/v1.0/todo/users/uN+1/==/tasks", {"id": "task1"})

    ref = await TodoSender(client, directory).show(due())

    [(method, path, query, body)] = tasks(api)
    assert (method, path) == ("POST", "/v1.0/todo/users/uN+1/==/tasks")
    assert query == {"operatorId": "uN+1/=="}
    assert body["sourceId"] == "leadbot-todo:42/7/1-user01"
    assert body["dueTime"] == 1772499600000
    assert ref["union_id"] == "uN+1/=="


SOURCE = "/v1.0/todo/users/uN+1/==/tasks/sources/leadbot-todo:42/7/1-user01"


async def test_an_entry_whose_making_was_never_answered_is_found_and_ticked_off(
    api, client, directory
):
    """It stayed open for good: without its id nothing could be ticked off."""
    api.says("/v1.0/todo/users/uN+1/==/tasks", (504, ""), EXISTS)
    api.says(SOURCE, {"id": "task1"})
    sender = TodoSender(client, directory)

    with pytest.raises(Later):
        await sender.show(due(attempts=1))
    ref = await sender.show(due(attempts=2))
    await sender.show(due(ref=ref, done=True))

    assert ref == {"union_id": "uN+1/==", "task": "task1"}
    assert tasks(api)[-1][1] == "/v1.0/todo/users/uN+1/==/tasks/task1"
    assert tasks(api)[-1][3] == {"done": True}


@pytest.mark.parametrize("ref", [None, {"union_id": "uN+1/==", "task": ""}])
async def test_what_is_done_before_its_making_was_answered_is_looked_up(
    api, client, directory, ref
):
    """Nothing was called, and the entry that did get there was never ticked off."""
    api.says(SOURCE, {"id": "task1"})

    await TodoSender(client, directory).show(due(ref=ref, done=True))

    assert [(method, body) for method, _, _, body in tasks(api)] == [
        ("GET", None),
        ("PUT", {"done": True}),
    ]


async def test_what_was_never_made_is_not_ticked_off(api, client, directory):
    api.says(SOURCE, (404, {"code": "todo.task.notExist"}))

    assert await TodoSender(client, directory).show(due(done=True)) is None

    assert [method for method, *_ in tasks(api)] == ["GET"]


async def test_what_a_person_deleted_needs_no_ticking_off(api, client, directory):
    ref = {"union_id": "uN+1/==", "task": "task1"}
    api.says("/v1.0/todo/users/uN+1/==/tasks/task1", (404, {"code": "todo.task.notExist"}))

    assert await TodoSender(client, directory).show(due(ref=ref, done=True)) == ref


async def test_a_mistake_in_an_entry_is_not_taken_for_one_that_is_there(api, client, directory):
    api.says("/v1.0/todo/users/uN+1/==/tasks", EXISTS)
    api.says(SOURCE, (404, {"code": "todo.task.notExist"}))

    with pytest.raises(DingTalkError):
        await TodoSender(client, directory).show(due())


async def test_who_is_gone_is_asked_for_anew_and_their_entries_need_nothing(
    api, client, directory
):
    api.says(GET, {"errcode": 60121, "errmsg": "找不到该用户"})
    sender = TodoSender(client, directory)

    with pytest.raises(DingTalkError) as error:
        await sender.show(due())
    await sender.show(due(done=True))

    assert error.value.alarm.key == "dingtalk:nobody@user01"
    assert api.paths() == [GET, GET]


async def test_an_entry_is_changed_and_ticked_off_by_its_id(api, client, directory):
    ref = {"union_id": "uN+1/==", "task": "task1"}
    sender = TodoSender(client, directory)

    await sender.show(due(ref=ref, subject="#42 苏禾 改约"))
    await sender.show(due(ref=ref, done=True))

    first, second = tasks(api)
    assert first[:2] == ("PUT", "/v1.0/todo/users/uN+1/==/tasks/task1")
    assert (first[3]["subject"], first[3]["done"]) == ("#42 苏禾 改约", False)
    assert second[3] == {"done": True}


async def test_the_union_id_is_asked_for_once(api, client, directory):
    for _ in range(3):
        await directory.union_id("user01")

    assert api.paths() == [GET]


# -- approvals --------------------------------------------------------------------


class Taken:
    def __init__(self):
        self.forms = []

    async def __call__(self, instance, by, values):
        self.forms.append((instance, by, values))


def form(**values):
    parts = [{"name": name, "value": value} for name, value in values.items()]
    return {"result": {"originatorUserId": "user01", "formComponentValues": parts}}


def reader(client, taken):
    fields = {"phone": "电话", "product": "产品"}
    approval = Approval.model_validate({"process_code": "PROC-1", "fields": fields})
    return ApprovalReader(client, [approval], taken)


def agreed(code="PROC-1"):
    return Due(key="approval:x", channel=Channel.DINGTALK_FORM, account="i/1", version=1,
               payload={"process_code": code}, attempts=1, ring=False, ref=None)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("CRM", "CRM"),
        ('["CRM","工单"]', ["CRM", "工单"]),
        ("null", None),
        ("[未闭合", "[未闭合"),
        ("none", "none"),
        (None, None),
    ],
)
async def test_a_form_is_read_by_its_labels(api, client, written, read):
    taken = Taken()
    api.says("/v1.0/workflow/processInstances", form(电话="13912345678", 产品=written, 备注="x"))

    await reader(client, taken).show(agreed())

    assert taken.forms == [("i/1", "user01", {"phone": "13912345678", "product": read})]
    assert api.calls[0][2] == {"processInstanceId": "i/1"}


async def test_an_answer_without_a_form_is_asked_for_again(api, client):
    api.says("/v1.0/workflow/processInstances", {"success": "true"})

    with pytest.raises(Later):
        await reader(client, Taken()).show(agreed())


async def test_an_approval_that_is_no_longer_configured_costs_no_call(api, client):
    with pytest.raises(Undeliverable):
        await reader(client, Taken()).show(agreed("PROC-9"))

    assert api.calls == []


# -- the directory ----------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        {"errcode": 0},
        {"errcode": 0, "result": None},
        {"errcode": 0, "result": {}},
        {"errcode": -1, "errmsg": "busy"},
        {"errcode": 50004, "errmsg": "out of scope"},
        (200, "<html>banned</html>"),
        (500, {"code": "systemError"}),
    ],
)
@pytest.mark.parametrize("path", [TOP, LISTSUB, LISTSIMPLE])
async def test_what_is_no_whole_answer_is_no_directory(api, directory, path, answer):
    api.says(LISTSUB, ok([]))
    api.says(LISTSIMPLE, ok({"has_more": False, "list": [{"userid": "user01", "name": "张三"}]}))
    api.says(path, answer)

    with pytest.raises((Later, DingTalkError)):
        await directory.read(["user01", "user02"])


async def test_a_page_that_leads_nowhere_is_no_directory(api, directory):
    api.says(LISTSUB, ok([]))
    api.says(LISTSIMPLE, ok({"has_more": True, "list": []}))

    with pytest.raises(Later):
        await directory.read([])


@pytest.mark.parametrize(
    ("code", "left"),
    [(60121, True), (33012, True), (50002, False), (60011, False), (88, None), (-1, None)],
)
async def test_only_the_platform_s_own_word_makes_a_leaver(api, directory, code, left):
    api.says(LISTSUB, ok([]))
    api.says(LISTSIMPLE, ok({"has_more": False, "list": []}))
    api.says(GET, {"errcode": code, "errmsg": "no"})

    if left is None or code == 60011:
        with pytest.raises(Later):
            await directory.read(["user01"])
        return
    snapshot = await directory.read(["user01"])
    assert list(snapshot.left) == (["user01"] if left else [])


async def test_departments_above_are_theirs_too(api, directory):
    api.says(LISTSUB, ok([{"dept_id": 2, "name": "销售部", "parent_id": 1}]),
             ok([{"dept_id": 3, "name": "华东组", "parent_id": 2}]), ok([]))  # fmt: skip
    nobody = ok({"has_more": False, "list": []})
    there = ok({"has_more": False, "list": [{"userid": "user01", "name": "张三"}]})
    api.says(LISTSIMPLE, nobody, nobody, there)

    [zhang] = (await directory.read([])).people

    assert zhang.departments == ("华东组", "销售部", "公司")
    assert json.dumps(api.bodies(LISTSIMPLE)[2]) == '{"dept_id": 3, "cursor": 0, "size": 100}'
