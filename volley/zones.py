"""Time zones of phone numbers, as libphonenumber's tables have them. Pure."""

from functools import lru_cache

import phonenumbers
from phonenumbers import timezone

from volley.errors import RowError

_UNKNOWN = "Etc/Unknown"
_NANP = 11


def zones_of(number: int) -> tuple[str, ...]:
    """The time zones in which a number (E.164 digits) may be; several where its digits do not tell, as of most countries' mobiles.

    Raises RowError where none is known.
    """
    found = _zones(number, 10_000 if number // 10 ** (_NANP - 1) == 1 else 1_000)
    if not found:
        raise RowError("no time zone is known for this number: add a column `zone`, as in Europe/Berlin")
    return found


def _zones(number: int, ignored: int) -> tuple[str, ...]:
    # what tells zones apart are leading digits: those of one exchange need one look-up
    return _look_up(number // ignored, ignored, len(str(number)))


@lru_cache(1 << 16)
def _look_up(head: int, ignored: int, _length: int) -> tuple[str, ...]:
    found = timezone.time_zones_for_number(phonenumbers.parse(f"+{head * ignored + ignored // 2}"))
    return tuple(name for name in found if name != _UNKNOWN)
