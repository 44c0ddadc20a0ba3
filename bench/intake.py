"""Intake against a bare loop over the same file: csv.reader, phonenumbers.parse, is_valid_number, nothing else.

    python -m bench.intake [--rows 1000000] [--rounds 3] [--quick]

Both run alone in a process of their own on one core, in turns; Valkey has the other core. Prints the ratio of their
speeds (median over rounds), the peak memory of the push, and Redis memory per waiting message.
"""

import argparse
import asyncio
import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import phonenumbers
import uvloop

from bench.table import Figure, tell
from producer.intake import PushRequest, push
from producer.push.sources import open_source
from volley.embedded import EmbeddedValkey
from volley.outbox.client import Redis
from volley.outbox.connect import connect
from volley.outbox.outbox import Outbox
from volley.sender import Sender
from volley.settings import Settings

PROFILE = "bench"
TEMPLATE = "Hi {name|there}, your order {order} is on its way to {city} and arrives on {day}. Reply STOP to end."
NAMES = (
    "Anna",
    "Ben",
    "Chloé",
    "Dave",
    "Zoë",
    "Søren",
    "Liam",
    "Olivia",
    "Noah",
    "Emma",
    "Ava",
    "Mia",
    "Lucas",
    "Łukasz",
    "José",
    "Fatima",
    "Omar",
    "Wei",
    "Yuki",
    "Priya",
)
CITIES = (
    "Austin",
    "Boston",
    "Chicago",
    "Dallas",
    "Denver",
    "Fresno",
    "Houston",
    "Miami",
    "Oakland",
    "Phoenix",
    "Portland",
    "Seattle",
    "Tampa",
    "Tucson",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
AREAS = ("212", "310", "312", "404", "415", "512", "617", "702", "713", "786")
ABROAD = (("+447400", 6), ("+4915123", 6), ("+33612", 6), ("+5511987", 6), ("+34612", 6))
"""Mobile prefixes of five countries, and how many digits follow."""

CORE_OF_INTAKE, CORE_OF_REDIS = 0, 1


def customers(rows: int, seed: int = 7) -> Iterator[tuple[str, ...]]:
    """Rows like a customer list: three in four numbers E.164 in the US, some national, a tenth abroad, 1 % twice."""
    dice = random.Random(seed)
    yield ("to", "reference", "name", "order", "city", "day")
    last = "+12125550100"
    for index in range(rows):
        kind = dice.random()
        line = f"{dice.choice(AREAS)}{dice.randint(200, 999)}{dice.randint(0, 9999):04d}"
        if kind < 0.75:
            last = f"+1{line}"
        elif kind < 0.89:
            last = f"({line[:3]}) {line[3:6]}-{line[6:]}"
        elif kind < 0.99:
            prefix, digits = dice.choice(ABROAD)
            last = f"{prefix}{dice.randint(0, 10**digits - 1):0{digits}d}"
        name = dice.choice(NAMES) if kind < 0.95 else ""
        yield (last, f"c{index}", name, f"{dice.randint(10**5, 10**6)}", dice.choice(CITIES), dice.choice(DAYS))


def bare(path: Path) -> dict[str, Any]:
    """The loop that intake is measured against."""
    valid = 0
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        at = next(reader).index("to")
        start, spent = time.perf_counter(), time.process_time()
        rows = 0
        for row in reader:
            rows += 1
            try:
                number = phonenumbers.parse(row[at], "US")
            except phonenumbers.NumberParseException:
                continue
            valid += phonenumbers.is_valid_number(number)
    seconds = time.perf_counter() - start
    return {"rows": rows, "valid": valid, "seconds": seconds, "cpu_seconds": time.process_time() - spent}


async def pushed(path: Path, url: str, account: str) -> dict[str, Any]:
    client = await connect(url)
    outbox = Outbox(client, account)
    senders = [Sender(f"+1206555{n:04d}", "long_code", PROFILE, "US") for n in range(100, 120)]
    await outbox.sync_senders(PROFILE, senders, None)
    before = await used(client)
    start = time.perf_counter()
    with path.open("rb") as file:
        request = PushRequest(PROFILE, template=TEMPLATE, region="US")
        result = await push(outbox, Settings(), request, open_source(file, path.name))
    seconds = time.perf_counter() - start
    growth = await used(client) - before
    await client.aclose()
    return {
        "rows": result.rows,
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "redis_bytes_a_message": growth / result.accepted,
        **result.as_json(),
    }


async def used(client: Redis) -> int:
    return int((await client.info("memory"))["used_memory"])


def child(*words: str) -> dict[str, Any]:
    """One measurement, alone in a fresh interpreter on its core."""
    command = [sys.executable, "-m", "bench.intake", *words]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


async def measure(rows: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(customers(rows))
        async with EmbeddedValkey(Path(folder) / "valkey") as server:
            pin(server.process.pid if server.process else 0, CORE_OF_REDIS)
            found = []
            for number in range(rounds):
                plain = child("--bare", str(path))
                found.append((plain, child("--push", str(path), "--url", server.url, "--account", f"bench{number}")))
    return summary(found)


def summary(found: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    ratios = [plain["seconds"] / ours["seconds"] for plain, ours in found]
    last = found[-1][1]
    return {
        "rows": last["rows"],
        "bare_rows_per_second": round(statistics.median(plain["rows"] / plain["seconds"] for plain, _ in found)),
        "push_rows_per_second": round(statistics.median(ours["rows"] / ours["seconds"] for _, ours in found)),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "peak_mb": round(max(ours["peak_mb"] for _, ours in found), 1),
        "redis_bytes_a_message": round(statistics.median(ours["redis_bytes_a_message"] for _, ours in found), 1),
        "accepted": last["accepted"],
        "rejected": last["rejected"],
        "duplicates": last["duplicates"],
    }


def pin(process: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > core:
        os.sched_setaffinity(process, {core})


def figures(found: dict[str, Any]) -> list[Figure]:
    return [
        Figure("rows", found["rows"]),
        Figure("bare loop", found["bare_rows_per_second"], "rows/s"),
        Figure("push", found["push_rows_per_second"], "rows/s"),
        Figure("push / bare loop", found["ratio"], least=0.45),
        Figure("peak memory of the push", found["peak_mb"], "MB", most=250),
        Figure("Redis memory of a waiting message", found["redis_bytes_a_message"], "bytes", most=60),
        Figure("accepted", found["accepted"]),
        Figure("rejected", found["rejected"]),
        Figure("duplicates", found["duplicates"]),
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="intake against a bare loop over the same file")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes; the figures mean little")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--push", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--account", default="bench", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.bare or options.push:
        pin(0, CORE_OF_INTAKE)
        work = uvloop.run(pushed(options.push, options.url, options.account)) if options.push else bare(options.bare)
        print(json.dumps(work))
        return
    found = asyncio.run(measure(*((50_000, 1) if options.quick else (options.rows, options.rounds))))
    tell("intake", figures(found), notes=[f"by round: {', '.join(map(str, found['ratios']))}"])


if __name__ == "__main__":
    main()
