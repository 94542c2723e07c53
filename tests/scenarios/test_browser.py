"""The whole loop by clicking: the page of the real demo in a real browser, once per platform."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, async_playwright, expect

from bot.demo import open_demo
from bot.sandbox.clock import MovableClock
from tests.scenarios.world import MONDAY

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SHOTS = os.environ.get("LEADBOT_SHOTS", "")
"""A folder for a picture of the page after each step."""
PATIENCE = 60_000
"""Milliseconds somebody looks at the page before giving up."""
expect.set_options(timeout=PATIENCE)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


@dataclass(slots=True)
class Visitor:
    """Somebody in front of the page, who only clicks and types."""

    page: Page
    url: str
    called: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    steps: count = field(default_factory=lambda: count(1))

    def watch(self) -> None:
        page = self.page
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("request", lambda request: self.requests.append(request.url))

    def phone(self, chat: str) -> Locator:
        return self.page.locator(f"[data-phone='{chat}']")

    async def enquires(self, sample: int) -> None:
        """Fill the form as the ``sample``-th person of the page would, and submit it."""
        for _ in range(sample):
            await self.page.get_by_role("button", name="填入示例客户").click()
        form = self.page.frame_locator("#form")
        await form.locator("button").click()
        await expect(form.locator("body")).to_contain_text("收到了")

    async def presses(self, chat: str, caption: str, card: str) -> None:
        """A button of the newest card with these words."""
        cards = self.phone(chat).locator(".message:visible .card", has_text=card)
        await cards.last.get_by_role("button", name=caption, exact=True).click()

    async def types(self, chat: str, line: str) -> None:
        await self.phone(chat).locator(".say input").fill(line)
        await self.phone(chat).get_by_role("button", name="发送").click()

    async def moves(self, caption: str) -> None:
        button = self.page.get_by_role("button", name=caption)
        await button.click()
        await expect(button).to_be_enabled()

    async def sees(self, chat: str, words: str) -> None:
        """In the newest messages of the chat."""
        shown = self.phone(chat).locator(".message:visible", has_text=words)
        await expect(shown).not_to_have_count(0)
        await self.shot(words)

    async def shot(self, what: str) -> None:
        if SHOTS:
            name = re.sub(r"\W+", "-", what)
            path = Path(SHOTS) / f"{self.called}-{next(self.steps):02}-{name}.png"
            await self.page.screenshot(path=path)


@pytest.fixture
async def visitor(tmp_path, request) -> AsyncIterator[Visitor]:
    async with (
        open_demo(tmp_path, clock=MovableClock(start=MONDAY)) as demo,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = await browser.new_page(
            viewport={"width": 1366, "height": 768}, reduced_motion="reduce"
        )
        page.set_default_timeout(PATIENCE)
        opened = Visitor(page, demo.url, re.sub(r"\W+", "-", request.node.name))
        opened.watch()
        await page.goto(f"{demo.url}/sandbox/")
        await page.wait_for_selector("body.ready")
        yield opened
        await browser.close()


@pytest.mark.parametrize(
    ("rep", "sample", "name", "rival"),
    [
        ("wecom:lilei", 1, "陈思远", ("dingtalk:zhaomin", "赵敏")),
        pytest.param(
            *("dingtalk:wangqiang", 3, "周建国", ("wecom:hanmei", "韩梅")), marks=pytest.mark.slow
        ),
    ],
    ids=["wecom", "dingtalk"],
)
async def test_the_whole_loop_by_clicking(visitor, rep, sample, name, rival):
    await visitor.enquires(sample)
    await works(visitor, rep, name)
    await gives_back(visitor, rep, name)
    await is_won_back_by_mail(visitor, rep)
    await lets_it_slip(visitor, rep)
    await is_claimed_by_another(visitor, rival, name)
    await visitor.sees(rep, f"已由 {rival[1]} 接手 #6")
    await managers_read_the_digest(visitor)
    await the_wire_log_opens(visitor)

    assert visitor.errors == []
    own = (f"{visitor.url}/", "data:")
    assert [url for url in visitor.requests if not url.startswith(own)] == []


async def works(visitor: Visitor, rep: str, name: str) -> None:
    """接受, one sentence with a next date, the reminder at its minute, the next stage."""
    await visitor.sees(rep, f"新线索 #6 {name}")
    await visitor.presses(rep, "接受", "新线索 #6")
    await visitor.sees(rep, f"请联系 #6 {name}")

    await visitor.types(rep, "跟进 6 电话 聊了报价 12万 今天11点再约")
    await visitor.sees(rep, f"记下 #6 {name}：电话")
    await visitor.sees(rep, "下次联系 11:00")
    await visitor.moves("+1 小时")
    await visitor.sees(rep, f"到点了 #6 {name}")

    await visitor.presses(rep, "有意向", "跟进中 #6")
    await visitor.sees(rep, f"意向 #6 {name}")


async def gives_back(visitor: Visitor, rep: str, name: str) -> None:
    """退回 by press, and the reason by press; marketing is told."""
    await visitor.presses(rep, "退回", "意向 #6")
    await visitor.presses(rep, "没有预算", f"退回 #6 {name}，为什么")

    await visitor.sees(rep, "#6 已退回市场（没有预算）")
    await visitor.sees(rep, "已转市场培育 #6")
    await visitor.sees("wecom:zhousc", f"退回培育 #6 {name}")


async def is_won_back_by_mail(visitor: Visitor, rep: str) -> None:
    """A day later the prospect's mailbox has a letter; its link brings the lead back."""
    page = visitor.page
    await visitor.moves("+1 天")
    await page.get_by_role("tab", name="邮箱").click()
    await page.locator(".mail").first.click()
    await visitor.shot("mail")
    await page.locator(".letter a").first.click()

    await visitor.sees(rep, "之前就是你跟的")


async def lets_it_slip(visitor: Visitor, rep: str) -> None:
    """Accepted and never called: after days of warning it is in the pool."""
    await visitor.presses(rep, "接受", "新线索 #6")
    await visitor.sees(rep, "请联系 #6")
    for _ in range(4):
        await visitor.moves("+1 天")

    await visitor.sees(rep, "没有及时联系")
    await visitor.sees(rep, "公海 #6")


async def is_claimed_by_another(visitor: Visitor, rival: tuple[str, str], name: str) -> None:
    """From the list of the pool, by button, with the name in clear only afterwards."""
    chat, _ = rival
    await visitor.phone(chat).get_by_role("button", name="公海", exact=True).click()
    await visitor.sees(chat, "领取 #6")
    await expect(visitor.phone(chat).locator(".chat")).not_to_contain_text(name)
    await visitor.presses(chat, "领取 #6", "公海")

    await visitor.sees(chat, f"请联系 #6 {name}")


async def managers_read_the_digest(visitor: Visitor) -> None:
    """18:30 of a working day: words and a picture that is really there, in both groups."""
    await visitor.moves("下一个 18:30")

    for group in ("wecom-group", "dingtalk-group"):
        await visitor.sees(group, "3月9日日报")
        picture = visitor.phone(group).locator("img").last
        await expect(picture).to_have_js_property("complete", value=True)
        assert await picture.evaluate("image => image.naturalWidth") > 300


async def the_wire_log_opens(visitor: Visitor) -> None:
    page = visitor.page
    await page.locator("#wires-handle").click()
    await page.locator("#wires-lines button").first.click()

    await expect(page.locator("#wires-detail h3")).not_to_be_empty()
    await expect(page.locator("#wires-detail pre").first).not_to_be_empty()
    await visitor.shot("wires")


async def test_the_drawer_breaks_a_platform_and_mends_it(visitor):
    page = visitor.page
    await page.get_by_role("button", name="捣乱").click()
    switch = page.locator("[data-fault='dingtalk:muted']")

    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    await expect(page.locator("#mess-count")).to_have_text("1")
    for part in ("要管理员处理", "来的消息", "长连接"):
        await expect(page.locator("#faults h4", has_text=part)).not_to_have_count(0)
    await visitor.shot("drawer")
    await page.get_by_role("button", name="全部恢复").click()

    await expect(switch).to_have_attribute("aria-checked", "false")
    await expect(page.locator("#mess-count")).to_be_hidden()
    assert visitor.errors == []
