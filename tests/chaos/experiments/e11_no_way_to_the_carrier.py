"""11: what never went out is sent again; what went out and has no answer is unknown; nobody gets either twice."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.proxy import Way
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.fault_rule import FaultRule

PEOPLE = 40
AWAY_S = 3.0
OFF = ReceiptSpec(mode="off")


async def _never_out(run: Run, case: str, break_it: Callable[[Stage], Awaitable[None]]) -> None:
    """The way is broken from before the first message on, and mended: all are sent, none is unknown."""
    async with stage(between=("worker-carrier",), receipts=OFF, idempotency="ignored") as play:
        await play.push(PEOPLE)
        await break_it(play)
        reached = len((await play.books()).arrivals)
        await _rested(play)
        play.proxies["worker-carrier"].accept()
        for worker in play.workers:
            await worker.end()
        await play.worker()
        await play.drained(90)
        counts = await play.counts()
        run.did(f"{case} for {AWAY_S:.0f} s")
        run.expect(f"{case}: nothing got there", reached == 0, reached)
        run.expect(f"{case}: all are sent, none is unknown", counts == {"submitted": PEOPLE}, counts)
        run.judged(await play.judge(), case)


async def _rested(play: Stage) -> None:
    """It tried meanwhile, and found nobody."""

    async def found() -> bool:
        return any("the carrier does not answer" in worker.log.read_text() for worker in play.workers)

    await play.until(found, "no worker has found that the carrier is away", 20)


async def _refused(play: Stage) -> None:
    play.proxies["worker-carrier"].refuse()
    await play.worker()
    await asyncio.sleep(AWAY_S)


async def _no_answer(play: Stage) -> None:
    play.proxies["worker-carrier"].dead_end()
    await play.worker()
    await asyncio.sleep(AWAY_S)


async def _no_name(play: Stage) -> None:
    await play.worker(TELNYX_BASE_URL="http://carrier.invalid:8080/v2")
    await asyncio.sleep(AWAY_S)


async def _no_tls(play: Stage) -> None:
    await play.worker(TELNYX_BASE_URL=f"https://127.0.0.1:{play.sandbox.port}/v2")
    await asyncio.sleep(AWAY_S)


async def _went_out(run: Run, case: str, *how: str, rules: tuple[FaultRule, ...] = (), way: Way | None = None) -> None:
    """The line breaks with the request under way: those messages are unknown, whether the carrier has them or not."""
    async with stage(between=("worker-carrier",), receipts=OFF, idempotency="ignored") as play:
        await play.fail(*rules)
        await play.worker(*how)
        if way is not None:
            play.proxies["worker-carrier"].set(there=way)
        await play.push(PEOPLE)
        if way is not None:
            await play.until(lambda: _some_unknown(play), "nothing became unknown", 20)
            play.proxies["worker-carrier"].clear()
        await play.drained(60)
        counts = await play.counts()
        run.did(f"{case}: {counts.get('unknown', 0)} unknown")
        run.expect(f"{case}: they are unknown", counts.get("unknown", 0) > 0, counts)
        run.judged(await play.judge(unknown_allowed=True), case)


async def _some_unknown(play: Stage) -> bool:
    return (await play.counts()).get("unknown", 0) > 0


async def _stale_lines(run: Run) -> None:
    """The carrier closes idle lines, and that news takes its time: some POSTs go into lines that are dead already."""
    idle_s = 0.5
    async with stage(
        senders=1,
        rate=2,
        account_rate=2,
        between=("worker-carrier",),
        receipts=OFF,
        idempotency="ignored",
        idle_s=idle_s,
    ) as play:
        play.proxies["worker-carrier"].set(back=Way(delay_s=0.1))
        await play.worker()
        await play.push(run.pick(16, 60))
        await play.drained(120)
        counts = await play.counts()
        run.did(f"lines that the carrier closes after {idle_s} s: {counts.get('unknown', 0)} unknown")
        run.judged(await play.judge(unknown_allowed=True), "stale keep-alive")


LOST = (FaultRule(kind="lost", every=4, reset=True),)
CUT = (FaultRule(kind="cut", every=4, reset=True),)


async def _control(run: Run) -> None:
    await _went_out(run, "reset after the request", "--without", "perhaps", rules=LOST)


@experiment(
    11,
    "no way to the carrier, or one that breaks under a request",
    control=_control,
    without="PerhapsSent: no answer counts as not sent",
    reds=("D",),
)
async def no_way_to_the_carrier(run: Run) -> None:
    run.settings |= {"messages": PEOPLE}
    await asyncio.gather(
        _never_out(run, "connection refused", _refused),
        _never_out(run, "connect timeout", _no_answer),
        _never_out(run, "no such name", _no_name),
        _never_out(run, "no TLS", _no_tls),
    )
    await asyncio.gather(
        _went_out(run, "reset after the request", rules=LOST),
        _went_out(run, "reset, not taken", rules=CUT),
        _went_out(run, "reset within the request", way=Way(cut_after=200)),
        _stale_lines(run),
    )
