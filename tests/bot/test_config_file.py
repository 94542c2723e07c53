"""A configuration with mistakes: every one is told at once, with its file, its key and what to do."""

import re

import pytest

from bot.config import find, load, parse
from store.domain.errors import ConfigError
from tests.conftest import team

WECOM = {
    "corp_id": "ww1", "agent_id": 1, "secret": "s", "token": "t", "encoding_aes_key": "k" * 43,
}  # fmt: skip


def mistakes(values: dict) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(values, "leadbot.toml")
    assert all(line.startswith("leadbot.toml: ") for line in error.value.mistakes)
    return [line.removeprefix("leadbot.toml: ") for line in error.value.mistakes]


def test_nothing_written_is_a_configuration():
    settings = parse({})

    assert (settings.wecom, settings.dingtalk, settings.mail) == (None, None, None)
    assert settings.form[0].name == "default"


def test_every_mistake_is_told_at_once():
    told = mistakes(
        {
            "server": {"port": 99999, "public_url": "leads.example.com"},
            "wecom": WECOM | {"encoding_aes_key": "short", "agent_id": "x"},
            "pool": {"no_contact": "a day"},
            "team": [{"name": "", "wecom": "lilei", "role": "boss"}],
            "form": [{"name": "Über uns"}],
        }
    )

    assert [line.split(": ")[0] for line in told] == [
        "server.port", "server.public_url", "wecom.agent_id", "wecom.encoding_aes_key",
        "team.0.name", "team.0.role", "pool.no_contact", "form.0.name",
    ]  # fmt: skip


UNKNOWN = [
    ({"colour": 1}, "colour"),
    ({"_env_prefix": "X"}, "_env_prefix"),
    ({"server": {"prot": 1}}, "server.prot"),
    ({"wecom": WECOM | {"secrett": "x"}}, "wecom.secrett"),
    ({"wecom": WECOM | {"aibot": {"bot_id": "b", "secret": "s", "x": 1}}}, "wecom.aibot.x"),
    ({"team": [{"name": "a", "wecom": "a", "nmae": "b"}]}, "team.0.nmae"),
    ({"routing": [{"name": "a", "then": []}]}, "routing.0.then"),
    ({"mail": {"sender": "a@b.cn"}}, "mail.sender"),
]


@pytest.mark.parametrize(("values", "key"), UNKNOWN, ids=[key for _, key in UNKNOWN])
def test_an_unknown_key_is_a_mistake_at_every_depth(values, key):
    assert mistakes(values) == [f"{key}: unknown key"]


WRONG = [
    ({"pool": {"no_contact": "9" * 40 + "d"}}, "pool.no_contact"),
    ({"pool": {"no_contact": 24}}, "pool.no_contact"),
    ({"sla": {"accept": "-5m"}}, "sla.accept"),
    ({"digest": {"at": "25:00"}}, "digest.at"),
    ({"nurture": {"quiet": "always"}}, "nurture.quiet"),
    ({"calendar": {"hours": []}}, "calendar"),
    ({"calendar": {"workdays": [8]}}, "calendar.workdays.0"),
    ({"calendar": {"hours": ["9-12"]}}, "calendar.hours.0"),
    ({"calendar": {"timezone": "Mars/Olympus"}}, "calendar.timezone"),
    ({"calendar": {"timezone": "../../etc/passwd"}}, "calendar.timezone"),
    ({"calendar": {"holidays": ["2027-02-30"]}}, "calendar.holidays.0"),
    ({"database": {"url": "mysql://x"}}, "database.url"),
    ({"database": {"url": "postgresql+asyncpg://u:p@host:port/db"}}, "database.url"),
    ({"api": {"keys": {"website": "short"}}}, "api.keys"),
    ({"api": {"keys": {"w" * 65: "k" * 16}}}, "api.keys"),
    ({"api": {"keys": {"a": "k" * 16, "b": "k" * 16}}}, "api.keys"),
    ({"team": [{"name": "a", "wecom": "x" * 65}]}, "team.0.wecom"),
    ({"team": [{"name": "a", "wecom": "x", "grade": "x" * 9}]}, "team.0.grade"),
    ({"team": [{"name": "a", "wecom": "x", "capacity": -1}]}, "team.0.capacity"),
    ({"team": {"name": "a"}}, "team"),
    ({"limits": {"body_bytes": 10}}, "limits.body_bytes"),
    ({"dingtalk": {"corp_id": "d", "client_id": "d", "client_secret": "s", "mode": "http"}}, "dingtalk"),
    ({"server": 5}, "server"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "key"), WRONG)
def test_a_value_nobody_could_work_with_is_told_with_its_key(values, key):
    [told] = mistakes(values)

    assert told.split(": ")[0] == key
    assert len(told) > len(key) + 10


def test_what_disagrees_between_sections_is_told_at_once():
    told = mistakes(
        {
            "team": [{"name": "李雷", "wecom": "a"}, {"name": "李雷", "wecom": "A"}],
            "routing": [{"name": "East", "to": ["韩梅"]}],
        }
    )

    assert len(told) == 3
    assert re.search(r"\[\[routing\]\] to: .*韩梅", told[-1])


def test_secrets_are_in_no_message():
    told = mistakes({"wecom": WECOM | {"encoding_aes_key": "s3cr3t", "token": ["s3cr3t"]}})

    assert len(told) == 2
    assert "s3cr3t" not in "".join(told)
    assert "k" * 43 not in repr(parse({"wecom": WECOM}))


# -- the file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[server\nport = 1", "line 1"),
        (b"port = ", "end of document"),
        ('[server]\nhost = "中"'.encode("gbk"), "utf-8"),
        (b"\x00", "line 1"),
        (None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_the_place(tmp_path, content, why):
    file = tmp_path / "my.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as error:
        load(file)

    [told] = error.value.mistakes
    assert told.startswith(f"{file}: ")
    assert why in told


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path)


def test_a_file_written_with_notepad_is_read(tmp_path):
    file = tmp_path / "my.toml"
    file.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 81\r\n")

    assert load(file).server.port == 81


# -- the environment --------------------------------------------------------------------


def test_the_environment_wins_key_by_key(monkeypatch):
    monkeypatch.setenv("LEADBOT_WECOM__SECRET", "from-outside")
    monkeypatch.setenv("LEADBOT_SERVER__PORT", "81")
    monkeypatch.setenv("LEADBOT_POOL__WARN_BEFORE", '["5h"]')

    settings = parse({"wecom": WECOM, "server": {"host": "0.0.0.0"}})

    assert settings.wecom.secret.get_secret_value() == "from-outside"
    assert settings.wecom.corp_id == "ww1"
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 81)
    assert [int(span.total_seconds()) for span in settings.pool.warn_before] == [18000]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("LEADBOT_TEAM", "nonsense", "team"),
        ("LEADBOT_SERVER__PORT", "x", "server.port"),
        ("LEADBOT_SERVER__PROT", "1", "server.prot: unknown key"),
        ("LEADBOT_WECOM__SECRET", "s", "wecom.corp_id"),
    ],
)
def test_a_mistake_in_the_environment_is_told(monkeypatch, name, value, why):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=why):
        parse({})


def test_which_file_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find(None, {}) is None

    (tmp_path / "leadbot.toml").touch()

    assert str(find(None, {})) == "leadbot.toml"
    assert str(find(None, {"LEADBOT_CONFIG": "b.toml"})) == "b.toml"
    assert find(tmp_path / "c.toml", {"LEADBOT_CONFIG": "b.toml"}) == tmp_path / "c.toml"


def test_a_whole_team_is_read():
    assert len(parse(team()).team) == 5
