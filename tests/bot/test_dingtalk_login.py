"""Opening a lead's page inside DingTalk."""

import re
import shutil

import pytest
from aiohttp import ClientSession, CookieJar, web
from playwright.async_api import async_playwright, expect
from yarl import URL

from bot.platforms.dingtalk.answers import DingTalkError
from bot.platforms.dingtalk.client import DingTalkClient
from bot.platforms.dingtalk.login import PATH, DingTalkLogin
from bot.platforms.login import LoginRefused
from store.domain.errors import Later
from store.domain.team import Platform
from tests.bot.company import company
from tests.bot.dingtalk.conftest import Clock, settings
from tests.bot.dingtalk.fakes import FakeApi
from tests.handlers.people import captured, says

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DINGTALK = {"User-Agent": "Mozilla/5.0 (iPhone) AliApp(DingTalk/7.6.10) com.laiwang.DingTalk"}


@pytest.fixture
async def firm(sqlite, clock):
    async with company(sqlite, clock) as firm:
        await firm.read()
        yield firm


@pytest.fixture
async def http():
    async with ClientSession(cookie_jar=CookieJar(unsafe=True), headers=DINGTALK) as http:
        yield http


async def get(http, url):
    async with http.get(url, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.text()


async def lead_of(firm, name="王强", account="wangqiang"):
    store = firm.service.store
    made = await captured(store, rep=name, name="苏禾")
    await says(store, account, f"领取 {made.id}", Platform.DINGTALK)
    return made.id


async def log_in(firm, http, account, path):
    """As the page does it: the client hands out a code, the page comes back with it."""
    _, headers, _ = await get(http, f"{firm.url}{path}")
    start = URL(headers["Location"])
    code = firm.sandbox.dingtalk.directory.issue(account)
    back = start.parent.with_query(code=code, state=start.query["state"])
    return back, await get(http, str(back))


async def test_the_owner_opens_the_page_from_a_chat(firm, http):
    number = await lead_of(firm)

    _, (status, headers, _) = await log_in(firm, http, "wangqiang", f"/app/leads/{number}")
    assert (status, headers["Location"]) == (302, f"/app/leads/{number}")

    status, _, text = await get(http, f"{firm.url}/app/leads/{number}")
    assert status == 200
    assert "苏禾" in text


async def test_the_page_asks_the_client_with_the_corps_and_the_apps_id(firm, http):
    _, headers, _ = await get(http, f"{firm.url}/app/leads/1")

    status, headers, text = await get(http, headers["Location"])

    org = firm.sandbox.dingtalk.org
    assert status == 200
    assert org.corp_id in text
    assert org.client_id in text
    assert org.client_secret not in text
    nonce = re.search(r"'nonce-([^']+)'", headers["Content-Security-Policy"])[1]
    assert text.count(f'nonce="{nonce}"') == 2


@pytest.mark.parametrize("state", ["", "<script>", "a" * 129, "x;y", "%22"])
async def test_nothing_else_gets_into_the_page(firm, http, state):
    url = URL(f"{firm.url}/app/login/dingtalk/start").with_query(state=state)

    status, _, text = await get(http, url)

    assert status == 400
    assert "<script>" not in text


async def test_a_code_works_once(firm, http):
    number = await lead_of(firm)
    back, _ = await log_in(firm, http, "wangqiang", f"/app/leads/{number}")

    status, _, _ = await get(http, str(back))

    assert status == 400


async def test_somebody_of_the_corp_who_is_not_in_the_team_is_told_so(firm, http):
    firm.sandbox.dingtalk.staff.hire("caiwu", "财务", 1)

    _, (status, _, text) = await log_in(firm, http, "caiwu", "/app/leads/1")

    assert status == 403
    assert "不在销售团队名单里" in text


async def test_who_leaves_is_out_of_the_page_at_once(firm, http):
    number = await lead_of(firm)
    await log_in(firm, http, "wangqiang", f"/app/leads/{number}")
    async with firm.service.store.begin() as tx:
        await tx.members.leave(Platform.DINGTALK, "wangqiang", tx.now)

    status, headers, _ = await get(http, f"{firm.url}/app/leads/{number}")

    assert status == 302
    assert "/app/login/" in headers["Location"]


@pytest.fixture
async def api(aiohttp_server):
    api = FakeApi()
    server = await aiohttp_server(api.app())
    api.base = str(server.make_url("")).rstrip("/")
    return api


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"errcode": 40078, "errmsg": "不存在的临时授权码"}, LoginRefused),
        ({"errcode": 0, "result": {"name": "x"}}, LoginRefused),
        ({"errcode": 0}, LoginRefused),
        ({"errcode": -1}, Later),
        ({"errcode": 33012}, DingTalkError),
    ],
)
async def test_an_answer_that_names_nobody_lets_nobody_in(api, answer, error):
    api.says(PATH, answer)
    async with ClientSession() as session:
        login = DingTalkLogin(DingTalkClient(session, settings(api.base), Clock()))

        with pytest.raises(error):
            await login.account("c0de")


STUB = """window.dd = { requestAuthCode: (asked) => {
  window.asked = asked;
  fetch("/code").then((r) => r.text()).then((code) => asked.onSuccess({ code }));
} };"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("stub", [STUB, STUB.replace("requestAuthCode:", "ready: (go) => go(), requestAuthCode:"),
    ("window.dd = { runtime: { permission: { requestAuthCode: "
    "(asked) => fetch('/code').then((r) => r.text()).then((code) => asked.onSuccess({ code })) } } };"),
])  # fmt: skip
async def test_the_page_logs_in_by_itself(sqlite, clock, aiohttp_server, stub):
    async def script(_request):
        return web.Response(text=stub, content_type="text/javascript")

    jsapi = web.Application()
    jsapi.router.add_get("/dingtalk.open.js", script)
    server = await aiohttp_server(jsapi)
    more = {"jsapi_url": str(server.make_url("/dingtalk.open.js"))}
    async with company(sqlite, clock, dingtalk=more) as firm, async_playwright() as playwright:
        await firm.read()
        number = await lead_of(firm)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(user_agent=DINGTALK["User-Agent"])
        code = firm.sandbox.dingtalk.directory.issue("wangqiang")
        await page.route("**/code", lambda route: route.fulfill(body=code))

        await page.goto(f"{firm.url}/app/leads/{number}")

        await expect(page.locator("body")).to_contain_text("苏禾")
        await browser.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
async def test_outside_of_dingtalk_the_page_says_where_to_open_it(sqlite, clock):
    more = {"jsapi_url": "http://127.0.0.1:9/dingtalk.open.js"}
    async with company(sqlite, clock, dingtalk=more) as firm, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()

        await page.goto(f"{firm.url}/app/login/dingtalk/start?state=abc")

        await expect(page.locator("#said")).to_have_text("请在钉钉里打开这个页面")
        await browser.close()
