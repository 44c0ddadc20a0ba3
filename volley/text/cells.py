"""Cells of CSV files that people open in a spreadsheet: what would be run there as a formula is made plain text."""

import re

_DANGEROUS = "=+-@\t\r"
_NUMBER = re.compile(r"[+-][0-9 ().+-]*")
"""A phone number or an amount: without a letter there is nothing to run, and programs read `+12025550100` as it is."""


def defused(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would take for a formula (OWASP, CSV injection)."""
    if cell[:1] in _DANGEROUS and cell and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
