"""What the caller did wrong, as one tree. What the carrier says is a value (carrier.outcome), never an exception.

VolleyError            exit code 1   failed
├── UnusableInput      2             usage, no `to` column, not UTF-8, unknown variable, bad settings
├── RefusedByPolicy    4             budget or policy says no (also: same idempotency key, another content)
└── TryAgainLater      75            Redis, the ledger or the carrier is away
"""


class VolleyError(Exception):
    """A one-line message that says what is wrong and what to do about it."""

    exit_code = 1


class UnusableInput(VolleyError):
    exit_code = 2


class RefusedByPolicy(VolleyError):
    exit_code = 4


class TryAgainLater(VolleyError):
    exit_code = 75
