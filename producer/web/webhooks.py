"""POST /webhooks/telnyx/{account}: what the carrier tells us about messages. Verified on the raw body, before anything is read.

Answers: 200 durable (or nothing that concerns us) · 403 not signed by the carrier · 404 another account · 413 over 1 MB ·
503 not durable, send it again.
"""

from collections.abc import Callable, Mapping

from aiohttp import web

from producer.web.receipts import Receipts
from volley.errors import TryAgainLater
from volley.outbox.events import ReceiptRecord

LARGEST_BODY = 1 << 20

Verify = Callable[[Mapping[str, str], bytes], bool]
"""Whether these headers sign this raw body."""

Read = Callable[[bytes], ReceiptRecord | None]
"""An event about an outbound message; None for any other. ValueError for a body that is no event at all."""


class Webhooks:
    """The endpoint of one account."""

    def __init__(self, account: str, verify: Verify, read: Read, receipts: Receipts) -> None:
        self._account = account
        self._verify = verify
        self._read = read
        self._receipts = receipts
        self.counts = receipts.counts

    async def receive(self, request: web.Request) -> web.Response:
        if request.match_info["account"] != self._account:
            return web.Response(status=404)
        body = await request.read()
        if not self._verify(request.headers, body):
            self.counts["refused"] += 1
            return web.Response(status=403)
        return await self._accept(body)

    async def _accept(self, body: bytes) -> web.Response:
        try:
            record = self._read(body)
        except ValueError:
            # signed by the carrier, yet no event: it would be the same the next time, so it is not asked for again
            self.counts["unreadable"] += 1
            return web.Response()
        if record is None:
            self.counts["ignored"] += 1
            return web.Response()
        try:
            await self._receipts.add(record)
        except TryAgainLater:
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.Response()
