"""The lead's page: WeCom says whose browser it is, the team says what they may see."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest
from aiohttp import ClientSession, CookieJar
from yarl import URL

from bot.config import parse
from bot.routes_app import LOGIN, SESSION, Signer, session_key
from bot.sandbox.wecom.login import OUTSIDER
from tests.bot.conftest import configured
from tests.conftest import FakeClock
from tests.scenarios.world import World, open_world

WECOM = {"User-Agent": "Mozilla/5.0 (iPhone) wxwork/4.1.30 MicroMessenger/7.0.1"}


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[World]:
    """The demo: two platforms, so a browser that is neither's is not let in."""
    async with open_world(tmp_path) as opened:
        yield opened


class Browser:
    """Keeps cookies, follows nothing by itself; ``account`` is whose phone it is."""

    def __init__(self, world: World, http: ClientSession, account: str) -> None:
        self.world, self.http, self.account = world, http, account

    async def get(self, url: str, headers=WECOM):
        async with self.http.get(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def opens(self, path: str):
        """Through the login if one is asked for: the status and the text in the end."""
        status, location, text = await self.get(f"{self.world.url}{path}")
        if status == 302:
            _, back, text = await self.get(str(URL(location) % {"as": self.account}))
            status, location, text = await self.get(back)
        if status == 302:
            status, _, text = await self.get(f"{self.world.url}{location}")
        return status, text


@pytest.fixture
async def browser(world) -> AsyncIterator:
    sessions = []

    def browser(account: str) -> Browser:
        sessions.append(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        return Browser(world, sessions[-1], account)

    yield browser
    for session in sessions:
        await session.close()


@pytest.fixture
async def lead(world) -> int:
    """Taken by 李雷, with a follow-up."""
    posted = await world.posts(
        name="欧阳文静", phone="13912345678", company="云栖", message="想要报价", rep="李雷"
    )
    number = posted["id"]
    phone = world.phone("wecom:lilei")
    await phone.sees_card_of(number)
    await phone.says(f"领取 {number}")
    await phone.says(f"跟进 {number} 电话 聊了预算")
    return number


async def test_the_owner_sees_it_whole_with_its_story(browser, lead):
    status, text = await browser("lilei").opens(f"/app/leads/{lead}")

    assert status == 200
    for words in ("欧阳文静", "139", "想要报价", "聊了预算", "进线"):
        assert words in text


async def test_a_colleague_sees_it_masked_and_without_its_story(browser, lead):
    status, text = await browser("hanmei").opens(f"/app/leads/{lead}")

    assert status == 200
    assert f"#{lead}" in text
    for words in ("欧阳文静", "13912345678", "想要报价", "聊了预算", "云栖"):
        assert words not in text


async def test_the_manager_sees_it_whole(browser, lead):
    _, text = await browser("chenzg").opens(f"/app/leads/{lead}")

    assert "欧阳文静" in text


async def test_who_is_logged_in_is_not_sent_away_again(browser, lead, world):
    mine = browser("lilei")
    await mine.opens(f"/app/leads/{lead}")

    status, _, _ = await mine.get(f"{world.url}/app/leads/{lead}")

    assert status == 200


@pytest.mark.parametrize("account", [OUTSIDER, "nobody"])
async def test_a_customer_and_a_stranger_are_let_in_nowhere(browser, lead, account):
    status, text = await browser(account).opens(f"/app/leads/{lead}")

    assert status in {400, 403}
    assert "欧阳" not in text


async def test_a_code_opens_once_and_only_the_browser_that_asked(browser, lead, world):
    mine, other = browser("lilei"), browser("hanmei")
    _, location, _ = await mine.get(f"{world.url}/app/leads/{lead}")
    _, back, _ = await mine.get(str(URL(location) % {"as": "lilei"}))

    stolen, _, _ = await other.get(back)
    first, _, _ = await mine.get(back)
    again, _, text = await mine.get(back)

    assert (stolen, first, again) == (400, 302, 400)
    assert "再点一次" in text


async def test_a_login_begun_too_long_ago_is_begun_again(browser, lead, world):
    mine = browser("lilei")
    _, location, _ = await mine.get(f"{world.url}/app/leads/{lead}")
    await world.move(minutes=15)
    _, back, _ = await mine.get(str(URL(location) % {"as": "lilei"}))

    status, _, _ = await mine.get(back)

    assert status == 400


async def test_any_browser_is_sent_to_the_one_platform_there_is(start, sqlite):
    web = await start(configured(sqlite, wecom=wecom("a")))

    async with web.client.get("/app/leads/1", allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"].startswith("https://open.weixin.qq.com/connect/oauth2/")


async def test_without_a_platform_there_are_no_such_pages(lite):
    async with lite.client.get("/app/leads/1", allow_redirects=False) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("number", ["0", "abc", "99999999999999999999", "-1", "1%00"])
async def test_nonsense_is_no_page(browser, world, number):
    status, _, _ = await browser("lilei").get(f"{world.url}/app/leads/{number}")

    assert status == 404


async def test_a_lead_that_is_not_there_is_said_so(browser, world):
    status, text = await browser("lilei").opens("/app/leads/9999")

    assert status == 404
    assert "9999" in text


async def test_the_cookies_are_for_the_pages_alone(browser, lead, world):
    async with (
        ClientSession() as http,
        http.get(f"{world.url}/app/leads/{lead}", headers=WECOM, allow_redirects=False) as answer,
    ):
        cookie = SimpleCookie(answer.headers["Set-Cookie"])[LOGIN]
        location = URL(answer.headers["Location"])

    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/app")
    assert location.fragment == "wechat_redirect"
    assert location.query["scope"] == "snsapi_base"
    assert location.query["state"].isalnum()


async def test_a_forged_session_is_none(browser, lead, world):
    forged = Signer(b"guessed", lambda: datetime.now(UTC)).sign(
        {"platform": "wecom", "account": "chenzg"}, timedelta(days=1)
    )
    headers = WECOM | {"Cookie": f"{SESSION}={forged}"}

    status, _, text = await browser("lilei").get(f"{world.url}/app/leads/{lead}", headers=headers)

    assert status == 302
    assert "欧阳" not in text


async def test_what_the_js_sdk_needs_is_signed_for_our_pages_and_people_only(browser, lead, world):
    mine = browser("lilei")
    page = f"{world.url}/app/leads/{lead}"
    refused, _, _ = await mine.get(f"{world.url}/app/jssdk?url={page}")
    await mine.opens(f"/app/leads/{lead}")

    foreign, _, _ = await mine.get(f"{world.url}/app/jssdk?url=http://evil.example/")
    status, _, text = await mine.get(f"{world.url}/app/jssdk?url={page}")

    assert (refused, foreign, status) == (403, 400, 200)
    assert '"signature"' in text


def test_a_cookie_changed_by_a_letter_or_too_old_is_nothing():
    clock = FakeClock()
    signer = Signer(b"key", clock)
    cookie = signer.sign({"account": "lilei"}, timedelta(hours=1))
    read = [signer.read(c) for c in (cookie, "x" + cookie, cookie[:-1], "", "é.é", cookie)]
    clock.tick(hours=1)

    assert [r.get("account") for r in read] == ["lilei", None, None, None, None, "lilei"]
    assert signer.read(cookie) == {}


def test_a_new_secret_ends_every_session():
    def key(secret):
        return session_key(parse({"wecom": wecom(secret)}))

    assert key("a") == key("a")
    assert key("a") != key("b")


def wecom(secret):
    return {
        "corp_id": "ww1",
        "agent_id": 1000002,
        "secret": secret,
        "token": "t",
        "encoding_aes_key": "a" * 43,
    }
