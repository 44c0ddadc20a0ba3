"""Receipts on their way into the hot states: where each one's message stands."""

from collections.abc import Sequence
from struct import Struct

from volley.outbox.events import ReceiptRecord

POSITION = Struct(">16sIHB")


def attempts(records: Sequence[ReceiptRecord]) -> list[str]:
    """The carrier's id of each of these, for lua/receipts.lua; that it was delivered counts whatever was tried since."""
    return ["" if r.status == "delivered" else r.carrier_id for r in records if r.campaign]


def positions(records: Sequence[ReceiptRecord]) -> bytes:
    """The places, packed for lua/receipts.lua, of those records that carry a reference of ours."""
    return b"".join(
        [POSITION.pack(r.campaign.encode(), r.chunk, r.offset, min(r.parts, 255)) for r in records if r.campaign]
    )
