"""The page in a real browser, driven the way a visitor would."""

import shutil

import pytest
from playwright.async_api import async_playwright, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATIENCE = 60_000
"""Milliseconds somebody looks at the page before giving up."""
expect.set_options(timeout=PATIENCE)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


@pytest.fixture
async def page(product):
    product.answer = product.play
    await product.connect()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        opened = await browser.new_page(viewport={"width": 1366, "height": 768})
        opened.set_default_timeout(PATIENCE)
        opened.errors = []
        opened.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.on("console", lambda m: opened.errors.append(m.text) if m.type == "error" else None)
        opened.outside = []
        opened.on("request", lambda request: opened.outside.append(request.url))
        await opened.goto(f"{product.url}/sandbox/")
        await opened.wait_for_selector("body.ready")
        yield opened
        await browser.close()


async def submit_form(page):
    await page.click("#form-fill")
    await page.frame_locator("#form").locator("button").click()


async def test_a_visitor_goes_once_round_by_clicking(product, page):
    lilei = page.locator("[data-phone='wecom:lilei']")
    await submit_form(page)
    await lilei.get_by_role("button", name="接受").click()
    await expect(lilei.locator(".head")).to_contain_text("归你了")
    for sentence in ("跟进", "退回"):
        await lilei.locator(".chips .sentence", has_text=sentence).click()
        await lilei.get_by_role("button", name="发送").click()
    await expect(lilei.locator(".bubble").last).to_contain_text("已退回")
    await page.get_by_role("button", name="+1 天").click()
    await page.get_by_role("tab", name="邮箱").click()
    await page.locator(".mail").first.click()
    await page.locator(".letter a").first.click()
    await expect(page.frame_locator("#web").locator("h2")).to_have_text("产品介绍")
    await page.get_by_role("button", name="18:30").click()

    await expect(page.locator(".tour .done")).to_have_count(7)
    await expect(page.locator("[data-phone='wecom-group'] .bubble").first).to_contain_text(
        "今日线索"
    )
    assert page.errors == []
    assert [url for url in page.outside if not url.startswith((product.url, "data:"))] == []


async def test_the_menu_the_group_and_a_code_are_there_to_be_pressed(product, state, page):
    state.offers(
        [{"name": "更多", "sub_button": [{"type": "click", "name": "公海", "key": "/公海"}]}]
    )
    state.printed(["展会"])

    await page.locator("[data-phone='wecom:lilei'] .menubar summary").click()
    await page.locator("[data-phone='wecom:lilei'] .menubar").get_by_text("公海").click()
    await page.get_by_role("tab", name="微信").click()

    await expect(page.get_by_role("button", name="「展会」的活码")).to_be_visible()
    # It said that nothing can be said in WeCom's groups, where the AI bot listens.
    await expect(page.locator("[data-phone='wecom-group'] .say input")).to_have_count(1)
    assert "/公海" in [call.findtext("EventKey") for call in product.calls]
    assert page.errors == []


async def test_what_a_stranger_wrote_is_text_on_every_surface(product, state, agent, card, page):
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    link = f"[{evil}](javascript:document.title='owned') {evil}"
    for chat in ("wecom:lilei", "dingtalk:zhaomin", "wecom-group"):
        state.show(chat, "text", {"text": evil})
        state.show(chat, "markdown", {"title": "", "text": link})
    state.show(
        "wecom:lilei", "card", card(main_title={"title": evil}, quote_area={"quote_text": evil})
    )
    await product.mail(html=f"<p>{evil}</p><a href=\"javascript:document.title='owned'\">x</a>")

    await page.get_by_role("tab", name="邮箱").click()
    await page.locator(".mail").first.click()
    await expect(page.locator("[data-phone='wecom:lilei'] .head b")).to_have_text(evil)

    assert await page.title() == "线索助手 · 沙盒"
    assert await page.locator(".chat script, .chat img").count() == 0


async def test_a_reloaded_page_shows_the_same(page):
    await submit_form(page)
    title = page.locator("[data-phone='wecom:lilei'] .head b")
    await expect(title).to_contain_text("#1")

    await page.reload()

    await expect(title).to_contain_text("#1")
    await expect(page.locator(".tour .done")).to_have_count(1)
