"""24: an hour at 200 messages a second, with all of it at random. MINUTES=<n> makes it longer or shorter.

Workers are killed and stopped, Redis is killed, connections are cut and held up, answers and webhooks are lost. At the end every
promise holds; nothing has grown and nothing has slowed down on the way.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from bench.figures import percentile
from tests.chaos.proxy import Way
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import WAYS, Stage, stage
from volley.sandbox.arrivals import read
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.rates import max_excess

WORKERS = 3
MESSAGES_PER_S = 200
EVERY_S = 10.0
"""A campaign is pushed so often, with what is to be sent until the next."""
PAUSE_S = (3.0, 9.0)
"""Between two faults."""
GROWTH = 1.15
"""What the last third of the time may weigh against the middle third, beside what is kept."""
KEPT_BYTES = 40
"""What Redis keeps of a message that is over: the pin of a person whom nobody wrote to before, and its state until retention."""
PARTS = 8 / 7


@dataclass(slots=True)
class Weights:
    """Samples by name: (monotonic s, MB or s)."""

    seen: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.seen.setdefault(name, []).append((time.monotonic(), value))

    def thirds(self, name: str, began: float, ended: float) -> tuple[float, float]:
        """The mean of the middle third of the time, and of the last."""
        third = (ended - began) / 3
        middle = [value for at, value in self.seen[name] if began + third <= at < began + 2 * third]
        last = [value for at, value in self.seen[name] if began + 2 * third <= at < ended]
        return mean(middle), mean(last)


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
    except OSError:
        return 0.0


async def _weigh(play: Stage, weights: Weights) -> None:
    """Redis as it is; of processes those that live for long enough to have grown: `volley serve` and the first worker."""
    while True:
        info = await play.redis.info("memory")
        weights.add("redis_mb", info["used_memory"] / 1e6)
        assert play.serving is not None
        weights.add("serve_mb", _resident_mb(play.serving.pid))
        weights.add("worker_mb", _resident_mb(play.workers[0].pid))
        await asyncio.sleep(1)


async def _push(play: Stage, weights: Weights, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        await play.push(int(MESSAGES_PER_S * EVERY_S))
        weights.add("push_s", time.monotonic() - began)
        await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))


# what is done to it


async def _kill(run: Run, play: Stage) -> None:
    """The first worker is spared: it shows whether one grows."""
    turn = run.dice.randrange(1, WORKERS)
    await play.workers[turn].kill()
    del play.workers[turn]
    await play.worker(wait=False)


async def _freeze(run: Run, play: Stage) -> None:
    worker = play.workers[run.dice.randrange(WORKERS)]
    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(run.dice.uniform(0.5, 9))
    worker.signal(signal.SIGCONT)


async def _reset(run: Run, play: Stage) -> None:
    play.proxies[run.dice.choice(WAYS)].reset_all()


async def _hold(run: Run, play: Stage) -> None:
    """Webhooks or Redis come late."""
    way = play.proxies[run.dice.choice([name for name in WAYS if name != "worker-carrier"])]
    way.set(there=Way(hold=True))
    await asyncio.sleep(run.dice.uniform(0.2, 3))
    way.clear()


async def _lose_answers(run: Run, play: Stage) -> None:
    await play.fail(FaultRule(kind="lost", share=0.05))
    await asyncio.sleep(run.dice.uniform(0.5, 2))
    await play.fail()


async def _restart_redis(run: Run, play: Stage) -> None:
    await play.kill_redis()
    await asyncio.sleep(run.dice.uniform(0, 1))
    await play.start_redis()


Deed = Callable[[Run, Stage], Awaitable[None]]
DEEDS: dict[str, Deed] = {
    "kill": _kill,
    "freeze": _freeze,
    "reset": _reset,
    "hold": _hold,
    "lost_answers": _lose_answers,
    "redis_restart": _restart_redis,
}


async def _break(run: Run, play: Stage, seconds: float) -> dict[str, int]:
    until, done = time.monotonic() + seconds, dict.fromkeys(DEEDS, 0)
    while time.monotonic() < until:
        await asyncio.sleep(run.dice.uniform(*PAUSE_S))
        name = run.dice.choice(list(DEEDS))
        await DEEDS[name](run, play)
        done[name] += 1
    return done


async def _soak(run: Run, minutes: float) -> None:
    rate = MESSAGES_PER_S * PARTS * 1.4  # a server that restarts each minute is a twelfth of the time not there
    run.settings |= {
        "workers": WORKERS,
        "messages_per_s": MESSAGES_PER_S,
        "minutes": minutes,
        "parts_per_s": round(rate),
    }
    async with stage(
        senders=10,
        rate=rate / 8,
        account_rate=rate,
        between=WAYS,
        latency_ms=(20, 200),
        receipts=ReceiptSpec(attempts=15, connections=64),
        remember=1_000_000,  # of an hour and more; a carrier remembers keys for a day
        fsync=False,  # it outlives all this, and a carrier that waits for its disk would read late what was sent in time
    ) as play:
        await play.serve()
        for _ in range(WORKERS):
            await play.worker()
        await play.probe()
        weights, began = Weights(), time.monotonic()
        weighing = asyncio.create_task(_weigh(play, weights))
        _, done = await asyncio.gather(_push(play, weights, minutes * 60), _break(run, play, minutes * 60))
        ended = time.monotonic()
        weighing.cancel()
        run.did(", ".join(f"{n} × {name}" for name, n in done.items()))
        await play.drained(240, resolved=True)
        run.figures["drained_s"] = round(time.monotonic() - ended, 1)
        await play.receipted(120)
        run.judged(await play.judge())
        play.keep = bool(run.red)
        _written(run, play)
        _flat(run, weights, began, ended)
        _waits(run, play, began, ended)


def _written(run: Run, play: Stage) -> None:
    """The same rate by our own writes: where R is red and this is not, it is the way to the carrier that bunched them."""
    ways = sorted(play.ways(), key=lambda way: way[0])
    excess = max_excess([sent_us for sent_us, _ in ways], [arrival.parts for _, arrival in ways], play.account_rate)
    run.figures["longest_way_ms"] = round(max(arrival.wall_us - sent_us for sent_us, arrival in ways) / 1000)
    run.figures["written"] = f"{excess.parts:+.1f} parts at the account's nearest"


def _flat(run: Run, weights: Weights, began: float, ended: float) -> None:
    kept_mb = KEPT_BYTES * MESSAGES_PER_S * (ended - began) / 3 / 1e6
    for name in weights.seen:
        middle, last = weights.thirds(name, began, ended)
        run.figures[name] = f"{middle:.2f} then {last:.2f}"
        if name.endswith("_mb"):
            run.expect(
                f"{name} is flat",
                last < middle * GROWTH + 5 + (kept_mb if name == "redis_mb" else 0),
                f"{middle:.1f} MB in the middle third, {last:.1f} in the last",
            )


def _waits(run: Run, play: Stage, began: float, ended: float) -> None:
    """How long after its push a message arrived, in the middle third and the last: faults hold up, and what they held up is caught up."""
    assert play.config.log is not None
    third = (ended - began) / 3
    found: tuple[list[float], list[float]] = ([], [])
    for each in read(play.config.log):
        at = each.at_us / 1e6 - began
        if each.result == "accepted" and third <= at < 3 * third:
            pushed_ms = _milliseconds(each.key[:16])
            found[at >= 2 * third].append(each.wall_us / 1e6 - pushed_ms / 1e3)
    middle, last = (percentile(waits, 0.5) for waits in found)
    run.figures["wait_s"] = f"{middle:.1f} then {last:.1f}"
    run.expect(
        "latency is flat",
        last < middle * 2 + 5,
        f"median wait {middle:.1f} s in the middle third, {last:.1f} s in the last",
    )


def _milliseconds(campaign: str) -> int:
    """When a campaign's id was made."""
    value = 0
    for letter in campaign:
        value = value * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    return value >> 32


async def _control(run: Run) -> None:
    """Workers that give back what a dead one had taken, at a carrier that neither reports nor knows keys."""
    rate = 100.0
    async with stage(
        senders=4,
        rate=rate / 2,
        account_rate=rate,
        latency_ms=(100, 300),
        idempotency="ignored",
        receipts=ReceiptSpec(mode="off"),
    ) as play:
        await play.serve()
        for _ in range(WORKERS):
            await play.worker("--without", "unknown")
        await play.push(1_000)
        for turn in (2, 1, 0):
            await asyncio.sleep(2)
            await play.workers[turn].kill()
            await play.worker("--without", "unknown", wait=False)
        await play.drained()
        run.judged(await play.judge(unknown_allowed=True))


@experiment(24, "a soak, all of it at random", control=_control, without="unknown: reap gives back", reds=("D",))
async def soak(run: Run) -> None:
    await _soak(run, float(os.environ.get("MINUTES") or run.pick(2, 60)))
