"""Leads out into a file and in again: nothing lost, nothing told that is masked, nothing run."""

import csv
from datetime import UTC, datetime

import pytest
from openpyxl import load_workbook

from bot.config import parse
from bot.leadjson import GIVEN
from bot.transfer import export_leads, import_leads
from bot.wiring import rules
from handlers.capture import capture
from store.db import open_store
from tests.conftest import team
from tests.handlers.people import enquiry, says

FIELDS = [
    {"name": "预算", "type": "number"},
    {"name": "用途", "type": "choice", "choices": ["自用", "代理"]},
    {"name": "开业", "type": "date"},
    {"name": "附注"},
    {"name": "家庭住址", "hidden": True},
]
OWN = {
    "预算": 30000,
    "用途": "代理",
    "开业": "2026-05-01",
    "附注": "=1+1",
    "家庭住址": "文三路一号",
}
PEOPLE = [
    {
        "name": "=cmd|' /C calc'!A0", "phone": "021-62345678 转 801", "email": "a@x.cn; b@x.cn",
        "company": "'大通", "title": "总监", "region": "江苏苏州", "industry": "制造", "product": "CRM",
        "message": "-1+1\n尽快", "keyword": "crm", "campaign": "@春季", "channel": "百度",
        "external_id": "A-1", "rep": "韩梅", "utm": {"source": "baidu", "计划": "+1"},
        "consent": {"text": "同意联系", "at": "2026-03-01T10:00:00+08:00"}, "fields": OWN,
    },
    {"name": "李四", "phone": "13800001111 / 13900002222", "fields": {"预算": -0.5}},
    {"name": "王五", "wechat": "wang_5", "fields": {"城市": ["苏州"], "老客户": True, "stage": "x"}},
    {"name": "赵六", "phone": "12345678", "message": "'@不是公式"},
]  # fmt: skip
KEPT = ("phone_sure", "consent_text", "consent_at", "utm", "fields")


def installation(url):
    return parse(team(database={"url": url}, field=FIELDS))


@pytest.fixture
def settings(database):
    return installation(database)


@pytest.fixture
def elsewhere(sqlite):
    """Another installation with nobody in it."""
    return installation(sqlite)


async def take(store, *given, source="官网"):
    async with store.begin() as tx:
        return await capture(
            tx, [enquiry(**{"message": ""} | one, source=source) for one in given]
        )


async def all_of(settings):
    store = open_store(settings.database.url, rules(settings))
    async with store.read() as tx:
        leads = await tx.leads.page(None, 0, 100, {})
        lines = await tx.leads.history(lead.id for lead in leads)
    await store.close()
    return leads, {number: [one.kind for one in told] for number, told in lines.items()}


def given(leads):
    return [
        {name: getattr(lead, name) for name in (*GIVEN, *KEPT) if name != "external_id"}
        for lead in leads
    ]


def table(path):
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text("utf-8-sig").splitlines(keepends=True)))
    head, *rows = load_workbook(path).active.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
async def test_what_is_exported_and_imported_elsewhere_is_the_same(
    store, settings, elsewhere, tmp_path, name
):
    """Fields of the company's own and extensions were left out; a source became the channel."""
    await take(store, *PEOPLE)
    await export_leads(settings, tmp_path / name, "", "")

    await import_leads(elsewhere, tmp_path / name, "搬家", dry_run=False)

    (there, _), (here, _) = await all_of(elsewhere), await all_of(settings)
    assert given(there) == given(here)
    assert there[0].fields == OWN | {"分机": "801", "其他邮箱": "b@x.cn"}
    assert there[0].consent_at == datetime(2026, 3, 1, 2, tzinfo=UTC)
    assert [lead.external_id for lead in there][:1] == ["A-1"]


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
async def test_own_fields_and_extensions_have_columns_that_no_spreadsheet_runs(
    store, settings, tmp_path, name
):
    await take(store, *PEOPLE)

    await export_leads(settings, tmp_path / name, "", "")

    first, second, third, _ = table(tmp_path / name)
    told = {column: str(first[column]) for column in (*OWN, "分机", "其他邮箱")}
    assert told == {
        "预算": "30000", "用途": "代理", "开业": "2026-05-01", "附注": "'=1+1", "家庭住址": "文三路一号",
        "分机": "801", "其他邮箱": "b@x.cn",
    }  # fmt: skip
    assert (second["其他电话"], str(second["预算"])) == ("'+8613900002222", "-0.5")
    assert '"城市": ["苏州"]' in third["fields"]
    texts = [cell for row in table(tmp_path / name) for cell in row.values()]
    assert not [t for t in texts if isinstance(t, str) and t[:1] in set("=@+") | {"\t", "\r"}]


async def test_what_nobody_has_claimed_is_exported_masked_and_is_not_imported(
    store, settings, elsewhere, tmp_path, capsys
):
    """A masked number became a person of its own."""
    [one] = await take(store, PEOPLE[0] | {"rep": "", "message": "找 138 0000 1111"})
    await says(store, "lilei", f"领取 {one.id}")
    async with store.begin() as tx:
        owner = (await tx.leads.get(one.id)).owner
    account = {"李雷": "lilei", "韩梅": "hanmei"}.get(owner.name, "wangqiang")
    await says(store, account, f"放回 {one.id}")

    await export_leads(settings, tmp_path / "out.csv", "", "")
    await import_leads(elsewhere, tmp_path / "out.csv", "搬家", dry_run=False)

    [row] = table(tmp_path / "out.csv")
    assert (row["masked"], row["预算"], row["附注"]) == ("是", "30000", "'=1+1")
    secrets = ("62345678", "a@x.cn", "b@x.cn", "801", "文三路", "大通", "0000 1111", "calc")
    assert not [s for s in secrets if s in (tmp_path / "out.csv").read_text("utf-8-sig")]
    assert (await all_of(elsewhere))[0] == []
    assert "第 2 行没有导入：公海里没人领的，导出时打了码" in capsys.readouterr().out


async def test_with_the_word_of_an_admin_the_pool_is_exported_whole(store, settings, tmp_path):
    await take(store, PEOPLE[0] | {"rep": ""})

    await export_leads(settings, tmp_path / "out.csv", "", "", unmasked=True)

    [row] = table(tmp_path / "out.csv")
    assert (row["phone"], row["家庭住址"], row["masked"]) == ("'+862162345678", "文三路一号", "")


async def test_an_export_that_comes_back_changes_nothing(store, settings, clock, tmp_path):
    """Everybody in it asked again, and their clocks began anew."""
    await take(store, *PEOPLE)
    await export_leads(settings, tmp_path / "out.csv", "", "", unmasked=True)
    before = await all_of(settings)

    clock.tick(days=3)
    await import_leads(settings, tmp_path / "out.csv", "展会", dry_run=False)

    assert await all_of(settings) == before


async def test_a_cell_of_an_export_that_was_spoilt_is_named(elsewhere, tmp_path, capsys):
    head = "name,phone,email,company,source,fields,stage,score,grade,owner,place,captured_at\n"
    (tmp_path / "in.csv").write_text(
        head + "张三,13800001111,,,官网,{坏,new,1,D,,pool,\n", "utf-8"
    )

    await import_leads(elsewhere, tmp_path / "in.csv", "展会", dry_run=False)

    assert "第 2 行没有导入：utm 或 fields 这一格改坏了" in capsys.readouterr().out
