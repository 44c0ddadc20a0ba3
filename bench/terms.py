"""What a campaign's own terms cost a take: processor time of Redis a message, in turns.

    python -m bench.terms [--rounds 9] [--plain] [--quick]

Campaigns without terms, with a cap (1,000,000/s, so that it binds nothing), with quiet hours (of another time of the day, in three
zones), with a budget (enough), and with all three. All is planned; then hundreds are taken until nothing is left, and it is the main
thread's processor time of that which is told. `--plain` measures those without terms alone, which a tree that knows none can do too.
"""

import argparse
import asyncio
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.people import ESTIMATE, FIRST, campaign_to, chunks
from bench.table import Figure, tell
from volley.embedded import EmbeddedValkey
from volley.outbox.chunks import encode
from volley.outbox.connect import connect
from volley.outbox.flights import refs
from volley.outbox.outbox import Outbox
from volley.sandbox.config import PROFILE_ID
from volley.sender import Sender

SENDERS = 40
WANT = 100
LONG_US = 3_600_000_000
ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles")


def _quiet(chunk_count: int) -> dict[str, object]:
    """Hours that are over for half a day in all of America."""
    hour = (time.gmtime().tm_hour + 7) % 24
    groups = tuple(n % len(ZONES) for n in range(chunk_count))
    return {"quiet_hours": f"{hour:02d}:00-{hour:02d}:30", "zones": ZONES, "chunk_zones": groups}


def cases(count: int) -> Mapping[str, Mapping[str, object]]:
    cap, budget = {"rate_milli": 10**9}, {"budget_micros": 2 * ESTIMATE * count}
    quiet = _quiet(-(-count // 500))
    return {"no terms": {}, "a cap": cap, "quiet hours": quiet, "a budget": budget, "all three": cap | quiet | budget}


class Bench:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def taken(self, terms: Mapping[str, object], count: int) -> float:
        """µs a message."""
        await self._outbox.redis.execute_command("FLUSHALL")
        senders = [Sender(f"+1206555{n:04d}", "long_code", PROFILE_ID, "US", 10**9) for n in range(SENDERS)]
        await self._outbox.sync_senders(PROFILE_ID, senders)
        campaign = replace(campaign_to(count), **terms)  # type: ignore[arg-type]
        await self._outbox.begin(campaign.id)
        made = list(chunks(range(FIRST, FIRST + count)))
        for index, chunk in enumerate(made):
            await self._outbox.admit(campaign.id, index, encode(chunk), len(chunk))
        prices = {"prices": {"US": ESTIMATE}} if "budget_micros" in terms else {}
        await self._outbox.seal(campaign, key_ttl_s=60, **prices)  # type: ignore[arg-type]
        for index, chunk in enumerate(made):
            await self._outbox.dispatch.plan(campaign.id, index, refs(index, chunk))
        return await self._take(count)

    async def _take(self, count: int) -> float:
        left, before = count, await self._cpu_s()
        while left:
            flight = await self._outbox.dispatch.take(secrets.token_urlsafe(12), WANT, life_us=LONG_US, low_water=0)
            left -= len(flight.grants)
            if not flight.grants:
                await asyncio.sleep(0.01)
        return (await self._cpu_s() - before) / count * 1e6

    async def _cpu_s(self) -> float:
        info = await self._outbox.redis.info("cpu")
        return float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])


async def measure(rounds: int, count: int, only: Sequence[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="volley-bench-")))
        server = await stack.enter_async_context(EmbeddedValkey(folder, appendfsync="no"))
        redis = await connect(server.url, check=False)
        stack.push_async_callback(redis.aclose)
        bench = Bench(Outbox(redis, "bench", relaxed=True))
        for _ in range(rounds):
            for name in only:
                found.setdefault(name, []).append(await bench.taken(cases(count)[name], count))
    return found


def figures(found: Mapping[str, Sequence[float]]) -> list[Figure]:
    plain = found["no terms"]
    told = [Figure("Redis, a message, no terms: taken", median(plain), "µs")]
    for name, values in found.items():
        if values is not plain:
            more = median(mine - theirs for mine, theirs in zip(values, plain, strict=True))
            told.append(Figure(f"more with {name}", more, "µs"))
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="what a campaign's own terms cost a take")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--plain", action="store_true", help="those without terms alone")
    parser.add_argument("--quick", action="store_true", help="small sizes; the figures mean little")
    options = parser.parse_args()
    count, rounds = (2_000, 2) if options.quick else (20_000, options.rounds)
    only = ["no terms"] if options.plain else list(cases(count))
    found = asyncio.run(measure(rounds, count, only))
    least = ", ".join(f"{name} {min(values):.2f}" for name, values in found.items())
    tell("terms", figures(found), notes=[f"the least of {rounds} rounds, µs: {least}"])


if __name__ == "__main__":
    main()
