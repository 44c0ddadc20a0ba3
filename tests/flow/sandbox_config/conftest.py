"""A sandbox, the official SDK as its client, and raw HTTP. Every answer to either is held against Telnyx's OpenAPI file."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import telnyx

from tests.openapi import reference_is_here, validate_answer
from volley.sandbox.config import API_KEY, PROFILE_ID, Pool, ProfileSpec, SandboxConfig
from volley.sandbox.server import Sandbox

POOL: Pool = (("long_code", 6, 0), ("toll_free", 2, 0), ("short_code", 1, 0), ("alphanumeric", 1, 0))
SPARE: Pool = (("long_code", 2, 0), ("toll_free", 1, 0), ("short_code", 1, 0))
CONFIG = SandboxConfig(profiles=(ProfileSpec(pool=POOL),), spare=SPARE, bulk_s=0)
TO = "+12025550123"
NOBODY = "11111111-2222-4333-8444-555555555555"


@dataclass
class Answer:
    """One answer as it came."""

    status: int
    body: Any

    @property
    def data(self) -> Any:
        assert self.status in (200, 201), self.body
        return self.body["data"]

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code, and what the error points at."""
        first = self.body["errors"][0]
        source = first.get("source", {})
        return self.status, first["code"], source.get("pointer", source.get("parameter", ""))


@dataclass
class World:
    sandbox: Sandbox
    client: telnyx.AsyncTelnyx
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Raw HTTP below /v2. `body` is sent as JSON, or as it is where it is bytes."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body)
        answer = await self.http.request(method, f"{self.sandbox.url}{path}", content=content, headers=headers)
        return Answer(answer.status_code, answer.json() if answer.content else None)

    async def control(self, number: str, **change: object) -> Answer:
        """PUT /_sandbox/numbers/{number}."""
        url = f"{self.sandbox.root}/_sandbox/numbers/{quote(number)}"
        async with httpx.AsyncClient() as http:
            answer = await http.put(url, json=change)
        return Answer(answer.status_code, answer.json())

    async def send(self, sender: str = "", **rest: object) -> str:
        """The code that refuses a message from `sender` (none: the pool of `messaging_profile_id`), "" where it is taken."""
        named = {"from": sender} if sender else {}
        answer = await self.ask("POST", "/messages", {"to": TO, "text": "hello"} | named | rest)
        return "" if answer.status == 200 else str(answer.error[1])

    async def rows(self, path: str) -> list[Any]:
        return list((await self.ask("GET", path)).data)


Open = Callable[..., Awaitable[World]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """`await opened(bulk_s=1)` starts a sandbox with CONFIG and these fields."""
    async with AsyncExitStack() as stack:

        async def run(**fields: Any) -> World:
            sandbox = await stack.enter_async_context(Sandbox(replace(CONFIG, **fields)))
            hooks = {"response": [_validated]}
            client = telnyx.AsyncTelnyx(
                api_key=API_KEY,
                base_url=sandbox.url,
                max_retries=0,
                http_client=httpx.AsyncClient(event_hooks=hooks),
                _strict_response_validation=True,
            )
            bearer = {"authorization": f"Bearer {API_KEY}"}
            http = httpx.AsyncClient(headers=bearer, event_hooks=hooks)
            await stack.enter_async_context(client)
            return World(sandbox, client, await stack.enter_async_context(http))

        yield run


@pytest.fixture
async def world(opened: Open) -> World:
    return await opened()


async def _validated(response: httpx.Response) -> None:
    content = await response.aread()
    body = json.loads(content) if content else None
    if reference_is_here() and "/unknown" not in response.request.url.path:
        validate_answer(response.request.method, response.request.url.path, response.status_code, body)


async def until(true: Callable[[], Awaitable[object]]) -> None:
    """Returns once it is true; fails the test if that takes too long."""
    async with asyncio.timeout(10):
        while True:
            if await true():
                return
            await asyncio.sleep(0.005)


__all__ = ["CONFIG", "NOBODY", "PROFILE_ID", "TO", "Answer", "Open", "World", "until"]
