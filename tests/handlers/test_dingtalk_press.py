"""A press on an interactive card of DingTalk: the answer is the card, and spares the call."""

from dataclasses import replace

import pytest

from bot.config import parse
from bot.dispatch import arrived, hear
from bot.incoming import Answer, Incoming, Press
from bot.platforms.dingtalk.presses import Presses
from bot.platforms.named import named
from bot.wiring import rules
from store.domain.team import Platform
from store.outbox import HOLD
from tests.conftest import team
from tests.handlers.people import IDS, captured, says

DINGTALK = {"corp_id": "d", "client_id": "d", "client_secret": "s", "card_template_id": "t.schema"}
PEOPLE = [
    {"name": "王强", "dingtalk": "wangqiang"},
    {"name": "赵敏", "dingtalk": "zhaomin"},
    {"name": "陈主管", "wecom": "chenzg", "role": "manager"},
]


@pytest.fixture
def settings(database):
    return parse(team(database={"url": database}, dingtalk=DINGTALK) | {"team": PEOPLE})


async def rows(store):
    """What is due now, on its way."""
    async with store.begin() as tx:
        return await tx.outbox.lease(50)


async def sent(store):
    """Everything that is due reaches its phone; lead cards as interactive ones."""
    for due in await rows(store):
        async with store.begin() as tx:
            kept = {"track_id": track(due.key)} if "card" in due.payload else {}
            await tx.outbox.sent(due, kept)


def track(key: str) -> str:
    return named(key, "0123456789ab", 100)


async def press(store, key: str, line: str, account="wangqiang", *, id_: str = "", on: str = ""):
    said = {"platform": Platform.DINGTALK, "id": id_ or f"card-{next(IDS)}", "account": account}
    return await hear(store, Incoming(**said, line=line, press=Press(task_id=on or track(key))))


def variables(answer) -> dict:
    return answer.body["cardData"]["cardParamMap"]


@pytest.fixture
async def mine(store):
    """A lead offered to 王强, whose card is on his phone."""
    new = await captured(store, rep="王强")
    await sent(store)
    return new.id, f"lead:{new.id}/1"


async def test_the_answer_shows_what_became_of_it_and_nothing_is_sent(store, mine, clock):
    number, key = mine

    answer = await press(store, key, f"/领取 {number}")
    held = [due.key for due in await rows(store)]
    await arrived(store, answer)
    clock.tick(minutes=1)

    assert "请联系" in variables(answer)["title"]
    assert answer.body["cardUpdateOptions"] == {
        "updateCardDataByKey": True,
        "updatePrivateDataByKey": True,
    }
    assert answer.body["userPrivateData"]["cardParamMap"]["canPress1"] == "true"
    assert key not in held
    assert key not in [due.key for due in await rows(store)]


async def test_an_answer_that_never_arrived_is_followed_by_a_call(store, mine, clock):
    number, key = mine

    await press(store, key, f"/领取 {number}")
    clock.tick(seconds=HOLD.total_seconds() + 1)

    [due] = [due for due in await rows(store) if due.key == key]
    assert not due.ring
    assert "请联系" in due.payload["card"]["cardParamMap"]["title"]


async def test_what_changes_between_answer_and_arrival_is_sent(store, mine, clock):
    number, key = mine

    answer = await press(store, key, f"/领取 {number}")
    await says(store, "chenzg", f"分配 {number} 赵敏")
    await arrived(store, answer)
    clock.tick(seconds=2)

    [due] = [due for due in await rows(store) if due.key == key]
    assert "赵敏" in due.payload["card"]["cardParamMap"]["title"]


async def test_a_repetition_does_nothing_and_answers_how_it_is_by_then(store, mine):
    number, key = mine
    await press(store, key, f"/领取 {number}", id_="card-1")
    await says(store, "chenzg", f"分配 {number} 赵敏")

    again = await press(store, key, f"/领取 {number}", id_="card-1")

    assert "赵敏" in variables(again)["title"]


async def test_a_refused_press_says_who_has_it_on_the_card(store, mine):
    number, key = mine
    await says(store, "chenzg", f"分配 {number} 赵敏")
    await sent(store)

    answer = await press(store, key, f"/领取 {number}")

    assert "赵敏" in variables(answer)["title"]
    assert answer.carries


async def test_a_card_in_flight_is_answered_and_sent_once_more(store, mine, clock):
    number, key = mine
    await says(store, "chenzg", f"分配 {number} 赵敏")
    clock.tick(seconds=2)
    [due] = [due for due in await rows(store) if due.key == key]

    answer = await press(store, key, f"/领取 {number}")
    async with store.begin() as tx:
        await tx.outbox.sent(due, due.ref)
    await arrived(store, answer)

    assert "赵敏" in variables(answer)["title"]
    assert answer.carries is None
    assert key in [due.key for due in await rows(store)]


async def test_an_older_card_of_the_lead_is_answered_and_the_newest_is_changed(store, mine):
    number, key = mine

    answer = await press(store, key, f"/领取 {number}", on=named(key, "ffffffffffff", 100))

    assert "请联系" in variables(answer)["title"]
    assert answer.carries is None
    assert key in [due.key for due in await rows(store)]


@pytest.mark.parametrize("account", ["zhaomin", "nobody"])
async def test_somebody_elses_card_shows_nothing_to_who_presses_it(store, mine, account):
    number, key = mine

    answer = await press(store, key, f"/线索 {number}", account)

    assert answer.body is None


async def test_without_a_template_a_card_has_no_second_form(store, settings):
    plain = settings.model_copy(
        update={"dingtalk": settings.dingtalk.model_copy(update={"card_template_id": ""})}
    )
    without = replace(store, rules=rules(plain))

    await captured(without, rep="王强")

    assert [due.payload.keys() for due in await rows(without) if due.lead_id] == [
        {"msgKey", "msgParam"}
    ]


# -- delivered again to another process, signed anew ---------------------------------


class Process:
    """One of several that hear presses; ``delivery`` is new with every signature."""

    def __init__(self, store):
        self.store = store
        self.presses = Presses("d")

    async def hears(self, key, line, delivery, account="wangqiang"):
        body = {
            "outTrackId": track(key),
            "corpId": "d",
            "userId": account,
            "content": {"cardPrivateData": {"params": {"line": line}}},
        }
        said = self.presses.read(body, delivery)
        return said, await hear(self.store, said)

    async def answers(self, said, answer):
        self.presses.answered(said)
        await arrived(self.store, answer, said)


@pytest.fixture
async def busy(store, mine):
    """王强 has taken the lead, and what counts is how often he could not be reached."""
    number, key = mine
    await press(store, key, f"/领取 {number}")
    return number, key, f"/跟进 {number} 电话 没接通"


async def calls(store, number):
    async with store.read() as tx:
        history = await tx.leads.history([number])
    return len([past for past in history[number] if "没接通" in str(past)])


async def test_a_press_delivered_anew_to_another_process_counts_once(store, busy):
    """Each process had counted it: 没接通 twice, for one call."""
    number, key, line = busy
    one, other = Process(store), Process(store)
    _, first = await one.hears(key, line, "signed-1")

    _, again = await other.hears(key, line, "signed-2")

    assert await calls(store, number) == 1
    assert variables(again) == variables(first)


async def test_a_press_by_another_process_after_the_answer_is_a_second_one(store, busy):
    number, key, line = busy
    one, other = Process(store), Process(store)
    await one.answers(*await one.hears(key, line, "signed-1"))

    await other.hears(key, line, "signed-2")

    assert await calls(store, number) == 2


async def test_the_same_button_later_is_a_second_press_although_nobody_answered(
    store, busy, clock
):
    number, key, line = busy
    one, other = Process(store), Process(store)
    await one.hears(key, line, "signed-1")
    clock.tick(minutes=2)

    await other.hears(key, line, "signed-2")

    assert await calls(store, number) == 2


async def test_an_answer_that_is_ahead_of_the_work_ends_the_press_all_the_same(store, busy):
    """What takes too long is answered with nothing; the next press was swallowed then."""
    number, key, line = busy
    one, other = Process(store), Process(store)
    body = await one.hears(key, line, "signed-1")
    await arrived(store, Answer(), body[0])

    await one.hears(key, line, "signed-1")
    await other.hears(key, line, "signed-2")

    assert await calls(store, number) == 2


async def test_two_people_with_one_card_press_for_themselves(store, busy):
    number, key, _ = busy
    one, other = Process(store), Process(store)
    first, _ = await one.hears(key, f"/查看 {number}", "signed-1")

    second, _ = await other.hears(key, f"/查看 {number}", "signed-2", "zhaomin")

    assert first.press.same != second.press.same
