"""A few rows of the fault matrix; ``make faults`` runs and prints all of it."""

from collections import Counter

import pytest

from tests.scenarios import faults
from tests.scenarios.faults import OF_CARDS, Matrix, Row, Seen, rows, shown_nothing

pytestmark = pytest.mark.timeout(600)  # a day's work, whatever else the machine does

MATRIX = Matrix()  # lives each good day once


@pytest.mark.parametrize(
    "row",
    [
        Row("wecom", "card_spent"),
        pytest.param(Row("dingtalk", "half_open"), marks=pytest.mark.slow),
    ],
    ids=str,
)
async def test_nothing_is_lost_and_nothing_is_doubled(row):
    cells = await MATRIX.run(row)

    assert {column: cell.wrong for column, cell in cells.items() if cell.wrong} == {}


@pytest.mark.parametrize(
    ("fault", "met", "signs", "wrong"),
    [
        ("card_gone", 0, (), ["not met: the fault never happened"]),
        ("card_gone", 3, (), []),
        ("secret", 3, (), ["not told: no admin heard of it"]),
        ("secret", 3, ("card 钉钉有问题，要你处理",), []),
    ],
)
def test_a_row_whose_fault_never_happened_or_was_not_told_shows_nothing(fault, met, signs, wrong):
    """Rows of interactive cards were green in a demo that had none."""
    ever = Counter(("wecom:admin", sign) for sign in signs)
    last = Seen(Counter(), [], 0, met=met, ever=ever)

    assert list(shown_nothing(Row("dingtalk", fault), last)) == wrong


def test_what_goes_wrong_with_interactive_cards_is_tried_where_there_are_some():
    assert {row.fault for row in rows() if row.cards} == OF_CARDS


async def test_a_name_of_no_row_is_refused_with_the_names_there_are(capsys):
    """A typing error printed an empty table and said that nothing was lost."""
    code = await faults.main(["undelivred"])

    said = capsys.readouterr().err
    assert code == 2
    assert "no such row: undelivred" in said
    assert "undelivered" in said
