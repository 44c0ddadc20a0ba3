"""A sandbox that runs in this process: everything put together, started in order and stopped in reverse."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from volley.errors import TryAgainLater
from volley.sandbox.app import App, Room
from volley.sandbox.archive import Archive
from volley.sandbox.arrivals import Arrival, ArrivalLog
from volley.sandbox.changes import Changes
from volley.sandbox.clicks import Clicks
from volley.sandbox.config import SandboxConfig
from volley.sandbox.configuration import configuration
from volley.sandbox.control import Control
from volley.sandbox.deliveries import Deliveries
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.faults import Faults
from volley.sandbox.http import Connection, Front
from volley.sandbox.inbound import Inbound
from volley.sandbox.later import Later
from volley.sandbox.limits import Queues
from volley.sandbox.message_room import MessageRoom
from volley.sandbox.messages import Sends
from volley.sandbox.number_control import NumberControl
from volley.sandbox.numbers import Numbers
from volley.sandbox.optouts import OptOuts
from volley.sandbox.profile_control import ProfileControl
from volley.sandbox.receipts import Receipts
from volley.sandbox.record_book import RecordBook
from volley.sandbox.record_room import RecordControl, RecordRoom
from volley.sandbox.schedule import Schedule
from volley.sandbox.signing import Signer
from volley.sandbox.spend import Spend
from volley.sandbox.webhooks import Courier

_FLUSH_S = 0.05
_FSYNC_S = 0.002
_BACKLOG = 4096


class Sandbox:
    """Use as an async context manager. `url` is what TELNYX_BASE_URL holds, `public_key` what TELNYX_PUBLIC_KEY holds."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self.numbers = Numbers(self.config)
        self._signer = Signer(self.config.seed)
        self.port = self.config.port
        self._stack = contextlib.AsyncExitStack()
        self._faults = Faults(self.config.faults, self.config.seed)
        self._log: ArrivalLog | None = None

    @property
    def public_key(self) -> str:
        """The key that signs webhooks now."""
        return self._signer.public_key

    @property
    def url(self) -> str:
        return f"{self.root}/v2"

    @property
    def root(self) -> str:
        return f"http://{self.config.host}:{self.port}"

    @property
    def senders(self) -> list[str]:
        """Every number it has, in order: those of the profiles, then the spare ones."""
        return [each.number for each in self.numbers.all]

    @property
    def log_path(self) -> Path:
        return self._running().path

    def arrivals(self) -> list[Arrival]:
        """Everything that reached it since it started."""
        return self._running().page(0, 1 << 40)

    def set_faults(self, *rules: FaultRule) -> None:
        """Puts these rules in the place of all others."""
        self._faults.replace(rules)

    def _running(self) -> ArrivalLog:
        if self._log is None:
            raise TryAgainLater("the sandbox is not running")
        return self._log

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        config = self.config
        log = self._log = ArrivalLog(self._log_file(stack), fsync=config.fsync, keep=config.keep_log)
        stack.callback(log.close)
        later = Later()
        stack.callback(later.stop)
        deliveries = Deliveries(config.receipts.keep_deliveries)
        courier = Courier(config.receipts, self._signer, later, deliveries.add)
        stack.push_async_callback(courier.stop)
        await courier.start()
        app = self._rooms(log, later, courier, deliveries)
        await self._listen(stack, app, log, later)

    def _rooms(self, log: ArrivalLog, later: Later, courier: Courier, deliveries: Deliveries) -> App:
        config = self.config
        archive, optouts = Archive(config, self.numbers), OptOuts()
        receipts = Receipts(config.receipts, later, courier, archive)
        queues = Queues(config.account_rate, config.queue_cap_s, config.account_mms_rate)
        schedule = Schedule(config, archive, queues, log, later, receipts, optouts)
        inbound = Inbound(config, self.numbers, optouts, courier)
        spend, book = Spend(archive, courier), RecordBook(config, archive, inbound)
        changes = Changes(self.numbers, config.seed)
        sends = Sends(config, archive, queues, self._faults, receipts, schedule, optouts, spend)
        rooms: tuple[Room, ...] = (
            MessageRoom(archive, inbound),
            schedule,
            optouts,
            deliveries,
            RecordRoom(book),
            *configuration(config, changes, later.at),
        )
        control = Control(log, self._faults, receipts, self._signer)
        controls = (
            inbound,
            Clicks(archive, courier),
            spend,
            RecordControl(book),
            NumberControl(self.numbers),
            ProfileControl(changes),
        )
        return App(config, log, sends, rooms, control, controls)

    async def _listen(self, stack: contextlib.AsyncExitStack, app: App, log: ArrivalLog, later: Later) -> None:
        config = self.config
        held: list[Callable[[], None]] | None = [] if config.fsync else None
        front = Front(
            app.respond, app.unreadable, later.at, held=held, greet=self._faults.greets, max_body=config.max_body
        )
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: Connection(front), config.host, config.port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise TryAgainLater(f"the sandbox cannot listen on {config.host}:{config.port}: {error}") from None
        self.port = server.sockets[0].getsockname()[1]
        ticking = asyncio.create_task(_tick(log, held, front, config.idle_s))
        stack.push_async_callback(_stop, ticking)
        stack.callback(front.abort_all)
        stack.callback(server.close)

    def _log_file(self, stack: contextlib.AsyncExitStack) -> Path:
        if self.config.log is not None:
            self.config.log.parent.mkdir(parents=True, exist_ok=True)
            return self.config.log
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="volley-sandbox-"))) / "arrivals.jsonl"


async def _tick(log: ArrivalLog, held: list[Callable[[], None]] | None, front: Front, idle_s: float) -> None:
    """Writes the log; answers that wait for the disk go out behind it."""
    loop = asyncio.get_running_loop()
    swept = loop.time()
    while True:
        await asyncio.sleep(_FLUSH_S if held is None else _FSYNC_S)
        waiting = held[:] if held else []
        log.flush()
        if held:
            del held[: len(waiting)]
            for release in waiting:
                release()
        if loop.time() - swept > min(1.0, idle_s):
            swept = loop.time()
            front.close_idle(idle_s)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def serve(config: SandboxConfig, *, announce: Callable[[Sandbox], None] | None = None) -> None:
    """Runs a sandbox until SIGINT or SIGTERM. `announce` is called once it listens; by default a JSON line on stdout."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    async with _signals(loop, ended), Sandbox(config) as sandbox:
        (announce or announce_json)(sandbox)
        await ended.wait()


@contextlib.asynccontextmanager
async def _signals(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> AsyncIterator[None]:
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, ended.set)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


def announce_json(sandbox: Sandbox) -> None:
    """What a program that starts a sandbox needs, as one line."""
    facts = {
        "url": sandbox.url,
        "port": sandbox.port,
        "api_key": sandbox.config.api_keys[0] if sandbox.config.api_keys else "",
        "public_key": sandbox.public_key,
        "profiles": [spec.id for spec in sandbox.config.all_profiles],
        "log": str(sandbox.log_path),
    }
    sys.stdout.write(orjson.dumps(facts).decode() + "\n")
    sys.stdout.flush()
