"""DingTalk's event push over HTTP, from the encrypted body to who has access."""

import json

import pytest

from bot.platforms.dingtalk.crypto import DingTalkCrypto
from store import tables as t
from store.domain.quota import Api
from store.domain.team import Platform
from tests.bot.conftest import configured

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
DINGTALK = {"corp_id": "ding0corp", "client_id": "dingabc123", "client_secret": "s3cr3t",
            "mode": "http", "token": "leadtoken01", "encoding_aes_key": KEY}  # fmt: skip
LEFT = {"EventType": "user_leave_org", "CorpId": "ding0corp", "eventId": "e1",
        "UserId": ["wangqiang"]}  # fmt: skip


@pytest.fixture
async def web(database, start):
    return await start(configured(database, dingtalk=DINGTALK))


async def push(web, event):
    crypto = DingTalkCrypto(DINGTALK["token"], KEY, DINGTALK["client_id"])
    sealed = crypto.reply(json.dumps(event), timestamp="1700000000000", nonce="n1")
    query = {"msg_signature": sealed["msg_signature"], "timestamp": "1700000000000", "nonce": "n1"}
    body = {"encrypt": sealed["encrypt"]}
    async with web.client.post("/dingtalk/events", params=query, json=body) as answer:
        told = await answer.json()
        query = {"msg_signature": told["msg_signature"], "timestamp": told["timeStamp"],
                 "nonce": told["nonce"]}  # fmt: skip
        return answer.status, crypto.decrypt(query, told["encrypt"])


async def test_who_left_is_out_and_the_push_acknowledged(web):
    assert await push(web, LEFT) == (200, "success")
    assert await push(web, LEFT) == (200, "success")

    async with web.service.store.read() as tx:
        assert await tx.members.by_account(Platform.DINGTALK, "wangqiang") is None
    assert len(await web.rows(t.inbox)) == 1


@pytest.mark.parametrize(
    "event", [{"EventType": "check_url"}, LEFT | {"CorpId": "ding0other"}, {"EventType": "x"}]
)
async def test_what_means_nothing_is_acknowledged_too(web, event):
    assert await push(web, event) == (200, "success")

    assert await web.rows(t.inbox) == []


@pytest.mark.parametrize(
    ("kind", "paid"), [("bpms_instance_change", 1), ("check_url", 0), ("user_modify_org", 0)]
)
async def test_the_month_pays_for_every_event_but_those_of_the_directory(web, kind, paid):
    await push(web, {"EventType": kind, "CorpId": "ding0corp"})

    async with web.service.tally.begin() as tx:
        assert (await tx.quota.total(Api.DINGTALK_PUSHES)).count == paid
