"""What is written about the product is true: configuration, commands, addresses, files."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from pydantic import BaseModel

from bot.__main__ import app as command_line
from bot.app import create_app, open_service
from bot.config import Settings, parse
from handlers.commands import ALL, COMMANDS, understand
from store.domain.errors import ConfigError
from store.domain.intake import read_fields
from store.domain.team import Role

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "leadbot.example.toml").read_text(encoding="utf-8")
FOR_USERS = ("README.md", "docs/销售手册.md", "docs/主管手册.md")
PAGES = (*FOR_USERS, "docs/architecture.md", "docs/development.md")
PLACEHOLDER = "换成一串很长的随机字符"
ROLES = {Role.REP: "销售", Role.MANAGER: "主管", Role.MARKETING: "市场"}
MOST_BYTES = 400_000


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# -- the example configuration ---------------------------------------------------


def everything_on(*without: str) -> dict:
    """The example with every ``#key`` switched on, less whole sections."""
    text = re.sub(r"(?m)^#(?=[a-z\[\]]| {2}\{)", "", EXAMPLE)
    values = tomllib.loads(text.replace(PLACEHOLDER, "a-long-random-key"))
    return {name: value for name, value in values.items() if name not in without}


def known_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """``pool.cap``, ``team.name`` …: every key the models take, sections not counted."""
    found = set()
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        section = _section(field.annotation)
        found |= known_keys(section, f"{path}.") if section else {path}
    return found


def _section(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next((found for found in map(_section, arguments) if found), None)


def written_keys(value: object, known: set[str], prefix: str = "") -> set[str]:
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return {key for entry in value for key in written_keys(entry, known, prefix)}
    if isinstance(value, dict) and prefix.rstrip(".") not in known:
        return {
            key for name, v in value.items() for key in written_keys(v, known, f"{prefix}{name}.")
        }
    return {prefix.rstrip(".")}


def test_the_example_as_it_comes_is_the_default():
    assert parse(tomllib.loads(EXAMPLE)) == Settings()


def test_the_example_has_every_key_there_is():
    known = known_keys(Settings)
    written = written_keys(everything_on(), known)

    assert sorted(known - written) == []
    assert sorted(written - known) == []


def test_the_example_is_valid_with_everything_on():
    settings = parse(everything_on())

    assert settings.wecom
    assert settings.dingtalk
    assert settings.mail
    assert [person.name for person in settings.team] == ["李雷", "陈主管"]


@pytest.mark.parametrize(
    "section",
    ["calendar", "sla", "pool", "score", "digest", "nurture", "journey", "limits", "database"],
)
def test_what_the_example_shows_as_default_is_the_default(section):
    shown = getattr(parse(everything_on()), section)
    # Of rules that are lists, the example shows one of each.
    if section == "pool":
        shown = shown.model_copy(update={"policy": (), "scope": ()})

    assert shown == getattr(Settings(), section)


def test_nobody_runs_with_the_key_of_the_example():
    with pytest.raises(ConfigError, match=r"api\.keys: shorter than 16"):
        parse({"api": {"keys": {"website": PLACEHOLDER}}})


# -- the README --------------------------------------------------------------------


def test_the_table_of_commands_is_the_one_in_the_code():
    rows = re.findall(r"(?m)^\| `([^`]+)` \| `([a-z]+)` \| ([^|]+) \| ([^|]+) \|$", README)

    assert rows == [(c.usage, c.names[1], who(c.roles), c.does) for c in COMMANDS]


def who(roles: tuple[Role, ...]) -> str:
    return "所有人" if set(roles) == set(ALL) else "、".join(ROLES[role] for role in roles)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_machine_exists(page):
    known = {c.name or c.callback.__name__ for c in command_line.registered_commands}
    known |= {group.name for group in command_line.registered_groups}
    targets = set(re.findall(r"(?m)^([a-z]+):", read("Makefile")))

    assert set(re.findall(r"(?:`|bin/)leadbot ([a-z]+)", read(page))) <= known
    assert set(re.findall(r"(?m)(?:`|^)make ([a-z]+)", read(page))) <= targets


async def test_every_address_exists(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/leadbot.db"
    values = everything_on() | {"database": {"url": url}}
    values["dingtalk"] |= {
        "mode": "http", "token": "t", "encoding_aes_key": "a" * 43, "card_template_id": "x"
    }  # fmt: skip
    from bot.serve import prepare_database  # noqa: PLC0415 - imports the migrations

    await prepare_database(parse(values))
    async with open_service(parse(values), role="web") as service:
        known = {resource.canonical for resource in create_app(service).router.resources()}
    told = set(
        re.findall(
            r"`(?:GET )?(/(?:wecom|dingtalk|api|app|hooks|f|t|u|p|\w+z|metrics)[^`?]*)", README
        )
    )

    assert "/wecom/callback" in told
    assert {path.replace("/f/default", "/f/{form}") for path in told} <= known
    assert known <= told | {"/api/leads/{id}"}


def test_the_example_of_a_post_is_a_lead():
    [body] = re.findall(r"(?s)-d '(\{.*?\})'", README)

    new = read_fields(json.loads(body), "website")

    assert new.phone == "+8619921000001"
    assert new.external_id


# -- all pages -----------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    links = re.findall(r'\]\(([^)#]+?)\)|src="([^"]+)"', read(page))
    targets = [link or image for link, image in links if "://" not in link]

    missing = [t for t in targets if not (ROOT / page).parent.joinpath(t).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES[3:])
def test_every_file_named_to_developers_exists(page):
    folders = "bot|jobs|handlers|cards|store|tests|docs"
    named = re.findall(rf"`((?:{folders})/[\w./*]*)`", read(page))

    missing = [name for name in named if not list(ROOT.glob(name.rstrip("/")))]

    assert missing == []


@pytest.mark.parametrize("page", FOR_USERS[1:])
def test_every_line_of_the_manuals_can_be_typed(page):
    lines = re.findall(r"`([^`]+)`", read(page))

    assert lines
    assert all(understand(line) for line in lines)


@pytest.mark.parametrize("page", [*FOR_USERS, "leadbot.example.toml"])
def test_nobody_is_shouted_at(page):
    assert "！" not in read(page)


@pytest.mark.parametrize("file", sorted((ROOT / "docs/images").iterdir()), ids=lambda f: f.name)
def test_pictures_load_quickly_and_are_used(file):
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200

    assert file.stat().st_size < MOST_BYTES
    assert any(f"images/{file.name}" in read(page) for page in PAGES)
