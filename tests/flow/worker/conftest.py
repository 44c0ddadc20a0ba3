"""A real worker process between a real Valkey and a sandbox that can fail on command."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest
import redis.asyncio

from tests.offspring import Awaited, begin
from tests.sandboxes import Sandbox
from volley.campaign import Campaign, new_campaign_id
from volley.embedded import EmbeddedValkey, free_port
from volley.outbox.chunks import Chunk, encode
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue
from volley.outbox.queue import pool as arq_pool
from volley.outbox.views import CampaignView, pins
from volley.sandbox.arrivals import read
from volley.sandbox.columns import Arrival
from volley.sandbox.config import API_KEY, PROFILE_ID, ReceiptSpec, SandboxConfig
from volley.sandbox.fault_rule import FaultRule, dump_rules
from volley.sender import Sender

PATIENCE_S = 40
SOON = "3"
"""An HTTP timeout (s) after which a test need not wait long, and that no answer misses because this machine is busy."""
IN_MEMORY = Path("/dev/shm")
"""Where the carrier's log lies: it answers once an arrival is in it, and a disk that it waits for would date punctual ones late."""
MAIN = """
import logging, sys
logging.basicConfig(level=logging.WARNING)
from volley.settings import load
from volley.signals import Hush
from worker.main import run
sys.exit(run(load(), Hush()))
"""


def people(n: int, start: int = 0) -> list[int]:
    return [13125550000 + start + i for i in range(n)]


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(PATIENCE_S * 20):
        if await check():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to that")


class World:
    """The parts of one test. What was sent is what the sandbox's log says, whatever anybody else believes."""

    def __init__(self, folder: Path, valkey: EmbeddedValkey) -> None:
        self.folder = folder
        self.valkey = valkey
        self.client = redis.asyncio.Redis.from_url(valkey.url)
        self.outbox = Outbox(self.client, "default")
        self.carrier = Path(tempfile.mkdtemp(prefix="carrier-", dir=IN_MEMORY if IN_MEMORY.is_dir() else folder))
        self.config = SandboxConfig(
            port=free_port(),
            pool=(("long_code", 4, 0),),
            receipts=ReceiptSpec(mode="off"),
            log=self.carrier / "arrivals.jsonl",
            fsync=True,
            idempotency="ignored",
        )
        self.sandbox = Sandbox(self.config)
        self.workers: list[Awaited] = []
        self.numbers: list[str] = []

    async def begin(self, rate: float = 500, senders: int = 4, **config: object) -> None:
        """The sandbox runs and its numbers are the pool; `rate` is parts/s of each."""
        self.config = replace(self.config, pool=(("long_code", senders, 0),), **config)  # type: ignore[arg-type]
        self.sandbox = Sandbox(self.config)
        await self.sandbox.start()
        answer = await self.ask("GET", "/v2/phone_numbers/messaging?page[size]=50")
        self.numbers = [entry["phone_number"] for entry in answer["data"]][:senders]
        made = [Sender(n, "long_code", PROFILE_ID, rate_milli=int(rate * 1000)) for n in self.numbers]
        await self.outbox.sync_senders(PROFILE_ID, made)

    async def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, list[dict[str, str]]]:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        url = self.sandbox.root + path
        async with aiohttp.request(method, url, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, list[dict[str, str]]] = orjson.loads(await answer.read())
            return found

    async def fail(self, *rules: FaultRule) -> None:
        await self.ask("PUT", "/_sandbox/faults", dump_rules(list(rules)))

    async def worker(self, main: str = MAIN, **more: str) -> Awaited:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        (home / "volley.toml").write_text("[rates]\naccount = 100000\n")
        env = {
            "PATH": os.environ["PATH"],
            "VOLLEY_HOME": str(home),
            "VOLLEY_REDIS_URL": self.valkey.url,
            "TELNYX_API_KEY": API_KEY,
            "TELNYX_BASE_URL": self.sandbox.url,
            **more,
        }
        root = Path(__file__).parents[3]
        self.workers.append(Awaited(begin([sys.executable, "-c", main], env=env, cwd=root)))
        return self.workers[-1]

    async def push(self, numbers: list[int], size: int = 100, **fields: object) -> Campaign:
        pieces = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        facts = {"profile": PROFILE_ID, "template": "hello {n}", "columns": ("n",), **fields}
        campaign = Campaign(new_campaign_id(), accepted=len(numbers), chunks=len(pieces), **facts)  # type: ignore[arg-type]
        await self.outbox.begin(campaign.id)
        for index, piece in enumerate(pieces):
            n = len(piece)
            chunk = Chunk(piece, None, [[str(number) for number in piece]], bytes([1]) * n, bytes(n), [4000] * n)
            await self.outbox.admit(campaign.id, index, encode(chunk), n)
        await self.outbox.seal(campaign, key_ttl_s=60)
        arq = arq_pool(self.valkey.url)
        try:
            await Queue(arq, self.outbox, "default").arm(campaign.id, campaign.priority)
        finally:
            await arq.aclose()
        return campaign

    async def view(self, campaign: Campaign) -> CampaignView:
        view = await self.outbox.campaign(campaign.id)
        assert view is not None
        assert sum(view.counts.values()) == campaign.accepted
        return view

    async def counts(self, campaign: Campaign) -> dict[str, int]:
        return {status: n for status, n in (await self.view(campaign)).counts.items() if n}

    async def until(self, campaign: Campaign, *, left: int = 0) -> dict[str, int]:
        """Waits until at most `left` messages are ready or being sent."""

        async def done() -> bool:
            view = await self.view(campaign)
            return view.waiting + (0 if left else view.in_flight) <= left

        await eventually(done)
        return await self.counts(campaign)

    async def stop(self, worker: Awaited) -> int:
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            return await worker.wait()

    def arrivals(self, result: str = "accepted") -> list[Arrival]:
        return [arrival for arrival in read(self.config.log or Path()) if arrival.result == result]

    def reached(self) -> Counter[int]:
        """How often each person was reached: by what the carrier took."""
        return Counter(int(arrival.to[1:]) for arrival in self.arrivals())

    async def pinned(self) -> dict[int, str]:
        """Person → number."""
        numbers = await self.outbox.sender_numbers()
        return {person: numbers[index] for (_, person), index in (await pins(self.client, self.outbox.keys)).items()}

    async def end(self) -> None:
        for worker in self.workers:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        await self.sandbox.stop()
        await self.client.aclose()
        shutil.rmtree(self.carrier)


@pytest.fixture
async def world(tmp_path: Path, db: redis.asyncio.Redis, valkey: EmbeddedValkey) -> AsyncIterator[World]:
    made = World(tmp_path, valkey)
    try:
        yield made
    finally:
        await made.end()
