"""Carriers on a real wire: some that answer as a test wants it, and a sandbox behind a judge who reads all that passes."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import redis.asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.commands import run_volley
from tests.openapi import validate_answer, validate_request
from tests.sandboxes import Sandbox
from volley.carrier.api import TelnyxApi
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox
from volley.sandbox.config import API_KEY, ProfileSpec, SandboxConfig

SHOP = "5a4db0c5-0000-4000-8000-000000000001"
NEWS = "5a4db0c5-0000-4000-8000-000000000002"
CONFIG = SandboxConfig(
    profiles=(
        ProfileSpec(id=SHOP, name="Shop", pool=(("long_code", 4, 0), ("toll_free", 2, 0), ("alphanumeric", 1, 0))),
        ProfileSpec(id=NEWS, name="News", pool=(("long_code", 1, 0), ("short_code", 1, 0))),
    ),
    spare=(("long_code", 3, 0), ("short_code", 1, 0)),
    bulk_s=0.3,
)


def error(status: int, code: str, **more: Any) -> web.Response:
    body = {"code": code, "title": "Invalid value", "detail": "+13125550101 said hello", **more}
    return web.json_response({"errors": [body]}, status=status)


class Carrier:
    """Gives its answers one a request, the last one for ever. An exception is a connection that breaks."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "cut":
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(1)
        if answer == "silent":
            await asyncio.sleep(5)
        return answer() if callable(answer) else web.json_response(answer)


@asynccontextmanager
async def serving(*answers: Any) -> AsyncIterator[tuple[Carrier, TelnyxApi]]:
    carrier = Carrier(*answers)
    app = web.Application()
    app.router.add_route("*", "/v2/{path:.+}", carrier.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/v2"))
        async with TelnyxApi("KEY", url, first_wait_s=0.001, timeout_s=0.5) as api:
            yield carrier, api


@asynccontextmanager
async def serving_app(app: web.Application) -> AsyncIterator[TelnyxApi]:
    async with TestServer(app) as server, TelnyxApi("KEY", str(server.make_url("/v2")), first_wait_s=0.001) as api:
        yield api


class Office:
    """The real command line between a sandbox and a judge: every request and answer is held against Telnyx's own file."""

    def __init__(self, folder: Path, config: SandboxConfig = CONFIG) -> None:
        self.sandbox = Sandbox(config)
        self.folder = folder
        self.settings: dict[str, str] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.wrong: list[str] = []
        self.refuse = ""
        self.away_after = ""
        self.url = ""

    async def forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        path = request.path_qs
        self.asked.append((request.method, path, orjson.loads(body) if body else None))
        if self.away_after and self.away_after in [method for method, *_ in self.asked[:-1]]:
            return web.Response(status=503)
        if request.method == self.refuse:
            return error(403, "10010")
        headers = {"Authorization": request.headers["Authorization"], "Content-Type": "application/json"}
        async with aiohttp.request(request.method, self.sandbox.root + path, data=body, headers=headers) as answer:
            raw, status = await answer.read(), answer.status
        try:
            validate_request(request.method, path, orjson.loads(body) if body else None)
            validate_answer(request.method, path, status, orjson.loads(raw) if raw else None)
        except AssertionError as difference:
            self.wrong.append(str(difference))
        return web.Response(status=status, body=raw, content_type="application/json")

    async def put(self, path: str, body: bytes) -> None:
        """Tells the sandbox what Telnyx would have done to a number by now."""
        async with aiohttp.request("PUT", self.sandbox.root + path, data=body) as answer:
            assert answer.status == 200, await answer.text()

    async def volley(self, *words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "VOLLEY_HOME": str(self.folder / "home"),
            "TELNYX_API_KEY": API_KEY,
            "TELNYX_BASE_URL": self.url,
            **self.settings,
            **settings,
        }
        return await asyncio.to_thread(run_volley, *words, env=env, cwd=self.folder, stdin=stdin)

    async def json(self, *words: str, code: int = 0, stdin: str = "") -> dict[str, Any]:
        done = await self.volley(*words, "--json", stdin=stdin)
        assert done.returncode == code, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    async def places(self) -> dict[str, str | None]:
        """Which profile each sender of the account is in, as the carrier has it."""
        found = await self.json("numbers", "list", "--carrier")
        return {row["number"]: row["messaging_profile_id"] for row in found["numbers"]}

    def changes(self) -> list[tuple[str, str, Any]]:
        """Requests that were no GET."""
        return [(method, path.removeprefix("/v2/"), body) for method, path, body in self.asked if method != "GET"]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    made = Office(tmp_path)
    app = web.Application()
    app.router.add_route("*", "/v2/{path:.+}", made.forward)
    await made.sandbox.start()
    try:
        async with TestServer(app) as server:
            made.url = str(server.make_url("/v2"))
            yield made
    finally:
        await made.sandbox.stop()
    assert made.wrong == []


class Pooled:
    """An office whose settings name a Redis."""

    def __init__(self, office: Office, url: str, client: redis.asyncio.Redis) -> None:
        office.settings["VOLLEY_REDIS_URL"] = url
        self.outbox = Outbox(client, "default")

    async def active(self, profile: str) -> set[str]:
        senders = [view.sender for view in await self.outbox.senders(profile)]
        return {sender.number for sender in senders if sender.active and sender.type != "carrier_pool"}


@pytest.fixture
def pooled(office: Office, valkey: EmbeddedValkey, db: redis.asyncio.Redis) -> Pooled:
    return Pooled(office, valkey.url, db)
