"""
The running product and the people around it, as they are: a phone in the hand, a browser, a mailbox.

Everything is done through HTTP, as the sandbox's page and a prospect's browser do
it; what a phone shows is read from the stand-ins. Waiting is for what a person
would wait for: something to appear.
"""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import ClientSession

from bot.demo import Demo, open_demo
from bot.sandbox.clock import MovableClock
from bot.sandbox.dingtalk.phone import command_of
from bot.sandbox.state import Mail, Message, State

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=ZONE)
PATIENCE = 60.0
"""Real seconds somebody looks at a phone before giving up; a card should take less than one."""
CARDS = ("card", "actions", "instance")


async def eventually(happened: Callable[[], object], what: Callable[[], str]) -> object:
    """What ``happened`` gives once it is true. Fails with ``what`` when patience is over."""
    late = time.monotonic() + PATIENCE
    while True:
        found = happened()
        if found:
            return found
        if time.monotonic() > late:
            raise AssertionError(what())
        await asyncio.sleep(0.02)


def shown(message: Message) -> str:
    """Every word a message shows, one thing a line, as a person reads it."""
    if message.kind == "card":
        return "\n".join(_wecom_words(message.body))
    parts = (message.body.get("title", ""), message.body.get("text", ""))
    return "\n".join([*filter(None, parts), *buttons(message)])


def _wecom_words(card: dict) -> Iterator[str]:
    title = card.get("main_title", {})
    yield from filter(None, (title.get("title"), title.get("desc")))
    yield from filter(None, (card.get("quote_area", {}).get("quote_text"),))
    yield from filter(None, (card.get("sub_title_text"),))
    for row in card.get("horizontal_content_list", ()):
        yield f"{row['keyname']} {row.get('value', '')}"
    yield from (button["text"] for button in _pressable(card))


def _pressable(card: dict) -> list[dict]:
    """The buttons of a WeCom card and what stands in its menu."""
    menu = card.get("action_menu", {}).get("action_list", [])
    return [*card.get("button_list", []), *menu]


def buttons(message: Message) -> dict[str, str]:
    """Caption → what the platform sends when it is pressed."""
    if message.kind == "card":
        return {b["text"]: b["key"] for b in _pressable(message.body)}
    return {b["title"]: b["url"] for b in message.body.get("buttons", ())}


def line_of(value: str) -> str:
    """The command line behind a button of either platform."""
    return command_of(value) or value


@dataclass(slots=True)
class Phone:
    """A chat with the bot (or a group's), and the thumb that works it."""

    world: "World"
    chat: str

    def messages(self) -> list[Message]:
        """What the bot showed, oldest first; what was taken back is not shown."""
        kept = self.world.state.chats.get(self.chat, ())
        return [m for m in kept if not m.recalled and not m.mine]

    def cards(self) -> list[Message]:
        return [m for m in self.messages() if m.kind in CARDS]

    def newest_card(self) -> str:
        cards = self.cards()
        return shown(cards[-1]) if cards else ""

    def text(self) -> str:
        """The whole chat, top to bottom."""
        return "\n--\n".join(map(shown, self.messages()))

    def card_of(self, lead: int) -> str:
        """The newest card whose title names the lead; what was logged is said back on another."""
        titled = ((m, title(m)) for m in self.cards())
        found = [shown(m) for m, t in titled if re.search(rf"#{lead}\b", t) and t[:2] != "记下"]
        return found[-1] if found else ""

    async def sees(self, *words: str) -> str:
        """The newest message with all of ``words``, once there is one."""

        def found() -> str:
            texts = [shown(m) for m in reversed(self.messages())]
            return next((t for t in texts if all(w in t for w in words)), "")

        text = await eventually(found, lambda: f"{self.chat}: no {words} in\n{self.text()}")
        return str(text)

    async def sees_card_of(self, lead: int, *words: str) -> str:
        """The newest card of the lead, once it has all of ``words``."""

        def found() -> str:
            card = self.card_of(lead)
            return card if card and all(w in card for w in words) else ""

        return str(
            await eventually(found, lambda: f"{self.chat}: no #{lead} {words} in\n{self.text()}")
        )

    async def says(self, line: str, *, by: str = "") -> str:
        """Type a line; everything that comes in answer to it."""
        await self.world.quiet()
        before = max((m.id for m in self.messages()), default=0)
        await self.world.act("say", phone=self.chat, text=line, by=by)

        def answer() -> list[str]:
            return [shown(m) for m in self.messages() if m.id > before]

        await eventually(answer, lambda: f"{self.chat}: no answer to {line!r}")
        await self.world.quiet()
        return "\n".join(answer())

    async def press(self, caption: str, *, of: int | None = None, by: str = "") -> Message:
        """Press the newest button with that caption, on the card of a lead if one is named."""
        message = self.find(caption, of)
        await self.world.act(
            "press",
            message=message.id,
            value=buttons(message)[caption],
            label=caption,
            by=by,
        )
        return message

    def find(self, caption: str, of: int | None = None) -> Message:
        for message in reversed(self.messages()):
            if caption in buttons(message) and (
                of is None or re.search(rf"#{of}\b", title(message))
            ):
                return message
        raise AssertionError(f"{self.chat}: no button {caption!r} (#{of}) in\n{self.text()}")


def title(message: Message) -> str:
    if message.kind == "card":
        return str(message.body.get("main_title", {}).get("title", ""))
    return str(message.body.get("title", ""))


class _Hidden(HTMLParser):
    """The fields of a form that a browser sends without showing them."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag, attrs) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("type") == "hidden":
            self.fields[values["name"]] = values.get("value", "")


@dataclass(slots=True)
class World:
    """One product with its sandbox. Everything below is what somebody outside can do."""

    url: str
    key: str
    state: State
    http: ClientSession
    clock: MovableClock
    data: Path

    def phone(self, chat: str) -> Phone:
        return Phone(self, chat)

    # -- the sandbox's page ----------------------------------------------------

    async def act(self, name: str, /, **body: object) -> None:
        """What a click on the sandbox's page sends."""
        async with self.http.post(
            f"{self.url}/sandbox/api/{name}", json=body, headers={"Origin": self.url}
        ) as answer:
            assert answer.status == 200, (name, body, await answer.text())

    async def move(self, **span: float) -> None:
        """Move the clock forward and let happen what falls due: ``days=1``, ``minutes=5``."""
        await self.act("clock", **span)

    async def move_to(self, at: datetime) -> None:
        await self.move(minutes=(at - self.clock()).total_seconds() / 60)

    async def until(self, hour: str) -> None:
        """To the next time the clock on the wall shows ``hour``."""
        await self.act("clock", until=hour)

    @property
    def now(self) -> datetime:
        return self.clock().astimezone(ZONE)

    # -- a prospect's browser and mailbox ---------------------------------------

    async def fills_form(self, **values: str) -> str:
        """Open the hosted form, fill it in, agree and send it; the page that follows."""
        async with self.http.get(f"{self.url}/f/default") as page:
            hidden = _Hidden()
            hidden.feed(await page.text())
        sent = {**hidden.fields, "consent": "yes", **values}
        async with self.http.post(f"{self.url}/f/default", data=sent) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    def mails(self, to: str) -> list[Mail]:
        return [mail for mail in self.state.mails if mail.to == to]

    async def mail(self, to: str, number: int = 1) -> Mail:
        """The first (second, …) mail to an address, once it is there."""
        found = await eventually(
            lambda: self.mails(to)[number - 1 : number], lambda: f"no mail {number} to {to}"
        )
        return found[0]  # type: ignore[index]

    async def opens(self, link: str) -> str:
        async with self.http.get(link) as page:
            assert page.status == 200, await page.text()
            return await page.text()

    async def confirms(self, link: str) -> str:
        """Open a page with one button and press it."""
        async with self.http.post(link) as page:
            assert page.status == 200, await page.text()
            return await page.text()

    # -- a program with the key --------------------------------------------------

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def posts(self, **lead: object) -> dict:
        """``POST /api/leads``."""
        async with self.http.post(
            f"{self.url}/api/leads", json=lead, headers=self.headers
        ) as answer:
            assert answer.status in {200, 201}, await answer.text()
            return await answer.json()

    async def lead(self, number: int) -> dict:
        async with self.http.get(f"{self.url}/api/leads/{number}", headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def leads(self) -> list[dict]:
        """Every lead there is, page by page."""
        found: list[dict] = []
        after = 0
        while after is not None:
            query = {"after": str(after), "limit": "200"}
            async with self.http.get(
                f"{self.url}/api/leads", params=query, headers=self.headers
            ) as answer:
                page = await answer.json()
            found += page["leads"]
            after = page["next"]
        return found

    async def pooled(self, holder: str, **lead: str) -> int:
        """A lead that somebody took and put back into the pool; its number."""
        number = (await self.posts(rep=NAMES[holder], **lead))["id"]
        phone = self.phone(holder)
        await phone.sees_card_of(number)
        await phone.press("接受", of=number)
        await phone.sees_card_of(number, "请联系")
        await phone.says(f"放回 {number}")
        return int(number)

    # -- operators ---------------------------------------------------------------

    async def ready(self) -> dict:
        async with self.http.get(f"{self.url}/readyz") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def waiting(self) -> int:
        """How many messages have not reached their phone."""
        async with self.http.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        found = re.search(r"^leadbot_outbox_waiting (\S+)", text, re.MULTILINE)
        return int(float(found[1])) if found else -1

    async def quiet(self, seconds: float = PATIENCE) -> None:
        """Until nothing is on its way to a phone; fails when for so long none has gone out."""
        late, least = time.monotonic() + seconds, math.inf
        while left := await self.waiting():
            if left < least:
                late, least = time.monotonic() + seconds, left
            assert time.monotonic() < late, f"{left} messages still wait"
            await asyncio.sleep(0.02)

    def calls(self, path: str) -> list[dict]:
        """What the product asked the platforms at ``path``, oldest first; the log is short."""
        return [w for w in self.state.wires if path in w["call"]]


NAMES = {
    "wecom:lilei": "李雷",
    "wecom:hanmei": "韩梅",
    "dingtalk:wangqiang": "王强",
    "dingtalk:zhaomin": "赵敏",
}


@asynccontextmanager
async def open_world(
    data: Path, start: datetime = MONDAY, *, cards: bool = False
) -> AsyncIterator[World]:
    """The demo, listening, on a Monday morning. ``cards``: DingTalk has interactive ones."""
    clock = MovableClock(start=start.astimezone(UTC))
    async with open_demo(data, clock=clock, cards=cards) as demo, world_of(demo, data) as world:
        yield world


@asynccontextmanager
async def world_of(demo: Demo, data: Path) -> AsyncIterator[World]:
    """The people around a demo that is open already."""
    async with ClientSession() as http:
        clock = demo.service.store.clock
        world = World(demo.url, demo.api_key, demo.sandbox.state, http, clock, data)
        await world.quiet()
        yield world
