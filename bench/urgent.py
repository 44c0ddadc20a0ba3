"""Urgent single messages while a bulk campaign of a million waits at an account limit of 50/s.

    python -m bench.urgent [--quick]

The clock runs from the moment at which the push was acknowledged (the seal is on the disk) to the message's line in the
carrier's log; both are the machine's monotonic clock.
"""

import asyncio
import random
from statistics import median

from bench.figures import percentile
from bench.people import FIRST
from bench.rig import Rig
from bench.table import Figure, sizes, tell
from volley.sandbox.arrivals import Arrival

RATE = 50.0
SENDERS = 20
APART_S = (0.1, 0.7)
"""Between two urgent pushes, at random: on average under a twentieth of the account's rate is urgent."""
SETTLED_S = 5.0
WITHIN_MS = 250.0


async def run(bulk: int, urgent: int) -> tuple[dict[int, int], list[Arrival]]:
    """When each urgent person's push was acknowledged (µs), and what reached the carrier."""
    dice = random.Random(3)
    acknowledged = {}
    async with Rig([RATE] * SENDERS, RATE) as bench:
        await bench.start_workers()
        await bench.seal(await bench.admit(range(FIRST, FIRST + bulk)))
        await asyncio.sleep(SETTLED_S)
        for to in range(FIRST + bulk, FIRST + bulk + urgent):
            await asyncio.sleep(dice.uniform(*APART_S))
            acknowledged[to] = await bench.seal(await bench.admit([to], urgent=True))
        await asyncio.sleep(2.0)
        return acknowledged, await bench.arrivals()


def figures(bulk: int, acknowledged: dict[int, int], arrivals: list[Arrival]) -> list[Figure]:
    at = {int(arrival.to): arrival.at_us for arrival in arrivals}
    lost = acknowledged.keys() - at.keys()
    if lost:
        raise RuntimeError(f"{len(lost)} urgent messages never reached the carrier")
    waits_ms = [(at[to] - since) / 1000 for to, since in acknowledged.items()]
    span_s = (arrivals[-1].at_us - arrivals[0].at_us) / 1e6
    return [
        Figure("bulk messages waiting", bulk),
        Figure("urgent messages", len(waits_ms)),
        Figure("median wait", median(waits_ms), "ms"),
        Figure("99 % wait at most", percentile(waits_ms, 0.99), "ms", most=WITHIN_MS),
        Figure("longest wait", max(waits_ms), "ms"),
        Figure("used of the account's rate, all in all", len(arrivals) / span_s / RATE),
    ]


def main() -> None:
    quick = sizes("urgent").quick
    bulk, urgent = (20_000, 30) if quick else (1_000_000, 150)
    tell("urgent", figures(bulk, *asyncio.run(run(bulk, urgent))))


if __name__ == "__main__":
    main()
