"""The command line as a person meets it: what it prints, what it leaves, how it ends."""

import asyncio
import csv
import os
import socket
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy.ext.asyncio import create_async_engine

from bot.__main__ import main
from store.migrate import migrate
from tests.conftest import _make_database

IMPORTS = Path(__file__).parents[2] / "../shared/data/imports"
TEAM = '[calendar]\nalways_open = true\n[[team]]\nname = "李雷"\nwecom = "lilei"\n'

# Nobody in the team: what comes in lies in the pool.
OWN_FIELDS = """[calendar]
always_open = true
[[field]]
name = "预算"
type = "number"
[[field]]
name = "暗号"
hidden = true
"""


def leadbot(*args: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("LEADBOT_")}
    project = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "bot", *map(str, args)],
        cwd=cwd, env=known | {"PYTHONPATH": project} | env, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a configuration, as an admin has it."""
    (tmp_path / "leadbot.toml").write_text(TEAM, encoding="utf-8")
    return tmp_path


@dataclass
class Ended:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(place: Path, monkeypatch, capsys):
    """The same command inside of this process, which is ten times as fast."""
    monkeypatch.chdir(place)

    def run(*args: object, **env: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["leadbot", *map(str, args)])
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(end.value.code or 0, *capsys.readouterr())

    return run


def leads(place: Path) -> list[sqlite3.Row]:
    with sqlite3.connect(place / "leadbot.db") as db:
        db.row_factory = sqlite3.Row
        return list(db.execute("SELECT * FROM leads ORDER BY id"))


def sample(name: str) -> Path:
    if not (IMPORTS / name).exists():
        pytest.skip(f"no ../shared/data/imports/{name}")
    return IMPORTS / name


# -- wrong use ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nonsense"], "nonsense"),
        (["import"], "file"),
        (["check", "--confg", "x"], "--confg"),
        (["serve", "--role", "boss"], "boss"),
        (["import", "x.csv", "--source", "s" * 65], "--source"),
        (["export", "x.doc"], ".xlsx"),
        (["export", "x.csv", "--since", "gestern", "--stage", "nowhere"], "--since"),
    ],
)
def test_wrong_use_is_told_in_a_line_and_ends_with_2(run, place, args, said):
    done = run(*args)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (2 if "--since" in args else 1)
    assert not (place / "leadbot.db").exists()


def test_every_mistake_is_a_line_with_file_key_and_reason(tmp_path):
    (tmp_path / "my.toml").write_text(
        '[server]\nport = "x"\ncolour = 1\n[pool]\nno_contact = "soon"\n[nonsense]\na = 1\n'
    )

    done = leadbot("check", "--config", "my.toml", cwd=tmp_path)

    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert all(line.startswith("my.toml: ") for line in lines)
    keys = [line.split(": ")[1] for line in lines]
    assert keys == ["server.port", "server.colour", "pool.no_contact", "nonsense"]


def test_a_right_configuration_is_told_in_sentences(run):
    done = run("check")

    assert (done.returncode, done.stderr) == (0, "")
    assert "配置没有错误" in done.stdout
    assert "李雷" in done.stdout


def test_the_environment_wins_over_the_file_and_can_name_it(run, place):
    (place / "other.toml").write_text(TEAM + '[digest]\nat = "09:00"\n', encoding="utf-8")

    done = run("check", LEADBOT_CONFIG="other.toml", LEADBOT_DIGEST__AT="17:45")

    assert "日报：工作日 17:45" in done.stdout


# -- the service ----------------------------------------------------------------------


def test_a_port_in_use_is_told_in_a_line(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = leadbot("serve", cwd=place, LEADBOT_SERVER__PORT=port)

    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert f"127.0.0.1:{port}" in line


def test_a_database_that_is_not_there_is_told_in_a_line(run):
    url = "postgresql+asyncpg://nobody:s3cr3t-word@127.0.0.1:1/none"

    done = run("export", "x.csv", LEADBOT_DATABASE__URL=url)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "s3cr3t-word" not in done.stderr


def test_a_folder_that_is_not_there_is_told_in_a_line(run):
    url = "sqlite+aiosqlite:////nowhere/at/all/leadbot.db"

    done = run("export", "x.csv", LEADBOT_DATABASE__URL=url)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("database: ")


def test_fields_of_ones_own_come_in_with_a_file_and_go_out_with_one(run, place):
    # An export had none of them.
    (place / "leadbot.toml").write_text(OWN_FIELDS, encoding="utf-8")
    (place / "in.csv").write_text(
        "姓名,手机,预算,暗号,星级\n张三,13800138000,20万,天王盖地虎,五\n", encoding="utf-8"
    )

    taken = run("import", "in.csv", "--source", "expo")
    run("export", "out.csv")
    run("export", "whole.csv", "--unmasked")

    told, whole = (
        list(csv.reader((place / name).read_text(encoding="utf-8-sig").splitlines()))
        for name in ("out.csv", "whole.csv")
    )
    assert "新线索 1 条" in taken.stdout
    assert (told[0][-2:], told[1][-2:]) == (["预算", "暗号"], ["200000", ""])
    assert whole[1][-2:] == ["200000", "天王盖地虎"]


def test_an_older_postgresql_has_to_be_migrated_first(run, postgres):
    asyncio.run(_make_database(postgres, "CREATE DATABASE older"))
    url = postgres.replace("/postgres?", "/older?")

    refused = run("export", "x.csv", LEADBOT_DATABASE__URL=url)
    migrated = run("migrate")
    exported = run("export", "x.csv")

    assert (refused.returncode, refused.stderr.strip()) == (
        1, "database: older than this version; run: leadbot migrate"
    )  # fmt: skip
    assert (migrated.returncode, exported.returncode) == (0, 0)


# -- files -------------------------------------------------------------------------------


def test_an_export_of_another_product_becomes_six_leads_and_twice_is_once(run, place):
    file = sample("salesforce_lead_export.csv")

    first = leadbot("import", file, "--source", "crm", cwd=place)
    events = len(history(place))
    second = run("import", file, "--source", "crm")

    refused = [line for line in first.stdout.splitlines() if "没有导入：" in line]
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(refused) == 2
    assert all("至少留一个" in line and line.startswith("第 ") for line in refused)
    assert "新线索 6 条" in first.stdout
    assert "新线索 0 条" in second.stdout
    assert len(leads(place)) == 6
    assert len(history(place)) == events


def history(place: Path) -> list[str]:
    with sqlite3.connect(place / "leadbot.db") as db:
        return [kind for (kind,) in db.execute("SELECT kind FROM events ORDER BY id")]


@pytest.mark.parametrize(
    ("name", "people"),
    [("derived_gbk.csv", {"张经理", "李总"}), ("lead_template_two_header_rows.xlsx", set())],
)
def test_a_file_of_another_kind_is_read_and_the_second_time_changes_nothing(
    run, place, name, people
):
    first = run("import", sample(name), "--source", "展会")
    before = [tuple(row) for row in leads(place)]
    second = run("import", sample(name), "--source", "展会")

    assert (first.returncode, second.returncode) == (0, 0)
    assert people <= {row["name"] for row in leads(place)}
    assert len(before) > 0
    assert [tuple(row) for row in leads(place)] == before


def test_every_sheet_of_a_workbook_is_imported_or_named(run, place):
    book = Workbook()
    book.active.title = "一月"
    for sheet, phone in ((book.active, "13800001111"), (book.create_sheet("二月"), "13900002222")):
        sheet.append(["姓名", "手机"])
        sheet.append([f"客户{phone}", phone])
    book["二月"].append(["没有号码", ""])
    book.create_sheet("价目").append(["A", 5])
    book.save(place / "in.xlsx")

    done = run("import", "in.xlsx", "--source", "展会")

    assert [row["phone"] for row in leads(place)] == ["+8613800001111", "+8613900002222"]
    assert "工作表「二月」第 3 行没有导入" in done.stdout
    assert "工作表「价目」没有读：没有找到表头" in done.stdout
    assert "读了 2 个工作表：一月、二月" in done.stdout
    assert "新线索 2 条，已有的人 0 条，没有导入 1 行" in done.stdout


def counted(done: Ended) -> str:
    return done.stdout.splitlines()[-1]


def test_a_dry_run_shows_how_the_first_rows_are_understood(run, place):
    file = place / "list.csv"
    file.write_text(
        "姓名,手机,备用电话,城市,需求\n王五,199 1234 5678,0571-88888888,宁波,报价\n"
        "赵六,1380O138000,,,\n钱七,+86-13912345678,,440305,\n",
        encoding="utf-8",
    )

    done = run("import", file, "--source", "crm", "--dry-run")

    assert done.stdout.splitlines() == [
        "第 2 行 → 姓名 王五，电话 +8619912345678，地区 浙江宁波，留言 报价，另有 0571-88888888",
        "第 4 行 → 姓名 钱七，电话 +8613912345678，地区 广东深圳",
        "只检查，没有写入",
        "第 3 行没有导入：号码里混进了字母，请核对",
        "新线索 2 条，已有的人 0 条，没有导入 1 行",
    ]


def test_a_dry_run_counts_what_the_import_then_does(run, place):
    file = sample("salesforce_lead_export.csv")

    before = run("import", file, "--source", "crm", "--dry-run")
    nothing_there = (place / "leadbot.db").exists()
    first = run("import", file, "--source", "crm")
    stored = (place / "leadbot.db").read_bytes(), leads(place), history(place)
    again = run("import", file, "--source", "crm", "--dry-run")

    assert nothing_there is False
    assert counted(before) == counted(first) == "新线索 6 条，已有的人 6 条，没有导入 2 行"
    assert counted(again) == "新线索 0 条，已有的人 12 条，没有导入 2 行"
    assert {path.name for path in place.iterdir()} == {"leadbot.toml", "leadbot.db"}
    assert ((place / "leadbot.db").read_bytes(), leads(place), history(place)) == stored


def test_a_dry_run_on_postgresql_counts_the_same_and_takes_it_back(run, place, postgres):
    asyncio.run(_make_database(postgres, "CREATE DATABASE tried"))
    url = postgres.replace("/postgres?", "/tried?")
    file = sample("salesforce_lead_export.csv")
    run("migrate", LEADBOT_DATABASE__URL=url)

    tried = run("import", file, "--source", "crm", "--dry-run")
    kept = run("export", "kept.csv")
    done = run("import", file, "--source", "crm")

    assert counted(tried) == counted(done) == "新线索 6 条，已有的人 6 条，没有导入 2 行"
    assert "已导出 0 条" in kept.stdout


def test_a_dry_run_beside_a_database_that_is_none_is_told_in_a_line(run, place):
    (place / "leadbot.db").write_bytes(b"no database at all" * 100)

    done = run("import", sample("derived_gbk.csv"), "--source", "x", "--dry-run")

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("database: ")


def test_a_dry_run_writes_nothing(run, place):
    done = run("import", sample("derived_gbk.csv"), "--source", "x", "--dry-run")

    assert (done.returncode, "没有写入" in done.stdout) == (0, True)
    assert not (place / "leadbot.db").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.xlsx", b"PK\x03\x04 this is no workbook"),
        ("empty.csv", b""),
        ("bytes.csv", bytes(range(256)) * 20),
        ("page.csv", b"<html><body>login</body></html>"),
        ("nothing.csv", "年龄,城市\n5,上海\n".encode()),
        ("missing.csv", None),
    ],
)
def test_a_file_that_holds_no_leads_is_told_in_a_line(run, place, name, content):
    if content is not None:
        (place / name).write_bytes(content)

    done = run("import", name, "--source", "x")

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(f"{name}：")
    assert done.stderr.count(name) == 1
    assert not (place / "leadbot.db").exists()


def test_an_export_is_safe_to_open_and_comes_back_as_the_same_people(run, place):
    (place / "in.csv").write_text(
        "姓名,手机号,邮箱,公司,需求\n"
        "\"=cmd|' /C calc'!A0\",13800001111,,大通,想要报价\n"
        '@李四,,li@example.com,"+86,甲",-1+1\n',
        encoding="utf-8",
    )
    run("import", "in.csv", "--source", "展会")

    out = run("export", "out.csv", "--unmasked")
    sheet = run("export", "out.xlsx", "--stage", "assigned")
    back = run("import", "out.csv", "--source", "展会")

    assert (out.returncode, sheet.returncode, back.returncode) == (0, 0, 0)
    rows = list(csv.reader((place / "out.csv").read_text("utf-8-sig").splitlines()))
    assert len(rows) == 3
    assert not any(cell[:1] in set("=@-") for row in rows for cell in row)
    book = load_workbook(place / "out.xlsx", read_only=True)
    assert len(list(book["leads"].rows)) == 3
    assert "新线索 0 条，已有的人 2 条" in back.stdout
    assert len(leads(place)) == 2


def test_an_export_can_be_of_one_stage_or_of_the_last_days(run, place):
    (place / "in.csv").write_text("姓名,手机号\n张三,13800001111\n", encoding="utf-8")
    run("import", "in.csv", "--source", "展会")

    won = run("export", "won.csv", "--stage", "won")
    future = run("export", "new.csv", "--since", "2999-01-01")

    assert "已导出 0 条" in won.stdout
    assert "已导出 0 条" in future.stdout


def test_an_export_cannot_be_written_where_nothing_can_be(run):
    done = run("export", "no/such/folder.csv")

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


# -- the schema ------------------------------------------------------------------------


async def test_the_migrations_make_exactly_the_tables_of_the_code(database):
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow
    from alembic.migration import MigrationContext  # noqa: PLC0415

    from store.tables import metadata  # noqa: PLC0415

    def differences(connection):
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    engine = create_async_engine(database)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_migrating_again_changes_nothing(database):
    engine = create_async_engine(database)

    await migrate(engine)
    await migrate(engine)

    await engine.dispose()


CHANGED = TEAM + "[pool]\ncap = 7\n"


def test_after_going_back_the_rules_that_hold_are_told(run, place):
    """A bug told the rules of the file, which nobody used any more."""
    run("rules", "back", "1", LEADBOT_BY="小周")
    (place / "leadbot.toml").write_text(CHANGED, encoding="utf-8")
    before = run("check").stdout
    run("rules", "back", "1")

    done = run("check").stdout
    (place / "leadbot.toml").write_text(CHANGED.replace("7", "8"), encoding="utf-8")
    after = run("check").stdout

    assert ("手上最多 7 条" in before, "现在用的是" in before) == (True, False)
    assert done.startswith("注意：现在用的是第 4 版规则（回到第 1 版，小周，")
    held, file = done.split("leadbot.toml 里写的不一样，没有在用：")
    assert ("手上最多 50 条" in held, "手上最多 7 条" in held) == (True, False)
    assert ("手上最多 7 条" in file, "李雷" in file) == (True, False)
    assert ("手上最多 8 条" in after, "现在用的是" in after) == (True, False)


def test_a_check_makes_no_database_and_changes_none(run, place):
    run("check")
    nothing = [path.name for path in place.iterdir()]
    run("rules", "back", "1")
    kept = (place / "leadbot.db").read_bytes()
    (place / "leadbot.toml").write_text(CHANGED, encoding="utf-8")

    run("check")

    assert nothing == ["leadbot.toml"]
    assert {path.name for path in place.iterdir()} == {"leadbot.toml", "leadbot.db"}
    assert (place / "leadbot.db").read_bytes() == kept


def test_a_check_without_its_database_says_so_and_explains_the_file(run):
    done = run("check", LEADBOT_DATABASE__URL="postgresql+asyncpg://a:b@127.0.0.1:1/x")

    assert (done.returncode, "手上最多 50 条" in done.stdout) == (0, True)
    assert "数据库没问到" in done.stdout.splitlines()[-1]


def test_a_task_of_a_stage_that_is_not_used_is_not_told(run, place):
    """A bug told of a reminder in 已报价, where no lead ever came."""
    (place / "leadbot.toml").write_text(
        TEAM + '[[stage]]\nname = "following"\n[[stage]]\nname = "演示"\n', encoding="utf-8"
    )

    done = run("check")

    assert ("跟进中 → 演示" in done.stdout, "已报价" in done.stdout) == (True, False)


def test_a_column_of_another_type_is_told_with_its_row(run, place):
    """A bug kept abc as a budget and said nothing."""
    (place / "leadbot.toml").write_text(
        TEAM
        + '[[field]]\nname = "预算"\ntype = "number"\n'
        + '[[field]]\nname = "用途"\ntype = "choice"\nchoices = ["自用", "代理"]\n',
        encoding="utf-8",
    )
    file = place / "list.csv"
    file.write_text(
        "姓名,手机,预算,用途\n王五,19912345678,20万,自用\n赵六,1380O138000,1,自用\n"
        "钱七,13912345678,abc,都行\n",
        encoding="utf-8",
    )

    tried = run("import", file, "--source", "crm", "--dry-run").stdout.splitlines()
    done = run("import", file, "--source", "crm").stdout.splitlines()

    told = [
        "第 4 行的预算要写成数字，像 20 或 1.5万，「abc」先原样留着",
        "第 4 行的用途只能是自用、代理，「都行」先原样留着",
    ]
    assert [line for line in tried if "原样" in line] == told
    assert [line for line in done if "原样" in line] == told
    assert done[-1] == "新线索 2 条，已有的人 0 条，没有导入 1 行"
