"""
How well the learned probability does on real tables: `make scoring`.

Four tenths of each table are kept from the fitting and asked about. With a folder as
argument its tables of the same names are asked about instead: another part of the data.
"""

import csv
import random
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.learning import Outcome, auc, calibration, fit
from store.domain.learned import measured

LEADS = Path(__file__).parents[1] / "../shared/data/leads"
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


def parted(rows: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """Six tenths to fit to and the rest, drawn blindly but always the same."""
    drawn = random.Random(1).sample(rows, len(rows))
    cut = int(0.6 * len(drawn))
    return drawn[:cut], drawn[cut:]


def asked(fitted: Sequence[Outcome], other: Sequence[Outcome]) -> tuple[float, float]:
    """The AUC on rows the model never saw, and the worst of its calibration, in points of 100."""
    model = fit(fitted, NOW)
    told = [model.chance(traits) for traits, _ in other]
    wrong = max(abs(said - was) for said, was, _ in calibration(told, other))
    return auc(told, other), 100 * wrong


def main(folder: str = "") -> None:
    table = Table(
        "table", "fitted to", "asked about", "AUC", "calibration off by", "in time order"
    )
    for source in SOURCES:
        rows = read(source)
        fitted, other = (rows, read(source, Path(folder))) if folder else parted(rows)
        reached, off = asked(fitted, other)
        drift = _drift(rows) if source.in_time_order else "-"
        table.add_row(
            source.name, str(len(fitted)), str(len(other)), f"{reached:.3f}", f"{off:.1f} %", drift
        )
    Console().print(table)


def _drift(rows: Sequence[Outcome]) -> str:
    model = fit(rows, NOW)
    return f"{model.auc:.3f} → {model.later:.3f}{' DRIFT' if model.drifts else ''}"


if __name__ == "__main__":
    main(*sys.argv[1:2])
