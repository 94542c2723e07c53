"""
Learning from the installation's own outcomes, every night.

scikit-learn fits the weights; without it (`leadbot[learned]`) nothing is learned and the
rules alone put leads in order.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from statistics import quantiles
from typing import Any

import structlog

from handlers.alarms import over, sound
from store.db import Store, Tx
from store.domain.errors import Alarm
from store.domain.learned import (
    LEAST,
    MISSING,
    OTHER,
    SHIFTED,
    Feature,
    Model,
    Traits,
    plain,
    shift,
)

log = structlog.get_logger()
Outcome = tuple[Traits, bool]
"""A lead as it came in, and whether it was won."""

FEW = 60
"""A number with no more values than this (visits, a month's rate) is a name, not an amount."""
RANGES = 12
RARE = 0.002
RARE_COUNT = 20
STRENGTH = 0.1
"""Of the weights against the habit of the installation: less is more careful."""
FOLDS = 5
OLDER = 0.6
RECENT = timedelta(days=30)
ENOUGH = 200
BATCH = 500


def can_learn() -> bool:
    return find_spec("sklearn") is not None


def features(rows: Sequence[Traits]) -> tuple[Feature, ...]:
    """The ranges and values of each trait, not weighed yet."""
    names = sorted({name for row in rows for name in row})
    return tuple(f for name in names if (f := _feature(name, rows)) is not None)


def _feature(name: str, rows: Sequence[Traits]) -> Feature | None:
    values = [row[name] for row in rows if name in row]
    numbers = [value for value in values if isinstance(value, float)]
    edges: tuple[float, ...] = ()
    if len(numbers) > 0.8 * len(values) and len(set(numbers)) > FEW:
        edges = tuple(sorted(set(quantiles(numbers, n=_ranges(len(numbers))))))
        labels = {MISSING, OTHER, *(str(place) for place in range(len(edges) + 1))}
    else:
        least = max(RARE_COUNT if len(rows) > 10 * RARE_COUNT else 5, RARE * len(rows))
        counts = Counter(plain(value) for value in values)
        labels = {MISSING, OTHER, *(label for label, count in counts.items() if count >= least)}
    feature = Feature(name=name, edges=edges, weights=dict.fromkeys(sorted(labels), 0.0))
    first = feature.label(rows[0])
    return feature if any(feature.label(row) != first for row in rows) else None


def _ranges(count: int) -> int:
    """No range with fewer leads than can say something."""
    return max(2, min(RANGES, count // 30))


def fit(rows: Sequence[Outcome], at: datetime) -> Model:
    """Learn from ``rows``, the oldest first; both outcomes have to be among them."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - comes with scikit-learn

    with threadpool_limits(1):  # sums this small are slower on two cores, and take both
        return _fit(rows, at)


def _fit(rows: Sequence[Outcome], at: datetime) -> Model:
    planned = features([traits for traits, _ in rows])
    table = _table(rows, planned)
    seen = _seen_anew(rows, table)
    reached = auc(seen, rows)
    model = _fitted(rows, planned, table, at)
    return replace(
        model,
        auc=reached,
        later=_later(rows, at, reached),
        calibration=calibration(seen, rows),
        fifths=tuple(quantiles([model.chance(traits) for traits, _ in rows], n=5)),
    )


def _later(rows: Sequence[Outcome], at: datetime, otherwise: float) -> float:
    """What the older leads say of the newer ones; ``otherwise`` where these are all alike."""
    cut = int(OLDER * len(rows))
    older, newer = rows[:cut], rows[cut:]
    if not (_mixed(older) and _mixed(newer)):
        return otherwise
    planned = features([traits for traits, _ in older])
    model = _fitted(older, planned, _table(older, planned), at)
    return auc([model.chance(traits) for traits, _ in newer], newer)


def _mixed(rows: Sequence[Outcome]) -> bool:
    return len({won for _, won in rows}) > 1


def _fitted(
    rows: Sequence[Outcome], planned: Sequence[Feature], table: Any, at: datetime
) -> Model:
    regression = _regression().fit(table, [won for _, won in rows])
    weights = iter(regression.coef_[0].tolist())
    shares = iter(table.mean(axis=0).A1.tolist())
    won = sum(won for _, won in rows)
    return Model(
        at=at,
        won=won,
        lost=len(rows) - won,
        base=float(regression.intercept_[0]),
        features=tuple(_weighed(feature, weights, shares) for feature in planned),
        auc=0.5,
        later=0.5,
        calibration=(),
        fifths=(),
    )


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow, and optional

    return LogisticRegression(C=STRENGTH, max_iter=1000)


def _table(rows: Sequence[Outcome], planned: Sequence[Feature]) -> Any:
    """A row for each lead, a column for each label of each feature: 1 where it has it."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - comes with scikit-learn

    labels = [(feature.name, label) for feature in planned for label in feature.weights]
    places = {label: place for place, label in enumerate(labels)}
    found = [places[f.name, f.label(traits)] for traits, _ in rows for f in planned]
    starts = [len(planned) * row for row in range(len(rows) + 1)]
    shape = (len(rows), max(len(labels), 1))  # leads that are all alike have no label
    return csr_matrix(([1.0] * len(found), found, starts), shape=shape)


def _weighed(feature: Feature, weights: Iterator[float], shares: Iterator[float]) -> Feature:
    own = dict(zip(feature.weights, weights, strict=False))
    usual = sum(weight * next(shares) for weight in own.values())
    return replace(feature, weights=own, usual=usual)


def _seen_anew(rows: Sequence[Outcome], table: Any) -> list[float]:
    """The probability of each lead, told by a model that did not see it."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # noqa: PLC0415

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    outcomes = [won for _, won in rows]
    told = cross_val_predict(_regression(), table, outcomes, cv=folds, method="predict_proba")
    return [float(pair[1]) for pair in told]


def auc(told: Sequence[float], rows: Sequence[Outcome]) -> float:
    """The share of (won, lost) pairs that are told in the right order."""
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    return float(roc_auc_score([won for _, won in rows], told))


def calibration(
    told: Sequence[float], rows: Sequence[Outcome]
) -> tuple[tuple[float, float, int], ...]:
    """Leads in five like groups: what was told of each, and what happened."""
    pairs = sorted(zip(told, (won for _, won in rows), strict=True), key=lambda pair: pair[0])
    cuts = [round(place * len(pairs) / 5) for place in range(6)]
    groups = [pairs[start:end] for start, end in pairwise(cuts) if end > start]
    return tuple(
        (sum(t for t, _ in group) / len(group), sum(w for _, w in group) / len(group), len(group))
        for group in groups
    )


# -- every night ---------------------------------------------------------------------


async def prepare_learning(store: Store, slot: datetime) -> Callable[[Tx], Awaitable[None]]:
    """Learn anew, and tell every open lead its probability; what is returned keeps the model.

    Nothing is learned before there are enough of both outcomes.
    """
    async with store.read() as tx:
        rows = await tx.models.outcomes()
    won = sum(won for _, won in rows)
    if min(won, len(rows) - won) < LEAST or not can_learn():
        log.info("nothing to learn from", won=won, lost=len(rows) - won, library=can_learn())
        return _nothing
    model = await asyncio.to_thread(fit, rows, store.clock())
    async with store.read() as tx:
        recent = await tx.models.came_since(tx.now - RECENT)
    moved = len(recent) >= ENOUGH and shift(model, recent) >= SHIFTED
    await _tell_leads(store, model if model.trusted else None)

    async def keep(tx: Tx) -> None:
        await tx.models.keep(model)
        await _say(tx, model, moved=moved)

    return keep


async def _nothing(tx: Tx) -> None:
    return


async def _tell_leads(store: Store, model: Model | None) -> None:
    """In small transactions: a capture must not wait for a whole night's work."""
    last = 0
    while True:
        async with store.begin() as tx:
            leads = await tx.models.open_after(last, BATCH)
            chances = {n: model.chance(about) if model else None for n, about in leads.items()}
            await tx.models.tell(chances)
        if not leads:
            return
        last = max(leads)


async def _say(tx: Tx, model: Model, *, moved: bool) -> None:
    log.info(
        "learned",
        leads=model.n, auc=round(model.auc, 3), later=round(model.later, 3), shifted=moved,
    )  # fmt: skip
    if model.drifts:
        await sound(tx, Alarm("learned:drift", DRIFTS.format(model.n)))
    elif moved:
        await sound(tx, Alarm("learned:shift", MOVED))
    else:
        await over(tx, "learned:")


DRIFTS = "成交可能算不准了：最近的结果和以前的规律相反（{} 条结果）。先不用它排序，只看规则的分数；等新结果多了会自己恢复。"
MOVED = "最近 30 天进来的线索和以前很不一样，成交可能仅供参考。看看是不是换了渠道或表单。"
