# ruff: noqa: INP001 - a script, not a package
"""
Every picture of the manuals, taken from the running product: ``make screenshots``.

Plays one Monday in the demo by clicking in headless Chromium, and saves what can be
seen on the way. Needs Debian's ``chromium`` and a Chinese font.
"""

import asyncio
import io
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import ClientSession
from PIL import Image
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bot.demo import Demo, open_demo
from bot.sandbox.clock import MovableClock

IMAGES = Path(__file__).parent / "images"
MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TO_THE_END = """
    document.querySelector("#stage").scrollTo(0, 0);
    document.querySelectorAll(".chat").forEach((chat) => chat.scrollTo(0, chat.scrollHeight));
"""
MOST_BYTES = 400_000
COLOURS = 256
FORM_LEAD = {
    "name": "林知夏",
    "phone": "19921000001",
    "email": "lin@example.com",
    "company": "青禾设计公司",
    "product": "CRM",
    "message": "50 人用，怎么收费？能先看演示吗",
}
NORTH_LEAD = {
    "name": "徐亮",
    "phone": "19910000001",
    "company": "北辰仪器",
    "title": "采购经理",
    "region": "北京",
    "product": "工单系统",
    "message": "想尽快换系统，先发个报价",
}
NOWHERE_LEAD = {"name": "丁宁", "phone": "19900000009", "region": "香港", "product": "CRM"}


def chromium() -> str:
    """Raises SystemExit, with what to install."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("needs chromium: apt-get install chromium fonts-noto-cjk")
    return found


def save(png: bytes, name: str) -> None:
    """As small as it gets without being ugly. Raises ValueError for what is too large to load."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    file = IMAGES / f"{name}.png"
    picture.save(file, optimize=True)
    if file.stat().st_size > MOST_BYTES:
        picture.quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{file.name}: {size} bytes, at most {MOST_BYTES}")
    print(f"{file.name}: {picture.width}x{picture.height}, {size // 1000} kB")  # noqa: T201


class Sandbox:
    """The page with all phones, and the hands that work it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def phone(self, name: str) -> Locator:
        return self.page.locator(f"[data-phone='{name}']")

    def newest(self, name: str, words: str) -> Locator:
        """The newest message on a phone that says ``words``."""
        return self.phone(name).locator(".message").filter(has_text=words).last

    async def says(self, name: str, line: str) -> None:
        await self.phone(name).locator(".say input").fill(line)
        await self.phone(name).get_by_role("button", name="发送").click()

    async def presses(self, name: str, caption: str, *, then: str) -> None:
        """Press the newest button of that caption; ``then``: what has to appear."""
        await self.phone(name).get_by_role("button", name=caption, exact=True).last.click()
        await expect(self.newest(name, then)).to_be_visible()

    async def fills_form(self, lead: dict[str, str]) -> None:
        form = self.page.frame_locator("#form")
        for field, value in lead.items():
            await form.locator(f"[name='{field}']").fill(value)
        await form.locator("[name='consent']").check()
        await form.get_by_role("button", name="提交").click()
        await expect(form.locator("body")).to_contain_text("收到了")

    async def moves_clock(self, name: str) -> None:
        await self.page.get_by_role("button", name=name).click()
        await expect(self.page.locator("#flow")).to_be_hidden(timeout=60_000)

    async def looks_at(self, name: str, words: str, shot: str) -> None:
        """Take a close-up of the newest message that says ``words``."""
        message = self.newest(name, words)
        await expect(message).to_be_visible()
        for drawn in await message.locator("img").all():
            await expect(drawn).to_have_js_property("complete", value=True)
        await self.phone(name).scroll_into_view_if_needed()
        await message.scroll_into_view_if_needed()
        await self.page.mouse.move(0, 0)
        close = message.locator(".card, .bubble").first
        save(await close.screenshot(animations="disabled"), shot)


async def play(sandbox: Sandbox, demo: Demo) -> None:
    """Monday: enquiries, the first calls, the pool, the digest."""
    await sandbox.fills_form(FORM_LEAD)
    await post(demo, NORTH_LEAD)
    await sandbox.looks_at("wecom:lilei", "林知夏", "card-wecom")
    await sandbox.looks_at("dingtalk:wangqiang", "徐亮", "card-dingtalk")
    await call(sandbox)
    await post(demo, NOWHERE_LEAD)
    await sandbox.looks_at("wecom:chenzg", "请分配", "card-manager")
    await sandbox.says("wecom:hanmei", "公海")
    await sandbox.looks_at("wecom:hanmei", "点一条就领走", "card-pool")
    await whole(sandbox)
    await decide(sandbox)
    await sandbox.moves_clock("18:30")
    await sandbox.page.set_viewport_size({"width": 1600, "height": 1400})
    await sandbox.looks_at("wecom-group", "日报", "digest-wecom")
    await sandbox.looks_at("dingtalk-group", "日报", "digest-dingtalk")


async def call(sandbox: Sandbox) -> None:
    """Both reps take theirs, and one logs what was said."""
    await sandbox.presses("wecom:lilei", "接受", then="请联系 #6")
    await sandbox.says("wecom:lilei", "跟进 6 电话 聊了报价 12万 #关注价格 下周三下午3点再约")
    await expect(sandbox.newest("wecom:lilei", "记下")).to_be_visible()
    await sandbox.looks_at("wecom:lilei", "下次联系", "card-followed")
    await sandbox.presses("dingtalk:wangqiang", "接受", then="请联系 #7")
    await sandbox.presses("dingtalk:wangqiang", "没接通", then="1/6")


async def decide(sandbox: Sandbox) -> None:
    """The manager assigns, somebody claims, somebody signs."""
    await sandbox.presses("wecom:chenzg", "给赵敏", then="已由 赵敏 接手")
    await sandbox.presses("dingtalk:zhaomin", "接受", then="请联系 #8")
    await sandbox.presses("wecom:hanmei", "领取 #5", then="请联系 #5")
    await sandbox.says("wecom:hanmei", "成交 2 8万")
    await expect(sandbox.newest("wecom:hanmei", "辛苦了")).to_be_visible()


async def whole(sandbox: Sandbox) -> None:
    """The whole page, every phone showing its newest message."""
    await sandbox.page.evaluate(TO_THE_END)
    await sandbox.page.mouse.move(0, 0)
    save(await sandbox.page.screenshot(animations="disabled"), "sandbox")


async def post(demo: Demo, lead: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {demo.api_key}"}
    async with (
        ClientSession(headers=headers, raise_for_status=True) as http,
        http.post(f"{demo.url}/api/leads", json=lead),
    ):
        pass


async def form_on_a_phone(browser: Browser, demo: Demo) -> None:
    page = await browser.new_page(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True
    )
    await page.goto(f"{demo.url}/f/default")
    for field in ("name", "phone", "message"):
        await page.fill(f"[name='{field}']", FORM_LEAD[field])
    await page.check("[name='consent']")
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    save(await page.screenshot(animations="disabled"), "form")
    await page.close()


@asynccontextmanager
async def opened(browser: Browser, demo: Demo) -> AsyncIterator[Sandbox]:
    size: Any = {"width": 1600, "height": 1000}
    page = await browser.new_page(viewport=size, device_scale_factor=1.5)
    page.set_default_timeout(15_000)
    await page.goto(f"{demo.url}/sandbox/")
    await page.wait_for_selector("body.ready")
    yield Sandbox(page)
    await page.close()


async def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    clock = MovableClock(start=MONDAY.astimezone(UTC))
    with tempfile.TemporaryDirectory(prefix="leadbot-pictures-") as folder:
        async with open_demo(Path(folder), clock=clock) as demo, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGS)
            await form_on_a_phone(browser, demo)
            async with opened(browser, demo) as sandbox:
                await play(sandbox, demo)
            await browser.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
