"""POST /webhooks/telnyx/{account}, and …/failover: what the carrier tells us. Verified on the raw body, before anything is read.

Answers: 200 durable (or nothing that concerns us) · 403 not signed by the carrier · 404 another account · 413 too large · 415
compressed · 503 not durable, send it again. Nothing of a body is ever logged.
"""

from collections.abc import Sequence
from time import time, time_ns

from aiohttp import web
from nacl.signing import VerifyKey

from producer.web.body import Bodies
from producer.web.intake import Intake
from producer.web.tally import Tally
from volley.carrier.signature import SIGNATURE, Forged, claim, verify
from volley.carrier.webhook import Unreadable, parse
from volley.errors import TryAgainLater

UNSIGNED = "not signed by the carrier"
"""Body of a 403 of ours: by it `volley doctor` tells it from a proxy's."""


class Webhooks:
    """The endpoint of one account: `keys` verify its webhooks, `secrets` the references in them."""

    def __init__(
        self, account: str, keys: Sequence[VerifyKey], secrets: Sequence[bytes], intake: Intake, tally: Tally
    ) -> None:
        self._account = account
        self._keys = keys
        self._secrets = secrets
        self._intake = intake
        self._counts = tally.counts
        self._bodies = Bodies()

    async def receive(self, request: web.Request) -> web.Response:
        if request.match_info["account"] != self._account:
            return web.Response(status=404)
        try:
            claim(request.headers, time())
            body = await self._bodies.read(request)
            verify(body, request.headers, self._keys, time())
        except Forged:
            self._counts["refused"] += 1
            if SIGNATURE in request.headers:
                self._counts["misfit"] += 1
            return web.Response(status=403, text=UNSIGNED)
        except web.HTTPException:
            self._counts["refused"] += 1
            raise
        return await self._accept(body, request.query.get("ref", ""))

    async def receive_failover(self, request: web.Request) -> web.Response:
        """The same, counted apart: the carrier comes here only where the first address has failed it."""
        response = await self.receive(request)
        if response.status not in (403, 404):
            self._counts["failover"] += 1
        return response

    async def _accept(self, body: bytes, reference: str) -> web.Response:
        try:
            await self._take(body, reference)
        except TryAgainLater:
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.Response()

    async def _take(self, body: bytes, reference: str) -> None:
        try:
            event = parse(body, received_us=time_ns() // 1000, secrets=self._secrets, query_reference=reference)
        except Unreadable as error:
            # signed by the carrier, yet no event: it would be the same the next time
            await self._intake.keep(body, str(error))
            return
        await self._intake.take(event)
