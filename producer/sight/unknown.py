"""The unknown messages of a campaign, as a document."""

from time import time_ns

from producer.sight.documents import Document, moment
from volley.errors import UnusableInput
from volley.outbox.doubts import Doubt, of_campaign, waits_for
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.outbox.verdict import honoured


async def document(outbox: Outbox, campaign_id: str) -> Document:
    """Those that wait, the oldest first; those that were given up are counted. Raises TryAgainLater where Redis is away."""
    view = await outbox.campaign(campaign_id)
    if view is None:
        raise UnusableInput(f"no campaign {campaign_id[:40]!r} in Redis: see volley campaigns")
    now_us = time_ns() // 1000
    with reaching():
        proved = await honoured(outbox, now_us)
        found = [doubt async for doubt in of_campaign(outbox.redis, outbox.keys, campaign_id)]

    def line(doubt: Doubt) -> Document:
        return {
            "message_id": str(doubt.place),
            "since": moment(doubt.since_us),
            "attempts": doubt.attempt,
            "repeats": doubt.repeats,
            "next": moment(doubt.next_us),
            "waits_for": waits_for(doubt, view.state, view.on_unknown, honoured=proved, now_us=now_us),
        }

    return {
        "campaign_id": campaign_id,
        "on_unknown": view.on_unknown,
        "key": "honoured" if proved else "not proved",
        "messages": [line(doubt) for doubt in sorted(found, key=lambda doubt: (doubt.since_us, doubt.place))],
        "possibly_twice": view.possibly_twice,
        "possibly_lost": view.possibly_lost,
    }
