"""What may happen to a lead, and to whom it is refused."""

from datetime import timedelta

import pytest

from store.domain.errors import AlreadyTaken, NotAllowed, NotYours, Refused
from store.domain.followup import read_follow_up
from store.domain.lead import (
    Due,
    Kind,
    Place,
    Stage,
    check_role,
    may_see,
    reason_code,
)
from store.domain.team import Role
from tests.store.domain.leads import CALENDAR_NOW as NOW
from tests.store.domain.leads import CHEN, HAN, LI, RULES, ZHOU, lead


def log(text="电话 聊了报价，对方要比较"):
    return read_follow_up(text, NOW, RULES.zone)


def test_a_lead_in_the_pool_goes_to_whoever_asks_first():
    claimed, event = lead().claim(LI, NOW)

    assert (claimed.owner, claimed.place, claimed.accepted_at) == (LI, Place.OWNER, NOW)
    assert (event.kind, event.by) == (Kind.CLAIMED, LI.id)


def test_whoever_comes_second_is_told_who_was_first():
    claimed = lead().claim(LI, NOW).lead

    with pytest.raises(AlreadyTaken, match="已被 李雷 领取"):
        claimed.claim(HAN, NOW)


def test_claiming_an_offer_accepts_it():
    accepted, event = lead(owner=LI).claim(LI, NOW)

    assert event.kind == Kind.ACCEPTED
    assert not accepted.offered


def test_accepting_twice_says_what_comes_next():
    with pytest.raises(Refused, match="跟进 42"):
        lead(owner=LI, accepted=True).claim(LI, NOW)


def test_a_lead_in_marketing_cannot_be_claimed():
    with pytest.raises(Refused, match="请主管分配"):
        lead(place=Place.MARKETING).claim(LI, NOW)


def test_a_closed_lead_cannot_be_claimed():
    with pytest.raises(Refused, match="已经成交"):
        lead(stage=Stage.WON).claim(LI, NOW)


def test_a_follow_up_is_the_first_contact_and_starts_the_work():
    followed, event = lead(owner=LI).follow(LI, log(), NOW)

    assert followed.stage == Stage.FOLLOWING
    assert followed.contacted_at == followed.followed_at == followed.accepted_at == NOW
    assert followed.attempts == 1
    assert event.text == "电话 聊了报价，对方要比较"


def test_one_word_does_not_count_as_following():
    before = lead(owner=LI, accepted=True, contacted=True)

    after = before.follow(LI, log("打了"), NOW.replace(hour=9)).lead

    assert after.followed_at == before.followed_at
    assert after.attempts == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda one: one.follow(HAN, log(), NOW),
        lambda one: one.move(HAN, Stage.INTENT, NOW),
        lambda one: one.close(HAN, Stage.WON, NOW),
        lambda one: one.give_back(HAN, "other", "", NOW),
        lambda one: one.release(HAN, NOW),
        lambda one: one.transfer(HAN, LI, NOW),
        lambda one: one.extend(HAN, NOW, timedelta(days=7)),
        lambda one: one.accept(HAN, NOW),
    ],
)
def test_only_the_owner_works_on_a_lead(act):
    with pytest.raises(NotYours, match="在 李雷 名下"):
        act(lead(owner=LI, accepted=True))


@pytest.mark.parametrize("stage", [Stage.WON, Stage.LOST, Stage.INVALID])
def test_a_closed_lead_stays_as_it_is(stage):
    closed = lead(owner=LI, accepted=True).close(LI, stage, NOW, text="原因").lead

    with pytest.raises(Refused, match="不能再改"):
        closed.follow(LI, log(), NOW)


def test_a_transfer_keeps_stage_and_contact():
    before = lead(owner=LI, accepted=True, contacted=True, stage=Stage.QUOTED)

    after, event = before.transfer(LI, HAN, NOW)

    assert (after.owner, after.stage, after.contacted_at) == (HAN, Stage.QUOTED, NOW)
    assert event.data == {"to": HAN.id, "from": LI.id}


def test_a_manager_may_move_anybodys_lead():
    assert lead(owner=LI, accepted=True).transfer(CHEN, HAN, NOW).lead.owner == HAN


def test_a_declined_offer_remembers_who_declined():
    passed = lead(owner=LI).pass_on(LI, NOW).lead

    assert (passed.owner, passed.place, passed.refused) == (None, Place.POOL, (1,))


def test_a_returned_lead_goes_to_marketing_with_its_reason():
    returned, event = lead(owner=LI).give_back(LI, "no_budget", "没钱", NOW)

    assert (returned.place, returned.owner, returned.reason) == (
        Place.MARKETING, None, "no_budget",
    )  # fmt: skip
    assert event.data == {"reason": "no_budget"}


def test_an_extension_is_written_down_as_it_is_set():
    change = lead(owner=LI, accepted=True).extend(LI, NOW, timedelta(days=3))

    assert change.event.text == "3 天"  # not the 7 of the default


def test_a_transfer_gives_no_second_extension():
    extended = lead(owner=LI, accepted=True).extend(LI, NOW, timedelta(days=7)).lead

    assert extended.transfer(LI, HAN, NOW).lead.extended


def test_only_one_extension():
    extended = lead(owner=LI, accepted=True).extend(LI, NOW, timedelta(days=7)).lead

    with pytest.raises(Refused, match="已经延期过"):
        extended.extend(LI, NOW, timedelta(days=7))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("未到时机", "not_ready"), ("明年再说", "not_ready"), ("not_ready", "not_ready"),
        ("没有预算", "no_budget"), ("他们没钱", "no_budget"), ("是个空号", "bad_number"),
        ("打不通", "bad_number"), ("不归我跟", "not_mine"), ("已经买了别家的", "competitor"),
        ("不需要了", "no_need"), ("心情不好", "other"),
        ("no budget", "no_budget"), ("No-Budget this year", "no_budget"), ("not ready", "not_ready"),
        ("maybe later", "not_ready"), ("bad number", "bad_number"), ("Wrong number", "bad_number"),
        ("no need", "no_need"), ("not interested", "no_need"), ("went to a competitor", "competitor"),
        ("not mine", "not_mine"), ("other", "other"), ("collateral", "other"),
    ],
)  # fmt: skip
def test_a_reason_is_read_from_the_words(words, code):
    assert reason_code(words) == code


def test_phones_are_for_the_owner_and_those_who_answer_for_the_lead():
    owned, pooled = lead(owner=LI), lead()

    assert [may_see(owned, who) for who in (LI, HAN, CHEN, ZHOU)] == [True, False, True, False]
    assert [may_see(pooled, who) for who in (LI, HAN, CHEN, ZHOU)] == [False, False, True, True]


def test_roles_say_who_does_it_instead():
    with pytest.raises(NotAllowed, match="由主管来做"):
        check_role(LI, Role.MANAGER)


def test_a_reclaimed_lead_forgets_its_owner_and_says_whose_it_was():
    taken, event = lead(owner=LI, accepted=True, due=Due.RECLAIM).reclaim(NOW, "没有及时联系")

    assert (taken.owner, taken.place, taken.accepted_at) == (None, Place.POOL, None)
    assert event.text == "李雷：没有及时联系"
