"""A campaign's own terms: how fast it goes, from when on, until when. What people ask for, checked, as the fields of a Campaign.

Pure. The same checks hold for a push and for a change while it runs.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypedDict, get_args

from volley.campaign import Priority
from volley.errors import UnusableInput
from volley.hours import parse
from volley.money import micros

LEAST_RATE: Final = Decimal("0.001")
MOST_RATE: Final = Decimal(1_000_000)
MOST_BUDGET: Final = Decimal(1_000_000_000)
LAST_S: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""Scripts reckon in doubles, which hold microseconds up to 2255; and what lies beyond the year 9999 no library can show."""


class Changes(TypedDict, total=False):
    """What is asked of a campaign. What is not named stays as it is; None lifts what there was.

    `rate`: parts per second. `start` and `expires`, with a time zone: nothing is sent before, or after.
    `quiet_hours`: `21:00-08:00`, on the recipients' own clocks. `budget`: in the campaign's currency, the next message that would
    exceed it is not sent. The last two are shares of what was tried (0.05): from there on the campaign pauses itself.
    """

    rate: Decimal | None
    start: datetime | None
    expires: datetime | None
    priority: Priority
    quiet_hours: str | None
    budget: Decimal | None
    pause_on_failures: Decimal | None
    pause_on_opt_outs: Decimal | None


def rate_milli(rate: Decimal | None) -> int:
    """Parts per 1,000 s; 0 for no cap. Raises UnusableInput."""
    if rate is None:
        return 0
    if not rate.is_finite() or not LEAST_RATE <= rate <= MOST_RATE:
        raise UnusableInput(
            f"rate {rate}: use {LEAST_RATE} to {MOST_RATE} parts per second; to stop a campaign, pause it"
        )
    return int(rate * 1000)


def moment_us(moment: datetime | None, what: str) -> int:
    """Microseconds since 1970; 0 for none. Raises UnusableInput where it has no time zone, or is no moment that clocks will show."""
    if moment is None:
        return 0
    if moment.tzinfo is None:
        raise UnusableInput(f"{what} needs a time zone (2030-01-31T18:00:00+01:00)")
    if not 0 < moment.timestamp() < LAST_S:
        raise UnusableInput(f"{what} lies after 1970 and before 2200: choose another, or leave it out")
    return int(moment.timestamp() * 1_000_000)


def _priority(priority: Priority) -> Priority:
    if priority not in get_args(Priority):
        raise UnusableInput(f"priority {priority!r}: use one of {', '.join(get_args(Priority))}")
    return priority


def budget_micros(budget: Decimal | None) -> int:
    """0 for none. Raises UnusableInput."""
    if budget is None:
        return 0
    if not budget.is_finite() or not 0 < budget <= MOST_BUDGET:
        raise UnusableInput(f"budget {budget}: use more than 0, at most {MOST_BUDGET}; to stop a campaign, pause it")
    return max(1, micros(budget))


def share_ppm(share: Decimal | None) -> int:
    """Parts per million; 0 for no limit. Raises UnusableInput."""
    if share is None:
        return 0
    if not share.is_finite() or not Decimal("0.0001") <= share <= 1:
        raise UnusableInput(f"a limit of {share}: use a share of what was tried, from 0.0001 to 1, as in 0.05 for 5 %")
    return int(share * 1_000_000)


def hours(given: str | None) -> str:
    """'' for none. Raises UnusableInput."""
    if given is not None:
        parse(given)
    return given or ""


_FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "rate": ("rate_milli", rate_milli),
    "start": ("start_us", lambda moment: moment_us(moment, "the moment of the start")),
    "expires": ("expires_us", lambda moment: moment_us(moment, "the moment of expiry")),
    "priority": ("priority", _priority),
    "quiet_hours": ("quiet_hours", hours),
    "budget": ("budget_micros", budget_micros),
    "pause_on_failures": ("pause_on_failures_ppm", share_ppm),
    "pause_on_opt_outs": ("pause_on_opt_outs_ppm", share_ppm),
}


def fields_of(changes: Changes) -> dict[str, Any]:
    """What is asked for as fields of a Campaign, in its units. Raises UnusableInput: says what is wrong and what to do."""
    return {_FIELDS[name][0]: _FIELDS[name][1](value) for name, value in changes.items()}
