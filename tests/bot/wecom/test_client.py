import asyncio
import logging
import re
import traceback
from datetime import timedelta

import pytest
from aiohttp import web

from bot.platforms.shared import SharedHolds, SharedTokens
from bot.platforms.wecom.client import WeComClient, WeComError
from store.domain.errors import Down, Held, Later, Lost, Undeliverable
from tests.bot.wecom import given
from tests.bot.wecom.given import refusal

HINTED = (
    "no, hint: [1789012345], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com"
)


async def test_twenty_cold_calls_fetch_one_token(client, gateway):
    answers = await asyncio.gather(*(client.call("agent/get") for _ in range(20)))

    assert [answer["errcode"] for answer in answers] == [0] * 20
    assert len(gateway.calls("gettoken")) == 1
    assert gateway.calls("gettoken")[0].query == {
        "corpid": given.CORP,
        "corpsecret": "s3cr3t-of-the-app",
    }


async def test_a_token_is_kept_until_five_minutes_before_it_runs_out(client, gateway, clock):
    await client.call("agent/get")
    clock.forward(minutes=114)
    await client.call("agent/get")
    kept = gateway.handed_out
    clock.forward(minutes=2)
    await client.call("agent/get")

    assert (kept, gateway.handed_out) == (1, 2)


async def test_a_token_that_lives_five_seconds_is_used_more_than_once(client, gateway, clock):
    gateway.answers("gettoken", {**gateway.hand_out(), "expires_in": 5})

    await client.call("agent/get")
    clock.forward(seconds=3)
    await client.call("agent/get")

    assert len(gateway.calls("gettoken")) == 1


async def test_a_zero_that_comes_as_a_text_is_a_success(client, gateway):
    # One published answer has it so, and it was asked for again and again.
    gateway.answers("message/send", {"errcode": "0", "msgid": "m1"})

    assert (await client.call("message/send", {}))["msgid"] == "m1"


@pytest.mark.parametrize("code", [40014, 42001])
async def test_a_token_that_went_bad_is_renewed_once_and_the_call_repeated_once(
    client, gateway, code
):
    gateway.answers("message/send", refusal(code), {"errcode": 0, "msgid": "m1"})

    answer = await client.call("message/send", {"touser": "lilei"})

    assert answer["msgid"] == "m1"
    assert gateway.handed_out == 2
    tokens = [seen.query["access_token"] for seen in gateway.calls("message/send")]
    assert tokens == ["token-1", "token-2"]


@pytest.mark.parametrize("code", [40014, 42001])
async def test_a_token_that_is_never_good_costs_two_tries_and_waits(client, gateway, code):
    gateway.always["message/send"] = refusal(code)

    with pytest.raises(Later):
        await client.call("message/send", {})

    assert len(gateway.calls("message/send")) == 2
    assert gateway.handed_out == 2


async def test_ten_calls_under_an_expired_token_renew_it_once(client, gateway):
    await client.call("agent/get")
    gateway.valid.clear()

    await asyncio.gather(*(client.call("agent/get") for _ in range(10)))

    assert gateway.handed_out == 2


async def test_a_failed_token_fetch_fails_everybody_who_waits_for_it_once(client, gateway):
    gateway.answers("gettoken", web.Response(status=502))

    errors = await asyncio.gather(
        *(client.call("agent/get") for _ in range(20)), return_exceptions=True
    )

    assert {type(error) for error in errors} == {Down}
    assert len(gateway.calls("gettoken")) == 1
    assert (await client.call("agent/get"))["errcode"] == 0


async def test_a_wrong_secret_is_hardly_asked_again_and_was_every_ten_minutes(
    client, gateway, clock
):
    gateway.always["gettoken"] = refusal(40001, "invalid credential")

    for _ in range(3 * 24 * 12):
        with pytest.raises(WeComError, match=r"40001.*secret") as refused:
            await client.call("message/send", {})
        clock.forward(minutes=5)

    assert refused.value.code == 40001
    assert refused.value.after <= timedelta(minutes=10)
    # After 1, 3, 7, 15 and 31 hours, and once a day from then on.
    assert 6 <= len(gateway.calls("gettoken")) <= 7


async def test_a_banned_address_does_not_ask_again_at_once(client, gateway):
    gateway.always["gettoken"] = refusal(45009)

    for _ in range(3):
        with pytest.raises(Later):
            await client.call("message/send", {})

    assert len(gateway.calls("gettoken")) == 1


async def test_a_cancelled_caller_does_not_take_the_token_from_the_others(client, gateway):
    first = asyncio.create_task(client.call("agent/get"))
    second = asyncio.create_task(client.call("agent/get"))
    await asyncio.wait({first}, timeout=0)
    first.cancel()

    assert (await second)["errcode"] == 0
    assert gateway.handed_out == 1


@pytest.mark.parametrize(("code", "seconds"), [(45009, 60), (45033, 1), (45035, 1), (41063, None)])
async def test_what_wecom_does_not_want_now_is_asked_later(client, gateway, code, seconds):
    gateway.always["message/send"] = refusal(code)

    with pytest.raises(Later) as later:
        await client.call("message/send", {})

    assert (later.value.after and later.value.after.total_seconds()) == seconds
    assert len(gateway.calls("message/send")) == 1


async def test_a_busy_platform_is_asked_three_times_more_and_then_later(client, gateway):
    gateway.always["message/send"] = refusal(-1)

    with pytest.raises(Later) as later:
        await client.call("message/send", {})

    assert later.value.after == timedelta(seconds=1)
    assert len(gateway.calls("message/send")) == 4


async def test_one_that_is_busy_all_the_time_is_asked_once_a_try(client, gateway, clock):
    gateway.always["message/send"] = refusal(-1)

    for _ in range(5):
        with pytest.raises(Later) as later:
            await client.call("message/send", {})
        clock.forward(seconds=later.value.after.total_seconds())

    assert len(gateway.calls("message/send")) == 4 + 4


async def test_a_platform_that_was_busy_for_a_moment_is_not_noticed(client, gateway):
    gateway.answers("message/send", refusal(-1), {"errcode": 0, "msgid": "m1"})

    assert (await client.call("message/send", {}))["msgid"] == "m1"


@pytest.mark.parametrize("code", [40003, 50002, 60011, 60111, 81013, 42035, 82001, 999999])
async def test_a_no_is_final_and_tells_its_code(client, gateway, code):
    gateway.always["message/send"] = refusal(code, HINTED)

    with pytest.raises(WeComError, match=f"message/send: {code}, ") as refused:
        await client.call("message/send", {})

    assert refused.value.code == code
    assert isinstance(refused.value, Undeliverable)
    assert len(gateway.calls("message/send")) == 1


@pytest.mark.parametrize(
    ("code", "channel", "minutes"),
    [
        (40001, "wecom", 1),
        (40013, "wecom", 1),
        (40056, "wecom", 1),
        (43012, "wecom_cards", None),
        (48002, "wecom", 1),
        (48006, "wecom", 1),
        (50003, "wecom", 1),
        (60020, "wecom", 1),
        (301002, "wecom", 1),
    ],
)
async def test_what_an_admin_can_mend_waits_and_says_what_to_do(
    client, gateway, code, channel, minutes
):
    gateway.always["message/send"] = refusal(code, HINTED)

    with pytest.raises(Later) as later:
        await client.call("message/send", {})

    assert later.value.after == (timedelta(minutes=minutes) if minutes else None)
    assert later.value.alarm.key == f"{channel}:{code}"
    assert re.search(r"[：，].*[到抄]", later.value.alarm.text)
    assert len(gateway.calls("message/send")) == 1


@pytest.mark.parametrize("code", [93000, 93004, 93006, 93008])
async def test_a_robot_that_is_gone_waits_for_the_admin_too(client, gateway, code):
    """It was given up: the digest of the day never came."""
    gateway.always["webhook/send"] = refusal(code)

    with pytest.raises(Later) as later:
        await client.post_to_group({"msgtype": "text"})

    assert later.value.alarm.key == f"wecom_group:{code}"
    assert "机器人" in later.value.alarm.text


@pytest.mark.parametrize("code", [40014, 42001])
async def test_a_token_refused_although_it_is_new_stops_all_calls_and_tells_the_admin(
    client, gateway, code
):
    """Every row that waited fetched another token, two of them each time."""
    gateway.always["message/send"] = refusal(code)

    with pytest.raises(Later) as first:
        await client.call("message/send", {})
    for path in ["message/send", "menu/get"] * 10:
        with pytest.raises(Held):
            await client.call(path, {})

    assert first.value.alarm.key == f"wecom:{code}"
    assert (len(gateway.calls("message/send")), gateway.handed_out) == (2, 2)


async def test_a_page_on_the_wrong_domain_is_final_and_told(client, gateway):
    gateway.answers("auth/getuserinfo", refusal(50001))

    with pytest.raises(WeComError) as refused:
        await client.call("auth/getuserinfo", params={"code": "c"})

    assert not isinstance(refused.value, Later)
    assert refused.value.alarm.key == "wecom_login:50001"


async def test_an_unknown_code_is_logged_with_its_hint(client, gateway, capsys):
    gateway.answers("message/send", refusal(999999, HINTED))

    with pytest.raises(WeComError):
        await client.call("message/send", {})

    assert "hint: [1789012345]" in capsys.readouterr().out


async def test_calls_that_must_not_be_parallel_go_one_by_one_from_then_on(client, gateway, clock):
    """Each of them was refused again and again, whatever its own back-off was."""
    gateway.answers("externalcontact/remark", refusal(45033))
    with pytest.raises(Later):
        await client.call("externalcontact/remark", {})
    clock.forward(seconds=1)

    await asyncio.gather(*(client.call("externalcontact/remark", {}) for _ in range(8)))

    assert gateway.most_at_once["externalcontact/remark"] == 1


# -- what is held back ---------------------------------------------------------


async def test_one_frequency_limit_holds_that_api_and_no_other(client, gateway, clock):
    """Every waiting row asked by itself, one call each, every minute."""
    gateway.always["message/send"] = refusal(45009)
    with pytest.raises(Later):
        await client.call("message/send", {})

    for _ in range(50):
        with pytest.raises(Held):
            await client.call("message/send", {})
    await client.call("message/update_template_card", {})

    assert len(gateway.calls("message/send")) == 1


async def test_a_limit_that_lasts_is_asked_about_less_and_less_often(client, gateway, clock):
    gateway.always["message/send"] = refusal(45009)

    for _ in range(24 * 60 * 6):
        with pytest.raises(Later):
            await client.call("message/send", {})
        clock.forward(seconds=10)

    # After 1, 3, 7, 15, 31, 63 minutes, and once an hour from then on.
    assert 28 <= len(gateway.calls("message/send")) <= 31


async def test_once_it_goes_well_the_next_limit_is_a_minute_again(client, gateway, clock):
    gateway.answers("message/send", refusal(45009), refusal(45009), {"errcode": 0})
    gateway.always["message/send"] = refusal(45009)
    waits = []
    for _ in range(4):
        try:
            await client.call("message/send", {})
        except Later as later:
            waits.append(later.after)
            clock.forward(seconds=later.after.total_seconds())

    assert waits == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=1)]


@pytest.fixture
def processes(store, session, base, clock):
    """Two of them, with one database."""
    about = given.settings(api_base=base)
    shared = (SharedTokens(store), SharedHolds(store))
    return [WeComClient(session, about, clock, *shared) for _ in range(2)]


async def test_what_one_process_is_told_all_of_them_heed(processes, gateway, clock):
    one, other = processes
    gateway.always["message/send"] = refusal(45009)
    with pytest.raises(Later):
        await one.call("message/send", {})

    with pytest.raises(Held) as held:
        await other.call("message/send", {})

    assert held.value.after == timedelta(seconds=60)
    assert len(gateway.calls("message/send")) == 1
    assert (await other.call("agent/get"))["errcode"] == 0


async def test_when_the_window_is_over_one_call_goes_ahead(processes, gateway, clock):
    """All of them asked at once, and were refused at once."""
    gateway.always["message/send"] = refusal(45009)
    calls = [one.call for one in processes * 10]
    await asyncio.gather(*(call("message/send", {}) for call in calls[:1]), return_exceptions=True)
    clock.forward(seconds=61)

    errors = await asyncio.gather(
        *(call("message/send", {}) for call in calls), return_exceptions=True
    )

    assert len(gateway.calls("message/send")) == 2
    assert sum(isinstance(error, Held) for error in errors) == 19
    assert max(error.after for error in errors) == timedelta(minutes=2)


async def test_the_call_that_goes_well_lets_the_others_go(processes, gateway, clock):
    one, other = processes
    gateway.answers("message/send", refusal(45009))
    with pytest.raises(Later):
        await one.call("message/send", {})
    clock.forward(seconds=61)

    await other.call("message/send", {})
    answers = await asyncio.gather(*(one.call("message/send", {}) for _ in range(10)))

    assert {answer["errcode"] for answer in answers} == {0}


async def test_a_try_that_was_not_answered_leaves_the_turn_to_the_next(processes, gateway, clock):
    one, other = processes
    gateway.answers("message/send", refusal(45009), given.HANG_UP)
    with pytest.raises(Later):
        await one.call("message/send", {})
    clock.forward(seconds=61)
    with pytest.raises(Lost):
        await one.call("message/send", {})

    assert (await other.call("message/send", {}))["errcode"] == 0


async def test_an_untrusted_address_stops_the_app_in_every_process_and_not_the_robot(
    session, base, store, clock, gateway
):
    robot = f"{base}/cgi-bin/webhook/send?key=robot-key"
    about = given.settings(api_base=base, group_webhook=robot)
    one, other = (
        WeComClient(session, about, clock, SharedTokens(store), SharedHolds(store))
        for _ in range(2)
    )
    gateway.answers("message/send", refusal(60020, HINTED))
    with pytest.raises(Later) as told:
        await one.call("message/send", {})

    with pytest.raises(Held):
        await other.call("externalcontact/get", params={"external_userid": "wm1"})

    await other.post_to_group({"msgtype": "text"})
    assert "203.0.113.7" in told.value.alarm.text
    clock.forward(seconds=61)
    assert (await other.call("message/send", {}))["errcode"] == 0


async def test_another_secret_is_not_held_back_by_the_wrong_one(
    session, base, store, clock, gateway
):
    gateway.answers("gettoken", refusal(40001))
    shared = (SharedTokens(store), SharedHolds(store))
    wrong = WeComClient(session, given.settings(api_base=base), clock, *shared)
    same = WeComClient(session, given.settings(api_base=base), clock, *shared)
    mended = WeComClient(session, given.settings(api_base=base, secret="new"), clock, *shared)
    with pytest.raises(WeComError):
        await wrong.call("message/send", {})

    with pytest.raises(Later):
        await same.call("message/send", {})

    assert len(gateway.calls("gettoken")) == 1
    assert (await mended.call("message/send", {}))["errcode"] == 0


async def test_a_restart_asks_once_more_with_the_same_secret(processes, gateway):
    one, other = processes
    gateway.answers("gettoken", refusal(40001))
    with pytest.raises(WeComError):
        await one.call("message/send", {})
    with pytest.raises(Held) as held:
        await other.call("message/send", {})

    await one.try_again()
    restarted = type(one)(one._session, one._settings, one._clock, one._tokens, one._holds)

    assert held.value.after == timedelta(minutes=10)
    assert (await restarted.call("message/send", {}))["errcode"] == 0


async def test_an_untrusted_address_is_named_so_that_it_can_be_entered(client, gateway):
    gateway.always["message/send"] = refusal(60020, HINTED)

    with pytest.raises(WeComError, match=r"企业可信IP \(203\.0\.113\.7\)"):
        await client.call("message/send", {})


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500, text='{"errcode":0}'),
        web.Response(status=403, text='{"error":"denied"}'),
        web.Response(text="<html>Log in to the hotel's network</html>", content_type="text/html"),
        web.Response(text=""),
        web.Response(text="[]"),
        web.Response(text='{"errcode":"none"}'),
        web.Response(body=b"\xff\xfe\x00"),
    ],
    ids=["500", "403", "html", "empty", "list", "odd code", "bytes"],
)
async def test_what_is_not_wecom_talking_is_tried_later(client, gateway, answer):
    gateway.answers("message/send", answer)

    with pytest.raises(Later):
        await client.call("message/send", {})


@pytest.mark.parametrize("status", [301, 404])
async def test_a_base_that_is_not_wecoms_is_final(client, gateway, status):
    gateway.answers("message/send", web.Response(status=status, headers={"Location": "/"}))

    with pytest.raises(Undeliverable, match="api_base"):
        await client.call("message/send", {})


async def test_a_success_without_errcode_is_a_success(client, gateway):
    gateway.answers("getcallbackip", {"ip_list": ["101.226.103.*"]})

    assert (await client.call("getcallbackip"))["ip_list"] == ["101.226.103.*"]


async def test_a_call_without_body_is_a_get_and_chinese_travels_as_utf_8(client, gateway):
    await client.call("externalcontact/get", params={"external_userid": "wm+/="})
    await client.call("message/send", {"text": {"content": "线索\ud800"}})

    _, get, post = gateway.seen
    assert (get.method, get.query["external_userid"]) == ("GET", "wm+/=")
    assert (post.method, post.raw.decode()) == ("POST", '{"text": {"content": "线索?"}}')


async def test_a_group_robot_is_posted_to_without_a_token(client, gateway):
    await client.post_to_group({"msgtype": "text", "text": {"content": "日报"}})

    assert [seen.query for seen in gateway.seen] == [{"key": "robot-key"}]


async def test_a_group_that_is_not_configured_is_undeliverable(session, base, clock):
    client = WeComClient(session, given.settings(api_base=base), clock)

    with pytest.raises(Undeliverable, match="group_webhook"):
        await client.post_to_group({})


async def test_a_silent_platform_is_later(session, clock, free_port):
    client = WeComClient(session, given.settings(api_base=f"http://127.0.0.1:{free_port}"), clock)

    with pytest.raises(Later, match=r"gettoken: Client\w+Error") as later:
        await client.call("message/send", {})

    assert not isinstance(later.value, Lost)


async def test_a_connection_that_breaks_off_is_later(client, gateway):
    gateway.answers("message/send", given.HANG_UP)

    with pytest.raises(Lost, match="message/send: Server") as later:
        await client.call("message/send", {})

    assert (later.value.__cause__, later.value.__context__) == (None, None)


def told(error):
    """Everything a logger or an error tracker could find: texts, causes, contexts."""
    found = "".join(traceback.format_exception(error))
    while error := error.__cause__ or error.__context__:
        found += repr(error) + repr(vars(error))
    return found


@pytest.mark.parametrize(
    "answer",
    [
        refusal(40013, "invalid corpid s3cr3t-of-the-app token-1"),
        refusal(999999, "odd s3cr3t-of-the-app token-1 robot-key"),
        refusal(42001, "token-1"),
        refusal(45009, "token-1"),
        web.Response(status=502, text="token-1"),
        web.Response(text="<html>token-1</html>"),
        given.HANG_UP,
    ],
)
async def test_no_error_and_no_log_tells_a_secret(client, gateway, caplog, answer):
    caplog.set_level(logging.DEBUG)
    await client.call("agent/get")
    gateway.answers("message/send", answer, refusal(42001))

    with pytest.raises((Later, Undeliverable)) as caught:
        await client.call("message/send", {})

    logged = "".join(r.getMessage() for r in caplog.records if r.name != "aiohttp.access")
    everything = told(caught.value) + repr(client) + logged
    for secret in ("s3cr3t-of-the-app", "robot-key", "access_token=", "corpsecret="):
        assert secret not in everything
    assert "token-1" not in str(caught.value)
