"""``leadbot``: the command line. ``python -m bot`` is the same program."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.exceptions import TyperException

from bot import logs
from bot.config import Settings, find, load
from store.domain.errors import ConfigError, LeadbotError

app = typer.Typer(
    name="leadbot",
    help="销售线索，全在企业微信和钉钉里办。Leads, run inside WeCom and DingTalk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Config = Annotated[
    Path | None, typer.Option("--config", help="leadbot.toml，默认读当前目录或 LEADBOT_CONFIG")
]
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130


def _settings(config: Path | None) -> Settings:
    return load(find(config))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """On uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on Windows
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="网页的端口")] = 8080,
    data: Annotated[Path | None, typer.Option(help="数据放哪里；不写就用完即删")] = None,
    speed: Annotated[float, typer.Option(min=1, max=3600, help="60 就是一分钟过一小时")] = 1,
    cards: Annotated[bool, typer.Option("--cards", help="钉钉里用互动卡片")] = False,
    http: Annotated[bool, typer.Option("--http", help="钉钉用 HTTP 回调，不用 Stream")] = False,
) -> None:
    """不用任何账号，试用整个产品。The whole product with no account anywhere."""
    from bot.demo import run_demo  # noqa: PLC0415 - only the demo pays for the sandbox

    logs.set_up()
    _run(run_demo(port, data, speed, cards=cards, http=http))


@app.command()
def serve(
    config: Config = None,
    role: Annotated[
        Literal["all", "web", "worker"], typer.Option(help="web 只收，worker 只发")
    ] = "all",
) -> None:
    """启动服务。The service: web, relay and scheduler."""
    from bot.serve import serve as run  # noqa: PLC0415 - keeps --help quick

    logs.set_up()
    _run(run(_settings(config), role))


@app.command()
def migrate(config: Config = None) -> None:
    """把数据库升级到这个版本。Bring the database to this version's schema."""
    from bot.serve import migrate_database  # noqa: PLC0415 - keeps --help quick

    _run(migrate_database(_settings(config)))
    typer.echo("数据库已是最新")


@app.command()
def check(config: Config = None) -> None:
    """检查配置，列出每一处错误。Print every mistake, or the effective rules."""
    from bot.ruling import told  # noqa: PLC0415 - keeps --help quick

    _run(_check(told(_settings(config))))


async def _check(told: Coroutine[Any, Any, str]) -> None:
    typer.echo(await told)


@app.command()
def doctor(config: Config = None) -> None:
    """问一遍平台，一项一行，不对的说怎么办。Ask the platforms; exit 1 if anything fails."""
    # What the clients log for operators would stand between the lines.
    logs.set_up(level=logging.CRITICAL)
    _run(_examine(_settings(config)))


async def _examine(settings: Settings) -> None:
    from bot.doctor import examine  # noqa: PLC0415 - keeps --help quick

    failed = 0
    async for one in examine(settings):
        typer.echo(one.line)
        failed += not one.ok
    if failed:
        raise typer.Exit(FAILED)


@app.command(name="import")
def import_file(
    file: Path,
    source: Annotated[str, typer.Option(help="来源名，会记在每条线索上")],
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看结果，不写入")] = False,
) -> None:
    """导入 CSV 或 Excel。Import leads; safe to run twice."""
    from bot.transfer import import_leads  # noqa: PLC0415 - keeps --help quick

    _run(import_leads(_settings(config), file, source, dry_run=dry_run))


@app.command()
def export(
    file: Path,
    config: Config = None,
    since: Annotated[str, typer.Option(help="只要这天以后进来的，如 2026-03-01")] = "",
    stage: Annotated[str, typer.Option(help="只要这个阶段，如 won")] = "",
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="公海里没人领的也写出电话和姓名")
    ] = False,
) -> None:
    """导出 CSV 或 Excel。Export leads."""
    from bot.transfer import export_leads  # noqa: PLC0415 - keeps --help quick

    _run(export_leads(_settings(config), file, since, stage, unmasked=unmasked))


@app.command()
def channel(
    name: Annotated[str, typer.Argument(help="渠道名，记在每位客户的线索上")],
    to: Annotated[
        list[str] | None, typer.Option(help="谁接待，可以写几次；不写是所有销售")
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="做获客链接，不做活码")] = False,
    out: Annotated[Path | None, typer.Option(help="图片存哪里，默认 渠道名.png")] = None,
    config: Config = None,
) -> None:
    """做渠道活码或获客链接。A QR code or link for one channel of WeCom contacts."""
    from bot.channel import make_channel  # noqa: PLC0415 - keeps --help quick

    _run(make_channel(_settings(config), name, to or [], out, link=link))


versions = typer.Typer(no_args_is_help=True, help="规则的版本。The versions of the rules.")
app.add_typer(versions, name="rules")


@versions.command(name="try")
def try_rules(
    config: Config = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="用最近几天的线索")] = 30,
) -> None:
    """用最近的线索试一遍这些规则，什么都不改。How assignment would differ, per person."""
    from bot.ruling import try_rules as run  # noqa: PLC0415 - keeps --help quick

    _run(run(_settings(config), days))


@versions.command(name="list")
def list_versions(config: Config = None) -> None:
    """每一版：什么时候、谁、为什么。Who changed the rules, and when."""
    from bot.ruling import list_rules  # noqa: PLC0415 - keeps --help quick

    _run(list_rules(_settings(config)))


@versions.command(name="back")
def back(number: Annotated[int, typer.Argument(help="第几版")], config: Config = None) -> None:
    """回到某一版，重启服务生效；再改 leadbot.toml 里的规则又以它为准。Roll back."""
    from bot.ruling import roll_back  # noqa: PLC0415 - keeps --help quick

    _run(roll_back(_settings(config), number))


def main() -> None:
    """Errors are one readable line each, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except ConfigError as error:
        _end(WRONG_USE, *error.mistakes)
    except LeadbotError as error:
        _end(FAILED, str(error))
    except TyperException as error:
        _end(error.exit_code, error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        _end(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - whatever it is, the person sees a line
        _end(FAILED, f"{type(error).__name__}: {error}".splitlines()[0])
    else:
        sys.exit(code)


def _end(code: int, *lines: str) -> NoReturn:
    for line in filter(None, lines):
        typer.echo(line, err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
