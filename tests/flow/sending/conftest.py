"""A push, a worker and a sandbox, with a relay between them that keeps what went over the wire and holds it to Telnyx's file."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import redis.asyncio
from aiohttp import web
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.intake import PushRequest, PushResult, push
from producer.push.sources import open_source
from tests.openapi import validate_request
from volley.embedded import EmbeddedValkey
from volley.ledger.engine import open_ledger, upgrade
from volley.ledger.reader import Reader
from volley.ledger.recorder import Recorder
from volley.outbox.outbox import Outbox
from volley.profile import ProfileFacts
from volley.pulse import Pulse
from volley.rates import Rates
from volley.sandbox.config import API_KEY, PROFILE_ID, ProfileSpec, ReceiptSpec, SandboxConfig
from volley.sandbox.server import Sandbox
from volley.sender import Sender, SenderType, carrier_pool, sender_type
from volley.settings import Settings
from worker.main import _build

PATIENCE_S = 30
US, CA, DE, GB = 13125550100, 14165550100, 4915112345678, 447400123456
RATES = Rates(
    account=Decimal(1000),
    long_code=Decimal(100),
    toll_free=Decimal(100),
    short_code=Decimal(100),
    alphanumeric=Decimal(100),
)


@dataclass
class Asked:
    """One request of ours as it went over the wire; `path` without /v2."""

    method: str
    path: str
    body: dict[str, Any]
    key: str = ""


@dataclass
class Wire:
    """What our side sent, in order. `statuses`, if any, are answered in place of the carrier's next answers to that method."""

    root: str = ""
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    refusals: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)

    @property
    def posts(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST" and each.path.startswith("/messages")]

    def of(self, to: int) -> Asked:
        [found] = [each for each in self.posts if each.body["to"] == f"+{to}"]
        return found

    async def pass_on(self, request: web.BaseRequest) -> web.Response:
        raw = await request.read()
        path = request.path_qs.removeprefix("/v2")
        self.asked.append(
            Asked(request.method, path, orjson.loads(raw) if raw else {}, request.headers.get("Idempotency-Key", ""))
        )
        waiting = self.refusals.get(request.method)
        if waiting:
            status, document = waiting.pop(0)
            return web.json_response(document, status=status)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in ("host", "content-length")
        }
        async with aiohttp.request(request.method, self.root + request.path_qs, data=raw, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


class Scene:
    """`pool` are the senders that the sandbox made, by type."""

    def __init__(self, settings: Settings, outbox: Outbox, wire: Wire, engine: AsyncEngine, sandbox: Sandbox) -> None:
        self.settings = settings
        self.outbox = outbox
        self.wire = wire
        self.sandbox = sandbox
        self.reader = Reader(engine)
        self.recorder = Recorder(outbox, engine, name="tests")
        self.pool: dict[SenderType, list[str]] = {}

    async def learn(self) -> None:
        """The sandbox's numbers, each kind in its list."""
        for path, name in (("phone_numbers/messaging", "phone_number"), ("short_codes", "short_code")):
            for row in await self._rows(path):
                kind = sender_type(row["type"]) if "type" in row else "short_code"
                self.pool.setdefault(kind, []).append(row[name])
        ids = await self._rows("alphanumeric_sender_ids")
        self.pool["alphanumeric"] = [row["alphanumeric_sender_id"] for row in ids]
        self.pool["carrier_pool"] = [carrier_pool(PROFILE_ID)]

    async def _rows(self, path: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.request("GET", f"{self.sandbox.url}/{path}?page[size]=100", headers=headers) as answer:
            rows: list[dict[str, Any]] = orjson.loads(await answer.read())["data"]
            return rows

    async def sync(self, *kinds: SenderType, facts: ProfileFacts | None = None, **fields: Any) -> None:
        """These types are the pool; the carrier's own pool stands beside them. `fields` are those of every sender."""
        made = [
            Sender(name, kind, PROFILE_ID, "US", rate_milli=100_000, **fields)
            for kind in kinds
            for name in self.pool[kind]
        ]
        await self.outbox.sync_senders(PROFILE_ID, made, facts=facts or ProfileFacts(PROFILE_ID))

    async def push(self, people: Sequence[int], **fields: Any) -> PushResult:
        text = io.StringIO()
        csv.writer(text).writerows([["to", "name"], *([f"+{number}", f"N{number}"] for number in people)])
        content = {} if {"text", "template", "media"} & fields.keys() else {"template": "Hi {name}"}
        request = PushRequest(PROFILE_ID, **content, **fields)
        return await push(self.outbox, self.settings, request, open_source(io.BytesIO(text.getvalue().encode())))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker runs; it ends in order."""
        async with AsyncExitStack() as stack:
            pulse = await stack.enter_async_context(Pulse("worker"))
            worker = await _build(self.settings, stack, pulse)
            task = asyncio.create_task(worker.run())
            yield
            worker.stop()
            await task

    async def sent(self, result: PushResult) -> str:
        """Runs a worker until nothing of the campaign waits, and the ledger knows it. Every body is held to Telnyx's file."""
        campaign_id = result.campaign_id
        assert campaign_id is not None, result
        async with self.working():
            await self.until_settled(campaign_id)
        await self.recorder.catch_up()
        for each in self.wire.posts:
            validate_request("POST", each.path, each.body)
        return campaign_id

    async def until_settled(self, campaign_id: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                view = await self.outbox.campaign(campaign_id)
                assert view is not None
                if view.waiting + view.in_flight == 0:
                    return
                await asyncio.sleep(0.02)

    async def export(self, campaign_id: str) -> dict[str, dict[str, Any]]:
        """By recipient."""
        await self.recorder.catch_up()
        return {line["to"]: line async for line in self.reader.export(campaign_id)}


Opening = Callable[..., Any]


@pytest.fixture
async def opening(tmp_path: Path, db: redis.asyncio.Redis, valkey: EmbeddedValkey) -> AsyncIterator[Opening]:
    """Opens a scene; arguments are settings, and `config` those of the sandbox."""
    async with AsyncExitStack() as stack:

        async def open_scene(config: dict[str, Any] | None = None, **settings: Any) -> Scene:
            pool = (("long_code", 2, 0), ("toll_free", 1, 0), ("short_code", 1, 0), ("alphanumeric", 1, 0))
            plan = {"profiles": (ProfileSpec(pool=pool),), "receipts": ReceiptSpec(mode="off")} | (config or {})
            sandbox = await stack.enter_async_context(Sandbox(SandboxConfig(**plan)))
            wire = Wire(sandbox.root)
            server = web.Server(wire.pass_on)
            runner = web.ServerRunner(server)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            wire.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
            known = {"rates": RATES, "home": tmp_path, "redis_url": valkey.url, "telnyx_base_url": wire.url}
            made = Settings(**(known | {"telnyx_api_key": SecretStr(API_KEY)} | settings))
            engine = open_ledger(made.ledger)
            await upgrade(engine)
            stack.push_async_callback(engine.dispose)
            scene = Scene(made, Outbox(db, "default"), wire, engine, sandbox)
            await scene.learn()
            return scene

        yield open_scene


@pytest.fixture
async def scene(opening: Opening) -> Scene:
    found: Scene = await opening()
    return found
