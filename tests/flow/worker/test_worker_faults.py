"""What a carrier can do to a worker, and what becomes of each message. Nobody is reached twice, whatever happens."""

import asyncio
import secrets
from collections.abc import Iterable

import pytest

from tests.flow.worker.conftest import SOON, World, eventually, people
from volley.campaign import Campaign
from volley.carrier.telnyx import Carrier
from volley.outbox.events import ReceiptRecord, unpack_attempts
from volley.outbox.flights import Grant
from volley.outbox.outbox import Outbox
from volley.outbox.queue import Queue
from volley.outbox.queue import pool as arq_pool
from volley.outbox.rests import RestView
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import API_KEY
from volley.sandbox.fault_rule import FaultRule
from worker.alone import Alone
from worker.circuit import Circuit
from worker.delivery import Delivery
from worker.drain import Drain
from worker.memory import Memory
from worker.plan import plan
from worker.recovery import Recovery
from worker.settling import Settler
from worker.sweep import Sweeper
from worker.texts import Held, Texts


def receipt(campaign: Campaign, arrival: Arrival) -> ReceiptRecord:
    chunk, offset = (int(piece) for piece in arrival.key.split("-")[1:3])
    return ReceiptRecord(
        secrets.token_hex(8), "message.finalized", 1, 2, campaign.id, chunk, offset, arrival.id, "delivered",
        arrival.sender, arrival.to, "GSM-7", 1, 4000, 4000, 0, "USD", 1, 2, "", "",
    )  # fmt: skip


async def attempts(world: World) -> list[tuple[int, str, str]]:
    """(attempt, outcome, error code) of all that the ledger heard of."""
    entries = [f for _, f in await world.client.xrange(world.outbox.keys.ledger) if f[b"k"] == b"attempts"]
    records = [record for fields in entries for record in unpack_attempts(fields[b"p"])]
    return [(record.attempt, record.outcome, record.error_code) for record in records]


async def test_a_lost_answer_is_never_sent_twice_and_a_receipt_resolves_it(world: World) -> None:
    await world.begin()
    await world.fail(FaultRule(kind="lost", every=5))
    await world.worker()
    campaign = await world.push(people(200))
    assert await world.until(campaign) == {"submitted": 160, "unknown": 40}
    await asyncio.sleep(1.5)
    assert world.reached() == dict.fromkeys(people(200), 1)
    for arrival in world.arrivals():
        if arrival.fault:
            await world.outbox.apply_receipts([receipt(campaign, arrival)] * 2)
    assert await world.counts(campaign) == {"submitted": 200}


@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(kind="status", status=500, code="10007", every=4),
        FaultRule(kind="status", status=503, code="10037", every=4, accept=True),
        FaultRule(kind="cut", every=4),
        FaultRule(kind="black_hole", every=4),
    ],
    ids=lambda rule: f"{rule.kind}-{rule.status}-{rule.accepts}",
)
async def test_what_may_have_been_taken_is_unknown_and_not_repeated(world: World, rule: FaultRule) -> None:
    await world.begin()
    await world.fail(rule)
    await world.worker(VOLLEY_HTTP_TIMEOUT=SOON)
    campaign = await world.push(people(40))
    assert await world.until(campaign) == {"submitted": 30, "unknown": 10}
    everything = world.arrivals() + world.arrivals("refused")
    assert sorted(int(arrival.to[1:]) for arrival in everything) == people(40)


async def test_an_answer_that_ends_after_its_status_line_counts_as_taken(world: World) -> None:
    await world.begin()
    await world.fail(*(FaultRule(kind=kind, every=3) for kind in ("truncated", "not_json", "cut_body")))
    await world.worker()
    campaign = await world.push(people(60))
    assert await world.until(campaign) == {"submitted": 60}
    assert world.reached() == dict.fromkeys(people(60), 1)


async def test_a_storm_of_throttling_spends_no_message(world: World) -> None:
    """More refusals for each message than its budget of attempts would allow."""
    await world.begin()
    await world.fail(FaultRule(kind="status", status=429, code="10011", retry_after=0.1, first=60))
    await world.worker(VOLLEY_MAX_ATTEMPTS="1")
    campaign = await world.push(people(20))
    assert await world.until(campaign) == {"submitted": 20}
    assert world.reached() == dict.fromkeys(people(20), 1)
    assert [told for told in await attempts(world) if told[1] == "throttled"]


@pytest.mark.parametrize(
    ("code", "status", "state"),
    [("40310", 400, "refused"), ("10002", 400, "refused"), ("99999", 422, "refused"), ("40300", 400, "opted_out")],
)
async def test_a_final_answer_is_final(world: World, code: str, status: int, state: str) -> None:
    await world.begin()
    await world.fail(FaultRule(kind="status", status=status, code=code, match_to=f"+{people(1)[0]}"))
    await world.worker()
    campaign = await world.push(people(10))
    assert await world.until(campaign) == {"submitted": 9, state: 1}
    assert len(world.arrivals("refused")) == 1


async def test_what_may_pass_is_tried_until_its_attempts_are_spent(world: World) -> None:
    await world.begin()
    await world.fail(FaultRule(kind="status", status=400, code="40008", match_to=f"+{people(1)[0]}"))
    await world.worker(VOLLEY_MAX_ATTEMPTS="2")
    campaign = await world.push(people(5))
    assert await world.until(campaign) == {"submitted": 4, "dead": 1}
    assert sorted(told for told in await attempts(world) if told[2] == "40008") == [
        (1, "refused", "40008"),
        (2, "refused", "40008"),
    ]


async def test_a_sender_that_is_refused_rests_and_its_people_go_by_another(world: World) -> None:
    await world.begin(senders=2)
    bad, good = world.numbers
    await world.fail(FaultRule(kind="status", status=400, code="40305", match_from=bad))
    await world.worker()
    campaign = await world.push(people(100))
    assert await world.until(campaign) == {"submitted": 100}
    assert {arrival.sender for arrival in world.arrivals()} == {good}
    assert set((await world.pinned()).values()) == {good}
    [resting] = [view for view in await world.outbox.senders() if view.stopped_until_us]
    assert (resting.sender.number, resting.reason[:5]) == (bad, "40305")
    refused = len(world.arrivals("refused"))
    await world.until(await world.push(people(100, 1000)))
    assert len(world.arrivals("refused")) == refused


async def test_a_carrier_that_cannot_be_reached_costs_no_message(world: World) -> None:
    await world.begin(rate=40)
    await world.worker(VOLLEY_MAX_ATTEMPTS="1")
    campaign = await world.push(people(300))
    await world.until(campaign, left=250)
    await world.sandbox.stop()
    await asyncio.sleep(1)
    await world.sandbox.start()
    counts = await world.until(campaign)
    unknown = counts.pop("unknown", 0)  # what was on the wire as the sandbox went
    assert counts == {"submitted": 300 - unknown}
    assert max(world.reached().values()) == 1
    assert len(world.reached()) >= 300 - unknown


async def test_a_short_outage_does_not_silence_the_account_for_long(world: World) -> None:
    """However many messages met it: the first one's failure tells as much as a hundred."""
    met: list[RestView] = []
    await world.begin(rate=100)
    await world.sandbox.stop()
    await world.worker()
    campaign = await world.push(people(100))

    async def all_failed() -> bool:
        """All that were on their way when the circuit opened; a probe may open it for longer, later."""
        met[:] = await world.outbox.rests()
        return [rest.what for rest in met] == ["carrier"] and not (await world.view(campaign)).in_flight

    await eventually(all_failed)
    seconds, _ = await world.client.time()
    await world.sandbox.start()
    [rest] = met
    assert rest.until_us - seconds * 1_000_000 < 8_000_000
    assert await world.until(campaign) == {"submitted": 100}
    assert world.reached() == dict.fromkeys(people(100), 1)


async def test_a_slow_answer_is_settled_even_when_its_text_is_no_longer_at_hand(world: World) -> None:
    """Texts in use may be pushed out by newer ones while an answer takes its time."""
    await world.begin()
    await world.fail(FaultRule(kind="latency", ms=(200, 400)))
    outbox = Outbox(world.client, "default")
    await outbox.redis.hset(outbox.keys.of("rates"), mapping={"a": 100_000_000})
    campaign = await world.push(people(60), size=1)
    memory = Memory()
    texts, settler = Texts(outbox, None, chunks=1), Settler(outbox, memory)
    async with Carrier(API_KEY, world.sandbox.url, concurrency=50, http_timeout_s=5) as carrier:
        delivery = Delivery(carrier, texts, settler, Circuit(outbox.dispatch), slots=50, max_attempts=5)
        drain = Drain(
            outbox, texts, delivery, memory, Recovery(outbox, memory, settler), concurrency=50, http_timeout_s=5
        )
        settling = asyncio.create_task(settler.run())
        running = asyncio.create_task(drain.run())
        for _ in range(3):
            await plan(outbox, texts, campaign.id, enough=1000)
        drain.extend(1e12)
        assert await world.until(campaign) == {"submitted": 60}
        drain.stop()
        await running
        settling.cancel()
    assert world.reached() == dict.fromkeys(people(60), 1)


class Breaking(Texts):
    """Reads texts until something is wrong with them that nobody has thought of."""

    broken = False

    async def fetch(self, grants: Iterable[Grant]) -> Held:
        if self.broken:
            raise RuntimeError("a mistake of ours")
        return await super().fetch(grants)


async def test_a_take_that_breaks_ends_the_worker_and_cuts_no_post_off(world: World) -> None:
    """What is on the wire then is settled by its answer; what that take was granted goes back into its lane."""
    await world.begin()
    await world.fail(FaultRule(kind="latency", ms=(1500, 1600)))
    outbox, memory = Outbox(world.client, "default"), Memory()
    await outbox.redis.hset(outbox.keys.of("rates"), mapping={"a": 100_000_000})
    texts, settler = Breaking(outbox, None), Settler(outbox, memory)
    async with Carrier(API_KEY, world.sandbox.url, concurrency=50, http_timeout_s=5) as carrier:
        delivery = Delivery(carrier, texts, settler, Circuit(outbox.dispatch), slots=50, max_attempts=5)
        drain = Drain(
            outbox, texts, delivery, memory, Recovery(outbox, memory, settler), concurrency=50, http_timeout_s=5
        )
        settling = asyncio.create_task(settler.run())
        running = asyncio.create_task(drain.run())
        first = await world.push(people(20))
        await plan(outbox, texts, first.id, enough=1000)
        drain.extend(1e12)
        await eventually(lambda: _all_out(world, 20))
        texts.broken = True
        second = await world.push(people(5, start=1000))
        await plan(outbox, Texts(outbox, None), second.id, enough=1000)
        drain.nudge()
        async with asyncio.timeout(30):
            await running
            await settler.drained()
        settling.cancel()
    assert isinstance(drain.failure, RuntimeError)
    assert await world.counts(first) == {"submitted": 20}
    assert await world.counts(second) == {"ready": 5}
    assert world.reached() == dict.fromkeys(people(20), 1)


async def _all_out(world: World, count: int) -> bool:
    """Whether so many are with the carrier, and it has answered none of them."""
    return len(world.reached()) == count


async def test_work_whose_jobs_were_lost_is_found_again(world: World) -> None:
    """arq's keys are gone, as after a flush or an expiry: the sweeper arms what should run."""
    await world.begin()
    campaign = await world.push(people(50))
    for key in await world.client.keys("arq:*") + await world.client.keys("volley:arq:*"):
        await world.client.delete(key)
    await world.worker()
    assert await world.until(campaign) == {"submitted": 50}


async def test_many_sweepers_arm_each_job_once(world: World) -> None:
    await world.begin()
    await world.push(people(50))
    await world.client.delete("volley:arq:bulk")
    for key in await world.client.keys("arq:*"):
        await world.client.delete(key)
    due = world.outbox.keys.of("due")
    await world.client.zadd(due, dict.fromkeys(await world.client.zrange(due, 0, -1), 0))
    arq = arq_pool(world.valkey.url)
    try:
        queue = Queue(arq, world.outbox, "default")
        await asyncio.gather(
            *(Sweeper(world.outbox, queue, Alone(), shards=1, retention_days=90).arm() for _ in range(10))
        )
    finally:
        await arq.aclose()
    assert await world.client.zcard("volley:arq:bulk") == 1


async def test_answers_that_never_come_hold_back_nobody_while_slots_are_free(world: World) -> None:
    await world.begin()
    await world.fail(FaultRule(kind="black_hole", first=100))
    await world.worker(VOLLEY_CONCURRENCY="500", VOLLEY_HTTP_TIMEOUT="60", VOLLEY_DRAIN_SECONDS="80")
    hung = await world.push(people(100))
    # at the carrier: while one of them is only granted, it may come too late, and another is the hundredth that hangs
    await eventually(lambda: _all_out(world, 100))
    other = await world.push(people(100, start=1000))
    assert await world.until(other) == {"submitted": 100}
    assert await world.counts(hung) == {"sending": 100}


async def test_a_campaign_whose_planner_was_killed_is_planned_by_another(world: World) -> None:
    """arq holds the id of a job in progress for longer than a minute."""
    await world.begin()
    campaign = await world.push(people(50))
    [job] = [key.decode().removeprefix("arq:job:") for key in await world.client.keys("arq:job:volley:plan:*")]
    await world.client.set(f"arq:in-progress:{job}", 1, px=70_000)
    await world.worker()
    assert await world.until(campaign) == {"submitted": 50}


async def test_paused_campaigns_do_not_hide_one_that_nobody_plans(world: World) -> None:
    await world.begin()
    for _ in range(20):
        await world.outbox.pause((await world.push(people(1))).id)
    campaign = await world.push(people(1))
    await world.client.delete(world.outbox.keys.of("due"))
    assert await world.outbox.chores.due(1) == [f"plan:{campaign.id}"]


async def test_a_flight_keeps_its_texts_whatever_others_fetch(world: World) -> None:
    await world.begin()
    campaign = await world.push(people(3), size=1)
    texts = Texts(world.outbox, None, chunks=1)
    grants = [Grant(0, campaign.id, 0, chunk, 0, 1, 1, 1, 0, 0, 0) for chunk in range(3)]
    first = await texts.fetch(grants[:1])
    assert len(await texts.fetch(grants)) == 3
    assert [chunk.to for _, chunk in first.values()] == [people(1)]
