"""One attempt as the ledger gets it."""

from time import monotonic
from typing import assert_never

from volley.campaign import Campaign
from volley.carrier.outcome import Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled
from volley.outbox.chunks import ENCODINGS, Chunk
from volley.outbox.events import AttemptRecord
from volley.outbox.flights import Grant
from volley.outbox.pool import Member
from worker.pacing import Clock

_Said = tuple[str, str, int, int, int, int, str]

_NOTHING: _Said = ("", "", 0, -1, -1, -1, "")
"""carrier id, encoding, parts, cost, rate, fee, currency, where the carrier said none of them."""


def _told(outcome: Outcome) -> tuple[str, int, str, str, _Said]:
    """Kind, HTTP status, error code, error text, and what the carrier said of the message."""
    match outcome:
        case Accepted():
            carrier_id, encoding, parts, cost, rate, fee, currency, _, _ = outcome
            prices = (-1 if cost is None else cost, -1 if rate is None else rate, -1 if fee is None else fee)
            return "accepted", 200, "", "", (carrier_id or "", encoding, parts, *prices, currency)
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


def _chosen(member: Member, outcome: Outcome) -> str:
    """The number that the carrier took from its pool, where it says which."""
    return (outcome.sender if isinstance(outcome, Accepted) else "") or member.number


def attempt_record(
    grant: Grant, campaign: Campaign, chunk: Chunk, member: Member, outcome: Outcome, clock: Clock, sent_at: float
) -> AttemptRecord:
    """`sent_at`: the `time.monotonic()` at which the bytes left, 0.0 if they did not."""
    kind, status, code, text, said = _told(outcome)
    sender = _chosen(member, outcome) if member.type == "carrier_pool" else member.number
    _, name, _, index, at, _, attempt, _, _, to, _ = grant
    references = chunk.references
    return AttemptRecord._make(
        (
            *(name, index, at, attempt, to, None if references is None else references[at], sender),
            *(ENCODINGS[chunk.encodings[at]], chunk.parts[at], chunk.estimates[at], clock.now_us),
            *(clock.server_us(sent_at) if sent_at else 0, clock.server_us(monotonic())),
            *(kind, status, code, text),
            *(said if said[-1] else (*said[:-1], campaign.currency)),
        )
    )
