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


async def volley(count: int, *, appendfsync: str = "always", durability: str = "strict") -> Run:
    async with rig(appendfsync) as bench:
        await bench.start_workers(durability=durability)
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


class Round(NamedTuple):
    bare: Run
    volley: Run
    arq: Run

    @property
    def busy(self) -> float:
        return max(run.used.busy for run in self)


async def measure(rounds: int, count: int, few: int) -> None:
    found = [Round(await bare(count), await volley(count), await arq(few)) for _ in range(rounds)]
    asked = await commands(few)
    counted = [each for each in found if each.busy <= BUSY]
    tell("send", figures(counted or found, asked), notes=remarks(found, counted))


def figures(rounds: list[Round], asked: float) -> list[Figure]:
    plain = median(each.bare.us("bare") for each in rounds)
    ours = median(each.volley.us("worker 0") for each in rounds)
    return [
        Figure("bare aiohttp loop", median(each.bare.rate for each in rounds), "msg/s"),
        Figure("volley, one worker", median(each.volley.rate for each in rounds), "msg/s"),
        Figure("arq, one job a message", median(each.arq.rate for each in rounds), "msg/s"),
        Figure("volley / bare loop", median(each.volley.rate / each.bare.rate for each in rounds), least=0.75),
        Figure("volley / arq", median(each.volley.rate / each.arq.rate for each in rounds), least=6),
        Figure("processor of the bare loop, a message", plain, "µs"),
        Figure("processor of the worker, a message", ours, "µs"),
        Figure("bare loop's processor / worker's", plain / ours),
        Figure("processor of Redis, a message", median(each.volley.us("redis") for each in rounds), "µs", most=25),
        Figure("processor of the carrier, a message", median(each.volley.us("carrier") for each in rounds), "µs"),
        Figure("Redis commands, a message", asked, most=0.2),
    ]


def remarks(found: list[Round], counted: list[Round]) -> list[str]:
    notes = [
        f"round {number}: {each.volley.rate / each.bare.rate:.3f} of bare, {each.volley.rate / each.arq.rate:.1f} × arq, "
        f"second core {each.busy:.0%} busy{'' if each.busy <= BUSY else ', void'}"
        for number, each in enumerate(found, 1)
    ]
    if not counted:
        notes.append(
            "VOID: the second core was over 90 % busy in every round; the carrier or Redis may be what was measured"
        )
    return notes


def main() -> None:
    options = sizes("send", rounds=3)
    count, few = (10_000, 1_500) if options.quick else (60_000, 8_000)
    asyncio.run(measure(1 if options.quick else options.rounds, count, few))


if __name__ == "__main__":
    main()
