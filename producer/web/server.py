"""`volley serve`: HTTP API, webhook receiver, health and the recorder in one process. Starts in order, stops in reverse."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.audit.watch import Watch
from producer.bill.closing import keep_closing
from producer.bill.keeping import Keeping
from producer.bill.resolving import keep_resolving
from producer.callbacks.messenger import call_back
from producer.records import ledger
from producer.sight.pinned import PinCount
from producer.sight.telling import tell
from producer.signals import run_until, stop_event
from producer.web.api import open_api
from producer.web.app import Malformed, application
from producer.web.beside import Chore, going
from producer.web.intake import Intake
from producer.web.metrics import Metrics, Sources
from producer.web.page import add_page
from producer.web.presence import Presence
from producer.web.recording import Recording
from producer.web.tally import Tally
from producer.web.webhooks import Webhooks
from volley import collector
from volley.carrier.reference import secrets_of
from volley.carrier.signature import public_keys
from volley.ending import ended
from volley.errors import UnusableInput
from volley.outbox.opening import open_outbox
from volley.outbox.outbox import Outbox
from volley.pulse import Pulse
from volley.settings import Settings

log = logging.getLogger(__name__)

_SHUTDOWN_S = 3.0
"""How long requests that are being answered may take once we stop; then no more of their bodies comes, and they have as long again.
Nobody is let in meanwhile."""
_FLUSH_S = 3.0
"""How long what has come in may take to be written; after that the carrier sends it again."""
_BATCH_S = 10.0
"""How long the recorder's batch may take. What is not acknowledged stays in the stream, and the recorder's thread ends with us."""
_SPARE = 8
"""Threads beside those that pushes hold: for names that are looked up, and files."""
_LINE = 64 << 10
"""Bytes of a request's first line: a push of CSV has its options there, and a text of 1,530 letters may take nine times that."""


async def serve(settings: Settings) -> None:
    """Runs until SIGINT, SIGTERM or SIGHUP: then no more requests, the last receipts, the recorder's batch, and the end.

    Raises:
        UnusableInput: settings that do not work, a port that is taken.
        TryAgainLater: Redis or the ledger is away.
    """
    stop = stop_event()
    # a push holds a thread for as long as its body comes, one of a test key too
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2 * settings.api_pushes + _SPARE))
    async with AsyncExitStack() as stack:
        pulse = await stack.enter_async_context(Pulse("serve"))
        outbox = await _outbox(settings, stack)
        engine = await stack.enter_async_context(ledger(settings))
        recording, recorded = _recording(settings, pulse, stack)
        tally = Tally(outbox)
        intake = Intake(outbox, tally)
        tasks = [asyncio.create_task(work.run()) for work in (tally, intake.texts, intake.receipts)]
        stack.push_async_callback(_flush, tasks)
        watch = Watch(outbox, engine, socket.gethostname(), retention_days=settings.retention_days)
        api = await stack.enter_async_context(open_api(settings))
        mine: tuple[Chore, ...] = (api.sight.run, PinCount(outbox).run, Presence(outbox, api.watchers).run)
        chores = (*mine, *_chores(settings, outbox, engine, watch, pulse))
        stack.push_async_callback(ended, [asyncio.create_task(going(chore)) for chore in chores])
        facts = partial(_facts, tally, recording, watch)
        metrics = Metrics(Sources(watch, recording, tally, api.sight))
        app = application(_webhooks(settings, intake, tally), outbox.redis.ping, facts, metrics.answer)
        api.add_to(app)
        add_page(app)
        await _listen(settings, app, tally, stack)
        collector.calm()
        pulse.ready()
        await run_until(stop, asyncio.create_task(_first_to_end(recorded, *tasks)))
        pulse.stopping(settings.drain_seconds)
        log.info("stopping: %s", facts())


def _chores(settings: Settings, outbox: Outbox, engine: AsyncEngine, watch: Watch, pulse: Pulse) -> tuple[Chore, ...]:
    """What goes on beside, for as long as it serves."""
    return (
        partial(keep_closing, outbox, engine, settings.unconfirmed_hours),
        partial(keep_resolving, settings, outbox, engine),
        Keeping(outbox, engine).run,
        watch.run,
        partial(call_back, settings, engine),
        partial(tell, pulse, outbox),
    )


def _facts(tally: Tally, recording: Recording, watch: Watch) -> dict[str, Any]:
    broken = [breach.words for breach in watch.broken]
    return {
        "webhooks": dict(tally.counts),
        "unused": dict(tally.types),
        "recorder": asdict(recording.counts),
        "conservation": {"checked": watch.checked, "broken": broken},
    }


async def _outbox(settings: Settings, stack: AsyncExitStack) -> Outbox:
    outbox = await open_outbox(settings)
    stack.push_async_callback(outbox.redis.aclose)
    return outbox


def _webhooks(settings: Settings, intake: Intake, tally: Tally) -> Webhooks:
    given = settings.current.public_key
    if not given:
        log.warning("TELNYX_PUBLIC_KEY is not set: every webhook is refused")
    keys = public_keys(given) if given else []
    secrets = secrets_of(settings.secret.get_secret_value()) if settings.secret else []
    return Webhooks(settings.account, keys, secrets, intake, tally)


async def _listen(settings: Settings, app: web.Application, tally: Tally, stack: AsyncExitStack) -> None:
    http, malformed = logging.getLogger("producer.web.http"), Malformed(tally.counts)
    http.addFilter(malformed)
    stack.callback(http.removeFilter, malformed)
    # no access log: the addresses of webhooks carry references, and a million lines a day help nobody
    # nothing is decompressed: signatures cover raw bytes, and a small body may hide a huge one
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=http,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_S,
        auto_decompress=False,
        max_line_size=_LINE,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, settings.serve_host, settings.serve_port, backlog=1024).start()
    except OSError as error:
        where = f"{settings.serve_host}:{settings.serve_port}"
        raise UnusableInput(f"cannot listen on {where}: {error.strerror}; set VOLLEY_SERVE_PORT") from None
    log.info("serving on http://%s:%d", settings.serve_host, settings.serve_port)


async def _first_to_end(*tasks: asyncio.Task[None]) -> None:
    """Neither ends by itself: whichever does takes the process with it."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _flush(tasks: Sequence[asyncio.Task[None]]) -> None:
    for writing in reversed(tasks):
        await ended([writing], _FLUSH_S)


def _recording(settings: Settings, pulse: Pulse, stack: AsyncExitStack) -> tuple[Recording, asyncio.Task[None]]:
    """The recorder at work, and its end."""
    recording = Recording(settings)
    recorded = asyncio.create_task(recording.run())
    stack.push_async_callback(_finish, recording, recorded)
    pulse.also(lambda: recording.turns)
    return recording, recorded


async def _finish(recording: Recording, recorded: asyncio.Task[None]) -> None:
    recording.stop()
    try:
        async with asyncio.timeout(_BATCH_S):
            await asyncio.gather(recorded, return_exceptions=True)
    except TimeoutError:
        log.warning("the ledger does not answer: the recorder's batch stays in the stream")
