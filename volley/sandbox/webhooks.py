"""Delivers events to webhook URLs: signed, over a bounded number of connections, three tries a URL, then the failover."""

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass

import aiohttp
import orjson

from volley.sandbox.config import ReceiptSpec
from volley.sandbox.later import Later
from volley.sandbox.signing import Signer


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is the event as it will be sent; `urls` are tried in order; `attempt` counts from 1 over all of them."""

    data: dict[str, object]
    urls: tuple[str, ...]
    attempt: int = 1


class Courier:
    """`start` before the first `post`. `counts`: delivered, retried, lost, waiting."""

    def __init__(self, spec: ReceiptSpec, signer: Signer, later: Later) -> None:
        self._spec = spec
        self._signer = signer
        self._later = later
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
            headers={"user-agent": "telnyx-webhooks", "content-type": "application/json"},
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
            if await self._deliver(session, event):
                self._counts["delivered"] += 1
            else:
                self._again(event)

    async def _deliver(self, session: aiohttp.ClientSession, event: Event) -> bool:
        url = event.urls[(event.attempt - 1) // self._spec.attempts]
        body = orjson.dumps({"data": event.data, "meta": {"attempt": event.attempt, "delivered_to": url}})
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            headers = self._signer.headers(body)
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return 200 <= answer.status < 300
        return False

    def _again(self, event: Event) -> None:
        tried = event.attempt
        if tried >= self._spec.attempts * len(event.urls):
            self._counts["lost"] += 1
            return
        self._counts["retried"] += 1
        backoff_s = self._spec.backoff_s * 2 ** ((tried - 1) % self._spec.attempts)
        following = Event(event.data, event.urls, tried + 1)
        self._later.at(time.monotonic_ns() // 1000 + int(backoff_s * 1e6), lambda: self.post(following))
