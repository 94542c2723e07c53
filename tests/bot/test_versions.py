"""The rules have versions: kept with who and when, gone back to, and known to every lead."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.config import parse
from bot.ruling import try_rules
from bot.versions import NoSuchVersion, go_back, gone, in_force, ruled, rules_of, with_rules
from bot.wiring import rules
from handlers.capture import capture
from store import tables as t
from store.db import utcnow
from store.domain.errors import ConfigError
from tests.conftest import team
from tests.handlers.people import enquiry, lead

EVERYTHING = {
    "calendar": {"hours": ["08:30-12:00"], "holidays": ["2027-02-05"]},
    "pool": {"no_contact": "36h", "warn_before": ["90m"]},
    "routing": [{"name": "东", "when": {"region": ["华东"], "min_score": 40}, "to": ["李雷"]}],
    "scoring": [{"name": "总监", "when": {"title": ["总监"]}, "points": 20}],
    "nurture": {"quiet": ""},
}


def configured(database, **more):
    return parse(team(database={"url": database}, **more))


async def seen(store, settings):
    async with store.begin() as tx:
        settings, version = await in_force(tx, settings)
    return settings, version


async def test_the_same_rules_are_one_version_and_changed_ones_another(store, database):
    first = configured(database)
    changed = configured(database, pool={"no_contact": "12h"})

    numbers = [(await seen(store, one))[1].id for one in (first, first, changed, changed, first)]

    assert numbers == [1, 1, 2, 2, 3]


async def test_a_version_says_who_and_when(store, database, clock, monkeypatch):
    monkeypatch.setenv("LEADBOT_BY", "陈主管")

    _, version = await seen(store, configured(database))

    assert (version.by, version.at) == ("陈主管", clock.now)


async def test_a_version_says_which_sections_changed(store, database):
    # "leadbot.toml 改了", ten times, and nobody knew which one to go back to.
    await seen(store, configured(database))
    rule = {"name": "东", "when": {"region": ["华东"]}}

    _, version = await seen(store, configured(database, pool={"cap": 9}, routing=[rule]))

    assert version.why == "leadbot.toml 改了 [pool] [routing]"


async def test_people_and_secrets_are_no_rules(store, database):
    await seen(store, configured(database))
    other = configured(database, api={"keys": {"web": "a-long-random-key-1"}}, server={"port": 1})

    _, version = await seen(store, other)

    assert version.id == 1
    assert "a-long-random-key-1" not in str(version.rules)


def test_every_rule_is_read_back_as_it_was(database):
    settings = configured(database, **EVERYTHING)

    kept = type("Kept", (), {"id": 1, "rules": rules_of(settings)})
    again = with_rules(configured(database), kept)

    assert rules(again) == rules(settings)


async def test_going_back_holds_until_the_file_says_something_new(store, database):
    old, new = (configured(database, pool={"cap": cap}) for cap in (10, 20))
    newest = configured(database, pool={"cap": 30})
    await seen(store, old)
    await seen(store, new)

    async with store.begin() as tx:
        version = await go_back(tx, new, 1)
    held = [(await seen(store, one)) for one in (new, newest)]

    assert (version.id, version.why) == (3, "回到第 1 版")
    assert [(one.pool.cap, v.id) for one, v in held] == [(10, 3), (30, 4)]


async def test_going_back_names_whom_the_old_rules_want_and_nobody_has(store, database):
    # Nothing was said, and the leads of that pool lay there for nobody.
    pool = {"name": "东", "when": {"region": ["华东"]}, "members": ["韩梅"], "admins": ["陈主管"]}
    routed = [{"name": "东", "to": ["韩梅", "李雷"]}]
    old = configured(database, routing=routed, pool={"scope": [pool]})
    people = [person for person in team()["team"] if person["name"] != "韩梅"]
    new = parse({**team(database={"url": database}), "team": people})
    await seen(store, old)
    await seen(store, new)

    async with store.begin() as tx:
        version = await go_back(tx, new, 1)
        left = await gone(tx, new, version)

    assert left == ["韩梅"]


async def test_a_version_nobody_kept_is_refused_in_words(store, database):
    async with store.begin() as tx:
        with pytest.raises(NoSuchVersion, match="没有第 9 版"):
            await go_back(tx, configured(database), 9)


async def test_a_version_this_program_cannot_read_names_what_is_wrong(store, database):
    settings = configured(database)
    async with store.begin() as tx:
        said = rules_of(settings) | {"pool": {"cap": 0}}
        await tx.versions.keep(said, by="x", why="x", file="x")

        with pytest.raises(ConfigError, match="rules 1: pool"):
            await go_back(tx, settings, 1)


async def test_a_lead_knows_the_version_that_judged_it(store, database):
    settings = configured(database)
    judging = await ruled(store, settings)
    async with judging.begin() as tx:
        [done] = await capture(tx, [enquiry()])

    async with store.read() as tx:
        events = (await tx.conn.execute(select(t.events).order_by(t.events.c.id))).all()
    assert (await lead(store, done.id)).rules == 1
    assert [event.data["rules"] for event in events] == [1, 1]


async def test_two_processes_that_start_together_keep_one_version(store, database):
    import asyncio  # noqa: PLC0415

    settings = configured(database)

    both = await asyncio.gather(ruled(store, settings), ruled(store, settings))

    assert [one.rules.version for one in both] == [1, 1]


# -- tried on the leads of the last days -------------------------------------------------


async def tried(store, settings, capsys, days=30):
    await try_rules(settings, days)
    out = capsys.readouterr().out
    return {
        cells[1]: cells[2:] for line in out.splitlines() if len(cells := line.split("│")) > 4
    }, out


@pytest.fixture
def today(clock):
    """The command line goes by the real clock."""
    clock.now = utcnow() - timedelta(days=2)


@pytest.mark.usefixtures("today")
async def test_trying_rules_shows_the_shift_per_person_and_changes_nothing(
    store, database, capsys
):
    settings = configured(database)
    async with (await ruled(store, settings)).begin() as tx:
        await capture(tx, [enquiry(region="江苏苏州" if n < 6 else "广东深圳") for n in range(9)])
        before = (await tx.conn.execute(select(t.events))).all()
    east = {"name": "东", "when": {"region": ["华东"]}, "to": ["韩梅"]}

    people, out = await tried(
        store, configured(database, routing=[east, {"name": "其余"}]), capsys
    )

    assert {name.strip(): [c.strip() for c in row[:3]] for name, row in people.items()} == {
        "李雷": ["3", "1", "-2"], "韩梅": ["3", "7", "+4"], "王强": ["3", "1", "-2"],
    }  # fmt: skip
    assert "9 条，其中 " in out
    async with store.read() as tx:
        assert (await tx.conn.execute(select(t.events))).all() == before
        assert (await tx.versions.latest()).id == 1


@pytest.mark.usefixtures("today")
async def test_trying_rules_tells_how_the_grades_move(store, database, capsys):
    async with (await ruled(store, configured(database))).begin() as tx:
        await capture(tx, [enquiry(title="总监"), enquiry()])
    rule = {"name": "总监", "when": {"title": ["总监"]}, "points": 90}

    _, out = await tried(store, configured(database, scoring=[rule]), capsys)

    assert "高分 0→1" in out
    assert "什么都没有改" in out


@pytest.mark.usefixtures("today")
async def test_only_the_leads_of_the_days_asked_for_are_tried(store, database, capsys, clock):
    async with (await ruled(store, configured(database))).begin() as tx:
        await capture(tx, [enquiry()])

    _, out = await tried(store, configured(database), capsys, days=1)

    assert "最近 1 天没有进线" in out


@pytest.mark.usefixtures("today")
async def test_rules_about_a_channel_are_tried_on_leads_that_came_by_it(store, database, capsys):
    # The leads had no channel in the trial: 韩梅 got none of them.
    fair = {"name": "展会", "kind": "paid", "sources": ["expo"]}
    settings = configured(database, channel=[fair])
    async with (await ruled(store, settings)).begin() as tx:
        await capture(tx, [enquiry(source="expo") for _ in range(3)])
    to_her = {"name": "展会", "when": {"channel": ["展会"]}, "to": ["韩梅"]}

    people, _ = await tried(store, configured(database, channel=[fair], routing=[to_her]), capsys)

    assert {name.strip(): row[1].strip() for name, row in people.items()}["韩梅"] == "3"


@pytest.mark.usefixtures("today")
async def test_trying_a_changed_team_counts_turns_and_nobody_who_left(store, database, capsys):
    # A weight of 2 changed nothing, and who was taken out of the file kept their leads.
    async with (await ruled(store, configured(database))).begin() as tx:
        await capture(tx, [enquiry() for _ in range(9)])
    people = [one for one in team()["team"] if one["name"] != "王强"]
    weighed = [one | ({"weight": 2} if one["name"] == "李雷" else {}) for one in people]
    changed = parse({**team(database={"url": database}), "team": weighed})

    told, _ = await tried(store, changed, capsys)

    assert {name.strip(): [c.strip() for c in row[:3]] for name, row in told.items()} == {
        "李雷": ["3", "6", "+3"], "韩梅": ["3", "3", ""], "王强": ["3", "0", "-3"],
    }  # fmt: skip


@pytest.mark.usefixtures("today")
async def test_trying_a_gate_shows_what_it_would_keep(store, database, capsys):
    # The consent that came with a lead was not among what is tried.
    agreed = {"consent": {"text": "同意联系"}}
    async with (await ruled(store, configured(database))).begin() as tx:
        await capture(tx, [enquiry(), enquiry(**agreed), enquiry(company="云栖", **agreed)])

    by_consent, _ = await tried(store, configured(database, dispatch={"consent": True}), capsys)
    gate = {"required": ["company"]}
    by_field, _ = await tried(store, configured(database, dispatch=gate), capsys)

    kept = [
        {name.strip(): row[1].strip() for name, row in told.items()}
        for told in (by_consent, by_field)
    ]
    assert (kept[0]["等客户同意"], kept[1]["等资料"]) == ("1", "2")


async def test_trying_rules_makes_no_database(tmp_path, capsys):
    file = tmp_path / "none.db"

    await try_rules(configured(f"sqlite+aiosqlite:///{file}"), 30)

    assert "没有进线" in capsys.readouterr().out
    assert not file.exists()
