"""``leadbot channel``: the admin makes a code where the service runs."""

import pytest
from typer.testing import CliRunner

from bot.channel import make_channel
from bot.config import parse
from bot.demo import open_demo
from bot.sandbox.clock import MovableClock
from store.domain.errors import BadCommand, ConfigError
from store.domain.ways import WayKind
from tests.scenarios.world import MONDAY

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def demo(tmp_path):
    async with open_demo(tmp_path, clock=MovableClock(start=MONDAY)) as opened:
        yield opened


async def ways(demo, kind):
    async with demo.service.store.read() as tx:
        return await tx.contacts.ways(kind)


async def test_a_code_is_saved_as_a_picture_and_kept(demo, tmp_path, capsys):
    file = tmp_path / "展会.png"

    await make_channel(demo.settings, "展会", ["李雷", "韩梅"], file, link=False)

    [way] = await ways(demo, WayKind.CODE)
    assert file.read_bytes().startswith(PNG)
    assert way.userids == ("lilei", "hanmei")
    told = capsys.readouterr().out
    assert "「展会」的活码：李雷、韩梅 接待" in told
    assert way.url in told


async def test_made_twice_it_is_the_same_code(demo, tmp_path):
    for _ in range(2):
        await make_channel(demo.settings, "展会", [], tmp_path / "a.png", link=False)

    assert len(await ways(demo, WayKind.CODE)) == 1


@pytest.mark.parametrize("link", [False, True])
async def test_deleted_at_wecom_it_is_made_anew(demo, tmp_path, link):
    """The name was refused for good, and nobody but the database's owner could free it."""
    kind = WayKind.LINK if link else WayKind.CODE
    await make_channel(demo.settings, "展会", [], tmp_path / "a.png", link=link)
    [lost] = await ways(demo, kind)
    demo.sandbox.wecom.ways.lose(lost.id)

    await make_channel(demo.settings, "展会", [], tmp_path / "a.png", link=link)

    [new] = await ways(demo, kind)
    assert new.id != lost.id
    assert new.url != lost.url


async def test_a_link_is_drawn_as_a_code_too(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    await make_channel(demo.settings, "官网/首页", [], None, link=True)

    assert (tmp_path / "官网_首页.png").read_bytes().startswith(PNG)
    [way] = await ways(demo, WayKind.LINK)
    assert "customer_channel=" in way.url


async def test_somebody_without_an_account_cannot_receive(demo, tmp_path):
    with pytest.raises(BadCommand, match="王强"):
        await make_channel(demo.settings, "展会", ["王强"], tmp_path / "a.png", link=False)


async def test_without_wecom_there_is_nobody_to_ask(tmp_path):
    with pytest.raises(ConfigError, match="wecom"):
        await make_channel(parse({}), "展会", [], tmp_path / "a.png", link=False)


def test_the_command_says_what_it_takes():
    from bot.__main__ import app  # noqa: PLC0415 - the command line is only this test's

    shown = CliRunner().invoke(app, ["channel", "--help"]).output

    assert "--link" in shown
    assert "--to" in shown
