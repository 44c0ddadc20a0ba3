"""What the feed tells of, and how it is kept: some bytes an event, packed together. Pure.

No text and no number of a person that the ledger has elsewhere is kept here: whoever reads the feed has them joined in, so that
what is erased there is gone here too. The exception is a person's opt-out, which is about nothing else.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgpack
import zstandard

from volley.errors import UnusableInput

TYPES: tuple[str, ...] = (
    "campaign.accepted",
    "campaign.started",
    "campaign.paused",
    "campaign.resumed",
    "campaign.cancelled",
    "campaign.expired",
    "campaign.finished",
    "campaign.changed",
    "campaign.auto_paused",
    "campaign.budget_reached",
    "message.submitted",
    "message.delivered",
    "message.undelivered",
    "message.unconfirmed",
    "message.refused",
    "message.opted_out",
    "message.expired",
    "message.cancelled",
    "message.unknown",
    "message.dead",
    "inbound.received",
    "optout.added",
    "optout.removed",
)
"""A type's place is stored: add at the end, never move one."""

_PLACE = {name: place for place, name in enumerate(TYPES)}
_MOST_BYTES = 8 << 20
_COMPRESS = zstandard.ZstdCompressor(level=3, write_content_size=True)
_DECOMPRESS = zstandard.ZstdDecompressor()


class MessageFacts(NamedTuple):
    """What was new about a message. Money in micro-units; "" and None where nobody knows."""

    chunk: int
    offset: int
    sender: str
    error_code: str
    error_text: str
    parts: int | None
    cost_micros: int | None
    currency: str | None


class CampaignFacts(NamedTuple):
    """`detail` is JSON."""

    detail: str


class InboundFacts(NamedTuple):
    """The row of `inbound`."""

    event_id: str


class OptoutFacts(NamedTuple):
    profile: str
    recipient: int


Facts = MessageFacts | CampaignFacts | InboundFacts | OptoutFacts
_FACTS: dict[str, type[MessageFacts] | type[CampaignFacts] | type[InboundFacts] | type[OptoutFacts]] = {
    "message": MessageFacts,
    "campaign": CampaignFacts,
    "inbound": InboundFacts,
    "optout": OptoutFacts,
}


class Happening(NamedTuple):
    """One event, of the campaign under which it is kept."""

    type: str
    at_us: int
    facts: Facts


def known(name: str) -> bool:
    """Whether the feed has such a type; what a newer release tells of is passed over."""
    return name in _PLACE


def pack(happenings: Sequence[Happening]) -> bytes:
    return _COMPRESS.compress(msgpack.packb([(_PLACE[each.type], each.at_us, each.facts) for each in happenings]))


def unpack(blob: bytes) -> list[Happening]:
    rows = msgpack.unpackb(_DECOMPRESS.decompress(blob, max_output_size=_MOST_BYTES))
    return [_happening(TYPES[place], at_us, facts) for place, at_us, facts in rows]


def _happening(name: str, at_us: int, facts: list[object]) -> Happening:
    return Happening(name, at_us, _FACTS[name.partition(".")[0]](*facts))  # type: ignore[arg-type]


def mask(types: Sequence[str]) -> int:
    """Types as bits: those of a row in the feed, or those that a reader wants."""
    bits = 0
    for name in types:
        bits |= 1 << _PLACE[name]
    return bits


ALL = mask(TYPES)


def wanted(types: Sequence[str]) -> tuple[str, ...]:
    """`message.*` and single types as the types that they are; none is all.

    Raises:
        UnusableInput: there is no such type.
    """
    found: list[str] = []
    for given in types:
        named = [name for name in TYPES if name == given or (given.endswith(".*") and name.startswith(given[:-1]))]
        if not named:
            raise UnusableInput(f"no event type {given[:40]!r}: use {', '.join(TYPES)}, or message.* and the like")
        found += named
    return tuple(name for name in TYPES if name in found) if found else TYPES
