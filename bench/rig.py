"""The bench's machine: Redis and the carrier on one core, what is measured on the other, and nothing left behind.

The bench itself sleeps on the carrier's core. Where a machine has one core only, nothing is pinned and the ratios say little.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import ClientError, ClientSession

from bench.meter import Meter
from bench.people import campaign_to, chunks
from producer.access import register
from producer.access.keys import Scope, make
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey, free_port
from volley.ledger.engine import made_ready, open_ledger
from volley.offspring import ends_with_parent
from volley.outbox.chunks import encode
from volley.outbox.connect import connect
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue, pool
from volley.sandbox.arrivals import Arrival, read
from volley.sandbox.config import API_KEY, PROFILE_ID, ReceiptSpec, SandboxConfig
from volley.sandbox.numbers import Numbers
from volley.sandbox.process import SandboxProcess
from volley.sender import Sender

MEASURED, OTHERS = 0, 1
"""The core of what is measured, and the core of everything else."""
PUBLIC_URL = "https://sms.example.com"
SECRET = "bench-secret-of-no-consequence"
ACCOUNT = "default"
_ROOT = Path(__file__).resolve().parent.parent
_STOP_S = 15.0


class Rig:
    """Use as an async context manager. `rates` holds each sender's parts/s, `account_rate` the account's.

    The carrier accepts whatever comes: what is tested is whether we keep to the rates, not whether it makes us.
    """

    def __init__(self, rates: Sequence[float], account_rate: float, *, appendfsync: str = "always") -> None:
        self.account_rate = account_rate
        self._stack = AsyncExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="volley-bench-")))
        config = SandboxConfig(
            pool=(("long_code", len(rates), 0),),
            receipts=ReceiptSpec(mode="off"),
            remember=0,
            log=self.folder / "arrivals.jsonl",
        )
        numbers = [each.number for each in Numbers(config).all]
        self.rates = dict(zip(numbers, rates, strict=True))
        self.valkey = EmbeddedValkey(self.folder / "valkey", appendfsync=appendfsync)
        self.sandbox = SandboxProcess(config)
        self.meter = Meter(OTHERS)
        self._children: list[subprocess.Popen[bytes]] = []

    async def __aenter__(self) -> Self:
        async with self._stack as stack:
            stack.callback(_bind, _bind([OTHERS]))  # whatever is started from here inherits it
            await stack.enter_async_context(self.valkey)
            await stack.enter_async_context(self.sandbox)
            stack.push_async_callback(self.end_children)
            self.redis = await connect(self.valkey.url, check=False)
            stack.push_async_callback(self.redis.aclose)
            self.outbox = Outbox(self.redis, ACCOUNT)
            self.queue = Queue(pool(self.valkey.url), self.outbox, ACCOUNT)
            stack.push_async_callback(self.queue.close)
            await self._fill_pool()
            assert self.valkey.process is not None
            self.meter.watch("redis", self.valkey.process.pid)
            self.meter.watch("carrier", self.sandbox.pid)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _fill_pool(self) -> None:
        senders = [
            Sender(number, "long_code", PROFILE_ID, "US", round(rate * 1000)) for number, rate in self.rates.items()
        ]
        await self.outbox.sync_senders(PROFILE_ID, senders)
        home = self.folder / "home"
        home.mkdir()
        (home / "volley.toml").write_text(f"[rates]\naccount = {self.account_rate}\n", "utf-8")

    # what is measured

    def start(self, name: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """`python -m words` on the measured core, watched by the meter under this name."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("VOLLEY_", "TELNYX_"))}
        child = subprocess.Popen(
            [sys.executable, "-m", *words],
            env=plain | {"PYTHONPATH": str(_ROOT)} | environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=(self.folder / f"{name}.log").open("ab"),
            preexec_fn=ends_with_parent(),
        )
        _bind([MEASURED], child.pid)
        self._children.append(child)
        self.meter.watch(name, child.pid)
        return child

    @property
    def environment(self) -> dict[str, str]:
        """Settings of every process of Volley's here."""
        return {
            "VOLLEY_REDIS_URL": self.valkey.url,
            "VOLLEY_HOME": str(self.folder / "home"),
            "VOLLEY_PUBLIC_URL": PUBLIC_URL,
            "VOLLEY_SECRET": SECRET,
            "TELNYX_API_KEY": API_KEY,
            "TELNYX_BASE_URL": self.sandbox.url,
        }

    def start_serve(self, **environment: str) -> str:
        """`volley serve`, as `serve` in the meter; its address, at which it may not answer yet."""
        port = free_port()
        self.start("serve", "volley", "serve", **self.environment | {"VOLLEY_SERVE_PORT": str(port)} | environment)
        return f"http://127.0.0.1:{port}"

    def peak_mb(self, name: str) -> float:
        """The most memory that a child has had so far (VmHWM)."""
        status = Path(f"/proc/{self.meter.pid(name)}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    async def answers(self, url: str) -> None:
        """Waits until serve does."""
        async with ClientSession() as session:

            async def alive() -> bool:
                with contextlib.suppress(ClientError):
                    async with session.get(f"{url}/readyz") as answer:
                        return answer.ok
                return False

            await self.until(alive, "serve does not answer", 30)

    async def key(self, *scopes: Scope) -> dict[str, str]:
        """Headers of a new API key that may ask as often as it likes."""
        engine = open_ledger(f"sqlite+aiosqlite:///{self.folder}/home/ledger.db")
        try:
            await made_ready(engine)
            key, token = make(ACCOUNT, "bench", frozenset(scopes), time.time_ns() // 1000, rate_milli=10**9)
            await register.add(engine, key)
        finally:
            await engine.dispose()
        return {"Authorization": f"Bearer {token}"}

    async def recorded(self) -> bool:
        """Whether all that happened is in the ledger."""
        return await self.outbox.ledger_length() == 0

    async def start_workers(self, count: int = 1, *, redis_url: str = "", durability: str = "strict") -> None:
        """So many `volley worker`; returns when they have shown themselves."""
        for number in range(count):
            self.start(
                f"worker {number}",
                *("volley", "worker"),
                **self.environment | {"VOLLEY_REDIS_URL": redis_url or self.valkey.url},
                VOLLEY_DURABILITY=durability,
            )
        await self.until(lambda: self._shown(count), "the workers did not start", 20)
        await asyncio.sleep(0.5)

    async def _shown(self, count: int) -> bool:
        return len(await self.outbox.workers()) >= count

    async def end_children(self) -> None:
        """SIGTERM to what was started, SIGKILL to what does not mind."""
        children, self._children = self._children, []
        for child in children:
            child.terminate()
        for child in children:
            try:
                await asyncio.to_thread(child.wait, _STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    async def until(
        self, done: Callable[[], Awaitable[bool]], complaint: str, within_s: float, *, every_s: float = 0.1
    ) -> None:
        """Waits until `done` answers True.

        Raises:
            RuntimeError: it did not in time, or a child process ended; the complaint and the children's last words.
        """
        end = time.monotonic() + within_s
        while not await done():
            if time.monotonic() > end or any(child.poll() not in (None, 0) for child in self._children):
                raise RuntimeError(f"{complaint}\n{self._last_words()}")
            await asyncio.sleep(every_s)

    def _last_words(self) -> str:
        return "\n".join(path.read_text("utf-8")[-2000:] for path in sorted(self.folder.glob("*.log")))

    # work

    async def admit(self, people: Sequence[int], *, urgent: bool = False) -> Campaign:
        """A campaign to these people, stored and not sealed yet."""
        campaign = campaign_to(len(people), urgent=urgent)
        await self.outbox.begin(campaign.id)
        for index, chunk in enumerate(chunks(people)):
            await self.outbox.admit(campaign.id, index, encode(chunk), len(chunk))
        return campaign

    async def seal(self, campaign: Campaign) -> int:
        """Lets it go. The µs (monotonic) at which the push was acknowledged; the worker is woken after that."""
        await self.outbox.seal(campaign, key_ttl_s=3600)
        acknowledged_us = time.monotonic_ns() // 1000
        await self.queue.arm(campaign.id, campaign.priority)
        return acknowledged_us

    async def finished(self, campaign: Campaign) -> bool:
        view = await self.outbox.campaign(campaign.id)
        return view is not None and view.state == "finished"

    async def arrivals(self) -> list[Arrival]:
        """All that reached the carrier; ends the carrier, whose log is complete then."""
        await self.end_children()
        await self.sandbox.stop()
        assert self.sandbox.config.log is not None
        return list(read(self.sandbox.config.log))


def _bind(cores: Sequence[int], process: int = 0) -> list[int]:
    """Pins a process to cores that exist here; answers where it was before."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    before = sorted(os.sched_getaffinity(process))
    with contextlib.suppress(OSError, ProcessLookupError):
        os.sched_setaffinity(process, cores)
    return before
