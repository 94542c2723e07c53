"""The table of error codes: every row of it is carried out as it says."""

import re
from pathlib import Path

import pytest

from bot.platforms.wecom.errcodes import CODES, UNKNOWN, Do, code, told

SHEET = Path(__file__).parents[3] / "../shared/platforms/wecom.md"
UNUSED = {
    *(86216, 86217),  # group chats of the app, which it has none of
    *(95000, 95001, 95002, 95004, 95007, 95013, 95016, 95018, 95031),  # 微信客服
    *(701008, 701099),  # for third parties
    *(846605, 846608),  # frames of the AI bot, which are no HTTP answers
    *(851003, 2023001, 2023010, 2023012, 2023033),  # documents and sheets
}
"""Of what the product does not call."""
ADMIN = {Do.ADMIN, Do.CONFIG}
WANTED = (
    ("refresh", {Do.REFRESH}),
    ("retry ≤3", {Do.RETRY}),
    ("wait the whole window", {Do.WINDOW}),
    ("serialize", {Do.SERIAL}),
    ("poll later", {Do.LATER}),
    ("may retry inside", {Do.LATER}),
    ("resync directory", {Do.TARGET}),
    ("skip target", {Do.TARGET}),
    ("fail task, report", {Do.TARGET}),
    ("pick another member", {Do.TARGET, Do.DROP}),
    ("out of scope", {Do.TARGET, Do.ADMIN}),
    ("reuse", {Do.DROP}),
    ("alert", ADMIN),
    ("config", {*ADMIN, Do.TARGET}),
    ("re-enables", ADMIN),
    ("disable", ADMIN),
    ("bug", {Do.BUG, Do.ADMIN}),
    ("drop", {Do.DROP, Do.TARGET}),
)
"""What a row says, and what may be done about it; the first that matches counts."""


def sheet():
    if not SHEET.exists():
        return [pytest.param(0, "", "", marks=pytest.mark.skip("no ../shared/platforms/wecom.md"))]
    section = SHEET.read_text(encoding="utf-8").partition("### 2.4")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [(n, row[1], row[2]) for row in rows for n in numbers(row[0]) if n not in UNUSED]


def numbers(cell):
    """``42014-42020`` is seven codes, ``93004/93006`` two."""
    found = re.findall(r"(-?\d+)(?:-(\d+))?", cell)
    return [n for low, high in found for n in range(int(low), int(high or low) + 1)]


@pytest.mark.parametrize(("number", "means", "do"), sheet())
def test_each_row_is_known_and_done_as_it_says(number, means, do):
    known = code(number)

    wanted = next((ways for words, ways in WANTED if words in f"{means} {do}".lower()), set(Do))

    assert known is not UNKNOWN
    assert known.do in wanted


@pytest.mark.parametrize("number", [n for n, one in CODES.items() if one.do in ADMIN])
def test_what_the_admin_can_mend_says_what_to_do_on_a_phone(number):
    words = told(number, "externalcontact/get", "no, from ip: 203.0.113.7, more info")

    assert 15 <= len(words) <= 90
    assert re.search(r"[\u4e00-\u9fff]", words)
    assert "{" not in words
    assert "！" not in words


def test_only_what_somebody_can_mend_is_told():
    silent = [one.do for one in CODES.values() if not one.tell]

    assert not {*silent} & {*ADMIN, Do.REFRESH}
