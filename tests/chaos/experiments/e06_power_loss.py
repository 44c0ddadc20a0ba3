"""6: the power goes. What Redis had acknowledged is on its disk, what it had not may be gone, and nothing of it is sent twice.

Everything but the carrier is killed at one moment, and the append-only file is cut. Replies on their way from Redis are held
back for a moment before: what is written then is acknowledged to nobody, and stands for what the kernel still had in memory.
The cut is anywhere behind the last byte that was acknowledged, also in the midst of a command.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos.proxy import Way
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.embedded import EmbeddedValkey
from volley.sandbox.config import ReceiptSpec

WORKERS = 2
LAST_S = (1.0, 2.0, 5.0)
"""How much of the past the control's disk has not heard of: everysec promises one or two."""
UNHEARD_S = (0.0, 0.15)
"""How long before the end replies are held back."""
AT_THE_LAST = 20
"""People of a push that is acknowledged just before."""
WAYS = ("worker-redis", "serve-redis")


class Growth:
    """How large the append-only file was when."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "appendonlydir"
        self.seen: list[tuple[float, int]] = []

    @property
    def file(self) -> Path:
        """The incremental file in use: the one with the highest number."""
        return max(self._folder.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))

    def size(self) -> int:
        return self.file.stat().st_size

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(OSError, ValueError):
                self.seen.append((time.monotonic(), self.size()))
            await asyncio.sleep(0.01)

    def size_at(self, moment: float) -> int:
        return max((size for at, size in self.seen if at <= moment), default=0)


async def _power_loss(run: Run, play: Stage, growth: Growth, last_s: float | None) -> None:
    """All of it dies at once; `last_s` None cuts what nobody was told of, else the last seconds."""
    for name in WAYS if last_s is None else ():
        play.proxies[name].set(back=Way(hold=True))
    acknowledged = growth.size()
    await asyncio.sleep(run.dice.uniform(*UNHEARD_S) if last_s is None else 0)
    moment = time.monotonic()
    server = play.valkey.process
    assert server is not None
    assert play.serving is not None
    server.kill()
    processes = [play.serving, *(each for each in play.workers if each.alive)]
    await asyncio.gather(play.kill_redis(), *(each.kill() for each in processes))
    for name in WAYS:
        play.proxies[name].reset_all()
        play.proxies[name].clear()
    written = growth.size()
    kept = run.dice.randint(acknowledged, written) if last_s is None else growth.size_at(moment - last_s)
    with growth.file.open("r+b") as file:
        file.truncate(kept)
    run.did(f"power loss: {written - kept:,} of {written:,} bytes gone")


async def _come_back(play: Stage) -> None:
    await play.start_redis()
    await play.serve()
    for _ in range(WORKERS):
        await play.worker(wait=False)


async def _play(
    run: Run,
    losses: int,
    last_s: float | None,
    valkey: Callable[[Path], EmbeddedValkey],
    env: dict[str, str],
    **config: Any,
) -> None:
    people, gap_s = run.pick(700, 4_000), run.pick(4.0, 8.0)
    rate = people * 8 / 7 / (gap_s * (losses + 1))
    run.settings |= {"workers": WORKERS, "messages": people, "parts_per_s": round(rate), "power_losses": losses}
    async with stage(
        senders=4,
        rate=rate / 2,
        account_rate=rate,
        between=WAYS,
        valkey=valkey,
        env=env,
        latency_ms=(20, 200),
        **config,
    ) as play:
        growth = Growth(play.valkey.folder)
        watching = asyncio.create_task(growth.watch())
        await play.serve()
        await play.worker(wait=False)
        await play.worker()
        if not run.control:
            await play.probe()
        await play.push(people)
        for _ in range(losses):
            await asyncio.sleep(run.dice.uniform(0.6, 1.2) * gap_s + (last_s or 0))
            await play.push(AT_THE_LAST)
            await _power_loss(run, play, growth, last_s)
            await _come_back(play)
        watching.cancel()
        await _judge(run, play, gap_s * (losses + 1) + 90, last_s)


async def _judge(run: Run, play: Stage, within_s: float, last_s: float | None) -> None:
    await play.drained(within_s + 90, resolved=not run.control)
    if not run.control:
        await play.receipted()
    case = f"{last_s:.0f} s" if last_s else ""
    run.figures[f"unknown {case}".strip()] = (await play.counts()).get("unknown", 0)
    there = {view.campaign.id for view in await play.outbox.campaigns()}
    gone = [each for each in play.pushed if each not in there]
    run.expect(f"every push that was acknowledged is there {case}".strip(), not gone, f"{len(gone)} gone")
    run.judged(await play.judge(unknown_allowed=run.control), case)


async def _control(run: Run) -> None:
    """At a carrier that neither reports nor knows keys: each of them would hide it."""
    silent = {"receipts": ReceiptSpec(mode="off"), "idempotency": "ignored"}
    everysec = partial(EmbeddedValkey, appendfsync="everysec")
    for last_s in LAST_S:
        await _play(run, 1, last_s, everysec, {"VOLLEY_DURABILITY": "relaxed"}, **silent)


@experiment(6, "power loss", control=_control, without="appendfsync always and the barrier", reds=("D",))
async def power_loss(run: Run) -> None:
    """The carrier posts its receipts again until somebody takes them."""
    await _play(run, run.pick(2, 8), None, EmbeddedValkey, {}, receipts=ReceiptSpec(attempts=12))
