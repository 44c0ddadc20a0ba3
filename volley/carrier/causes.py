"""Why a number cannot send, or not as it should, and what to do: readiness_causes.csv as findings.

Sources: Telnyx's pages on configuring numbers and on error codes (2026-04), its API description.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Finding:
    """`cause` is a stable name. `blocking`: with it the number is not ready. Neither sentence holds a phone number."""

    cause: str
    blocking: bool
    says: str
    remedy: str


class Cause(NamedTuple):
    """One row of the table. `depends`: it blocks under circumstances that the finding knows."""

    blocking: Literal["yes", "no", "depends"]
    says: str
    remedy: str


@cache
def causes() -> dict[str, Cause]:
    text = files("volley.carrier").joinpath("readiness_causes.csv").read_text("utf-8")
    rows = csv.DictReader(StringIO(text))
    return {row["cause"]: Cause(row["blocking"], row["says"], row["remedy"]) for row in rows}  # type: ignore[arg-type]


def finding(name: str, *, blocking: bool = False, **words: object) -> Finding:
    """`blocking` counts where the table says that it depends; `words` fill the holes of both sentences."""
    cause = causes()[name]
    blocks = blocking if cause.blocking == "depends" else cause.blocking == "yes"
    return Finding(name, blocks, cause.says.format(**words), cause.remedy.format(**words))
