"""What people wrote to us: from the ledger, and as it comes in from the stream that hands texts on."""

from collections.abc import Callable
from typing import Any

from producer.records import reading
from volley.outbox.inbound import newest, read_on
from volley.outbox.outbox import Outbox
from volley.settings import load

_WAIT_MS = 2000
_FIRST = "0"


async def listed(profile: str | None, campaign: str | None, since_us: int | None, most: int) -> list[dict[str, Any]]:
    """The newest texts in the ledger, the newest first."""
    async with reading(load()) as reader:
        return await reader.inbound(profile, campaign, since_us, most)


async def follow(outbox: Outbox, *, from_start: bool, most: int | None, show: Callable[[dict[str, Any]], None]) -> None:
    """Shows each text that is handed on from now on, or from the first that the stream still has; ends after `most`, or never."""
    shown = 0
    after = _FIRST if from_start else await newest(outbox)
    while True:
        for entry_id, text in await read_on(outbox, after, wait_ms=_WAIT_MS):
            after = entry_id
            show(text)
            shown += 1
            if shown == most:
                return
