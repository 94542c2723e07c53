"""Real lists of people go through a running demo, and everybody is somewhere, once."""

import asyncio
import csv
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.scenarios.world import World, open_world

pytestmark = pytest.mark.timeout(600)  # a day's work, whatever else the machine does

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"
ZOHO = DATA / "leads/zoho_leads.csv"
CHINESE = DATA / "dedupe/zh_leads_derived.jsonl"
PAIRS = DATA / "dedupe/zh_leads_derived_pairs.csv"
CAP = 50
FEW = 150
"""Platform messages for thousands of leads; a card each would be thousands."""
AT_ONCE = 20
PARTS = [pytest.param(4, id="a fourth"), pytest.param(1, id="all", marks=pytest.mark.slow)]
SLOWEST = 60.0
"""Seconds an operator's probe may take while everything is busy."""


async def is_whole(world: World) -> list[dict]:
    """Every lead is in exactly one place, nobody has too many, and each knows why."""
    leads = await world.leads()
    for lead in leads:
        assert (lead["place"] == "owner") == (lead["owner"] is not None), lead["id"]
        assert lead["history"][0]["kind"] == "captured"
        if lead["place"] == "pool":
            assert {h["kind"] for h in lead["history"]} & {"unsuitable", "released", "reclaimed"}
    loads = Counter(
        lead["owner"]["name"]
        for lead in leads
        if lead["owner"] and lead["stage"] not in {"won", "lost", "invalid"}
    )
    assert max(loads.values()) <= CAP
    return leads


async def sent(world: World) -> int:
    """How many messages the relay has handed to the platforms."""
    async with world.http.get(f"{world.url}/metrics") as answer:
        found = re.findall(
            r'^leadbot_messages_total\{.*result="sent".*\} (\S+)',
            await answer.text(),
            re.MULTILINE,
        )
    return int(sum(map(float, found)))


async def watch(world: World, work: asyncio.Future) -> float:
    """The slowest answer of /readyz while ``work`` goes on."""
    slowest = 0.0
    while not work.done():
        began = time.monotonic()
        await world.ready()
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.2)
    return slowest


@pytest.mark.skipif(not ZOHO.exists(), reason="shared/data is not beside the project")
@pytest.mark.parametrize("part", PARTS)
async def test_the_people_of_a_crm_export_are_imported_into_the_running_demo(
    tmp_path, monkeypatch, part
):
    monkeypatch.setenv("LEADBOT_API__WHOLE", '["website"]')  # the pool too is counted by its mails
    file = copied(ZOHO, tmp_path / "export.csv", part)
    async with open_world(tmp_path) as world:
        seeded, before = len(await world.leads()), await sent(world)

        importing = asyncio.ensure_future(import_file(world, file))
        slowest = await watch(world, importing)
        new, known, refused, said = importing.result()
        await world.quiet()
        leads = await is_whole(world)

        assert refused == len(re.findall("没有导入：", said))
        assert new + known + refused == len(rows(file)) == -(-2309 // part)
        assert len(leads) == seeded + new
        imported = [lead["email"] for lead in leads if lead["source"] == "展会"]
        assert max(Counter(imported).values()) == 1
        wanted = {row["Email"].casefold() for row in rows(file)}
        assert len(wanted - {email.casefold() for email in imported}) == refused + known
        assert slowest < SLOWEST
        assert await sent(world) - before < FEW
        await world.phone("wecom:chenzg").sees("条线索没有合适的人")


def rows(file: Path) -> list[dict]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def copied(file: Path, to: Path, part: int) -> Path:
    """Every ``part``-th row."""
    some = rows(file)[::part]
    with to.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, some[0])
        writer.writeheader()
        writer.writerows(some)
    return to


async def import_file(world: World, file: Path) -> tuple[int, int, int, str]:
    """``leadbot import`` while the demo runs: new, known, refused, and all it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "import", str(file), "--source", "展会",
        "--config", str(world.data / "leadbot.toml"), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    new, known, refused = map(int, re.search(r"新线索 (\d+) .*?(\d+) .*?(\d+) 行", text).groups())
    return new, known, refused, text


@pytest.mark.skipif(not CHINESE.exists(), reason="shared/data is not beside the project")
@pytest.mark.parametrize("part", PARTS)
async def test_labelled_people_posted_one_by_one_become_one_lead_each(tmp_path, monkeypatch, part):
    labelled = {one for pair in pairs()[::part] for one in (pair["a"], pair["b"])}
    people = [row for row in read_chinese() if part == 1 or row["external_id"] in labelled]
    monkeypatch.setenv("LEADBOT_LIMITS__API_PER_MINUTE", "0")
    async with open_world(tmp_path) as world:
        before = await sent(world)

        posting = asyncio.ensure_future(post_all(world, people))
        slowest = await watch(world, posting)
        numbers, reasons = posting.result()
        await world.quiet()
        leads = await is_whole(world)

        assert len(numbers) + len(reasons) == len(people) > 800 // part
        assert set(numbers.values()) <= {lead["id"] for lead in leads}
        assert all("至少留一个" in reason for reason in reasons.values()), set(reasons.values())
        assert wrong(numbers) == []
        assert slowest < SLOWEST
        assert await sent(world) - before < FEW

        await world.move(minutes=20)
        await world.quiet()
        assert {lead["id"] for lead in await is_whole(world)} == {lead["id"] for lead in leads}
        assert await sent(world) - before < 2 * FEW


def read_chinese() -> list[dict]:
    lines = CHINESE.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        {k: v for k, v in row.items() if v and k not in {"id", "address"}}
        | {"external_id": row["id"], "fields": {"address": row["address"]}}
        for row in rows
    ]


async def post_all(world: World, rows: list[dict]) -> tuple[dict[str, int], dict[str, str]]:
    """External id → number of the lead, and of the refused ones → the reason."""
    numbers: dict[str, int] = {}
    reasons: dict[str, str] = {}
    gate = asyncio.Semaphore(AT_ONCE)

    async def post(row: dict) -> None:
        url = f"{world.url}/api/leads"
        async with gate, world.http.post(url, json=row, headers=world.headers) as answer:
            body = await answer.json()
            assert answer.status in {200, 201, 422}, body
            if answer.status == 422:
                reasons[row["external_id"]] = json.dumps(body, ensure_ascii=False)
            else:
                numbers[row["external_id"]] = body["id"]

    await asyncio.gather(*map(post, rows))
    return numbers, reasons


def pairs() -> list[dict]:
    with PAIRS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def wrong(numbers: dict[str, int]) -> list[dict]:
    """The labelled pairs that were decided otherwise."""
    stored = [pair for pair in pairs() if pair["a"] in numbers and pair["b"] in numbers]
    return [
        pair
        for pair in stored
        if (numbers[pair["a"]] == numbers[pair["b"]]) != (pair["label"] == "match")
    ]
