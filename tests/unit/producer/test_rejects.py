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
