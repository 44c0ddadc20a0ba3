"""How campaigns stand, and what `volley status` says: the outbox's hot state, with the ledger's receipts. Changes nothing."""

from time import time_ns

from producer.sight import documents, returns
from producer.sight.documents import Document
from producer.sight.standstill import left_aside, reasons, surprises
from volley.errors import TryAgainLater, UnusableInput
from volley.ledger.stream import LedgerStream
from volley.outbox import findings, poison, webhooks
from volley.outbox.outbox import Outbox
from volley.settings import Settings

RELAXED_RISK = "when Redis crashes it may forget what it had acknowledged: messages may be lost, or sent twice"


async def every_campaign(outbox: Outbox, settings: Settings, newest: int) -> list[Document]:
    """The newest campaigns, the newest first, without those of gathered messages; with receipts where the ledger can be asked."""
    views = (await outbox.campaigns())[:newest]
    recorded = await _recorded(settings, [view.campaign.id for view in views])
    profiles = {each.profile: each for each in await outbox.profiles()}
    return [documents.laid_over(view, profiles[view.campaign.profile], recorded) for view in views]


async def one_campaign(outbox: Outbox, settings: Settings, campaign_id: str) -> Document:
    """One that is going on, or one that the ledger alone remembers. Raises UnusableInput where there is neither."""
    view = await outbox.campaign(campaign_id)
    if view is None:
        return await _past_campaign(settings, campaign_id)
    recorded = await _recorded(settings, [campaign_id])
    told = documents.laid_over(view, await outbox.profile(view.campaign.profile), recorded)
    aside = await poison.set_aside(outbox.redis, outbox.keys, campaign_id)
    return told | {"set_aside": [documents.set_aside(each) for each in aside]}


async def _past_campaign(settings: Settings, campaign_id: str) -> Document:
    from producer.records import reading
    from producer.sight.campaigns import past

    async with reading(settings) as reader:
        try:
            return await past(reader, campaign_id)
        except UnusableInput:
            raise UnusableInput(f"no campaign {campaign_id[:40]!r}: see volley campaigns") from None


async def _recorded(settings: Settings, campaign_ids: list[str]) -> dict[str, documents.Recorded] | None:
    """What the ledger has counted and added up; None where it is away, as these documents are about what is going on now."""
    from producer.records import reading  # SQL is half a second of imports, and `status` needs none
    from producer.sight.campaigns import recorded

    try:
        async with reading(settings) as reader:
            return await recorded(reader, campaign_ids)
    except TryAgainLater:
        return None


async def status(outbox: Outbox, account: str, *, relaxed: bool) -> Document:
    """Queues, live campaigns, workers, how many messages are unknown, how far the ledger is behind; what rests, and why
    nothing moves.
    """
    now_us = time_ns() // 1000
    opened = await outbox.campaigns("live")
    live = [view for view in opened if view.waiting or view.in_flight]
    views = {view.campaign.id: view for view in (*opened, *await outbox.campaigns())}.values()
    profiles = {each.profile: each for each in await outbox.profiles()}
    workers, rests = await outbox.workers(), await outbox.rests()
    hooks = await webhooks.counts(outbox.redis, outbox.keys)
    document: Document = {
        "queues": [documents.queue(each, live, now_us) for each in profiles.values()],
        "campaigns": [documents.campaign(view, profiles[view.campaign.profile]) for view in live],
        "workers": [documents.worker(each) for each in workers],
        "rests": [documents.rest(each, account) for each in rests],
        "notes": [
            *reasons(live, workers, await outbox.ledger_length(), outbox.ledger_bound, rests, [*profiles.values()]),
            *left_aside(await poison.set_aside(outbox.redis, outbox.keys)),
            *surprises(workers),
            *returns.amiss(hooks, now_us),
        ],
        "webhooks": returns.document(hooks),
        "conservation": (await findings.told(outbox)).as_json(),
        "unknown": sum(view.counts["unknown"] for view in views),
        "ledger_lag_seconds": round(await LedgerStream(outbox.redis, outbox.keys.ledger, "status").lag_seconds(), 3),
    }
    return document | {"durability": {"mode": "relaxed", "risk": RELAXED_RISK}} if relaxed else document
