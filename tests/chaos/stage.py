"""What an experiment plays on: a Valkey, a carrier, `volley serve` and any number of `volley worker`, each a real process.

Proxies stand between the parts that the experiment names. The folder goes when all went well and stays when not.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSlow

from producer.intake import PushRequest, PushResult, push
from producer.push.sources import ObjectSource
from tests.chaos import oracle
from tests.chaos.books import books, ways
from tests.chaos.processes import ROOT, Process, python
from tests.chaos.proxy import Proxy
from tests.sandboxes import Sandbox, elsewhere
from volley.embedded import EmbeddedValkey, free_port
from volley.outbox import primary
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue
from volley.outbox.queue import pool as arq_pool
from volley.profile import ProfileFacts
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import API_KEY, PROFILE_ID, ReceiptSpec, SandboxConfig
from volley.sandbox.fault_rule import FaultRule, dump_rules
from volley.sender import Sender
from volley.settings import Settings, load

RUNS = ROOT / "build" / "chaos"
ACCOUNT = "default"
SECRET = "chaos-secret-of-no-consequence"
HTTP_TIMEOUT_S = 1.0
FLIGHT_LIFE_S = 0.2 + HTTP_TIMEOUT_S + 5.0
"""Barrier, HTTP total, margin: after this a flight is reaped."""
FIRST_LOOK_S = 20.0
"""An unknown message is looked at for the first time after so long."""
FIRST_PERSON = 12_125_560_000
TEMPLATE = "Hi {name}, your order is ready. {more}"
LONG = "As it is large, please bring somebody to help you carry it, and the letter that we sent to you last week. " * 2
EVERY_LONG = 7
"""Every so-many-th person's text has two parts or more."""

_LAST_WORDS = 12
WAYS = ("worker-redis", "worker-carrier", "carrier-serve", "serve-redis")


def _surroundings() -> dict[str, str]:
    """This environment, without what Volley would take for its settings."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("VOLLEY_", "TELNYX_", "PYTHONPATH"))}


class Stage:
    """Open it with `stage(...)`. `proxies` are by the names in WAYS."""

    def __init__(
        self,
        folder: Path,
        *,
        senders: int,
        rate: float,
        account_rate: float,
        between: Sequence[str],
        valkey: Callable[[Path], EmbeddedValkey],
        **config: Any,
    ) -> None:
        self.folder = folder
        self.rate = rate
        self.account_rate = account_rate
        self.valkey = valkey(folder / "valkey")
        self.serve_port = free_port()
        self.config = replace(
            SandboxConfig(
                port=free_port(),
                pool=(("long_code", senders, 0),),
                receipts=ReceiptSpec(done_after_s=(0.05, 0.3), connections=64),
                log=folder / "arrivals.jsonl",
                fsync=True,
            ),
            **config,
        )
        self.sandbox = Sandbox(self.config, env=_surroundings() | {"PYTHONPATH": str(ROOT)})
        self.between = between
        self.proxies: dict[str, Proxy] = {}
        self.env: dict[str, str] = {}
        self.rates: dict[str, float] = {}
        self.workers: list[Process] = []
        self.serving: Process | None = None
        self.keep = False
        """Whether the logs of this run are kept though nothing broke down."""
        self.pushed: dict[str, int] = {}
        """Messages of each campaign that was acknowledged to its producer."""
        self._people = FIRST_PERSON
        self._count = 0

    async def open(self, stack: contextlib.AsyncExitStack, env: Mapping[str, str]) -> None:
        await stack.enter_async_context(self.valkey)
        await stack.enter_async_context(self.sandbox)
        targets = {
            "worker-redis": ("127.0.0.1", self.valkey.port),
            "worker-carrier": ("127.0.0.1", self.sandbox.port),
            "carrier-serve": ("127.0.0.1", self.serve_port),
            "serve-redis": ("127.0.0.1", self.valkey.port),
        }
        for name in self.between:
            self.proxies[name] = Proxy(targets[name])
            stack.enter_context(self.proxies[name])
            elsewhere(self.proxies[name].pid)
        stack.push_async_callback(self.end_processes)
        # reads of ours outlive a Redis that is away for a while
        connections = primary.pool(self.valkey.url, ACCOUNT, socket_timeout=5)
        patience = Retry(ConstantBackoff(0.25), 80)
        connections.connection_kwargs |= {"retry": patience, "retry_on_error": [RedisAway, RedisSlow, OSError]}
        self.redis = redis.asyncio.Redis.from_pool(connections)
        stack.push_async_callback(self.redis.aclose)
        relaxed, replicas = env.get("VOLLEY_DURABILITY") == "relaxed", int(env.get("VOLLEY_REPLICAS", 0))
        self.outbox = Outbox(self.redis, ACCOUNT, relaxed=relaxed, replicas=replicas)
        self._write_env(env)
        await self._fill_pool()

    def _write_env(self, more: Mapping[str, str]) -> None:
        (self.folder / "home").mkdir()
        (self.folder / "home" / "volley.toml").write_text(f"[rates]\naccount = {self.account_rate}\n", "utf-8")
        hook = self.proxies["carrier-serve"].port if "carrier-serve" in self.proxies else self.serve_port
        self.env = _surroundings() | {
            "VOLLEY_HOME": str(self.folder / "home"),
            "VOLLEY_REDIS_URL": self.valkey.url,
            "VOLLEY_SERVE_PORT": str(self.serve_port),
            "VOLLEY_PUBLIC_URL": f"http://127.0.0.1:{hook}",
            "VOLLEY_SECRET": SECRET,
            "VOLLEY_HTTP_TIMEOUT": str(HTTP_TIMEOUT_S),
            "TELNYX_API_KEY": API_KEY,
            "TELNYX_BASE_URL": self.sandbox.url,
            "TELNYX_PUBLIC_KEY": self.sandbox.public_key,
            **more,
        }

    async def _fill_pool(self) -> None:
        answer = await self.carrier("GET", "/v2/phone_numbers/messaging?page[size]=250")
        numbers = [entry["phone_number"] for entry in answer["data"]]
        await self.sync(dict.fromkeys(numbers, self.rate))

    async def sync(self, rates: Mapping[str, float]) -> None:
        """These numbers at these rates (parts/s) are the pool."""
        self.rates.update(rates)
        made = [Sender(number, "long_code", PROFILE_ID, "US", round(each * 1000)) for number, each in rates.items()]
        await self.outbox.sync_senders(PROFILE_ID, made, facts=ProfileFacts(PROFILE_ID))

    # processes

    def settings(self) -> Settings:
        """As the processes of this stage have them; for pushes from here."""
        return load(self.env, self.folder)

    def start(self, name: str, *words: str, **env: str) -> Process:
        """`python -m words` with this stage's settings; ends with the stage."""
        self._count += 1
        return Process(f"{name}-{self._count}", python(*words), self.env | env, self.folder)

    async def worker(self, *how: str, wait: bool = True, **env: str) -> Process:
        """One more worker. `how`: options of worker_at (a point, protections that are off); none for the plain command."""
        words = ("tests.chaos.worker_at", *how) if how else ("volley", "worker")
        url = self._redis_by("worker-redis")
        carrier = self.sandbox.url
        if "worker-carrier" in self.proxies:
            carrier = f"http://127.0.0.1:{self.proxies['worker-carrier'].port}/v2"
        made = self.start("worker", *words, **{"VOLLEY_REDIS_URL": url, "TELNYX_BASE_URL": carrier, **env})
        self.workers.append(made)
        await made.begin()
        if wait:
            await self.until(lambda: self._shows(made), "the worker did not start", 30)
        return made

    async def _shows(self, worker: Process) -> bool:
        return any(view.pid == worker.pid for view in await self.outbox.workers())

    async def serve(self, *how: str, **env: str) -> Process:
        """`volley serve`: webhooks in, the ledger written. `how`: options of producer_at."""
        words = ("tests.chaos.producer_at", *how, "--", "serve") if how else ("volley", "serve")
        self.serving = self.start("serve", *words, VOLLEY_REDIS_URL=self._redis_by("serve-redis"), **env)
        await self.serving.begin()
        await self.until(self._healthy, "volley serve did not start", 30)
        return self.serving

    def _redis_by(self, way: str) -> str:
        return f"redis://127.0.0.1:{self.proxies[way].port}/0" if way in self.proxies else self.valkey.url

    async def _healthy(self) -> bool:
        try:
            async with aiohttp.request("GET", f"http://127.0.0.1:{self.serve_port}/healthz") as answer:
                return answer.status < 500
        except aiohttp.ClientError:
            return False

    async def end_processes(self) -> None:
        """SIGTERM to workers, then to serve."""
        for process in [*self.workers, *([self.serving] if self.serving else [])]:
            await process.end()

    async def kill_redis(self) -> None:
        assert self.valkey.process is not None
        self.valkey.process.kill()
        await asyncio.to_thread(self.valkey.process.wait)

    async def start_redis(self) -> None:
        """On the same port, with the same folder."""
        await self.valkey.start()

    # the carrier

    async def carrier(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Past all proxies."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with aiohttp.request(method, self.sandbox.root + path, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def fail(self, *rules: FaultRule) -> None:
        """The carrier harms answers by these rules from now on; none: no more."""
        await self.carrier("PUT", "/_sandbox/faults", dump_rules(list(rules)))

    async def carrier_stats(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.carrier("GET", "/_sandbox/stats")
        return found

    async def probe(self) -> None:
        """As an operator does it: the doctor finds out whether this account honours keys."""
        words = ("--probe-idempotency", "--from", next(iter(self.rates)), "--to", "+12125550199", "--yes", "--json")
        doctor = self.start("doctor", "volley", "doctor", *words)
        await doctor.begin()
        await doctor.gone()

    # work

    def people(self, count: int) -> list[int]:
        """So many people whom nobody wrote to yet."""
        first, self._people = self._people, self._people + count
        return list(range(first, first + count))

    def rows(self, people: Sequence[int]) -> list[dict[str, object]]:
        return [
            {"to": f"+{to}", "name": f"N{to % 1000}", "more": LONG if to % EVERY_LONG == 0 else "Bye."} for to in people
        ]

    async def push(self, count: int = 0, *, people: Sequence[int] = (), **fields: Any) -> PushResult:
        """The real intake, to `count` new people or to these; `fields` are PushRequest's."""
        request = PushRequest(PROFILE_ID, template=TEMPLATE, **fields)
        source = ObjectSource(self.rows(people or self.people(count)))
        queue = Queue(arq_pool(self.settings().queue_url), self.outbox, ACCOUNT)
        try:
            result = await push(
                self.outbox, self.settings(), request, source, arm=lambda made: queue.arm(made.id, made.priority)
            )
        finally:
            await queue.close()
        assert result.campaign_id is not None, result
        self.pushed[result.campaign_id] = result.accepted
        return result

    async def counts(self) -> dict[str, int]:
        """Messages by status, of all campaigns together; only what there is."""
        total: dict[str, int] = {}
        for view in await self.outbox.campaigns():
            for status, n in view.counts.items():
                total[status] = total.get(status, 0) + n
        return {status: n for status, n in total.items() if n}

    async def until(
        self, done: Callable[[], Awaitable[bool]], complaint: str, within_s: float, *, every_s: float = 0.1
    ) -> float:
        """Waits until `done` answers True; how long that took. RuntimeError with the complaint if it does not in time."""
        began = time.monotonic()
        while not await done():
            if time.monotonic() - began > within_s:
                raise RuntimeError(f"{complaint} within {within_s:.0f} s: {await self.counts()}")
            await asyncio.sleep(every_s)
        return time.monotonic() - began

    async def until_left(self, left: int, within_s: float = 120) -> None:
        """Until at most so many messages are ready."""

        async def so_few() -> bool:
            return (await self.counts()).get("ready", 0) <= left

        await self.until(so_few, f"not down to {left} ready", within_s, every_s=0.02)

    async def drained(self, within_s: float = 120, *, resolved: bool = False) -> float:
        """Until nothing is ready or being sent, nothing unknown if `resolved`, and the ledger has all there is."""

        async def empty() -> bool:
            counts = await self.counts()
            open_ = counts.get("ready", 0) + counts.get("sending", 0) + (counts.get("unknown", 0) if resolved else 0)
            return not open_ and (self.serving is None or await self._recorded())

        return await self.until(empty, "not drained", within_s)

    async def _recorded(self) -> bool:
        return int(await self.redis.xlen(self.outbox.keys.ledger)) == 0

    async def receipted(self, within_s: float = 60) -> float:
        """Until the ledger knows what became of every message that the carrier took."""

        async def all_known() -> bool:
            ledger = (await self.books()).ledger or {}
            return not any(row.status == "submitted" for row in ledger.values()) and await self._recorded()

        return await self.until(all_known, "receipts are missing", within_s, every_s=0.5)

    # judgement

    async def books(self) -> oracle.Books:
        if not self.config.fsync:
            await self.carrier_stats()  # with that it writes what it took in the last moment
        ledger = self.folder / "home" / "ledger.db" if self.serving is not None else None
        return await books(self.redis, ACCOUNT, self.config.log or Path(), ledger, self.pushed)

    def ways(self) -> Iterator[tuple[int, Arrival]]:
        """As books.ways has them: our write of each message, and its arrival."""
        assert self.config.log is not None
        return ways(self.config.log, self.folder / "home" / "ledger.db")

    async def judge(
        self, *, rates: bool = True, unknown_allowed: bool = False, priced: bool = True, open_allowed: bool = False
    ) -> list[oracle.Check]:
        """The four checks as things stand. `rates` False leaves R out, where the experiment itself holds bytes back.

        `priced` False bears with messages whose parts and cost the carrier has not told yet.
        """
        found = await self.books()
        checks = [
            oracle.twice(found),
            oracle.lost(found, unknown_allowed=unknown_allowed, open_allowed=open_allowed),
            oracle.priced(found, self.config.tariff.price, whole=priced),
        ]
        if rates:
            checks.insert(2, oracle.too_fast(found, self.rates, self.account_rate))
        return checks


def _tell_last_words(folder: Path) -> None:
    """For whoever sees what was printed, and cannot come to the logs."""
    for log in sorted(folder.glob("*.log")):
        words = log.read_text("utf-8", "replace").splitlines()[-_LAST_WORDS:]
        print(f"      {log.name} ends with", *(f"        {each[:300]}" for each in words), sep="\n", flush=True)


@contextlib.asynccontextmanager
async def stage(
    *,
    senders: int = 4,
    rate: float = 50,
    account_rate: float = 100,
    between: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    valkey: Callable[[Path], EmbeddedValkey] = EmbeddedValkey,
    **config: Any,
) -> AsyncIterator[Stage]:
    """Valkey and carrier run, the carrier's numbers are the pool. `rate`: each sender's parts/s; `config`: the sandbox's.

    `valkey` makes the server, for one that is unlike the product's own.
    """
    RUNS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=RUNS))
    made = Stage(
        folder, senders=senders, rate=rate, account_rate=account_rate, between=between, valkey=valkey, **config
    )
    try:
        async with contextlib.AsyncExitStack() as stack:
            await made.open(stack, env or {})
            yield made
    except BaseException:
        made.keep = True
        _tell_last_words(folder)
        raise
    finally:
        if made.keep:
            print(f"      the logs of this run are kept in {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
