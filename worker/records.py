"""One attempt as the ledger gets it."""

from typing import assert_never

from volley.campaign import Campaign
from volley.carrier.outcome import Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled
from volley.outbox.chunks import ENCODINGS, Chunk
from volley.outbox.events import AttemptRecord
from volley.outbox.flights import Grant
from worker.pacing import Clock

_Said = tuple[str, str, int, int, int, int, str]

_NOTHING: _Said = ("", "", 0, -1, -1, -1, "")
"""carrier id, encoding, parts, cost, rate, fee, currency, where the carrier said none of them."""


def _known(micros: int | None) -> int:
    return -1 if micros is None else micros


def _told(outcome: Outcome) -> tuple[str, int, str, str, _Said]:
    """Kind, HTTP status, error code, error text, and what the carrier said of the message."""
    match outcome:
        case Accepted():
            carrier_id, encoding, parts, cost, rate, fee, currency, _, _ = outcome
            said = (carrier_id or "", encoding, parts, _known(cost), _known(rate), _known(fee), currency)
            return "accepted", 200, "", "", said
        case Refused(status, code, text):
            return "refused", status, code, text, _NOTHING
        case Throttled(_, _, status, code, text):
            return "throttled", status, code, text, _NOTHING
        case NotSent(reason):
            return "not_sent", 0, "", reason, _NOTHING
        case PerhapsSent(reason, status):
            return "perhaps_sent", status, "", reason, _NOTHING
        case _:
            assert_never(outcome)


def attempt_record(
    grant: Grant, campaign: Campaign, chunk: Chunk, sender: str, outcome: Outcome, clock: Clock, sent_at: float
) -> AttemptRecord:
    """`sent_at`: the `time.monotonic()` at which the bytes left, 0.0 if they did not."""
    kind, status, code, text, said = _told(outcome)
    at = grant.offset
    return AttemptRecord._make(
        (
            grant.campaign,
            grant.chunk,
            at,
            grant.attempt,
            grant.to,
            None if chunk.references is None else chunk.references[at],
            sender,
            ENCODINGS[chunk.encodings[at]],
            chunk.parts[at],
            chunk.estimates[at],
            clock.now_us,
            clock.server_us(sent_at) if sent_at else 0,
            clock.server_now_us(),
            kind,
            status,
            code,
            text,
            *said[:-1],
            said[-1] or campaign.currency,
        )
    )
