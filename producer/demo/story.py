"""The demo's story: sync the pool, push a list, push to the same people again, wait for the receipts, report."""

import asyncio
import contextlib
import csv
import io
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from producer.access import register
from producer.access.keys import Scope, make
from producer.cli.desk import Desk, arm, seated
from producer.cli.output import emit, note
from producer.demo.report import Report, draw
from producer.demo.show import show
from producer.demo.stage import PROFILE, Stage, stage
from producer.intake import PushRequest, PushResult, push
from producer.pool.sync import sync
from producer.push.sources import open_source
from producer.records import ledger, reading
from volley.errors import TryAgainLater, UnusableInput, VolleyError
from volley.settings import Settings
from volley.signals import on_end

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AGAIN = "{first_name|Hello}, thank you, your payment has arrived. Larkspur Energy. Reply STOP to opt out."

_LOOK_S = 0.25
_START_S = 30.0
_RECEIPTS_S = 30.0
_STUCK_S = 60.0


def run(*, rows: int | None, keep: bool, folder: Path | None, as_json: bool) -> int:
    """The whole demo; 0 if every promise was kept. With `keep` it goes on after its report until it is told to stop.

    Raises:
        UnusableInput: no examples here.
        VolleyError: a process ended, or nothing moves any more.
    """
    began = time.monotonic()

    def tell(report: Report) -> None:
        report.seconds = round(time.monotonic() - began, 1)
        if as_json:
            emit(report.as_json())
        else:
            draw(report)

    report = asyncio.run(Story(rows, keep, folder, tell).play())
    return 0 if all(check.kept for check in report.checks) else 1


class Story:
    """The demo from start to end. SIGINT and SIGTERM unwind everything that was started; a second one changes nothing."""

    def __init__(self, rows: int | None, keep: bool, folder: Path | None, tell: Callable[[Report], None]) -> None:
        self._rows = rows
        self._keep = keep
        self._folder = folder
        self._tell = tell
        self._stopped = asyncio.Event()
        self._over = False

    async def play(self) -> Report:
        playing = asyncio.ensure_future(self._on_stage())

        def stop() -> None:
            if not self._stopped.is_set():
                self._stopped.set()
                note("stopping ...")
                if not self._over:
                    playing.cancel()

        on_end(stop)
        try:
            return await playing
        except asyncio.CancelledError:
            raise VolleyError("the demo was stopped; nothing of it is left running") from None

    async def _on_stage(self) -> Report:
        template = _example("template.txt").read_text("utf-8").removesuffix("\n")
        note("starting Valkey, the sandbox, serve and a worker ...")
        async with stage(self._folder) as on_stage:
            watching = asyncio.create_task(on_stage.children.watch())
            playing = asyncio.create_task(_play(on_stage, template, self._rows))
            try:
                await asyncio.wait({watching, playing}, return_when=asyncio.FIRST_COMPLETED)
                if not playing.done():
                    await watching  # a process has ended: this says which
                report = await playing
                self._over = self._keep
                self._tell(report)
                if self._keep:
                    await self._go_on(on_stage, watching)
                return report
            finally:
                await _ended(watching, playing)

    async def _go_on(self, on_stage: Stage, watching: asyncio.Task[None]) -> None:
        """Until it is told to stop. Raises VolleyError where a process ends before that."""
        on_stage.leave_settings()
        note(f"the dashboard: {on_stage.address}/")
        note(f"the key that it asks for: {await _key(on_stage.settings)}")
        note(f"other commands: cd {on_stage.folder} && volley status; Ctrl-C ends it all")
        told = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({watching, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _ended(told)
        if watching.done():
            watching.result()


async def _key(settings: Settings) -> str:
    """An API key of this demo's, which may look and steer."""
    scopes: frozenset[Scope] = frozenset({"read", "ops"})
    key, token = make(settings.account, "demo", scopes, time.time_ns() // 1000)
    async with ledger(settings) as engine:
        await register.add(engine, key, "demo")
    return token


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _play(on_stage: Stage, template: str, rows: int | None) -> Report:
    return await seated(on_stage.settings, lambda desk: Play(on_stage, desk, rows).run(template))


@dataclass(slots=True)
class Play:
    """The acts, in order."""

    on_stage: Stage
    desk: Desk
    rows: int | None

    async def run(self, template: str) -> Report:
        synced = await sync(self.desk.settings, self.desk.outbox, PROFILE)
        note(f"{synced.usable} numbers make {synced.rate:g} parts/s, the account allows {synced.allowed:g}")
        await self._worker_is_here()
        first = await self._campaign("first campaign", template)
        second = await self._campaign("second campaign", AGAIN)
        await self._receipts([first, second])
        return await Report.make(self.on_stage, self.desk, [first, second])

    async def _worker_is_here(self) -> None:
        async with _patience(_START_S, "no worker came up"):
            while not await self.desk.outbox.workers():  # noqa: ASYNC110 - another process says so
                await asyncio.sleep(_LOOK_S)

    async def _campaign(self, title: str, template: str) -> PushResult:
        request = PushRequest(
            profile=PROFILE, template=template, region="US", rejects_path=self.on_stage.folder / "rejected.csv"
        )
        with _first_rows(_example("recipients.csv"), self.rows) as stream:
            source = open_source(stream, "recipients.csv")
            result = await push(
                self.desk.outbox, self.desk.settings, request, source, arm=lambda campaign: arm(self.desk, campaign)
            )
        note(f"{title}: {result.accepted} accepted, {result.rejected} rejected, {result.duplicates} duplicates")
        await self._follow(title, result)
        return result

    async def _follow(self, title: str, result: PushResult) -> None:
        waiting, since_s = -1, time.monotonic()
        with show(title) as shown:
            while True:
                view = await self.desk.outbox.campaign(result.campaign_id or "")
                if view is None:
                    raise UnusableInput("the example list has no row that can be sent")
                shown.update(view, await self.desk.outbox.profile(view.campaign.profile))
                if not (view.waiting or view.in_flight):
                    return
                if view.waiting != waiting:
                    waiting, since_s = view.waiting, time.monotonic()
                elif time.monotonic() - since_s > _STUCK_S:
                    raise VolleyError(f"{title}: nothing has moved for {_STUCK_S:g} s")
                await asyncio.sleep(_LOOK_S)

    async def _receipts(self, results: list[PushResult]) -> None:
        """Waits until no message is merely submitted, and the ledger has it all; the report says what is missing."""
        note("waiting for the last receipts ...")
        names = [result.campaign_id or "" for result in results]
        with contextlib.suppress(TryAgainLater):
            async with reading(self.desk.settings) as reader, _patience(_RECEIPTS_S, "receipts are missing"):
                while True:
                    counted = await reader.status_counts(names)
                    open_ = sum(counted.get(name, {}).get("submitted", 0) for name in names)
                    if not open_ and not await self.desk.outbox.ledger_length():
                        return
                    await asyncio.sleep(_LOOK_S)


def _first_rows(path: Path, rows: int | None) -> BinaryIO:
    """The file, or its header and as many rows."""
    if rows is None:
        return path.open("rb")
    with path.open(encoding="utf-8", newline="") as file:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(islice(csv.reader(file), rows + 1))
    return io.BytesIO(text.getvalue().encode())


@contextlib.asynccontextmanager
async def _patience(seconds: float, otherwise: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise TryAgainLater(f"{otherwise} within {seconds:g} s") from None


def _example(name: str) -> Path:
    path = EXAMPLES / name
    if not path.is_file():
        raise UnusableInput(f"the demo reads {path}, which is not here: run it from a source tree")
    return path
