from datetime import UTC, datetime, timedelta

import pytest

from bot.platforms.wecom.newcomers import LIST, Newcomers
from handlers.contacts import Met
from store.domain.errors import Later
from tests.bot.wecom.given import refusal

SINCE = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def entry(external, at, **follow):
    about = {"userid": "lilei", "createtime": int(at.timestamp()), **follow}
    return {"external_contact": {"external_userid": external}, "follow_info": about}


async def test_who_came_since_is_found_on_every_page(client, gateway):
    old, new = entry("wm1", SINCE - timedelta(days=9)), entry("wm2", SINCE, state="展会")
    gateway.answers(
        LIST,
        {"external_contact_list": [old], "next_cursor": "c2"},
        {"external_contact_list": [new, {"external_contact": None}, "?"], "next_cursor": ""},
    )

    found = await Newcomers(client).since(["lilei", "hanmei"], SINCE)

    assert found == [Met(external_userid="wm2", userid="lilei", state="展会", at=SINCE)]
    assert [call.body["cursor"] for call in gateway.calls(LIST)] == ["", "c2"]


async def test_members_without_a_contact_are_no_error(client, gateway):
    gateway.answers(LIST, {**refusal(84061), "external_contact_list": []})

    assert await Newcomers(client).since(["lilei"], SINCE) == []


async def test_an_answer_without_the_list_is_no_empty_list(client, gateway):
    gateway.answers(LIST, {"errcode": 0})

    with pytest.raises(Later):
        await Newcomers(client).since(["lilei"], SINCE)
