"""Delivers events to webhook URLs: signed, over a bounded number of connections, three tries a URL, then the next URL."""

import asyncio
import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable

import aiohttp
import orjson

from volley.sandbox.config import ReceiptSpec
from volley.sandbox.deliveries import Attempt, Event
from volley.sandbox.later import Later
from volley.sandbox.signing import Signer

AGENT = "telnyx-webhooks"
_MOST_BODY = 1000


def event_data(kind: str, subject: str, occurred_at: object, payload: object) -> dict[str, object]:
    """An event as Telnyx wraps it; its id is the same whenever it is made for the same `kind` and `subject`."""
    return {
        "record_type": "event",
        "event_type": kind,
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{subject}:{kind}")),
        "occurred_at": occurred_at,
        "payload": payload,
    }


class Courier:
    """`start` before the first `post`. `counts`: delivered, retried, lost, waiting. `ended` hears of each event once it is over."""

    def __init__(self, spec: ReceiptSpec, signer: Signer, later: Later, ended: Callable[[Event, bool], None]) -> None:
        self._spec = spec
        self._signer = signer
        self._later = later
        self._ended = ended
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> dict[str, int]:
        return {
            **{name: self._counts[name] for name in ("delivered", "retried", "lost")},
            "waiting": self._queue.qsize(),
        }

    def post(self, event: Event) -> None:
        """Sends it as soon as a connection is free."""
        self._queue.put_nowait(event)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._spec.connections),
            timeout=aiohttp.ClientTimeout(total=self._spec.timeout_s),
            headers={"user-agent": AGENT, "content-type": "application/json"},
        )
        self._tasks = [asyncio.create_task(self._work(self._session)) for _ in range(self._spec.connections)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            event = await self._queue.get()
            attempt = await self._try(session, event)
            tried = event._replace(attempts=(*event.attempts, attempt))
            if 200 <= attempt.status < 300:
                self._counts["delivered"] += 1
                self._ended(tried, True)
            else:
                self._again(tried)

    async def _try(self, session: aiohttp.ClientSession, event: Event) -> Attempt:
        url = event.urls[len(event.attempts) // self._spec.attempts]
        body = orjson.dumps({"data": event.data, "meta": {"attempt": len(event.attempts) + 1, "delivered_to": url}})
        began_us = time.time_ns() // 1000
        status, said = 0, ""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            headers = self._signer.headers(body)
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                said = (await answer.content.read(_MOST_BODY)).decode("utf-8", "replace")
                status = answer.status
        return Attempt(url, began_us, time.time_ns() // 1000, status, said)

    def _again(self, event: Event) -> None:
        tried = len(event.attempts)
        if tried >= self._spec.attempts * len(event.urls):
            self._counts["lost"] += 1
            self._ended(event, False)
            return
        self._counts["retried"] += 1
        backoff_s = self._spec.backoff_s * 2 ** ((tried - 1) % self._spec.attempts)
        self._later.at(time.monotonic_ns() // 1000 + int(backoff_s * 1e6), lambda: self.post(event))
