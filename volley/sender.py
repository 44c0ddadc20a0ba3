"""A sender: a long code, toll-free number, short code or alphanumeric sender ID of a profile's pool."""

from dataclasses import dataclass
from typing import Literal

SenderType = Literal["long_code", "toll_free", "short_code", "alphanumeric"]

_SPELLINGS: dict[str, SenderType] = {
    "longcode": "long_code",
    "tollfree": "toll_free",
    "shortcode": "short_code",
    "alphanumeric": "alphanumeric",
    "alpha": "alphanumeric",
}


def sender_type(spelling: str) -> SenderType:
    """Telnyx writes `long-code`, `longcode` and `long_code` for the same thing; KeyError for anything else."""
    return _SPELLINGS[spelling.lower().replace("-", "").replace("_", "")]


@dataclass(frozen=True, slots=True)
class Sender:
    """`rate_milli` is parts per 1,000 seconds (0.1/s → 100). `group` names a registered campaign whose limit is shared.

    `active` False keeps it out of the pool; `reason` says why.
    """

    number: str
    type: SenderType
    profile: str
    country: str = ""
    rate_milli: int = 100
    group: str = ""
    active: bool = True
    reason: str = ""
