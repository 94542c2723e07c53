"""A few rows of the fault matrix; ``make faults`` runs and prints all of it."""

import pytest

from tests.scenarios.faults import Matrix, Row


@pytest.mark.parametrize(
    "row", [Row("wecom", "card_spent"), Row("dingtalk", "half_open")], ids=["wecom", "dingtalk"]
)
async def test_nothing_is_lost_and_nothing_is_doubled(row):
    cells = await Matrix().run(row)

    assert {column: cell.wrong for column, cell in cells.items() if cell.wrong} == {}
