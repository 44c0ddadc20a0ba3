"""How fast `volley serve` writes a backlog of the ledger stream into SQL, on SQLite and on PostgreSQL, in turns.

    python -m bench.recorder [--rounds 3] [--quick]

The backlog is what an hour of sending leaves behind while serve is away: campaigns of 2,000 people, entries of ten records: the
attempts of workers, then what the carrier says of each message, twice. The clock runs while the stream empties; serve's other
chores (conservation check, bill, callbacks, page) run beside, as they always do.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from bench.people import ESTIMATE
from bench.rig import Rig
from bench.table import Figure, sizes, tell
from tests.postgres import Postgres, binaries
from volley.campaign import Campaign
from volley.outbox.chunks import SIZE
from volley.outbox.events import AttemptRecord, ReceiptRecord, pack

FIRST = 12_125_000_000
"""Numbers of New York's: what country one is of is looked up once an area, and numbers of none each time."""
A_CAMPAIGN = 2_000
AN_ENTRY = 10
"""Records: what a worker settles at once at some hundred messages a second."""
_LONGEST_S = 240.0
_DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on"}
"""A server as one runs it, not as tests do."""

Fields = dict[str | bytes, bytes | str]


class Run(NamedTuple):
    """One backlog written: seconds, entries, records, processor µs of serve a record."""

    seconds: float
    entries: int
    records: int
    us: float


def attempt(campaign: Campaign, i: int, sender: str, at_us: int) -> AttemptRecord:
    chunk, offset = divmod(i, SIZE)
    return AttemptRecord(
        campaign=campaign.id, chunk=chunk, offset=offset, attempt=1, to=FIRST + i, reference=None, sender=sender,
        encoding="GSM-7", parts=1, estimated_micros=ESTIMATE, taken_us=at_us, sent_us=at_us + 900, answered_us=at_us + 60_000,
        outcome="accepted", http_status=200, error_code="", error_text="", carrier_id=f"40385f64-{campaign.id}-{i:08d}",
        carrier_encoding="GSM-7", carrier_parts=1, cost_micros=ESTIMATE, rate_micros=3_000, fee_micros=1_000, currency="USD",
    )  # fmt: skip


def receipt(sent: AttemptRecord, status: str, at_us: int) -> ReceiptRecord:
    final = status == "delivered"
    return ReceiptRecord(
        event_id=f"{status}-{sent.carrier_id}", event_type="message.finalized" if final else "message.sent",
        occurred_us=at_us, received_us=at_us + 80_000, campaign=sent.campaign, chunk=sent.chunk, offset=sent.offset,
        carrier_id=sent.carrier_id, status=status, sender=sent.sender, to=f"+{sent.to}", encoding="GSM-7", parts=1,
        cost_micros=ESTIMATE, rate_micros=3_000, fee_micros=1_000, currency="USD", sent_us=sent.sent_us,
        completed_us=at_us if final else -1, error_code="", error_text="",
    )  # fmt: skip


def entries(campaign: Campaign, senders: Sequence[str]) -> Iterator[Fields]:
    """What workers and webhooks write of a campaign, in the order in which it happens."""
    now_us = time.time_ns() // 1000
    for start in range(0, campaign.accepted, AN_ENTRY):
        people = range(start, min(start + AN_ENTRY, campaign.accepted))
        sent = [attempt(campaign, i, senders[i % len(senders)], now_us + 1000 * i) for i in people]
        yield {"v": "1", "k": "attempts", "p": pack(sent), "m": "a" * len(sent)}
        for status, later_us in (("sent", 200_000), ("delivered", 900_000)):
            told = [receipt(each, status, each.answered_us + later_us) for each in sent]
            yield {"v": "1", "k": "receipts", "p": pack(told)}


async def fill(bench: Rig, count: int) -> int:
    """A backlog about so many messages; the entries that it has."""
    for at in range(0, count, A_CAMPAIGN):
        campaign = await bench.admit(range(FIRST + at, FIRST + at + min(A_CAMPAIGN, count - at)))
        await bench.outbox.seal(campaign, key_ttl_s=3600)
        pipeline = bench.redis.pipeline(transaction=False)
        for fields in entries(campaign, list(bench.rates)):
            pipeline.xadd(bench.outbox.keys.ledger, fields)
        await pipeline.execute()
    return await bench.outbox.ledger_length()


async def written(ledger_url: str, count: int) -> Run:
    async with Rig([1.0] * 20, 20.0) as bench:
        waiting = await fill(bench, count)

        async def begun() -> bool:
            return await bench.outbox.ledger_length() < waiting

        async def done() -> bool:
            return await bench.outbox.ledger_length() == 0

        bench.start_serve(VOLLEY_LEDGER_URL=ledger_url.format(folder=bench.folder))
        await bench.until(begun, "nothing is recorded", _LONGEST_S, every_s=0.01)
        began, left, used = time.monotonic(), await bench.outbox.ledger_length(), bench.meter.read()
        await bench.until(done, "not all was recorded", _LONGEST_S, every_s=0.02)
        seconds, used = time.monotonic() - began, bench.meter.read().since(used)
        records = 3 * count * left // waiting
        return Run(seconds, left, records, used.cpu_s["serve"] / records * 1e6)


def figures(name: str, runs: Sequence[Run]) -> list[Figure]:
    return [
        Figure(f"{name}: entries", median(run.entries / run.seconds for run in runs), "/s"),
        Figure(f"{name}: records", median(run.records / run.seconds for run in runs), "/s"),
        Figure(f"{name}: processor of serve, a record", median(run.us for run in runs), "µs"),
    ]


async def measure(rounds: int, count: int) -> None:
    found: dict[str, list[Run]] = {"SQLite": []}
    notes = [f"{count:,} messages, {3 * count:,} records, {AN_ENTRY} an entry"]
    with ExitStack() as stack:
        urls = {"SQLite": "sqlite+aiosqlite:///{folder}/home/ledger.db"}
        if programs := binaries():
            server = Postgres(programs, **_DURABLE)
            stack.callback(server.remove)
            server.start()
        else:
            notes.append("PostgreSQL is not installed (Debian's package postgresql): nothing is said of it")
        for n in range(rounds):
            if programs:
                await asyncio.to_thread(server.query, f"CREATE DATABASE round{n}")
                urls["PostgreSQL"] = server.url(f"round{n}")
            for name, url in urls.items():
                found.setdefault(name, []).append(await written(url, count))
    tell("recorder", [figure for name, runs in found.items() for figure in figures(name, runs)], notes=notes)


def main() -> None:
    options = sizes("recorder", rounds=3)
    asyncio.run(measure(*((1, 4_000) if options.quick else (options.rounds, 20_000))))


if __name__ == "__main__":
    main()
