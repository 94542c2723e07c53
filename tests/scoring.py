"""
How well the learned probability does on real tables: `make scoring`.

A fifth of each table is kept from the fitting and asked about, five times over, and a
plain regression is asked the same. With a folder as argument its tables of the same names
are asked about instead, everything here is fitted to: another part of the data.
"""

import csv
import random
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.table import Table

from jobs.learning import Outcome, auc, calibration, fit
from store.domain.learned import measured

LEADS = Path(__file__).parents[1] / "../shared/data/leads"
WIDTH = 120
NOW = datetime(2026, 3, 2, tzinfo=UTC)
AFTERWARDS = frozenset({
    # Known only after the outcome (the data's README), or no more than a number.
    "Prospect ID", "Lead Number", "Tags", "Lead Quality", "Lead Profile", "Last Activity",
    "Last Notable Activity", "Asymmetrique Activity Index", "Asymmetrique Profile Index",
    "Asymmetrique Activity Score", "Asymmetrique Profile Score", "duration",
})  # fmt: skip


@dataclass(frozen=True)
class Source:
    name: str
    file: str
    outcome: str
    separator: str = ","
    in_time_order: bool = False


SOURCES = (
    Source("X Education", "x_education_leads.csv", "Converted"),
    Source("bank-additional", "uci_bank_additional_full.csv", "y", ";", in_time_order=True),
    Source("bank-full", "uci_bank_full.csv", "y", ";", in_time_order=True),
)


def read(source: Source, folder: Path = LEADS) -> list[Outcome]:
    """The rows as they were when they came in, and whether they were won."""
    with (folder / source.file).open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter=source.separator)
        return [(_known(row, source), row[source.outcome] in {"1", "yes"}) for row in rows]


def _known(row: dict[str, str], source: Source) -> dict[str, str | float]:
    hidden: Collection[str] = {*AFTERWARDS, source.outcome, ""}
    return {
        f"fields.{name}": measured(value)
        for name, value in row.items()
        if name and name not in hidden and value not in {"", "Select", None}
    }


Split = tuple[Sequence[Outcome], Sequence[Outcome]]
"""Rows to fit to, and rows to ask about."""


def splits(rows: Sequence[Outcome], parts: int = 5) -> Iterator[Split]:
    """Each part asked about once and the rest fitted to; drawn blindly, always the same."""
    drawn = random.Random(1).sample(range(len(rows)), len(rows))
    for part in range(parts):
        kept = set(drawn[part::parts])
        fitted = [row for place, row in enumerate(rows) if place not in kept]
        yield fitted, [rows[place] for place in sorted(kept)]


def asked(fitted: Sequence[Outcome], other: Sequence[Outcome]) -> tuple[float, float]:
    """The AUC on rows the model never saw, and the worst of its calibration, in points of 100."""
    model = fit(fitted, NOW)
    told = [model.chance(traits) for traits, _ in other]
    wrong = max(abs(said - was) for said, was, _ in calibration(told, other))
    return auc(told, other), 100 * wrong


def plainly(fitted: Sequence[Outcome], other: Sequence[Outcome]) -> float:
    """The AUC of a logistic regression: numbers as they are, a column for each word."""
    # A second for each process that collects the tests, and only this needs it.
    from sklearn.feature_extraction import DictVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    regression = make_pipeline(
        DictVectorizer(), StandardScaler(with_mean=False), LogisticRegression(max_iter=2000)
    )
    regression.fit([traits for traits, _ in fitted], [won for _, won in fitted])
    told = regression.predict_proba([traits for traits, _ in other])
    return auc([pair[1] for pair in told], other)


def main(folder: str = "") -> None:
    table = Table(
        "table", "fitted to", "asked", "AUC", "plain regression", "told wrong by", "in time order"
    )
    for source in SOURCES:
        if not folder or (Path(folder) / source.file).is_file():
            table.add_row(source.name, *_row(source, folder))
    Console(width=WIDTH).print(table)


def _row(source: Source, folder: str) -> Sequence[str]:
    rows = read(source)
    tried: list[Split] = [(rows, read(source, Path(folder)))] if folder else list(splits(rows))
    reached, off = zip(*(asked(*split) for split in tried), strict=True)
    return (
        *(str(len(part)) for part in tried[0]),
        _mean(reached),
        _mean([plainly(*split) for split in tried]),
        f"{max(off):.1f} %",
        _drift(rows) if source.in_time_order else "-",
    )


def _mean(reached: Sequence[float]) -> str:
    between = f" ({min(reached):.3f}-{max(reached):.3f})" if len(reached) > 1 else ""
    return f"{mean(reached):.3f}{between}"


def _drift(rows: Sequence[Outcome]) -> str:
    model = fit(rows, NOW)
    return f"{model.auc:.3f} → {model.later:.3f}{' DRIFT' if model.drifts else ''}"


if __name__ == "__main__":
    main(*sys.argv[1:2])
