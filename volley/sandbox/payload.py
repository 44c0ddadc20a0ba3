"""The answer to a send: all of Telnyx's OutboundMessagePayload, from a template a sender, as bytes."""

import functools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson

from volley.sandbox.config import ORGANIZATION_ID, Price, SandboxConfig, Tariff
from volley.sandbox.draft import Draft
from volley.sandbox.pool import SandboxNumber, SandboxProfile

VALID_US = 3_600_000_000
"""valid_until − received_at, as seen in real answers of 2025."""

_HOLE = "@hole@"
_CARRIERS = dict(
    zip("0123456789", (b"T-MOBILE USA, INC.", b"AT&T MOBILITY", b"VERIZON WIRELESS", b"US CELLULAR") * 3, strict=False)
)
"""By the last digit of `to`."""


def stamp(wall_us: int) -> bytes:
    """A moment as Telnyx writes it, in quotes: `"2025-03-22T11:28:39.401+00:00"`."""
    seconds, rest = divmod(wall_us, 1_000_000)
    return b'"%b.%03d+00:00"' % (_seconds(seconds)[0], rest // 1000)


@functools.lru_cache(maxsize=1024)
def _seconds(seconds: int) -> tuple[bytes, bytes]:
    """A second and the one in which a message that comes then is valid no more."""
    begin = datetime.fromtimestamp(seconds, UTC)
    end = begin + timedelta(microseconds=VALID_US)
    return begin.strftime("%Y-%m-%dT%H:%M:%S").encode(), end.strftime("%Y-%m-%dT%H:%M:%S").encode()


class Prices:
    """What a message costs, as the JSON of `cost` and of `cost_breakdown`."""

    def __init__(self, tariff: Tariff) -> None:
        self._tariff = tariff
        self._flat: dict[int, tuple[bytes, bytes]] = {}
        if tariff.at_post and not tariff.by_prefix:
            self._flat = {parts: _cost(tariff.price, parts, tariff.breakdown_per_part) for parts in range(1, 11)}
        self._prefixes = sorted(tariff.by_prefix.items(), key=lambda pair: -len(pair[0]))

    def at_post(self, to: str, parts: int) -> tuple[bytes, bytes]:
        found = self._flat.get(parts)
        if found is not None:
            return found
        if not self._tariff.at_post:
            return b"null", b"null"
        return _cost(self._of(to), parts, self._tariff.breakdown_per_part)

    def final(self, to: str, parts: int) -> tuple[bytes, bytes]:
        return _cost(self._tariff.final or self._of(to), parts, self._tariff.breakdown_per_part)

    def _of(self, to: str) -> Price:
        for prefix, price in self._prefixes:
            if to.startswith(prefix):
                return price
        return self._tariff.price


@functools.lru_cache(maxsize=1024)
def _cost(price: Price, parts: int, per_part: bool) -> tuple[bytes, bytes]:
    rate, fee = Decimal(price.rate), Decimal(price.carrier_fee)
    shown = 1 if per_part else parts
    breakdown = {
        "carrier_fee": {"amount": str(fee * shown), "currency": price.currency},
        "rate": {"amount": str(rate * shown), "currency": price.currency},
    }
    cost = {"amount": str((rate + fee) * parts), "currency": price.currency}
    return orjson.dumps(cost), orjson.dumps(breakdown)


class Payloads:
    """Renders drafts. `at POST` is the only shape that is built; later ones are changed from it (life.py)."""

    def __init__(self, config: SandboxConfig) -> None:
        self.prices = Prices(config.tariff)

    def render(self, draft: Draft, message_id: str, wall_us: int, wait_us: int) -> bytes:
        """`{"data": payload}` as the POST answers it. `wall_us` is received_at."""
        number, profile, to, text, content, url, failover, media, subject = draft
        encoding, parts, smart = content
        cost, breakdown = self.prices.at_post(to, parts)
        seconds, rest = divmod(wall_us, 1_000_000)
        received, valid = _seconds(seconds)
        return (number.template or _template(number, profile)) % (
            message_id.encode(),
            b"MMS" if media else b"SMS",
            to.encode(),
            _CARRIERS[to[-1]],
            orjson.dumps(text),
            len(text),
            orjson.dumps(subject) if subject else b"null",
            _media(media) if media else b"[]",
            orjson.dumps(url) if url else b'""',
            orjson.dumps(failover) if failover else b'""',
            encoding.encode(),
            parts,
            cost,
            breakdown,
            received,
            rest // 1000,
            valid,
            rest // 1000,
            b"%.3f" % (wait_us / 1e6) if wait_us else b"0.0",
            b"true" if smart else b"false",
        )


def _media(urls: list[str]) -> bytes:
    return orjson.dumps([{"url": url, "content_type": None, "sha256": None, "size": None} for url in urls])


def _template(number: SandboxNumber, profile: SandboxProfile) -> bytes:
    """The payload with a `%` place for what differs from message to message, made once a sender."""
    shape = orjson.dumps({"data": _shape(number, profile)}).replace(b"%", b"%%")
    hole = orjson.dumps(_HOLE)
    for field in (b"num_chars", b"parts"):
        shape = shape.replace(b'"%b":%b' % (field, hole), b'"%b":%%d' % field)
    for field in (b"id", b"type", b"phone_number", b"carrier", b"encoding"):
        shape = shape.replace(b'"%b":%b' % (field, hole), b'"%b":"%%b"' % field)
    for field in (b"received_at", b"valid_until"):
        shape = shape.replace(b'"%b":%b' % (field, hole), b'"%b":"%%b.%%03d+00:00"' % field)
    number.template = shape.replace(hole, b"%b")
    return number.template


def _shape(number: SandboxNumber, profile: SandboxProfile) -> dict[str, object]:
    spec = profile.spec
    campaign = spec.tcr_campaign_id if number.type == "long_code" else None
    return {
        "record_type": "message",
        "direction": "outbound",
        "id": _HOLE,
        "type": _HOLE,
        "organization_id": ORGANIZATION_ID,
        "messaging_profile_id": spec.id,
        "from": {"phone_number": number.number, "carrier": "TELNYX LLC", "line_type": "VoIP"},
        "to": [{"phone_number": _HOLE, "status": "queued", "carrier": _HOLE, "line_type": "Wireless"}],
        "cc": [],
        "text": _HOLE,
        "num_chars": _HOLE,
        "subject": _HOLE,
        "media": _HOLE,
        "webhook_url": _HOLE,
        "webhook_failover_url": _HOLE,
        "encoding": _HOLE,
        "parts": _HOLE,
        "tags": tags(number),
        "cost": _HOLE,
        "cost_breakdown": _HOLE,
        "tcr_campaign_id": campaign,
        "tcr_campaign_billable": campaign is not None,
        "tcr_campaign_registered": "REGISTERED" if campaign else None,
        "received_at": _HOLE,
        "sent_at": None,
        "completed_at": None,
        "valid_until": _HOLE,
        "wait_seconds": _HOLE,
        "smart_encoding_applied": _HOLE,
        "errors": [],
    }


def tags(number: SandboxNumber) -> list[str]:
    """Tags belong to the number, never to the message."""
    return ["sandbox", number.type]
