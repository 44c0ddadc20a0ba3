"""How campaigns stand, and what `volley status` says: the outbox's hot state. Reads, changes nothing."""

from time import time_ns

from producer import documents
from producer.documents import Document
from volley.errors import UnusableInput
from volley.ledger.stream import LedgerStream
from volley.outbox.outbox import Outbox

RELAXED_RISK = "when Redis crashes it may forget what it had acknowledged: messages may be lost, or sent twice"


async def every_campaign(outbox: Outbox) -> list[Document]:
    """All campaigns, newest first."""
    return [documents.campaign(view) for view in await outbox.campaigns()]


async def one_campaign(outbox: Outbox, campaign_id: str) -> Document:
    """Raises UnusableInput where there is none."""
    view = await outbox.campaign(campaign_id)
    if view is None:
        raise UnusableInput(f"no campaign {campaign_id[:40]!r}: see volley campaigns")
    return documents.campaign(view)


async def status(outbox: Outbox, *, relaxed: bool) -> Document:
    """Queues, live campaigns, workers, how many messages are unknown, how far the ledger is behind."""
    now_us = time_ns() // 1000
    views = await outbox.campaigns()
    live = [view for view in views if view.waiting or view.in_flight]
    document: Document = {
        "queues": [documents.queue(each, live, now_us) for each in await outbox.profiles()],
        "campaigns": [documents.campaign(view) for view in live],
        "workers": [documents.worker(each) for each in await outbox.workers()],
        "unknown": sum(view.counts["unknown"] for view in views),
        "ledger_lag_seconds": round(await LedgerStream(outbox.redis, outbox.keys.ledger, "status").lag_seconds(), 3),
    }
    return document | {"durability": {"mode": "relaxed", "risk": RELAXED_RISK}} if relaxed else document
