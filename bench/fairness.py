"""Fifty campaigns, some a hundred times as large as others, on one account at 50/s: each gets the same share while all have work.

python -m bench.fairness [--quick]
"""

import asyncio

from bench.figures import shares
from bench.people import FIRST
from bench.rig import Rig
from bench.table import Figure, sizes, tell
from volley.sandbox.arrivals import Arrival

RATE = 50.0
SENDERS = 20
SETTLED_S = 5.0
APART = 100_000
"""People of one campaign are numbered from a multiple of this on."""
WITHIN = 0.2


def campaign_sizes(count: int, smallest: int, largest: int) -> list[int]:
    """Geometric steps, large and small ones in turn, so that neither is always sealed first."""
    steps = [round(smallest * (largest / smallest) ** (n / (count - 1))) for n in range(count)]
    return [steps[n // 2 if n % 2 else -1 - n // 2] for n in range(count)]


async def run(campaigns: list[int], seconds: float) -> list[Arrival]:
    async with Rig([RATE] * SENDERS, RATE) as bench:
        await bench.start_workers()
        admitted = []
        for number, size in enumerate(campaigns):
            first = FIRST + number * APART
            admitted.append(await bench.admit(range(first, first + size)))
        for campaign in admitted:
            await bench.seal(campaign)
        await asyncio.sleep(SETTLED_S + seconds)
        return await bench.arrivals()


def figures(arrivals: list[Arrival], campaigns: list[int], seconds: float) -> list[Figure]:
    start_us = arrivals[0].at_us + int(SETTLED_S * 1e6)
    end_us = min(arrivals[-1].at_us, start_us + int(seconds * 1e6))
    counts, total = [0] * len(campaigns), [0] * len(campaigns)
    for arrival in arrivals:
        number = (int(arrival.to) - FIRST) // APART
        total[number] += 1
        counts[number] += start_us <= arrival.at_us < end_us
    if any(sent >= size for sent, size in zip(total, campaigns, strict=True)):
        raise RuntimeError("a campaign ran out of work: its share says nothing")
    fair = shares(counts)
    rate = sum(counts) / ((end_us - start_us) / 1e6)
    return [
        Figure("campaigns", len(campaigns)),
        Figure("largest / smallest", max(campaigns) / min(campaigns)),
        Figure("window", (end_us - start_us) / 1e6, "s"),
        Figure("used of the account's rate", rate / RATE, least=0.98),
        Figure("smallest share, of an equal one", min(fair), least=1 - WITHIN),
        Figure("largest share, of an equal one", max(fair), most=1 + WITHIN),
    ]


def main() -> None:
    quick = sizes("fairness").quick
    campaigns = campaign_sizes(10, 100, 2_000) if quick else campaign_sizes(50, 200, 20_000)
    seconds = 10.0 if quick else 60.0
    arrivals = asyncio.run(run(campaigns, seconds))
    tell("fairness", figures(arrivals, campaigns, seconds))


if __name__ == "__main__":
    main()
