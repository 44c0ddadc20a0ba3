"""The answer to a send: all of Telnyx's OutboundMessagePayload, from a template a sender, as bytes."""

import functools
import mimetypes
from decimal import Decimal
from itertools import zip_longest
from urllib.parse import urlsplit

import orjson

from volley.sandbox.accepted import Odd
from volley.sandbox.config import ORGANIZATION_ID, Price, SandboxConfig, Tariff
from volley.sandbox.draft import Draft
from volley.sandbox.moments import to_the_second
from volley.sandbox.pool import SandboxNumber, SandboxProfile

_HOLE = "@hole@"
_CARRIERS = dict(
    zip("0123456789", (b"T-MOBILE USA, INC.", b"AT&T MOBILITY", b"VERIZON WIRELESS", b"US CELLULAR") * 3, strict=False)
)
"""By the last digit of `to`."""


def carrier_of(number: str) -> str:
    return _CARRIERS[number[-1]].decode()


def cost_of(price: Price, parts: int) -> dict[str, object]:
    """`cost` and `cost_breakdown` of a payload, in totals."""
    cost, breakdown = _cost(price, parts, per_part=False)
    return {"cost": orjson.loads(cost), "cost_breakdown": orjson.loads(breakdown)}


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

    def mms_at_post(self) -> tuple[bytes, bytes]:
        return self._mms() if self._tariff.at_post else (b"null", b"null")

    def final(self, to: str, parts: int, mms: bool) -> tuple[bytes, bytes]:
        return _cost(self.price(to, mms), parts, self._tariff.breakdown_per_part)

    def price(self, to: str, mms: bool) -> Price:
        """The final one, of a part or of an MMS."""
        return self._tariff.mms if mms else self._tariff.final or self._of(to)

    def _mms(self) -> tuple[bytes, bytes]:
        return _cost(self._tariff.mms, 1, self._tariff.breakdown_per_part)

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
        number, profile, to, text, content, url, failover, media, subject, _, odd = draft
        encoding, parts, smart = content
        cost, breakdown = self.prices.mms_at_post() if media else self.prices.at_post(to, parts)
        seconds, rest = divmod(wall_us, 1_000_000)
        received, valid = to_the_second(seconds)
        template = number.template if number.profile is profile else _template(number, profile)
        return (template or _keep_template(number, profile)) % (
            message_id.encode(),
            b"MMS" if media else b"SMS",
            to.encode(),
            _CARRIERS[to[-1]],
            orjson.dumps(text),
            len(text),
            orjson.dumps(subject) if subject else b"null",
            _media(media, odd) if media else b"[]",
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


def _media(urls: list[str], odd: Odd | None) -> bytes:
    sizes = odd.sizes if odd is not None else ()
    return orjson.dumps(
        [
            {"url": url, "content_type": _kind(url), "sha256": None, "size": size}
            for url, size in zip_longest(urls, sizes)
        ]
    )


def _kind(url: str) -> str | None:
    """By the ending of its path; None where that says nothing."""
    return mimetypes.guess_type(urlsplit(url).path)[0]


def _keep_template(number: SandboxNumber, profile: SandboxProfile) -> bytes:
    number.template = _template(number, profile)
    return number.template


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
    return shape.replace(hole, b"%b")


def _shape(number: SandboxNumber, profile: SandboxProfile) -> dict[str, object]:
    spec = profile.spec
    campaign = number.campaign.campaign_id if number.campaign is not None and number.registered else None
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
    return list(number.tags)
