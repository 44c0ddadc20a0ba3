"""A million rows pushed over HTTP to a real `volley serve`, against the bare loop of bench/intake.py over the same file.

    python -m bench.upload [--rows 1000000] [--rounds 3] [--quick]

The file is streamed from the second core, where Redis is too: as CSV, and packed (gzip). The bare loop and serve have the first
core, in turns. The clock runs from the first byte to the answer: the campaign is sealed, on the disk, and its counts are known.
"""

import argparse
import asyncio
import csv
import gzip
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from aiohttp import ClientSession, ClientTimeout

from bench.intake import TEMPLATE, child, customers
from bench.rig import Rig
from bench.table import Figure, tell
from volley.sandbox.config import PROFILE_ID

_PIECE = 64 << 10


class Push(NamedTuple):
    """`cpu_seconds` of serve; `peak_mb`: the most that it had in memory since it started."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    answer: dict[str, Any]


class Round(NamedTuple):
    bare: dict[str, Any]
    plain: Push
    packed: Push


async def pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


async def pushed(path: Path) -> Push:
    async with Rig([100.0] * 20, 2_000.0) as bench:
        url, headers = bench.start_serve(), await bench.key("send")
        await bench.answers(url)
        headers |= {"Content-Type": "text/csv"} | ({"Content-Encoding": "gzip"} if path.suffix == ".gz" else {})
        query = {"profile": PROFILE_ID, "template": TEMPLATE, "region": "US"}
        async with ClientSession(timeout=ClientTimeout(total=None)) as session:
            began, before = time.perf_counter(), bench.meter.read()
            async with session.post(
                f"{url}/v1/campaigns", params=query, data=pieces(path), headers=headers
            ) as response:
                answer = await response.json()
            seconds, used = time.perf_counter() - began, bench.meter.read().since(before)
        if response.status != 202:
            raise RuntimeError(f"{response.status}: {answer}")
        return Push(seconds, used.cpu_s["serve"], bench.peak_mb("serve"), answer)


async def measure(rows: int, rounds: int) -> None:
    async with Rig([1.0], 1.0) as place:  # for its folder
        plain, packed = place.folder / "customers.csv", place.folder / "customers.csv.gz"
        with plain.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(customers(rows))
        with plain.open("rb") as source, gzip.open(packed, "wb") as target:
            shutil.copyfileobj(source, target)
        found = []
        for _ in range(rounds):
            bare = await asyncio.to_thread(child, "--bare", str(plain))
            found.append(Round(bare, await pushed(plain), await pushed(packed)))
    ratios = ", ".join(f"{ratio(each, each.plain):.3f}" for each in found)
    tell("upload", figures(rows, found), notes=[f"by round: {ratios}"])


def ratio(each: Round, push: Push) -> float:
    """Of the speed of the bare loop."""
    return float(each.bare["seconds"]) / push.seconds


def cheaper(each: Round) -> float:
    """Processor time of the bare loop, of that of serve: can be told on a busy machine too."""
    return float(each.bare["cpu_seconds"]) / each.plain.cpu_seconds


def figures(rows: int, found: list[Round]) -> list[Figure]:
    last = found[-1].plain.answer
    return [
        Figure("rows", rows),
        Figure("bare loop", rows / median(each.bare["seconds"] for each in found), "rows/s"),
        Figure("push over HTTP", rows / median(each.plain.seconds for each in found), "rows/s"),
        Figure("push over HTTP / bare loop", median(ratio(each, each.plain) for each in found), least=0.35),
        Figure("the same packed / bare loop", median(ratio(each, each.packed) for each in found), least=0.35),
        Figure("processor of the bare loop / of serve", median(map(cheaper, found))),
        Figure("peak memory of serve", max(each.plain.peak_mb for each in found), "MB", most=250),
        Figure("peak memory of serve, packed", max(each.packed.peak_mb for each in found), "MB", most=250),
        Figure("accepted", last["accepted"]),
        Figure("rejected", last["rejected"]),
        Figure("duplicates", last["duplicates"]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="a push over HTTP against a bare loop over the same file")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes; the figures mean little")
    options = parser.parse_args()
    asyncio.run(measure(*((50_000, 1) if options.quick else (options.rows, options.rounds))))


if __name__ == "__main__":
    main()
