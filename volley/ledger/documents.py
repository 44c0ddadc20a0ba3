"""One message as people and other systems get it: what the ledger has, over the sealed chunk, under the hot state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from volley.campaign import Campaign
from volley.ledger.ranks import RANK_OF_STATE, STATUS_OF
from volley.ledger.rows import COST_FINAL, NOTHING, Place, message_of_chunk
from volley.message import MessageId
from volley.money import amount
from volley.numbers import e164
from volley.outbox.chunks import Chunk

Document = dict[str, Any]


class Sources(NamedTuple):
    """What is known of a message: its row, its chunk, and the chunk's hot state bytes; any of them may be missing."""

    campaign: Campaign
    row: Mapping[str, Any] | None
    chunk: Chunk | None
    hot: bytes | None


def message(place: Place, sources: Sources) -> Document:
    """The line of an export; field names as in docs/ledger.md. Money is a decimal string, None where nobody knows it."""
    campaign, row, chunk, hot = sources
    known: Mapping[str, Any] = row or NOTHING
    # a row that no attempt has described yet knows less than the chunk does
    facts: Mapping[str, Any] = message_of_chunk(place, chunk) if chunk and known["taken_us"] < 0 else known
    rank = max(known["rank"], _hot_rank(hot, place[2]))
    return {
        "message_id": str(MessageId(*place)),
        "reference": facts["reference"],
        "to": None if facts["recipient"] is None else e164(facts["recipient"]),
        "from": known["sender"] or campaign.sender,
        "status": STATUS_OF[rank],
        "encoding": facts["encoding"],
        "parts": facts["parts"],
        "estimated_cost": money(facts["estimated_micros"]),
        "cost": money(known["cost_micros"]),
        "currency": known["currency"] or campaign.currency,
        "carrier_id": known["carrier_id"] or None,
        "attempts": known["attempts"],
        "error_code": known["error_code"] or None,
        "error_text": known["error_text"] or None,
        "campaign_id": campaign.id,
        "profile": campaign.profile,
        "country": facts["country"] or None,
        "carrier_encoding": known["carrier_encoding"],
        "carrier_parts": known["carrier_parts"],
        "rate": money(known["rate_micros"]),
        "carrier_fee": money(known["fee_micros"]),
        "cost_is_final": known["cost_rank"] == COST_FINAL,
        "sent_us": known["sent_us"],
        "submitted_us": known["submitted_us"],
        "completed_us": known["completed_us"],
    }


def _hot_rank(hot: bytes | None, offset: int) -> int:
    return RANK_OF_STATE[chr(hot[offset])] if hot else 0


def moment(at_us: int) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def money(value_micros: int | None) -> str | None:
    return None if value_micros is None else amount(int(value_micros))
