"""The whole loop, once for each platform, as the people in it live through it."""

import asyncio
import io
import re
from datetime import datetime, timedelta

import pytest
from PIL import Image

from tests.scenarios.world import NAMES, ZONE, Phone, World, eventually, open_world

FRIDAY = datetime(2026, 3, 6, 10, 0, tzinfo=ZONE)
WEDNESDAY = datetime(2026, 3, 11, 15, 0, tzinfo=ZONE)
EAST, NORTH = "19921000001", "19910000001"
ADDRESS = "lin@example.com"


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path, FRIDAY) as opened:
        yield opened


@pytest.mark.parametrize(
    ("chat", "mobile", "rival", "other"),
    [
        ("wecom:lilei", EAST, "wecom:hanmei", "dingtalk:zhaomin"),
        ("dingtalk:wangqiang", NORTH, "dingtalk:zhaomin", "wecom:hanmei"),
    ],
    ids=["wecom", "dingtalk"],
)
async def test_the_whole_loop(world: World, chat, mobile, rival, other):
    rep, first, second = world.phone(chat), world.phone(rival), world.phone(other)
    marketing = world.phone("wecom:zhousc")

    lead = await enquires(world, rep, mobile)
    await works(rep, lead)
    await is_reminded(world, rep, lead)
    await gives_back(world, rep, marketing, lead)
    await is_nurtured(world, rep, lead)
    await lets_it_slip(world, rep, lead)
    await is_claimed_once(world, [first, second], rep, lead)
    await managers_read_the_digest(world)

    kinds = [line["kind"] for line in (await world.lead(lead))["history"]]
    told = "captured assigned accepted followed stage returned mailed clicked assigned accepted"
    warnings = {"nudged", "late", "warned"}
    assert [k for k in kinds if k not in warnings] == [*told.split(), "reclaimed", "claimed"]


async def enquires(world: World, rep: Phone, mobile: str) -> int:
    """A prospect fills in the form; at once the card is on the right phone."""
    page = await world.fills_form(
        name="林知夏", phone=mobile, email=ADDRESS, product="CRM", message="50 人用，怎么收费"
    )
    card = await rep.sees("林知夏", "还剩")

    assert "收到了" in page
    assert "50 人用，怎么收费" in card
    assert "接受" in card
    lead = int(re.search(r"#(\d+)", card)[1])
    stored = await world.lead(lead)
    assert stored["owner"]["name"] in {"李雷", "王强"}
    assert stored["consent"]["text"]
    return lead


async def works(rep: Phone, lead: int) -> None:
    """接受, then a follow-up in one sentence, then the next stage."""
    await rep.press("接受", of=lead)
    await rep.sees_card_of(lead, "请联系", "还剩")

    line = f"跟进 {lead} 电话 聊了报价 12万 #关注价格 下周三下午3点再约"
    understood = await rep.says(line)
    assert "电话" in understood
    assert "12 万" in understood
    assert "关注价格" in understood
    assert "15:00" in understood
    await rep.sees_card_of(lead, "跟进中", "15:00")

    assert "意向" in await rep.says(f"阶段 {lead} 意向")
    await rep.sees_card_of(lead, "意向")


async def is_reminded(world: World, rep: Phone, lead: int) -> None:
    """The reminder rings at its minute, not before."""
    await world.move_to(WEDNESDAY - timedelta(minutes=1))
    await world.quiet()
    assert "到点了" not in rep.text()

    await world.move(minutes=1.1)
    assert f"#{lead}" in await rep.sees("到点了", "林知夏", "再约")


async def gives_back(world: World, rep: Phone, marketing: Phone, lead: int) -> None:
    """Late in the evening it goes back to marketing, the reason chosen by press."""
    await world.until("22:00")
    question = await rep.says(f"退回 {lead}")
    assert "为什么" in question

    await rep.press("没有预算", of=lead)
    await rep.sees_card_of(lead, "市场培育", "没有预算")
    await marketing.sees_card_of(lead, "退回培育", "没有预算", "林知夏")
    stored = await world.lead(lead)
    assert (stored["place"], stored["owner"]) == ("marketing", None)


async def is_nurtured(world: World, rep: Phone, lead: int) -> None:
    """The first letter waits for the morning; a click brings the lead back to who had it."""
    await world.until("22:30")
    await world.move(hours=24)
    assert not world.mails(ADDRESS)

    await world.until("09:00")
    letter = await world.mail(ADDRESS)
    assert "林知夏" in letter.text
    assert "CRM" in letter.text
    assert world.now.strftime("%H:%M") == "09:00"

    await world.opens(next(link for link in letter.links if "/t/" in link))
    await rep.sees_card_of(lead, "林知夏", "接受", "之前就是你跟的")


async def lets_it_slip(world: World, rep: Phone, lead: int) -> None:
    """Accepted and never called: said at half, to the manager, before it is reclaimed, and then."""
    await rep.press("接受", of=lead)
    await rep.sees_card_of(lead, "请联系")
    for said in (("请联系", "还剩"), ("请联系", "已请主管看"), ("快要回收", "还剩")):
        due = datetime.fromisoformat((await world.lead(lead))["due"])
        await world.move_to(due + timedelta(minutes=1))
        await rep.sees_card_of(lead, *said)

    await world.move(days=2)
    card = await rep.sees_card_of(lead, "公海")
    stored = await world.lead(lead)
    assert "没有及时联系" in card
    assert (stored["place"], stored["owner"]) == ("pool", None)


async def is_claimed_once(world: World, rivals: list[Phone], former: Phone, lead: int) -> None:
    """Two press 领取 at once: one has it, the other one and the former owner read who."""
    region = (await world.lead(lead))["region"]
    for phone in rivals:
        listed = await phone.says(f"公海 {region}")
        assert f"#{lead}" in listed
        assert "林知夏" not in listed

    await asyncio.gather(*(phone.press(f"领取 #{lead}") for phone in rivals))
    await eventually(lambda: winners(rivals, lead), lambda: "nobody has it")
    [winner] = winners(rivals, lead)
    [loser] = [phone for phone in rivals if phone is not winner]

    owner = (await world.lead(lead))["owner"]["name"]
    assert owner == NAMES[winner.chat]
    await loser.sees(owner, f"#{lead}")
    await former.sees_card_of(lead, f"已由 {owner} 接手")


def winners(rivals: list[Phone], lead: int) -> list[Phone]:
    return [phone for phone in rivals if "请联系" in phone.card_of(lead)]


async def managers_read_the_digest(world: World) -> None:
    """18:30 of a working day, in both groups, with a picture that is really drawn."""
    await world.until("18:30")
    wecom, dingtalk = world.phone("wecom-group"), world.phone("dingtalk-group")

    day = f"{world.now.month}月{world.now.day}日"
    assert "林知夏" in await wecom.sees(day, "超时")
    picture = await eventually(
        lambda: next((m for m in wecom.messages()[-2:] if m.kind == "image"), None), wecom.text
    )
    is_drawn(await fetch(world, f"{world.url}/sandbox/media/{picture.body['media']}"))
    text = await dingtalk.sees(day, "/p/")
    is_drawn(await fetch(world, re.search(r"\((http\S+?\.png)\)", text)[1]))


async def fetch(world: World, url: str) -> bytes:
    async with world.http.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "image/png"
        return await answer.read()


def is_drawn(png: bytes) -> None:
    """A picture people can read: large, in colours, mostly paper and not only paper."""
    with Image.open(io.BytesIO(png)) as picture:
        picture.load()
        plain = picture.convert("RGB")
    assert min(plain.size) >= 300
    counts = sorted(count for count, _ in plain.getcolors(1 << 24))
    assert len(counts) > 50
    assert counts[-1] < 0.97 * plain.width * plain.height
