"""One worker on one core against a bare loop and against arq with a job a message, Redis and carrier on the other core.

    python -m bench.send [--rounds 3] [--quick]

Everything that Volley does is on: plan, take, pins, barrier, settle, ledger stream, signed webhook URLs. The speed of all
three is taken from the carrier's log: messages between the first arrival and the last. A round in which the carrier's
core was over 90 % busy is void, as the carrier or Redis may have been what was measured.
"""

import asyncio
import subprocess
from statistics import median
from typing import NamedTuple

from bench import arq_baseline
from bench.figures import span_rate
from bench.meter import Reading
from bench.people import FIRST, TEMPLATE
from bench.relay import Relay
from bench.rig import PUBLIC_URL, SECRET, Rig
from bench.table import Figure, sizes, tell
from volley.sandbox.config import API_KEY

SENDERS = 40
UNBOUND = 1_000_000.0
"""Parts/s: no bucket holds anything up here. What keeping to rates does is bench/pacing.py."""
BUSY = 0.9
_LONGEST_S = 180.0


class Run(NamedTuple):
    """One contender once: messages/s, and what was used between its start and its end."""

    rate: float
    used: Reading
    messages: int

    def us(self, name: str) -> float:
        """Processor µs a message."""
        return self.used.cpu_s.get(name, 0.0) / self.messages * 1e6


def rig(appendfsync: str = "always") -> Rig:
    return Rig([UNBOUND] * SENDERS, UNBOUND, appendfsync=appendfsync)


async def volley(count: int) -> Run:
    async with rig() as bench:
        await bench.start_workers()
        campaign = await bench.admit(range(FIRST, FIRST + count))
        before = bench.meter.read()
        await bench.seal(campaign)
        await bench.until(lambda: bench.finished(campaign), "not all was sent", _LONGEST_S, every_s=0.05)
        return await result(bench, bench.meter.read().since(before), count)


async def commands(count: int) -> float:
    """Commands that a worker sends to Redis, a message.

    Counted by a relay on the way, in a run of its own, as the server's own counters include what scripts do inside.
    """
    async with rig() as bench, Relay(bench.valkey.port) as relay:
        await bench.start_workers(redis_url=relay.url)
        campaign = await bench.admit(range(FIRST, FIRST + count))
        before = relay.commands
        await bench.seal(campaign)
        await bench.until(lambda: bench.finished(campaign), "not all was sent", _LONGEST_S)
        return (relay.commands - before) / count


async def bare(count: int) -> Run:
    async with rig() as bench:
        senders = ",".join(bench.rates)
        words = ("--url", bench.sandbox.url, "--key", API_KEY, "--count", str(count), "--senders", senders)
        child = bench.start("bare", "bench.bare", *words, "--public-url", PUBLIC_URL, "--secret", SECRET)
        await line(child)
        before = bench.meter.read()
        await line(child)
        return await result(bench, bench.meter.read().since(before), count)


async def arq(count: int) -> Run:
    async with rig("everysec") as bench:
        text = TEMPLATE.format(name="Anna", order="123456", amount="$12.34", city="Austin")
        await arq_baseline.fill(bench.valkey.url, list(bench.rates), range(FIRST, FIRST + count), text)
        words = ("--redis", bench.valkey.url, "--url", bench.sandbox.url, "--key", API_KEY)
        child = bench.start("arq", "bench.arq_baseline", *words)
        await line(child)
        before = bench.meter.read()

        async def done() -> bool:
            return int(await bench.redis.execute_command("HLEN", arq_baseline.STATE)) >= count

        await bench.until(done, "arq did not finish", _LONGEST_S)
        return await result(bench, bench.meter.read().since(before), count)


async def line(child: "subprocess.Popen[bytes]") -> bytes:
    """The child's next line; RuntimeError if it ends instead."""
    assert child.stdout is not None
    said = await asyncio.to_thread(child.stdout.readline)
    if not said:
        raise RuntimeError("it ended without a word")
    return said


async def result(bench: Rig, used: Reading, count: int) -> Run:
    """The run's figures, once the log has proved that each message arrived exactly once."""
    arrivals = await bench.arrivals()
    people = {arrival.to for arrival in arrivals if arrival.result == "accepted"}
    if len(people) != count or len(arrivals) != count:
        raise RuntimeError(f"{count} messages, but {len(arrivals)} arrivals at {len(people)} people")
    return Run(span_rate([arrival.at_us for arrival in arrivals]), used, count)


async def measure(rounds: int, count: int, few: int) -> None:
    plain, ours, theirs = [], [], []
    for _ in range(rounds):
        plain.append(await bare(count))
        ours.append(await volley(count))
        theirs.append(await arq(few))
    asked = await commands(few)
    busiest = max(run.used.busy for run in (*plain, *ours, *theirs))
    against_bare = [mine.rate / other.rate for mine, other in zip(ours, plain, strict=True)]
    against_arq = [mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True)]
    figures = [
        Figure("bare aiohttp loop", median(run.rate for run in plain), "msg/s"),
        Figure("volley, one worker", median(run.rate for run in ours), "msg/s"),
        Figure("arq, one job a message", median(run.rate for run in theirs), "msg/s"),
        Figure("volley / bare loop", median(against_bare), least=0.75),
        Figure("volley / arq", median(against_arq), least=6),
        Figure("processor of the bare loop, a message", median(run.us("bare") for run in plain), "µs"),
        Figure("processor of the worker, a message", median(run.us("worker 0") for run in ours), "µs"),
        Figure("processor of Redis, a message", median(run.us("redis") for run in ours), "µs", most=25),
        Figure("processor of the carrier, a message", median(run.us("carrier") for run in ours), "µs"),
        Figure("Redis commands, a message", asked, most=0.2),
        Figure("busiest second core", busiest, most=BUSY),
    ]
    notes = [f"against the bare loop, by round: {', '.join(f'{ratio:.3f}' for ratio in against_bare)}"]
    notes.append(f"against arq, by round: {', '.join(f'{ratio:.2f}' for ratio in against_arq)}")
    if busiest > BUSY:
        notes.append("VOID: the carrier's core was over 90 % busy, so the carrier or Redis may be what was measured")
    tell("send", figures, notes=notes)


def main() -> None:
    options = sizes("send", rounds=3)
    count, few = (10_000, 1_500) if options.quick else (60_000, 8_000)
    asyncio.run(measure(1 if options.quick else options.rounds, count, few))


if __name__ == "__main__":
    main()
