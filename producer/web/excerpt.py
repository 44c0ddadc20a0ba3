"""What the page shows of a snapshot: every list cut to what a person can look at, so that it costs the same with ten thousand.

Sections are made once a snapshot, however many watch, and kept as bytes: who watches is sent those that have changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from producer.sight.facts import CampaignFacts, Facts, QueueFacts

CAMPAIGNS = 50
"""Open campaigns, where nobody asks for more."""
MOST_CAMPAIGNS = 500
QUEUES, WORKERS, POOLS, SENDERS, RESTS, OUTCOMES, NOTES = 30, 50, 40, 40, 20, 30, 12

Sections = Mapping[str, bytes]


def sections(facts: Facts, most_campaigns: int) -> dict[str, bytes]:
    """Name → JSON. `more` says of each list how many were left out."""
    cut: dict[str, tuple[Sequence[Any], int]] = {
        "campaigns": ([_campaign(each) for each in facts.campaigns[:most_campaigns]], len(facts.campaigns)),
        "queues": ([_queue(each) for each in facts.queues[:QUEUES]], len(facts.queues)),
        "workers": (facts.workers[:WORKERS], len(facts.workers)),
        "serves": (facts.serves[:WORKERS], len(facts.serves)),
        "pools": (facts.pools[:POOLS], len(facts.pools)),
        "senders": (facts.senders[:SENDERS], len(facts.senders)),
        "rests": (facts.rests[:RESTS], len(facts.rests) + facts.rests_more),
        "outcomes": (facts.outcomes[:OUTCOMES], len(facts.outcomes)),
        "delivery_errors": (facts.delivery_errors[:OUTCOMES], len(facts.delivery_errors)),
        "notes": (facts.notes[:NOTES], len(facts.notes)),
    }
    whole = {
        "about": {
            "at": facts.at,
            "account": facts.account,
            "version": facts.version,
            "circuit_open": facts.circuit_open,
        },
        "total": _queue(facts.total),
        "ledger": facts.ledger,
        "redis": facts.redis,
        "spend": facts.spend,
        "conservation": facts.conservation,
        "more": {name: total - len(shown) for name, (shown, total) in cut.items() if total > len(shown)},
    }
    return {
        name: orjson.dumps(value) for name, value in (whole | {name: each for name, (each, _) in cut.items()}).items()
    }


def _campaign(facts: CampaignFacts) -> CampaignFacts:
    """An age that grows by itself is rounded: a campaign that stands still is not sent again and again."""
    return replace(facts, oldest_due_seconds=_whole(facts.oldest_due_seconds), eta_seconds=_whole(facts.eta_seconds))


def _queue(facts: QueueFacts) -> QueueFacts:
    return replace(facts, oldest_due_seconds=_whole(facts.oldest_due_seconds), eta_seconds=_whole(facts.eta_seconds))


def _whole(seconds: float | None) -> float | None:
    """Whole seconds below two minutes, steps of ten above."""
    if seconds is None:
        return None
    return round(seconds) if seconds < 120 else round(seconds, -1)
