"""Never too fast: from the moments that take gives out, for every window, over every bucket; and never needlessly slow."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest
import redis.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.redis.conftest import Rig, chunk_of, people, sender
from volley.embedded import EmbeddedValkey
from volley.outbox.dispatch import CREDIT_US, LATE_US
from volley.outbox.outbox import Outbox

RATES = st.sampled_from([7, 33, 100, 250, 1000])
PARTS = st.lists(st.integers(1, 10), min_size=1, max_size=4)


class Sent(NamedTuple):
    moment_us: int
    parts: int
    sender: int
    campaign: str


def worst_excess(sent: list[Sent], rate: float) -> float:
    """By how many parts the worst window is over rate × (W + credit) + one message. At most 0 is the promise.

    The worker adds up to LATE_US to each moment, so the carrier sees at most rate × (W + 0.3 s) + one message.
    """
    assert CREDIT_US + LATE_US <= 300_000
    ordered = sorted(sent)
    most = max(s.parts for s in sent)
    excess = -1e9
    for i, first in enumerate(ordered):
        total = 0
        for last in ordered[i:]:
            total += last.parts
            window_s = (last.moment_us - first.moment_us + CREDIT_US) / 1e6
            excess = max(excess, total - rate * window_s - most - 0.01)
    return excess


async def drain(rig: Rig, seconds: float, *, want: int = 40) -> tuple[list[Sent], float]:
    """Takes for a while: what was granted, and the seconds of rate that were lost because no take came in time."""
    sent: list[Sent] = []
    loop = asyncio.get_running_loop()
    await rig.outbox.chores.clock()  # as a sweeper does each second: else takes are held where a test was slow
    begin = await rig.now_us()
    before, lost, end = begin, 0.0, loop.time() + seconds
    while loop.time() < end:
        flight = await rig.take(want)
        lost += max(0, flight.now_us - before - CREDIT_US) / 1e6
        before = flight.now_us
        sent += [Sent(g.moment_us, g.parts, g.sender, g.campaign) for g in flight.grants]
        await asyncio.sleep(0.001 if len(flight.grants) == want else 0.01)
    return sent, (before - begin) / 1e6 - lost


async def drained(rig: Rig, count: int) -> list[Sent]:
    """Takes until so many are granted, however slow this machine is, and once more: all that was granted."""
    sent: list[Sent] = []
    async with asyncio.timeout(30):
        while len(sent) < count:
            sent += (await drain(rig, 0.1))[0]
    more = [Sent(g.moment_us, g.parts, g.sender, g.campaign) for g in (await rig.take()).grants]
    return sent + more


async def until_us(rig: Rig, moment_us: float) -> None:
    """Until it is that late by the server's clock, which a sweeper looks at each second."""
    while (left_us := moment_us - await rig.now_us()) > 0:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(left_us / 1e6)
    await rig.outbox.chores.clock()


@pytest.fixture
def fresh(valkey: EmbeddedValkey) -> Callable[[Callable[[Rig], Coroutine[Any, Any, None]]], None]:
    """Runs a coroutine on an empty outbox, for hypothesis, whose tests are plain functions."""

    async def run_on(act: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
        client = redis.asyncio.Redis.from_url(valkey.url)
        await client.flushall()
        try:
            await act(Rig(Outbox(client, "test")))
        finally:
            await client.aclose()

    return lambda act: asyncio.run(run_on(act))


async def prepare(rig: Rig, senders: int, rate: float, account: float, parts: list[int]) -> None:
    await rig.pool(senders, rate=rate, account=account)
    for n, size in enumerate(parts):
        await rig.push(*(chunk_of(people(400, 10_000 * n + 400 * k), parts=size) for k in range(2)))


def test_no_sender_and_no_account_is_ever_too_fast(fresh: Callable[..., None]) -> None:
    @settings(max_examples=12, deadline=None, database=None)
    @given(senders=st.integers(1, 6), rate=RATES, account=RATES, parts=PARTS)
    def holds(senders: int, rate: int, account: int, parts: list[int]) -> None:
        async def act(rig: Rig) -> None:
            await prepare(rig, senders, rate, account, parts)
            sent, paced_s = await drain(rig, 0.4)
            assert worst_excess(sent, account) <= 0
            for one in {s.sender for s in sent}:
                assert worst_excess([s for s in sent if s.sender == one], rate) <= 0
            allowed = min(senders * rate, account) * paced_s
            waste = max(parts) * (senders if senders * rate < account else 1)
            assert sum(s.parts for s in sent) >= 0.98 * min(allowed, 800 * sum(parts)) - waste

        fresh(act)

    holds()


async def test_a_profile_and_a_registered_campaign_keep_their_limits(rig: Rig) -> None:
    await rig.sync([sender(n, 1000, group="CX" if n < 3 else "") for n in range(6)])
    await rig.rate("a", 10_000)
    await rig.rate("p1", 200)
    await rig.rate("gCX", 50)
    await rig.push(*(chunk_of(people(400, 400 * k), parts=2) for k in range(2)))
    sent, paced_s = await drain(rig, 0.8)
    assert worst_excess(sent, 200) <= 0
    assert worst_excess([s for s in sent if s.sender <= 3], 50) <= 0
    assert sum(s.parts for s in sent) >= 0.98 * 200 * paced_s - 2


async def test_urgent_and_bulk_together_are_not_too_fast(rig: Rig) -> None:
    await rig.pool(3, rate=100, account=150)
    await rig.push(chunk_of(people(400)))
    await rig.push(chunk_of(people(20, 1000), parts=3), priority="urgent")
    sent, _ = await drain(rig, 0.8)
    assert worst_excess(sent, 150) <= 0
    for one in (1, 2, 3):
        assert worst_excess([s for s in sent if s.sender == one], 100) <= 0


@pytest.mark.parametrize("what", ["MMS", "a slow sender", "a registered campaign"])
async def test_urgent_messages_that_wait_for_something_else_take_nothing_of_the_account_from_the_rest(
    rig: Rig, what: str
) -> None:
    """Granted far ahead of the account, each would take with it all that lies between."""
    slow, group = what == "a slow sender", "CX" if what == "a registered campaign" else ""
    await rig.sync([sender(0, 5 if slow else 1000, group=group), sender(1), sender(2)])
    for bucket, rate in {"a": 200, "m": 5, "gCX": 5}.items():
        await rig.rate(bucket, rate)
    asked: dict[str, Any] = {"media": ("https://a.b/c",)} if what == "MMS" else {"sender": sender(0).number}
    urgent = await rig.push(chunk_of(people(100)), priority="urgent", **asked)
    bulk = await rig.push(*(chunk_of(people(300, 1000 + 300 * k)) for k in range(2)), sender=sender(1).number)
    sent, paced_s = await drain(rig, 1.5)
    assert worst_excess(sent, 200) <= 0
    assert len(sent) >= 0.98 * 200 * paced_s - 1
    assert len([s for s in sent if s.campaign == urgent.id]) >= 0.98 * 5 * paced_s - 1
    await rig.check(urgent, bulk)


async def test_an_urgent_sender_that_waits_for_its_registered_campaign_keeps_its_own_rate(rig: Rig) -> None:
    await rig.sync([sender(0, 5, group="CX")])
    await rig.rate("a", 1000)
    await rig.rate("gCX", 5.2)
    await rig.push(chunk_of(people(40), parts=2), priority="urgent")
    sent, paced_s = await drain(rig, 2.0)
    assert worst_excess(sent, 5) <= 0
    assert sum(s.parts for s in sent) >= 0.98 * 5 * paced_s - 2


async def test_many_workers_together_are_not_too_fast(rig: Rig) -> None:
    await rig.pool(4, rate=100, account=250)
    await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(2)))
    found = await asyncio.gather(*(drain(rig, 0.8, want=9) for _ in range(8)))
    sent = [s for one, _ in found for s in one]
    assert worst_excess(sent, 250) <= 0
    for one in (1, 2, 3, 4):
        assert worst_excess([s for s in sent if s.sender == one], 100) <= 0


async def test_a_pause_saves_up_no_more_than_the_credit(rig: Rig) -> None:
    await rig.pool(1, rate=100, account=100)
    campaign = await rig.push(chunk_of(people(400)))
    sent, _ = await drain(rig, 0.2)
    await rig.outbox.pause(campaign.id)
    await asyncio.sleep(0.5)
    await rig.outbox.resume(campaign.id)
    more, _ = await drain(rig, 0.3)
    assert worst_excess(sent + more, 100) <= 0


async def test_what_is_given_back_costs_its_rate(rig: Rig) -> None:
    """A worker may have been about to write it: its place in time is used."""
    await rig.pool(1, rate=50, account=1000)
    await rig.push(chunk_of(people(100)))
    sent: list[Sent] = []
    for _ in range(40):
        flight = await rig.take()
        sent += [Sent(g.moment_us, g.parts, g.sender, g.campaign) for g in flight.grants]
        await rig.outbox.dispatch.release(flight.token)
        await asyncio.sleep(0.01)
    assert sent
    assert worst_excess(sent, 50) <= 0


async def test_campaigns_share_a_limited_account_fairly(rig: Rig) -> None:
    await rig.pool(10, rate=1000, account=400)
    big = await rig.push(*(chunk_of(people(400, 400 * k)) for k in range(2)))
    small = [await rig.push(chunk_of(people(200, 10_000 * n))) for n in range(1, 5)]
    sent, _ = await drain(rig, 1.0)
    shares = [sum(s.parts for s in sent if s.campaign == c.id) for c in (big, *small)]
    assert max(shares) - min(shares) <= 0.2 * sum(shares) / 5 + 4
