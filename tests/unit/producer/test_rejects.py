"""The file of rejected rows: whatever stands in it, a spreadsheet runs none of it."""

import csv
from pathlib import Path

from producer.push.rejects import Rejects


def test_titles_reasons_and_cells_are_no_formulas(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "rejects.csv", ["to", "=HYPERLINK(1)", "@name"])
    rejects.add(2, "=1+1 is no number", ["+13125550100", "-cmd", None])
    kept = rejects.keep()
    assert kept is not None
    rows = list(csv.reader(kept.open(encoding="utf-8", newline="")))
    assert rows == [
        ["row", "reason", "to", "'=HYPERLINK(1)", "'@name"],
        ["2", "'=1+1 is no number", "+13125550100", "'-cmd", ""],
    ]


def test_what_is_rejected_after_a_push_was_given_up_leaves_no_file(tmp_path: Path) -> None:
    """Its rows are read in a thread, which goes on for up to a batch."""
    rejects = Rejects(tmp_path / "rejects.csv", ["to"])
    rejects.add(2, "no number", ["nobody"])
    rejects.drop()
    rejects.add(3, "no number", ["nobody"])
    assert list(tmp_path.iterdir()) == []
