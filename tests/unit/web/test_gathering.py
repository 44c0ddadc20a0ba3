"""Receipts: one write for what arrives together, an answer only when it is durable, «not now» when it is not."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from producer.web import gathering
from producer.web.gathering import LARGEST, Gathering
from volley.errors import TryAgainLater
from volley.outbox.events import ReceiptRecord


def record(number: int) -> ReceiptRecord:
    return ReceiptRecord(
        *(f"event-{number}", "message.sent", 0, 0, "", 0, 0, "", "sent", "", "", "", 0, 0, 0, 0, "", 0, 0, "", "")
    )


class Store:
    """What is durable; `gate` holds writes back, `failures` of them fail."""

    def __init__(self) -> None:
        self.batches: list[list[ReceiptRecord]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []

    async def apply(self, batch: list[ReceiptRecord]) -> None:
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        self.batches.append(batch)


@contextlib.asynccontextmanager
async def running(store: Store) -> AsyncIterator[Gathering[ReceiptRecord]]:
    receipts = Gathering(store.apply, Counter())
    task = asyncio.create_task(receipts.run())
    try:
        yield receipts
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_events_that_arrive_together_are_one_write() -> None:
    store = Store()
    async with running(store) as receipts:
        await asyncio.gather(*(receipts.add(record(number)) for number in range(200)))
    assert [len(batch) for batch in store.batches] == [200]
    assert receipts.counts["applied"] == 200


async def test_a_flood_is_cut_into_writes_of_bounded_size_and_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "WAIT_S", 60.0)  # a thousand at once, on a machine that may be busy
    store = Store()
    async with running(store) as receipts:
        await asyncio.gather(*(receipts.add(record(number)) for number in range(LARGEST * 2 + 1)))
    assert [len(batch) for batch in store.batches] == [LARGEST, LARGEST, 1]
    assert [each.event_id for batch in store.batches for each in batch] == [
        f"event-{n}" for n in range(LARGEST * 2 + 1)
    ]


async def test_nobody_is_answered_before_the_write_is_done() -> None:
    store = Store()
    store.gate.clear()
    async with running(store) as receipts:
        adding = asyncio.create_task(receipts.add(record(1)))
        await asyncio.sleep(0.05)
        assert not adding.done()
        store.gate.set()
        await adding
    assert len(store.batches) == 1


@pytest.mark.parametrize("failure", [TryAgainLater("Redis is away"), RuntimeError("a defect")])
async def test_a_write_that_fails_is_not_now_for_all_in_it_and_the_next_one_works(failure: Exception) -> None:
    store = Store()
    store.failures = [failure]
    async with running(store) as receipts:
        answers = await asyncio.gather(*(receipts.add(record(n)) for n in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [TryAgainLater] * 3
        await receipts.add(record(4))
    assert [len(batch) for batch in store.batches] == [1]
    assert receipts.counts == {"deferred": 3, "applied": 1}


async def test_however_many_writes_fail_the_log_has_a_line_a_second_at_most(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    store.failures = [TryAgainLater("Redis is away") for _ in range(20)]
    loop, writes = asyncio.get_running_loop(), 0
    begun = loop.time()
    async with running(store) as receipts:
        while store.failures:
            await asyncio.gather(receipts.add(record(writes)), return_exceptions=True)
            writes += 1
    assert writes == 20
    assert 1 <= len(caplog.records) <= loop.time() - begun + 1
    assert caplog.records[0].getMessage() == "1 webhooks could not be written: TryAgainLater"


async def test_what_waits_at_the_end_is_written() -> None:
    store = Store()
    receipts = Gathering(store.apply, Counter())
    task = asyncio.create_task(receipts.run())
    await asyncio.sleep(0)
    adding = asyncio.create_task(receipts.add(record(1)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await adding
    assert len(store.batches) == 1
