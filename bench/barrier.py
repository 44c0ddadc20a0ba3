"""What it costs that nothing is sent before it is on the disk: one worker with the barrier on, and with it off.

    python -m bench.barrier [--rounds 3] [--quick]

**on** is what Volley demands: `appendfsync always`, and WAITAOF behind every take. **off** is a server that writes its file
once a second, and `VOLLEY_DURABILITY=relaxed`: after a power loss people may get a text twice. All else is the send bench.
"""

import asyncio
from statistics import median
from typing import NamedTuple

from bench.send import BUSY, Run, volley
from bench.table import Figure, sizes, tell


class Round(NamedTuple):
    on: Run
    off: Run

    @property
    def busy(self) -> float:
        return max(run.used.busy for run in self)


async def measure(rounds: int, count: int) -> None:
    found = [
        Round(await volley(count), await volley(count, appendfsync="everysec", durability="relaxed"))
        for _ in range(rounds)
    ]
    notes = [
        f"round {number}: {each.on.rate / each.off.rate:.3f}, second core {each.busy:.0%} busy"
        for number, each in enumerate(found, 1)
    ]
    if any(each.busy > BUSY for each in found):
        notes.append("the second core was over 90 % busy: Redis or the carrier may be what was measured")
    tell("barrier", figures(found), notes=notes)


def figures(rounds: list[Round]) -> list[Figure]:
    redis_on = median(each.on.us("redis") for each in rounds)
    redis_off = median(each.off.us("redis") for each in rounds)
    return [
        Figure("barrier on, one worker", median(each.on.rate for each in rounds), "msg/s"),
        Figure("barrier off, one worker", median(each.off.rate for each in rounds), "msg/s"),
        Figure("speed with it / without", median(each.on.rate / each.off.rate for each in rounds)),
        Figure("processor of Redis, a message, on", redis_on, "µs"),
        Figure("processor of Redis, a message, off", redis_off, "µs"),
        Figure("processor of the worker, a message, on", median(each.on.us("worker 0") for each in rounds), "µs"),
        Figure("processor of the worker, a message, off", median(each.off.us("worker 0") for each in rounds), "µs"),
    ]


def main() -> None:
    options = sizes("barrier", rounds=3)
    asyncio.run(measure(1 if options.quick else options.rounds, 10_000 if options.quick else 60_000))


if __name__ == "__main__":
    main()
