"""What the carrier takes of nobody, whoever the recipients are: sender IDs, media and moments that no row could make right."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from volley.carrier.alphanumeric import is_alphanumeric, keeps_rules
from volley.errors import UnusableInput
from volley.hours import parse as parse_hours
from volley.terms import budget_micros, moment_us, rate_milli, share_ppm

MAX_MEDIA = 10
MAX_URL = 2000
MAX_SUBJECT = 1000
EARLIEST = timedelta(minutes=5)
LATEST = timedelta(days=5)
"""How far ahead the carrier schedules (Telnyx, scheduling of SMS and MMS)."""
MMS_COUNTRIES = ("US", "CA")


def check_sender(sender: str) -> None:
    """Raises UnusableInput for an alphanumeric ID that the carrier's rules exclude."""
    if is_alphanumeric(sender) and not keeps_rules(sender):
        raise UnusableInput(
            f"sender {sender[:20]!r}: an alphanumeric ID has 1 to 11 characters, of A-Z, a-z, 0-9 and space,"
            " and at least one letter"
        )


def check_media(media: Sequence[str], subject: str) -> None:
    """Raises UnusableInput for links that the carrier would not fetch."""
    if len(media) > MAX_MEDIA:
        raise UnusableInput(f"{len(media)} media: an MMS has {MAX_MEDIA} at most")
    for url in media:
        if len(url) > MAX_URL or not url.isprintable() or " " in url or not _web(url):
            raise UnusableInput(
                f"media {url[:60]!r} is no link that the carrier can fetch: give http(s)://… of at most {MAX_URL} characters"
            )
    if subject and not media:
        raise UnusableInput("a subject belongs to an MMS: add --media, or leave the subject out")
    if len(subject) > MAX_SUBJECT:
        raise UnusableInput(f"the subject is longer than {MAX_SUBJECT} characters")


def _web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def check_terms(
    rate: Decimal | None, start: datetime | None, send_at: datetime | None, expires: datetime | None
) -> None:
    """Raises UnusableInput for terms that are out of range, or exclude each other."""
    rate_milli(rate)
    begins, ends = moment_us(start, "the moment of the start"), moment_us(expires, "the moment of expiry")
    if start is not None and send_at is not None:
        raise UnusableInput(
            "--start holds messages back here, --send-at lets the carrier keep them: give only one of them"
        )
    if begins and ends and begins >= ends:
        raise UnusableInput("it expires before it starts: give a later moment of expiry, or an earlier start")


def check_limits(budget: Decimal | None, *shares: Decimal | None) -> None:
    """Raises UnusableInput for what is out of range."""
    budget_micros(budget)
    for share in shares:
        share_ppm(share)


def check_hours(quiet_hours: str | None) -> None:
    """Raises UnusableInput for what are no quiet hours; none (there are none) and None (the account's) are."""
    if quiet_hours not in (None, "none"):
        parse_hours(quiet_hours or "")


def check_send_at(moment: datetime, now: datetime | None = None) -> None:
    """Raises UnusableInput for a moment that the carrier does not schedule for."""
    if moment.tzinfo is None:
        raise UnusableInput("the moment to send at needs a time zone (2030-01-31T18:00:00+01:00)")
    ahead = moment - (now or datetime.now(UTC))
    if ahead <= EARLIEST:
        raise UnusableInput("the carrier schedules from 5 minutes ahead on: choose a later moment, or send at once")
    if ahead > LATEST:
        raise UnusableInput("the carrier schedules 5 days ahead at most: choose an earlier moment, or push later")
