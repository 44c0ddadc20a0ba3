"""POST /webhooks/telnyx/{account}: what the carrier tells us about messages. Verified on the raw body, before anything is read.

Answers: 200 durable (or nothing that concerns us) · 403 not signed by the carrier · 404 another account · 413 over 1 MB ·
503 not durable, send it again. Nothing of a body is ever logged.
"""

from collections.abc import Sequence
from operator import attrgetter
from time import time, time_ns

from aiohttp import web
from nacl.signing import VerifyKey

from producer.web.receipts import Receipts
from volley.carrier.signature import Forged, verify
from volley.carrier.webhook import ReceiptEvent, Unreadable, parse
from volley.errors import TryAgainLater
from volley.outbox.events import ReceiptRecord

LARGEST_BODY = 1 << 20

_fields = attrgetter(*ReceiptRecord._fields)


class Webhooks:
    """The endpoint of one account: `keys` verify its webhooks, `secrets` the references in them."""

    def __init__(self, account: str, keys: Sequence[VerifyKey], secrets: Sequence[bytes], receipts: Receipts) -> None:
        self._account = account
        self._keys = keys
        self._secrets = secrets
        self._receipts = receipts
        self.counts = receipts.counts

    async def receive(self, request: web.Request) -> web.Response:
        if request.match_info["account"] != self._account:
            return web.Response(status=404)
        body = await request.read()
        try:
            verify(body, request.headers, self._keys, time())
        except Forged:
            self.counts["refused"] += 1
            return web.Response(status=403)
        return await self._accept(body, request.query.get("ref", ""))

    async def _accept(self, body: bytes, reference: str) -> web.Response:
        try:
            event = parse(body, received_us=time_ns() // 1000, secrets=self._secrets, query_reference=reference)
        except Unreadable:
            # signed by the carrier, yet no event: it would be the same the next time, so it is not asked for again
            self.counts["unreadable"] += 1
            return web.Response()
        if not isinstance(event, ReceiptEvent):
            self.counts["ignored"] += 1
            return web.Response()
        try:
            await self._receipts.add(ReceiptRecord(*_fields(event)))
        except TryAgainLater:
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.Response()
