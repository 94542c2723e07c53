"""
Which rules are in force: those of ``leadbot.toml``, or an older version somebody went back to.

Every change of the file's rules is a version of its own, kept with who and when. Going back
is one, too; it holds until the rules in the file are changed again.
"""

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.config import RULES, Settings
from bot.wiring import rules
from store.db import Store, Tx
from store.domain.errors import ConfigError, LeadbotError
from store.domain.rules import Rules
from store.versions import Version

SHOWN = 20
WHY_CHARS = 180


class NoSuchVersion(LeadbotError):
    def __init__(self, number: int) -> None:
        super().__init__(f"没有第 {number} 版规则，看看有哪些：leadbot rules list")


def who() -> str:
    """Who starts this: ``LEADBOT_BY``, or the name the machine knows them by."""
    try:
        return (os.environ.get("LEADBOT_BY") or getpass.getuser())[:64]
    except (OSError, KeyError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def rules_of(settings: Settings) -> dict[str, Any]:
    """The rules of a configuration as JSON: everything but servers, secrets and people."""
    return settings.model_dump(mode="json", include=set(RULES))


def fingerprint(said: Mapping[str, Any]) -> str:
    return sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def with_rules(settings: Settings, version: Version) -> Settings:
    """``settings`` with the rules of ``version``. Raises ConfigError if they are none any more."""
    read, mistakes = {}, []
    for name in RULES & version.rules.keys():
        kind: Any = Settings.model_fields[name].annotation
        try:
            read[name] = TypeAdapter(kind).validate_python(version.rules[name])
        except ValidationError as error:
            mistakes += [f"rules {version.id}: {name}: {e['msg']}" for e in error.errors()]
    if mistakes:
        raise ConfigError(mistakes)
    return settings.model_copy(update=read)


async def in_force(tx: Tx, settings: Settings) -> tuple[Settings, Version]:
    """The rules that hold, kept as a version if the file changed. Raises ConfigError."""
    await tx.lock("rules")
    said = rules_of(settings)
    mark = fingerprint(said)
    latest = await tx.versions.latest()
    if latest is None or latest.file != mark:
        why = f"leadbot.toml 改了{_changed(latest.rules, said)}" if latest else "第一版"
        return settings, await tx.versions.keep(said, by=who(), why=why, file=mark)
    if fingerprint(latest.rules) == mark:
        return settings, latest
    return with_rules(settings, latest), latest


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The sections that are not as they were: " [dispatch] [pool]"."""
    return "".join(f" [{name}]" for name in sorted(new) if old.get(name) != new[name])[:WHY_CHARS]


async def instead(tx: Tx, settings: Settings) -> tuple[Settings, Version] | None:
    """The rules that hold instead of the file's, which somebody left; None: the file's do.

    Keeps nothing. Raises ConfigError.
    """
    mark = fingerprint(rules_of(settings))
    latest = await tx.versions.latest()
    if latest is None or latest.file != mark or fingerprint(latest.rules) == mark:
        return None
    return with_rules(settings, latest), latest


async def held(tx: Tx, settings: Settings) -> Rules:
    """The rules in force, ready to decide with."""
    settings, version = await in_force(tx, settings)
    return replace(rules(settings), version=version.id)


async def ruled(store: Store, settings: Settings) -> Store:
    """``store`` with the rules in force."""
    async with store.begin() as tx:
        return replace(store, rules=await held(tx, settings))


async def go_back(tx: Tx, settings: Settings, number: int) -> Version:
    """The rules of version ``number`` hold again, as a new version.

    Raises NoSuchVersion, or ConfigError if this program cannot read them any more.
    """
    await in_force(tx, settings)
    old = await tx.versions.get(number)
    if old is None:
        raise NoSuchVersion(number)
    with_rules(settings, old)
    mark = fingerprint(rules_of(settings))
    return await tx.versions.keep(old.rules, by=who(), why=f"回到第 {number} 版", file=mark)


async def gone(tx: Tx, settings: Settings, version: Version) -> Sequence[str]:
    """Whom the rules of ``version`` name although they are in the team no more."""
    there = {person.name for person in settings.team}
    if settings.directory.sync:
        there |= {m.name for m in (await tx.members.all()).values() if m.active}
    routed, pooled = with_rules(settings, version).named
    return sorted((routed | pooled) - there)


def listed(versions: tuple[Version, ...], zone: Any) -> str:
    """The versions as lines, the newest first and in force."""
    lines = [
        f"{'→' if place == 0 else ' '} 第 {v.id} 版  {_when(v.at, zone)}  {v.by}  {v.why}"
        for place, v in enumerate(versions)
    ]
    return "\n".join(lines) or "还没有：启动一次服务就有第一版"


def named(version: Version, zone: Any) -> str:
    """ "第 3 版规则（回到第 1 版，chen，2026-03-02 10:00）"."""
    return f"第 {version.id} 版规则（{version.why}，{version.by}，{_when(version.at, zone)}）"


def _when(at: datetime, zone: Any) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
