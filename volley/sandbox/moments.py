"""Moments as Telnyx writes them, and as it reads them."""

import functools
from datetime import UTC, datetime, timedelta

from volley.sandbox.replies import Refusal

DAY_US = 86_400_000_000
VALID_US = 3_600_000_000
"""valid_until − received_at, as seen in real answers of 2025."""


def stamp(wall_us: int) -> bytes:
    """A moment in quotes: `"2025-03-22T11:28:39.401+00:00"`."""
    seconds, rest = divmod(wall_us, 1_000_000)
    return b'"%b.%03d+00:00"' % (to_the_second(seconds)[0], rest // 1000)


@functools.lru_cache(maxsize=1024)
def to_the_second(seconds: int) -> tuple[bytes, bytes]:
    """A second and the one in which a message that comes then is valid no more."""
    begin = datetime.fromtimestamp(seconds, UTC)
    end = begin + timedelta(microseconds=VALID_US)
    return begin.strftime("%Y-%m-%dT%H:%M:%S").encode(), end.strftime("%Y-%m-%dT%H:%M:%S").encode()


def moment(wall_us: int) -> str:
    """`2025-03-22T11:28:39.401+00:00`."""
    return stamp(wall_us)[1:-1].decode()


def read_moment(text: str, *, parameter: str = "", pointer: str = "") -> int:
    """Wall-clock µs of an ISO-8601 moment; one without an offset is UTC. Raises Refusal 10015.

    In a query a plus sign may have come as a space.
    """
    try:
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise Refusal("10015", "A moment must be ISO 8601.", parameter=parameter, pointer=pointer) from None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)


def midnight_us(wall_us: int) -> int:
    """00:00 UTC of that day."""
    return wall_us - wall_us % DAY_US
