"""13: storms of 429 and 5xx: the right bucket slows down or rests, little becomes unknown, and nothing bursts afterwards."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from tests.chaos.oracle import accepted
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.outbox.rests import RestView
from volley.sandbox.arrivals import Arrival, read
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.rates import by_sender, max_excess
from worker.circuit import IN_A_ROW

WORKERS = 2
RATE = 60.0
AGAIN_S = 35.0
"""A circuit rests 30 s at most."""
RESTS_S = {"10011": 30.0, "40318": 60.0}
"""How long what was throttled may rest: the account a second and longer each time, a sender a minute."""


async def _storm(run: Run, code: str, status: int) -> None:
    """All is throttled for a while: `10011` the account's requests, `40318` a sender's queue."""
    seconds = run.pick(5, 15)
    people = int((seconds + 10) * RATE / 1.15)
    run.settings |= {f"storm_{code}_s": seconds}
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE, latency_ms=(5, 80)) as play:
        await _begin(play, people)
        began = time.monotonic_ns() // 1000
        await play.fail(FaultRule(kind="status", status=status, code=code))
        await asyncio.sleep(seconds)
        await play.fail()
        ended = time.monotonic_ns() // 1000
        run.did(f"{seconds} s of {status} {code}")
        again = await _until_more(play)
        await play.drained(people / RATE * 2 + 120)
        await play.receipted()
        refused = [each for each in _all(play) if each.result == "refused"]
        late = sum(1 for each in refused if each.at_us > began + 1_000_000)
        allowed = RATE * (ended - began - 1_000_000) / 1e6 / 3
        run.expect(f"{code}: slower within a second", late <= allowed, f"{late} after it, {len(refused)} in all")
        run.expect(f"{code}: it comes back", again <= RESTS_S[code] + 5, f"{again:.1f} s")
        run.figures |= {f"refused_{code}": len(refused), f"again_after_{code}_s": round(again, 1)}
        _no_burst(run, play, code)
        run.judged(await play.judge(), code)


async def _until_midnight(run: Run) -> None:
    """40333: the profile's money of the day is spent. It rests until midnight UTC."""
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE, latency_ms=(5, 80)) as play:
        made = await _begin(play, 900)
        await play.fail(FaultRule(kind="status", status=400, code="40333"))
        await play.until(lambda: _rests(play), "the profile does not rest", 10)
        await asyncio.sleep(1)
        before = len(_all(play))
        await asyncio.sleep(3)
        after = len(_all(play))
        rests: list[RestView] = await play.outbox.rests()
        midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        until = {each.name: each.until_us / 1e6 - midnight.timestamp() for each in rests if each.what == "profile"}
        run.did("40333 for every POST")
        run.expect("40333: nothing is posted while it rests", before == after, f"{after - before} POSTs in 3 s")
        run.expect("40333: until midnight UTC", 0 <= until.get(PROFILE_ID, -1) <= 120, f"{until} s past it")
        await play.fail()
        await play.outbox.cancel(made)
        await play.drained()
        await play.receipted()
        run.judged(await play.judge(), "40333")


async def _rests(play: Stage) -> bool:
    return any(each.what == "profile" for each in await play.outbox.rests())


async def _flapping(run: Run, *how: str) -> None:
    """5xx comes and goes; then it goes for good."""
    flaps = run.pick(3, 8)
    people = int(flaps * 8 * RATE / 1.15)
    run.settings |= {"flaps_of_503": flaps, "messages": people, "parts_per_s": RATE, "workers": WORKERS}
    async with stage(senders=8, rate=RATE / 4, account_rate=RATE, latency_ms=(5, 80)) as play:
        await _begin(play, people, *how)
        down_s = 0.0
        for _ in range(flaps):
            await play.fail(FaultRule(kind="status", status=503, code=""))
            down_s += (lasts := run.dice.uniform(1.5, 4))
            await asyncio.sleep(lasts)
            await play.fail()
            await asyncio.sleep(run.dice.uniform(1, 3))
        run.did(f"{flaps} × 503 for all, {down_s:.0f} s together")
        again = await _until_more(play)
        await play.drained(people / RATE * 2 + 200)
        unknown = (await play.counts()).get("unknown", 0)
        bound = flaps * (WORKERS * IN_A_ROW + int(RATE / 2)) + int(down_s)
        run.expect("unknown is bounded", unknown <= bound, f"{unknown}, at most {bound}")
        run.expect("503: sending comes back", again <= AGAIN_S, f"{again:.1f} s")
        run.figures |= {"unknown_after_503": unknown, "again_after_503_s": round(again, 1)}
        _no_burst(run, play, "503")
        await play.receipted()
        run.judged(await play.judge(unknown_allowed=True), "503")


async def _begin(play: Stage, people: int, *how: str) -> str:
    await play.serve()
    for _ in range(WORKERS):
        await play.worker(*how)
    made = await play.push(people)
    await play.until_left(people - 60)
    return made.campaign_id or ""


async def _until_more(play: Stage) -> float:
    """Seconds until the carrier takes a message again; 0.0 where nothing waits."""
    before = len(accepted(_all(play)))

    async def more() -> bool:
        return len(accepted(_all(play))) > before or not (await play.counts()).get("ready", 0)

    return await play.until(more, "sending does not come back", 3 * AGAIN_S, every_s=0.05)


def _all(play: Stage) -> list[Arrival]:
    assert play.config.log is not None
    return list(read(play.config.log))


def _no_burst(run: Run, play: Stage, case: str) -> None:
    """R over all that reached the carrier, what it refused included."""
    found = sorted((each for each in _all(play) if each.key), key=lambda each: each.at_us)
    series = by_sender(each._replace(result="accepted", parts=each.parts or 1) for each in found)
    limits = {**play.rates, "": play.account_rate}
    worst = {
        name or "account": max_excess(*pair, limits[name]).parts for name, pair in series.items() if name in limits
    }
    most = max(worst.values(), default=0.0)
    run.expect(f"{case}: no burst, refused ones counted", most <= 0, f"nearest {most:+.1f} parts")


@experiment(
    13,
    "carrier storms: 10011, 40318, 40333, 503 that comes and goes",
    control=lambda run: _flapping(run, "--without", "circuit"),
    without="the circuit",
    reds=("unknown",),
)
async def carrier_storms(run: Run) -> None:
    await _storm(run, "10011", 429)
    await _storm(run, "40318", 429)
    await _until_midnight(run)
    await _flapping(run)
