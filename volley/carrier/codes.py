"""Telnyx's error codes as a table (telnyx_codes.csv): what a code means and what it asks of us.

A code decides before a status does, as Telnyx's statuses vary by endpoint. A code that is not in the table is final
(`never`) and `known` is False, so that it can be counted and reported; an answer without any code is not the carrier's.
Source: developers.telnyx.com, messaging error codes and API error codes, 2026-04.
"""

import csv
import math
from functools import cache
from importlib.resources import files
from io import StringIO
from typing import Literal

from pydantic.dataclasses import dataclass

from volley.carrier.outcome import Scope

Action = Literal[
    "retry",
    "other_sender",
    "stop_sender",
    "stop_profile",
    "stop_account",
    "never",
    "opted_out",
    "perhaps",
]
"""What follows from a code.

`retry` again, with backoff · `other_sender` again, through another one, this one rests for `stop` · `stop_sender`,
`stop_profile`, `stop_account` again, once the stop is over · `never` final · `opted_out` final, the recipient said STOP ·
`perhaps` nobody knows whether the carrier took it.
"""

_STOPS: dict[Action, Scope] = {
    "other_sender": "sender",
    "stop_sender": "sender",
    "stop_profile": "profile",
    "stop_account": "account",
}
SPEND_LIMIT_CODE = "40333"

_DAY_S = 86_400
_MIDNIGHT_S = {"utc_midnight": 0, "pst_midnight": 8 * 3600}
"""When a day of theirs begins, in seconds after midnight UTC. PST all year: in summer an hour late, and never early."""
_MARGIN_S = 60
_LAG_S = 600


@dataclass(frozen=True, slots=True)
class Policy:
    """One row of the table. `where` says when the code comes: as the answer to a POST, or `later` in a receipt.

    `throttle` names what is to slow down; `stop` is seconds, `utc_midnight`, `pst_midnight` or `until_fixed` (by a person).
    """

    code: str
    status: int
    where: Literal["post", "later", "provisioning"]
    action: Action
    throttle: Scope | None
    stop: int | Literal["utc_midnight", "pst_midnight", "until_fixed"]
    meaning: str
    known: bool = True

    @property
    def stops(self) -> Scope | None:
        """What rests after this code, for `stop_s`; None where nothing does."""
        return self.throttle or (_STOPS.get(self.action) if self.stop else None)

    def stop_s(self, now_s: float) -> float:
        """Seconds of rest from `now_s` (since 1970) on; infinity where only a person can end it."""
        if self.stop == "until_fixed":
            return math.inf
        if isinstance(self.stop, str):
            return _to_midnight_s(now_s - _MIDNIGHT_S[self.stop])
        return float(self.stop)


def policy(code: str, status: int) -> Policy:
    """What an error asks of us. `code` is "" where the answer held none; `status` is the HTTP status, 0 in a receipt."""
    table = _table()
    row = table.get((code, 0)) or table.get(("any", status))
    if row is not None:
        return row
    if code or not status:
        return Policy(code, status, "post", "never", None, 0, "a code that this release does not know", known=False)
    return table.get(("none", status)) or table["none", 0]


def rows() -> list[Policy]:
    """The whole table, for documentation and tests."""
    return list(_table().values())


def _to_midnight_s(now_s: float) -> float:
    # A little past midnight, and soon again if the carrier still says no then: its day turns a little later than ours.
    second = now_s % _DAY_S
    return _MARGIN_S if second < _LAG_S else _DAY_S - second + _MARGIN_S


@cache
def _table() -> dict[tuple[str, int], Policy]:
    text = files("volley.carrier").joinpath("telnyx_codes.csv").read_text("utf-8")
    return {(row.code, row.status): row for row in map(_row, csv.DictReader(StringIO(text)))}


def _row(cells: dict[str, str]) -> Policy:
    return Policy(**{name: value or None for name, value in cells.items()})  # type: ignore[arg-type]  # pydantic checks each cell
