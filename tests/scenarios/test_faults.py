"""A few rows of the fault matrix; ``make faults`` runs and prints all of it."""

import pytest

from tests.scenarios.faults import Matrix, Row


@pytest.mark.parametrize(
    "rows",
    [
        [Row("wecom", "address"), Row("wecom", "card_spent")],
        [Row("dingtalk", "half_open"), Row("dingtalk", "http503")],
    ],
    ids=["wecom", "dingtalk"],
)
async def test_nothing_is_lost_and_nothing_is_doubled(rows):
    matrix = Matrix()

    cells = {str(row): await matrix.run(row) for row in rows}

    wrong = {
        (row, column): cell.wrong
        for row, columns in cells.items()
        for column, cell in columns.items()
        if cell.wrong
    }
    assert wrong == {}
