"""Reading WeCom's address book: a refusal carries empty lists, and is no empty company."""

import pytest

from bot.platforms.wecom.directory import WeComDirectory
from store.domain.directory import RoleRule
from store.domain.errors import Later, Undeliverable
from store.domain.team import Role
from tests.bot.wecom.given import HANG_UP

AGENT = 1000002
RULES = (RoleRule(role=Role.MANAGER, tag="带队"),)
EMPTY = {"department_id": [], "userlist": [], "taglist": [], "department": []}
OK = {"errcode": 0, "errmsg": "ok"}


@pytest.fixture
def directory(client, gateway, clock):
    usual = {
        "agent/get": {"allow_userinfos": {"user": []}, "allow_partys": {"partyid": [2]},
                      "allow_tags": {"tagid": []}},
        "department/simplelist": {"department_id": [{"id": 2, "parentid": 1, "order": 1}]},
        "department/get": {"department": {"id": 2, "name": "销售部", "parentid": 1}},
        "user/list": {"userlist": [{"userid": "ZhangSan", "name": "张三", "department": [2],
                                    "status": 1}]},
        "tag/list": {"taglist": [{"tagid": 7, "tagname": "带队"}]},
        "tag/get": {"userlist": [{"userid": "zhangsan"}], "partylist": []},
    }  # fmt: skip
    for path, answer in usual.items():
        gateway.always[path] = OK | answer
    return WeComDirectory(client, AGENT, RULES, clock)


async def test_somebody_is_read_with_departments_and_tags(directory):
    snapshot = await directory.read([])

    [zhang] = snapshot.people
    assert (zhang.account, zhang.name) == ("ZhangSan", "张三")
    assert (zhang.departments, zhang.tags) == (("销售部",), ("带队",))
    assert list(snapshot.left) == []


async def test_no_tag_is_read_that_no_rule_asks_for(client, clock, directory, gateway):
    await WeComDirectory(client, AGENT, (), clock).read([])

    assert gateway.calls("tag/list") == []


@pytest.mark.parametrize("path", ["agent/get", "department/simplelist", "department/get", "user/list",
                                  "tag/list", "tag/get"])  # fmt: skip
@pytest.mark.parametrize(
    "answer",
    [
        {"errcode": 60011, "errmsg": "no privilege", **EMPTY},
        {"errcode": 60020, "errmsg": "not allow to access from your ip", **EMPTY},
        {"errcode": -1, "errmsg": "system busy", **EMPTY},
        {"errcode": 0, "errmsg": "ok"},
        HANG_UP,
    ],
    ids=["60011", "60020", "busy", "nothing", "hang-up"],
)
async def test_what_is_no_whole_answer_is_no_directory(directory, gateway, path, answer):
    gateway.always[path] = answer

    with pytest.raises((Later, Undeliverable)):
        await directory.read(["lilei"])


def app(users=(), departments=(), tags=()):
    named = {"user": [{"userid": userid} for userid in users]}
    lists = {"allow_partys": {"partyid": list(departments)}, "allow_tags": {"tagid": list(tags)}}
    return OK | {"allow_userinfos": named} | lists


async def test_somebody_put_into_the_range_alone_is_asked_for(directory, gateway):
    """They are in no list of a department, so that they were never in the team."""
    gateway.always["agent/get"] = app(["LiLei", "zhangsan"], [2])
    gateway.always["user/get"] = OK | {"userid": "LiLei", "name": "李雷", "department": [9],
                                       "status": 1}  # fmt: skip

    snapshot = await directory.read([])

    assert {p.account: p.departments for p in snapshot.people} == {
        "ZhangSan": ("销售部",),
        "LiLei": ("销售部",),  # this gateway gives every department that name
    }
    assert [seen.query["userid"] for seen in gateway.calls("user/get")] == ["LiLei"]


async def test_a_range_without_departments_asks_for_none(directory, gateway):
    gateway.always["agent/get"] = app(["lilei"])
    gateway.always["department/get"] = {"errcode": 60011, "errmsg": "no privilege"}
    gateway.always["user/get"] = OK | {"userid": "lilei", "department": [9], "status": 1}

    snapshot = await directory.read([])

    assert [(p.account, p.name, p.departments) for p in snapshot.people] == [
        ("lilei", "lilei", ())
    ]
    assert gateway.calls("department/simplelist") == []


async def test_a_department_that_cannot_be_read_now_is_no_directory(directory, gateway):
    """Without its name, whoever has their role by it would lose it."""
    gateway.always["agent/get"] = app(["lilei"])
    gateway.always["department/get"] = {"errcode": 48002, "errmsg": "api forbidden"}
    gateway.always["user/get"] = OK | {"userid": "lilei", "department": [9], "status": 1}

    with pytest.raises((Later, Undeliverable)):
        await directory.read([])


async def test_people_and_departments_of_a_tag_in_the_range_are_read(directory, gateway):
    gateway.always["agent/get"] = app(tags=[7])
    gateway.always["tag/get"] = OK | {"userlist": [{"userid": "hanmei"}], "partylist": [2]}
    gateway.always["user/get"] = OK | {"userid": "hanmei", "department": [], "status": 1}

    snapshot = await directory.read([])

    assert {p.account for p in snapshot.people} == {"ZhangSan", "hanmei"}
    assert [seen.query["id"] for seen in gateway.calls("department/simplelist")] == ["2"]


@pytest.mark.parametrize("code", [60111, 40003, 301021, 50002, 60011, 60021, 92000, 41054])
async def test_whoever_cannot_be_asked_for_holds_up_nobody(directory, gateway, code):
    gateway.always["agent/get"] = app(["lilei"], [2])
    gateway.always["user/get"] = {"errcode": code, "errmsg": "no", "department": []}

    snapshot = await directory.read([])

    assert [p.account for p in snapshot.people] == ["ZhangSan"]


async def test_an_app_that_does_not_tell_its_range_is_no_directory(directory, gateway):
    gateway.always["agent/get"] = OK | {"name": "线索助手"}

    with pytest.raises(Later):
        await directory.read([])


async def test_a_department_without_a_name_is_no_directory(directory, gateway):
    gateway.always["department/get"] = OK | {"department": {"id": 2, "parentid": 1}}

    with pytest.raises(Later):
        await directory.read([])


@pytest.mark.parametrize("code", [60011, 60003, 60123, 60021, 50002, 301021])
async def test_a_department_the_app_may_not_see_holds_up_nobody(directory, gateway, code):
    """All but the first two were an error that stopped the whole reading."""
    gateway.always["agent/get"] = app(["lilei"])
    gateway.always["department/get"] = {"errcode": code, "errmsg": "no"}
    gateway.always["user/get"] = OK | {"userid": "lilei", "department": [9], "status": 1}

    snapshot = await directory.read([])

    assert [(p.account, p.departments) for p in snapshot.people] == [("lilei", ())]


@pytest.mark.parametrize("code", [60003, 60011, 60123])
async def test_a_department_that_only_a_tag_brought_along_may_be_gone(directory, gateway, code):
    gateway.always["agent/get"] = app(["lilei"], tags=[7])
    gateway.always["tag/get"] = OK | {"userlist": [], "partylist": [2]}
    gateway.always["department/simplelist"] = {"errcode": code, "errmsg": "no"}
    gateway.always["user/get"] = OK | {"userid": "lilei", "department": [], "status": 1}

    snapshot = await directory.read([])

    assert [p.account for p in snapshot.people] == ["lilei"]


async def test_a_deleted_tag_of_the_range_holds_up_nobody(client, clock, directory, gateway):
    gateway.always["agent/get"] = app(tags=[7], departments=[2])
    gateway.always["tag/get"] = {"errcode": 40068, "errmsg": "invalid tagid"}

    snapshot = await WeComDirectory(client, AGENT, (), clock).read([])

    assert [p.account for p in snapshot.people] == ["ZhangSan"]


@pytest.mark.parametrize("code", [60011, 50002, 60021, 92000])
async def test_when_everybody_is_out_of_sight_at_once_it_is_the_app_that_lost_its_right(
    directory, gateway, code
):
    gateway.always["agent/get"] = app()
    gateway.always["user/get"] = {"errcode": code, "errmsg": "no privilege"}

    snapshot = await directory.read(["lilei", "hanmei"])

    assert list(snapshot.left) == []
    assert snapshot.alarm.key == "wecom_directory:range"


async def test_who_was_deleted_is_gone_whoever_else_is_out_of_sight(directory, gateway):
    gateway.always["agent/get"] = app()
    gateway.answers("user/get", {"errcode": 60111, "errmsg": "no such userid"})
    gateway.always["user/get"] = {"errcode": 60011, "errmsg": "no privilege"}

    snapshot = await directory.read(["lilei", "hanmei"])

    assert (list(snapshot.left), snapshot.alarm is not None) == (["lilei"], True)


async def test_a_right_that_is_missing_altogether_makes_no_leaver(directory, gateway):
    gateway.always["user/get"] = {"errcode": 48002, "errmsg": "api forbidden"}

    with pytest.raises(Undeliverable):
        await directory.read(["lilei"])


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ({"errcode": 60111, "errmsg": "userid not found"}, True),
        ({"errcode": 50002, "errmsg": "out of range"}, True),
        ({"errcode": 40003, "errmsg": "invalid userid"}, True),
        ({"errcode": 301021, "errmsg": "userid error"}, True),
        ({"errcode": 60011, "errmsg": "no privilege"}, True),
        ({"errcode": 60021, "errmsg": "out of range"}, True),
        ({"errcode": 92000, "errmsg": "out of range"}, True),
        ({"errcode": 84084, "errmsg": "not a follow user"}, False),
        ({"errcode": 99999, "errmsg": "what is this"}, False),
        (OK | {"userid": "lilei", "status": 1}, False),
        (OK | {"userid": "lilei", "status": 4}, False),
        (OK | {"userid": "lilei", "status": 2}, True),
        (OK | {"userid": "lilei", "status": 5}, True),
    ],
)
async def test_only_the_platform_s_own_word_makes_a_leaver(directory, gateway, answer, left):
    gateway.always["user/get"] = answer

    snapshot = await directory.read(["lilei", "ZHANGSAN"])

    assert list(snapshot.left) == (["lilei"] if left else [])
    assert [seen.query["userid"] for seen in gateway.calls("user/get")] == ["lilei"]


async def test_a_platform_that_does_not_answer_about_one_is_no_directory(directory, gateway):
    gateway.always["user/get"] = {"errcode": -1, "errmsg": "system busy"}

    with pytest.raises(Later):
        await directory.read(["lilei"])
