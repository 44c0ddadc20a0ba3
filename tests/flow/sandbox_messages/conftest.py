"""A sandbox, the official SDK as its client, and a receiver of webhooks. Every answer is held against Telnyx's OpenAPI file."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
import pytest
import telnyx
import telnyx.lib  # makes `unwrap` check Ed25519 as Telnyx documents it, whoever imports it first
from aiohttp import web

from tests.openapi import validate_answer
from volley.sandbox.config import API_KEY, ProfileSpec, ReceiptSpec, SandboxConfig
from volley.sandbox.server import Sandbox

PERSON = "+12025550123"
AT_ONCE = ReceiptSpec(sent_after_s=0.0, done_after_s=(0.001, 0.002), backoff_s=0.01)


@dataclass
class Hook:
    """One webhook as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def data(self) -> dict[str, Any]:
        return dict(json.loads(self.raw)["data"])

    @property
    def meta(self) -> dict[str, Any]:
        return dict(json.loads(self.raw)["meta"])

    @property
    def kind(self) -> str:
        return str(self.data.get("event_type", self.data["record_type"]))

    @property
    def payload(self) -> dict[str, Any]:
        return dict(self.data["payload"])

    def unwrapped(self, public_key: str) -> Any:
        """As the official SDK verifies and parses it."""
        client = telnyx.Telnyx(api_key="unused", public_key=public_key)
        return client.webhooks.unwrap(self.raw.decode(), headers=self.headers)


@dataclass
class Receiver:
    """Collects webhooks; `answers` are the statuses of those that come next, 200 once they are used up."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)

    async def take(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.hooks.append(Hook(request.path_qs, headers, await request.read()))
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"location": "/elsewhere"} if status == 302 else {})

    async def wait(self, count: int, kind: str = "") -> list[Hook]:
        """The first `count` webhooks of a kind, in the order in which they came."""

        def found() -> list[Hook]:
            return [hook for hook in self.hooks if not kind or hook.kind == kind]

        await until(lambda: len(found()) >= count)
        return found()


async def until(true: Callable[[], object]) -> None:
    """Returns once it is true; fails the test if that takes too long."""
    async with asyncio.timeout(30):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


@dataclass
class World:
    """A running sandbox and its client. `asked` are the (method, path, status, body) of all answers."""

    sandbox: Sandbox
    client: telnyx.AsyncTelnyx
    http: aiohttp.ClientSession

    async def control(self, method: str, path: str, body: object = None) -> Any:
        async with self.http.request(method, f"{self.sandbox.root}/_sandbox/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def says(self, text: str, person: str = PERSON, to: str = "", **rest: object) -> list[dict[str, Any]]:
        """A person texts one of our numbers."""
        body = {"from": person, "to": to or self.sandbox.senders[0], "text": text} | rest
        return list((await self.control("POST", "inbound", body))["data"])

    def unwrap(self, hook: Hook) -> Any:
        """As the SDK verifies and parses it, by the client's key."""
        assert self.client.public_key is not None
        return hook.unwrapped(self.client.public_key)

    def results(self) -> list[str]:
        return [each.result for each in self.sandbox.arrivals()]


Open = Callable[..., Any]


@pytest.fixture
async def hooks() -> AsyncIterator[Receiver]:
    async for each in _receiver():
        yield each


@pytest.fixture
async def standby() -> AsyncIterator[Receiver]:
    async for each in _receiver():
        yield each


async def _receiver() -> AsyncIterator[Receiver]:
    taking = Receiver()
    runner = web.ServerRunner(web.Server(taking.take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taking.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield taking
    await runner.cleanup()


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """`await opened(profile fields…, config={…})` starts a sandbox with one profile and gives its World."""
    async with AsyncExitStack() as stack:

        async def run(config: dict[str, Any] | None = None, **profile: Any) -> World:
            spec = ProfileSpec(**({"pool": (("long_code", 3, 0), ("toll_free", 1, 0))} | profile))
            settings: dict[str, Any] = {"profiles": (spec,), "receipts": AT_ONCE} | (config or {})
            sandbox = await stack.enter_async_context(Sandbox(SandboxConfig(**settings)))
            wire = httpx.AsyncClient(event_hooks={"response": [_validated]})
            client = telnyx.AsyncTelnyx(
                api_key=API_KEY,
                public_key=sandbox.public_key,
                base_url=sandbox.url,
                max_retries=0,
                http_client=wire,
            )
            await stack.enter_async_context(client)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return World(sandbox, client, http)

        yield run


async def _validated(response: httpx.Response) -> None:
    """Scheduled messages have a status and a field that the file names nowhere but in prose; inbound ones two of the wire."""
    body = json.loads(await response.aread())
    data = body.get("data") if isinstance(body, dict) else None
    if isinstance(data, dict):
        data.pop("send_at", None)
        for each in data.get("to") or ():
            each["status"] = {"scheduled": "queued", "cancelled": "queued"}.get(each.get("status"), each.get("status"))
    path = response.request.url.path.removeprefix("/v2")
    if path.startswith("/webhook_deliveries/") and response.status_code == 404:
        return  # of this answer the file says nothing
    inbound = isinstance(data, dict) and data.get("direction") == "inbound"
    cancelled = response.request.method == "DELETE"
    validate_answer(response.request.method, path, response.status_code, body, closed=not (inbound or cancelled))
