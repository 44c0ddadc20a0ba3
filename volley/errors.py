"""What the caller did wrong, as one tree. What the carrier says is a value (carrier.outcome), never an exception.

VolleyError            exit code 1   failed
├── UnusableInput      2             usage, no `to` column, not UTF-8, unknown variable, bad settings
├── RefusedByPolicy    4             budget or policy says no
│   └── KeyTaken                     the idempotency key belongs to a push with another content
└── TryAgainLater      75            Redis, the ledger or the carrier is away

RowError (a ValueError)              one row of a push cannot be sent; its text is the reason in the file of rejected rows
├── numbers.NotSendable              a text cannot reach this number
├── text.MissingVariable             the template has a hole and the row nothing to put in it
└── text.NotEncodable              no encoding can carry this text
"""


class VolleyError(Exception):
    """A one-line message that says what is wrong and what to do about it."""

    exit_code = 1


class UnusableInput(VolleyError):
    exit_code = 2


class RefusedByPolicy(VolleyError):
    exit_code = 4


class KeyTaken(RefusedByPolicy):
    pass


class TryAgainLater(VolleyError):
    exit_code = 75


class RowError(ValueError):
    """One row is refused and the rest go on. The message is a short reason and never holds the recipient's number."""


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the rest was cancelled for it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
