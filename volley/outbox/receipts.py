"""Receipts on their way into the hot states: where each one's message stands."""

from collections.abc import Sequence
from struct import Struct

from volley.outbox.events import ReceiptRecord

POSITION = Struct(">16sIHB")


def positions(records: Sequence[ReceiptRecord]) -> bytes:
    """The places, packed for lua/receipts.lua, of those records that carry a reference of ours."""
    return b"".join(
        [POSITION.pack(r.campaign.encode(), r.chunk, r.offset, min(r.parts, 255)) for r in records if r.campaign]
    )
