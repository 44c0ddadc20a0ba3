"""A sender: a long code, toll-free number, short code or alphanumeric sender ID of a profile's pool.

The carrier's own number pool is one too (`carrier_pool`): Telnyx chooses the number, we pace and record.
"""

from dataclasses import dataclass
from typing import Literal

SenderType = Literal["long_code", "toll_free", "short_code", "alphanumeric", "carrier_pool"]

_POOL = "pool:"
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

    `active` False keeps it out of the pool; `reason` says why. `reach` is where it may send: `*` everywhere, `US,CA` only
    there, `!US,CA` everywhere else (ISO 3166-1 alpha-2, sorted). `fallback` is the number that sends in its place where it
    may not. `kept`: it serves the people who are pinned to it and nobody new.
    """

    number: str
    type: SenderType
    profile: str
    country: str = ""
    rate_milli: int = 100
    group: str = ""
    active: bool = True
    reason: str = ""
    reach: str = "*"
    mms: bool = False
    fallback: str = ""
    kept: bool = False

    def reaches(self, country: str) -> bool:
        """Whether it may send to an ISO 3166-1 alpha-2 country."""
        if self.reach == "*":
            return True
        listed = country in self.reach.lstrip("!").split(",")
        return listed != self.reach.startswith("!")


def carrier_pool(profile: str) -> str:
    """What stands for a profile's pool at the carrier where a sender's number stands."""
    return f"{_POOL}{profile}"


def is_carrier_pool(number: str) -> bool:
    return number.startswith(_POOL)
