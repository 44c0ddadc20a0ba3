"""The worker process: builds everything, starts in order, stops in reverse. With jobs.py and queue.py, all there is of arq.

SIGTERM, SIGINT or SIGHUP: takes nothing more, ends what is in flight, gives the rest back, settles, exits 0 within
`drain_seconds`. SIGTSTP: takes nothing more and goes on with what it has (quiet); SIGCONT: takes again.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any, cast

import uvloop
from arq.connections import ArqRedis
from arq.typing import WorkerCoroutine
from arq.worker import Worker as ArqWorker
from arq.worker import func
from redis.exceptions import RedisError
from structlog.contextvars import bind_contextvars

from volley import collector
from volley.carrier.reference import secrets_of
from volley.carrier.telnyx import Carrier
from volley.ending import ended
from volley.errors import UnusableInput
from volley.outbox.opening import open_outbox
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue, deserialize, pool, queue_name, serialize
from volley.pulse import Pulse
from volley.settings import Settings
from volley.signals import Hush, on_end
from worker.alone import Alone
from worker.circuit import Circuit
from worker.delivery import Delivery
from worker.drain import Drain, life_s
from worker.jobs import Jobs
from worker.memory import Memory, kept_for
from worker.presence import Presence
from worker.recovery import Recovery
from worker.resolve import Resolver
from worker.settling import Settler
from worker.sweep import Sweeper
from worker.texts import Callback, Texts

log = logging.getLogger(__name__)

_JOB_TIMEOUT_S = 60
_POLL_S = {"u": 0.025, "b": 0.1}
_SLOTS = {"u": 6, "b": 4}
_RECONNECT_S = 1.0
_READ_LIMIT = 400
_LEAST_END_S = 1.0
_CANCEL_S = 0.2


def run(settings: Settings, hush: Hush) -> int:
    """A worker until it is told to stop; the process's exit code."""
    return uvloop.run(_main(settings, hush))


async def _main(settings: Settings, hush: Hush) -> int:
    async with AsyncExitStack() as stack:
        pulse = await stack.enter_async_context(Pulse("worker"))
        worker = await _build(settings, stack, pulse)
        bind_contextvars(worker=worker.name)
        on_end(worker.stop)
        hush.tell(worker.hush)
        collector.calm()
        log.info("worker %s is ready", worker.name)
        await worker.run()
    log.info("worker %s has stopped", worker.name)
    return 0


async def _build(settings: Settings, stack: AsyncExitStack, pulse: Pulse) -> "WorkerProcess":
    account = settings.current
    outbox = await open_outbox(settings)
    stack.push_async_callback(outbox.redis.aclose)
    if account.api_key is None:
        raise UnusableInput("no API key: set TELNYX_API_KEY")
    carrier = Carrier(
        account.api_key.get_secret_value(),
        account.base_url,
        concurrency=settings.concurrency,
        http_timeout_s=settings.http_timeout,
    )
    stack.push_async_callback(carrier.close)
    rates = account.rates
    await outbox.set_rates(rates.account, rates.profile, mms=rates.account_mms, campaigns=rates.campaign)
    arq = pool(settings.queue_url)
    queue = Queue(arq, outbox, settings.account)
    stack.push_async_callback(queue.close)
    return WorkerProcess(settings, outbox, carrier, queue, arq, pulse)


def _callback(settings: Settings) -> Callback | None:
    if not settings.public_url:
        return None
    if settings.secret is None:
        raise UnusableInput(
            "VOLLEY_PUBLIC_URL is set and VOLLEY_SECRET is not: receipts could not be told from forgeries"
        )
    secret = secrets_of(settings.secret.get_secret_value())[0]
    return Callback(settings.public_url, settings.account, secret, settings.public_failover_url or "")


def _give_up_us(settings: Settings) -> int:
    return int(settings.unknown_hours * 3_600_000_000)


def _sweeper(settings: Settings, outbox: Outbox, queue: Queue, alone: Alone, life_us: int) -> Sweeper:
    return Sweeper(
        outbox,
        queue,
        alone,
        shards=settings.drains,
        retention_days=settings.retention_days,
        life_us=life_us,
        give_up_us=_give_up_us(settings),
    )


class WorkerProcess:
    """One worker's parts, running together."""

    def __init__(
        self, settings: Settings, outbox: Outbox, carrier: Carrier, queue: Queue, arq: ArqRedis, pulse: Pulse
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self._account = settings.account
        self._queue = queue
        self._arq = arq
        self._texts = Texts(outbox, _callback(settings), endpoints=settings.endpoints)
        self._memory = Memory(kept_s=kept_for(life_s(settings.http_timeout)))
        self._settler = Settler(outbox, self._memory)
        self._recovery = Recovery(outbox, self._memory, self._settler)
        self._circuit = Circuit(outbox.dispatch)
        self._delivery = Delivery(
            carrier,
            self._texts,
            self._settler,
            self._circuit,
            slots=settings.concurrency,
            max_attempts=settings.max_attempts,
        )
        self._drain = Drain(
            outbox,
            self._texts,
            self._delivery,
            self._memory,
            self._recovery,
            concurrency=settings.concurrency,
            http_timeout_s=settings.http_timeout,
        )
        self._alone = Alone()
        self._sweeper = _sweeper(settings, outbox, queue, self._alone, self._drain.life_us)
        self._resolver = Resolver(outbox, self._drain, give_up_us=_give_up_us(settings))
        self._jobs = Jobs(outbox, self._texts, self._drain, queue, self._sweeper, self._alone)
        self._arq_workers: dict[str, ArqWorker] = {}
        self._pulse = pulse
        self._presence = Presence(self.name, outbox, self._drain, self._delivery, self._memory, pulse)
        self._drain_s = settings.drain_seconds
        self._end_by = 0.0

    def stop(self) -> None:
        """Begins the orderly end. Being told again changes nothing."""
        self._drain.stop()

    def hush(self, quiet: bool) -> None:
        """Takes nothing more, and goes on with what it has; or takes again."""
        if quiet != self._drain.quiet and not self._drain.stopping:
            log.info("worker %s %s", self.name, "is quiet: it takes nothing more" if quiet else "takes again")
            self._drain.quiet = quiet
            self._pick_jobs(not quiet)
            self._drain.nudge()
            self._presence.changed()

    def _pick_jobs(self, allowed: bool) -> None:
        for worker in self._arq_workers.values():
            worker.allow_pick_jobs = allowed

    async def run(self) -> None:
        """Runs until stopped: sending ends first, then settling, then the chores.

        Raises:
            VolleyError: there is work that this release cannot do, as a newer one made it. Anything else: a part of it broke.
        """
        parts = [
            self._when_stopped(),
            self._settler.run(),
            self._circuit.run(),
            self._recovery.watch(),
            self._sweeper.watch(),
            self._sweeper.run(),
            self._resolver.run(),
            self._feed(),
            self._alone.run(self._jobs.here),
            *(self._serve(which) for which in _SLOTS),
        ]
        chores = [asyncio.create_task(self._chore(part)) for part in parts]
        shown = asyncio.create_task(self._chore(self._presence.run()))
        try:
            await self._drain.run()
            await self._end(chores)
        finally:
            await ended([*chores, shown], _CANCEL_S)
        if self._drain.failure is not None:
            raise self._drain.failure

    async def _chore(self, part: Coroutine[Any, Any, None]) -> None:
        """A part that breaks ends the worker as a signal does: cut off, what is in the air would be unknown."""
        try:
            await part
        except Exception as error:
            log.exception("a part of the worker broke, so it ends")
            self._drain.fail(error)

    async def _when_stopped(self) -> None:
        """Whoever has stopped the drain: a signal, a part that broke, or the drain itself."""
        await self._drain.stopped.wait()
        self._end_by = monotonic() + self._drain_s
        self._pulse.stopping(self._drain_s)

    async def _end(self, chores: list[asyncio.Task[None]]) -> None:
        """What is known is settled, all else ends, and others are told. With Redis away for too long the reaper decides."""
        left_s = self._end_by - monotonic() if self._end_by else self._drain_s
        try:
            async with asyncio.timeout(max(_LEAST_END_S, left_s)):
                await self._settler.drained()
                await ended(chores, _CANCEL_S)  # before it leaves: they claim jobs, and would begin more
                await self._end_jobs()
                await self._presence.leave([f"drain:{shard}" for shard in self._jobs.held])
        except (TimeoutError, RedisError) as error:
            log.warning("left without settling all: %s", type(error).__name__)

    async def _end_jobs(self) -> None:
        running = [task for worker in self._arq_workers.values() for task in worker.tasks.values()]
        if running:
            await asyncio.wait(running)

    async def _serve(self, which: str) -> None:
        """An arq worker on one queue; arq ends when it loses Redis, so it is started again."""
        name = queue_name(self._account, which)
        while True:
            worker = ArqWorker(
                functions=[
                    func(cast("WorkerCoroutine", job), name=job.__name__) for job in (self._jobs.plan, self._jobs.drain)
                ],
                queue_name=name,
                redis_pool=self._arq,
                handle_signals=False,
                max_jobs=_SLOTS[which],
                job_timeout=_JOB_TIMEOUT_S,
                max_tries=1,
                keep_result=0,
                poll_delay=_POLL_S[which],
                queue_read_limit=_READ_LIMIT,
                health_check_interval=10,
                health_check_key=f"volley:arq:health:{self.name}:{name}",
                job_serializer=serialize,
                job_deserializer=deserialize,
                log_results=False,
            )
            worker.allow_pick_jobs = self._drain.taking
            self._arq_workers[name] = worker
            try:
                await worker.async_run()
            except RedisError as error:
                log.warning("the queue %s waits for Redis: %s", name, type(error).__name__)
            await asyncio.sleep(_RECONNECT_S)

    async def _feed(self) -> None:
        """Asks for the planning of campaigns whose lanes run low."""
        while True:
            await self._drain.hungry_now.wait()
            self._drain.hungry_now.clear()
            for name in [self._drain.hungry.pop() for _ in range(len(self._drain.hungry))]:
                try:
                    await self._queue.plan(name, self._texts.priority(name))
                except RedisError:
                    self._alone.put(f"plan:{name}")
