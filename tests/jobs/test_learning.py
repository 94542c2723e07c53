"""Learning from the installation's own outcomes: enough of them, honestly, and for order only."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from sqlalchemy import func, select

from handlers.capture import alone, capture
from jobs.learning import LEAST, calibration, fit, prepare_learning
from store import tables as t
from store.domain.lead import Change, Event, Kind, Stage
from store.domain.learned import Model, from_json, shift, to_json, traits
from tests import scoring
from tests.conftest import SHARED
from tests.handlers.people import answers, enquiry, lead

NOW = datetime(2026, 3, 2, tzinfo=UTC)
tables = pytest.mark.skipif(not (SHARED / "data/leads").is_dir(), reason="the tables are not here")


@cache
def rows_of(name: str):
    return scoring.read(next(source for source in scoring.SOURCES if source.name == name))


# -- real tables (whole, and five times over: `make scoring`) ----------------------------


@tables
@pytest.mark.parametrize(("name", "least"), [("X Education", 0.85), ("bank-additional", 0.77)])
def test_what_was_learned_of_one_part_orders_the_other(name, least):
    fitted, other = next(scoring.splits(random.Random(1).sample(rows_of(name), 5000), 3))

    reached, off = scoring.asked(fitted, other)

    assert reached >= least
    assert off < 8


@tables
def test_a_drifting_table_is_noticed_and_a_steady_one_is_not():
    rows = rows_of("bank-additional")
    in_its_order, shuffled = rows[::8], random.Random(7).sample(rows, 3000)

    noticed, quiet = fit(in_its_order, NOW), fit(shuffled, NOW)

    assert (noticed.drifts, noticed.trusted) == (True, False)
    assert (quiet.drifts, quiet.trusted) == (False, True)


# -- small examples ----------------------------------------------------------------------


def examples(count: int = 300, *, good: str = "展会"):
    drawn = random.Random(3)
    rows = []
    for _ in range(count):
        channel = drawn.choice(["展会", "网页"])
        won = drawn.random() < (0.6 if channel == good else 0.1)
        rows.append(({"channel": channel, "words": float(drawn.randrange(200))}, won))
    return rows


def test_a_probability_says_what_it_rests_on():
    model = fit(examples(), NOW)

    [(first, good), *_] = model.reasons({"channel": "展会", "words": 12.0})

    assert model.n == 300
    assert (first, good) == ("渠道 展会", True)
    assert len(model.reasons({"channel": "展会", "words": 12.0})) <= 3


def test_a_probability_is_about_how_often_it_happened():
    rows = examples(2000)

    model = fit(rows, NOW)
    told = [model.chance(known) for known, _ in examples(500)]

    assert all(abs(said - was) < 0.06 for said, was, _ in calibration(told, examples(500)))


def test_a_value_never_seen_and_a_trait_not_given_change_nothing_much():
    model = fit(examples(), NOW)

    assert 0.1 < model.chance({"channel": "别处"}) < 0.6
    assert 0.1 < model.chance({}) < 0.6


def test_where_all_leads_look_alike_the_share_of_the_won_is_told_but_puts_nothing_in_order():
    """The whole night's learning failed."""
    model = fit([({"channel": "网页"}, n % 4 == 0) for n in range(200)], NOW)

    assert model.chance({"channel": "展会"}) == pytest.approx(0.25, abs=0.01)
    assert (model.trusted, model.reasons({"channel": "网页"})) == (False, ())


def test_a_kept_model_says_the_same_again():
    model = fit(examples(), NOW)

    kept = from_json(to_json(model))

    assert kept == model


def test_other_leads_than_those_learned_from_are_noticed():
    model = fit(examples(), NOW)

    same = [known for known, _ in examples(400)]
    other = [{"channel": "展会", "words": 3.0}] * 400

    assert shift(model, same) < 0.1
    assert shift(model, other) > 0.25


def test_nothing_that_names_a_person_is_learned_from():
    new = enquiry(name="王五", phone="19900000001", email="w@example.com", company="远山")

    known = traits(new)

    assert not {"王五", "+8619900000001", "w@example.com", "远山"} & set(map(str, known.values()))
    assert (known["phone"], known["company"]) == ("有", "有")


# -- the installation's own --------------------------------------------------------------


async def outcomes(store, won: int, lost: int) -> list[int]:
    """So many closed leads: those of the fair were mostly won."""

    def won_at(n: int) -> bool:
        return n < 2 * won and n % 2 == 0

    async with store.begin() as tx:
        done = await capture(
            tx, [enquiry(campaign="展会" if won_at(n) else "网页") for n in range(won + lost)]
        )
        leads = await tx.leads.many([d.id for d in done])
        await tx.leads.save(
            [
                Change(
                    replace(
                        one,
                        stage=Stage.WON if won_at(n) else Stage.LOST,
                        closed_at=tx.now + timedelta(minutes=n % 7),
                    ),
                    Event(kind=Kind.WON if won_at(n) else Kind.LOST, at=tx.now),
                )
                for n, one in enumerate(leads)
            ]
        )
    return [d.id for d in done]


async def learn(store) -> Model | None:
    act = await prepare_learning(store, store.clock())
    async with store.begin() as tx:
        await act(tx)
    async with store.read() as tx:
        return await tx.models.current()


async def test_nothing_is_learned_before_fifty_of_each(store):
    await outcomes(store, LEAST, LEAST - 1)

    assert await learn(store) is None


async def test_open_leads_are_told_and_new_ones_too(store):
    async with store.begin() as tx:
        [waiting] = await capture(tx, [enquiry(campaign="展会")])
    await outcomes(store, LEAST, LEAST + 10)

    model = await learn(store)
    async with store.begin() as tx:
        fresh = await capture(tx, [enquiry(campaign="展会"), enquiry(campaign="网页")])

    assert (model.n, model.trusted) == (2 * LEAST + 10, True)
    likely, unlikely = [(await lead(store, one.id)).chance for one in fresh]
    assert (await lead(store, waiting.id)).chance == pytest.approx(likely)
    assert likely > 0.7
    assert unlikely < 0.3


async def test_what_is_split_off_or_of_another_line_is_told_at_once(store):
    await outcomes(store, LEAST, LEAST + 10)
    await learn(store)

    async with store.begin() as tx:
        [like_it] = await capture(tx, [enquiry(campaign="展会")])
        split = Event(kind=Kind.SPLIT, at=tx.now)
        made = await alone(tx, enquiry(campaign="展会"), split, {})

    assert made.chance == (await lead(store, like_it.id)).chance > 0.7


async def test_what_is_only_known_afterwards_is_no_part_of_it(store):
    """The lead's own row says by now who won: an amount, a stage, many contacts."""
    ids = await outcomes(store, LEAST, LEAST)
    async with store.begin() as tx:
        leads = await tx.leads.many(ids[:LEAST])
        await tx.leads.save(
            [
                Change(
                    replace(one, amount=10, attempts=5, fields={"付款": "已付"}, industry="金融"),
                    Event(kind=Kind.FOLLOWED, at=tx.now),
                )
                for one in leads
            ]
        )

    model = await learn(store)

    assert {f.name for f in model.features} == {"campaign"}


async def test_the_likelier_one_stands_first_in_the_pool_and_keeps_its_score(store):
    await outcomes(store, LEAST, LEAST)
    await learn(store)
    async with store.begin() as tx:
        web, fair = await capture(
            tx, [enquiry(campaign="网页", email="w@example.com"), enquiry(campaign="展会")]
        )
        for one in await tx.leads.many([web.id, fair.id]):
            await tx.leads.save([one.unsuitable(tx.now, "试试")])

    async with store.begin() as tx:
        rep = await tx.members.by_name("李雷")
        listed, _ = await tx.leads.pool(rep, "", tx.rules.limits, tx.now, (10, 0))

    assert [one.id for one in listed] == [fair.id, web.id]
    assert listed[0].score < listed[1].score


async def test_when_the_past_no_longer_holds_it_is_said_and_not_used(store, clock):
    await outcomes(store, 80, 80)
    async with store.begin() as tx:  # and lately it is the other way round
        clock.tick(days=30)
    async with store.begin() as tx:
        done = await capture(
            tx, [enquiry(campaign="展会" if n < 60 else "网页") for n in range(120)]
        )
        leads = await tx.leads.many([d.id for d in done])
        await tx.leads.save(
            [
                Change(
                    replace(one, stage=Stage.LOST if n < 60 else Stage.WON, closed_at=tx.now),
                    Event(kind=Kind.WON, at=tx.now),
                )
                for n, one in enumerate(leads)
            ]
        )

    model = await learn(store)
    async with store.begin() as tx:
        [fresh] = await capture(tx, [enquiry(campaign="展会")])

    assert model.drifts
    assert (await lead(store, fresh.id)).chance is None
    told = [str(row.payload) for key, row in (await answers(store)).items() if "alarm" in key]
    assert any("成交可能算不准了" in text for text in told)


async def test_telling_probabilities_disturbs_nobody(store):
    await outcomes(store, LEAST, LEAST)
    async with store.begin() as tx:
        [open_one] = await capture(tx, [enquiry(campaign="展会")])
    before = await lead(store, open_one.id)

    await learn(store)

    async with store.begin() as tx:
        events = await tx.conn.scalar(
            select(func.count()).where(t.events.c.lead_id == open_one.id)
        )
    after = await lead(store, open_one.id)
    assert replace(after, chance=None) == before
    assert events == 2
