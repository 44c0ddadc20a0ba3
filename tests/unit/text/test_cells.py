"""What a spreadsheet would run is text in our exports; what programs read as a number stays as it is."""

import pytest

from volley.text.cells import defused


@pytest.mark.parametrize(
    "cell", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|x", "\t=1", "\r=1", "+1 555 CALL ME"]
)
def test_a_formula_is_made_text(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "+12025550100", "-0.0040", "+1 (202) 555-0100", "Ann", "a=b", "12", "'quoted"])
def test_numbers_and_plain_words_stay(cell: str) -> None:
    assert defused(cell) == cell
