"""One push from the command line: open the file, ask, push, wait for it."""

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import typer

from producer.cli.desk import Desk, arm, seated
from producer.cli.output import Progress, note, span
from producer.cli.pipe import Pipe
from producer.intake import PushRequest, PushResult, push
from producer.push.sources import open_source
from producer.sight import documents
from volley.errors import UnusableInput, VolleyError
from volley.money import amount
from volley.outbox import halt
from volley.outbox.views import CampaignView, ProfileView
from volley.settings import load

_LOOK_S = 0.5


class Push:
    """A file on its way to being a campaign. `asks` wants a yes from a person first, `waits` stays until all is over."""

    def __init__(self, file: Path, request: PushRequest, *, asks: bool, waits: bool) -> None:
        self._file = file
        self._request = request
        self._asks = asks and not request.dry_run
        self._waits = waits and not request.dry_run
        self._progress = Progress()

    def run(self) -> PushResult:
        """What the push came to.

        Raises:
            UnusableInput: also where a question would be asked and nobody is there to answer it.
        """
        alone = str(self._file) == "-" or not (sys.stdin.isatty() and sys.stderr.isatty())
        if self._asks and alone:
            raise UnusableInput("nobody is here to be asked: add --yes (and look first with --dry-run)")
        settings = load()
        if self._asks:
            # between two loops: one that runs takes Ctrl-C for itself, and the question stays
            _ask(asyncio.run(seated(settings, self._foresee)))
        return asyncio.run(seated(settings, self._work))

    async def _foresee(self, desk: Desk) -> PushResult:
        return await self._push(desk, replace(self._request, dry_run=True))

    async def _work(self, desk: Desk) -> PushResult:
        result = await self._push(desk, self._request)
        reason = await halt.stopped(desk.outbox)
        if reason:
            note(f"all sending is {reason}; this waits until volley resume --all")
        if self._waits and result.campaign_id is not None:
            await follow(desk, result.campaign_id, self._progress)
        return result

    async def _push(self, desk: Desk, request: PushRequest) -> PushResult:
        name = "stdin" if str(self._file) == "-" else str(self._file)
        with _opened(self._file) as stream:
            async with self._reading(stream, name):
                source = await asyncio.to_thread(open_source, stream, name)
                return await push(desk.outbox, desk.settings, request, source, arm=partial(arm, desk))

    @contextlib.asynccontextmanager
    async def _reading(self, stream: BinaryIO | Pipe, name: str) -> AsyncIterator[None]:
        task = None if isinstance(stream, Pipe) else asyncio.create_task(self._tell_how_far(stream, name))
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
            self._progress.clear()

    async def _tell_how_far(self, stream: BinaryIO, name: str) -> None:
        size = max(os.fstat(stream.fileno()).st_size, 1)
        while True:
            await asyncio.sleep(_LOOK_S)
            self._progress.show(f"reading {name}: {100 * stream.tell() // size} %")


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BinaryIO | Pipe]:
    with _bytes(file) as stream:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            yield stream
            return
        pipe = Pipe(stream.fileno())
        try:
            yield pipe
        finally:
            pipe.leave()


def _bytes(file: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    if str(file) == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as error:
        raise UnusableInput(f"{file}: {error.strerror}") from None


def _ask(foreseen: PushResult) -> None:
    """Returns with a yes, and where nothing would be sent. Raises typer.Exit, or typer.Abort by Ctrl-C."""
    if not foreseen.accepted:
        return
    cost = f"{amount(foreseen.estimated_micros)} {foreseen.currency}"
    unpriced = f", and {foreseen.unpriced} messages whose price nobody knows" if foreseen.unpriced else ""
    note(f"{foreseen.accepted} recipients, {foreseen.parts} parts, estimated cost {cost}{unpriced}")
    for each in foreseen.notes:
        note(each)
    note(f"left out: {foreseen.rejected} rejected, {foreseen.duplicates} duplicates, {foreseen.opted_out} opted out")
    if not typer.confirm("send?", default=False, err=True):
        note("nothing was sent")
        raise typer.Exit(1)


async def follow(desk: Desk, campaign_id: str, progress: Progress) -> CampaignView:
    """Waits until nothing of a campaign waits or is being sent.

    Raises:
        VolleyError: it was cancelled, or expired, before all of it went.
    """
    lonely = False
    while True:
        view = await desk.outbox.campaign(campaign_id)
        if view is None:
            raise VolleyError(f"campaign {campaign_id} is gone from Redis")
        if view.waiting + view.in_flight == 0:
            progress.clear()
            if view.state in ("cancelled", "expired"):
                raise VolleyError(f"campaign {campaign_id} is {view.state}: see volley campaigns show {campaign_id}")
            return view
        if not lonely and not await desk.outbox.workers():
            lonely = True
            note("no worker is running: start volley worker, or volley up")
        progress.show(describe(view, await desk.outbox.profile(view.campaign.profile)))
        await asyncio.sleep(_LOOK_S)


def describe(view: CampaignView, profile: ProfileView) -> str:
    """A campaign in a line: sent, rate, ETA, cost so far."""
    document = documents.campaign(view, profile)
    sent = view.campaign.accepted - view.waiting - view.in_flight
    cost = f"{document['cost']['amount']} {document['cost']['currency']}"
    eta = span(document["eta_seconds"])
    return f"sent {sent} of {view.campaign.accepted} · {document['rate']:g} parts/s · ETA {eta} · cost so far {cost}"
