"""Answers that are lost, and what a worker does about it: asks again where that is harmless, and nothing where it is not."""

import asyncio
import time
from dataclasses import asdict

import orjson
import pytest

from tests.flow.worker.conftest import World, eventually, people
from tests.flow.worker.test_worker_faults import attempts, receipt
from volley.campaign import Campaign
from volley.outbox.verdict import FIELD, HOLDS_US, Probed
from volley.sandbox.fault_rule import FaultRule


async def probed(world: World, verdict: str, age_us: int = 0) -> None:
    found = Probed(verdict, time.time_ns() // 1000 - age_us, "default", "a test")  # type: ignore[arg-type]
    held = {FIELD: orjson.dumps(asdict(found))}
    await world.client.hset(world.outbox.keys.of("probe"), mapping=held)


async def look_now(world: World) -> None:
    """Without waiting for the first look's twenty seconds."""
    doubts = world.outbox.keys.of("doubts")
    for spot in await world.client.zrange(doubts, 0, -1):
        await world.client.execute_command("ZADD", doubts, "XX", 1, spot)


async def looked_at(world: World) -> bool:
    """No doubt is due, and no repeat flies."""
    flying = await world.client.zcard(world.outbox.keys.of("flights"))
    return not flying and not await world.client.zrangebyscore(world.outbox.keys.of("doubts"), 0, 1)


async def resolved(world: World, campaign: Campaign) -> dict[str, int]:
    """What it comes to, while every doubt is looked at again and again."""

    async def none_left() -> bool:
        await look_now(world)
        return "unknown" not in await world.counts(campaign)

    await eventually(none_left)
    return await world.counts(campaign)


async def test_lost_answers_are_asked_for_again_and_nobody_is_reached_twice(world: World) -> None:
    await world.begin(idempotency="honoured")
    await probed(world, "honoured")
    await world.fail(FaultRule(kind="lost", every=5, first=40))
    await world.worker()
    campaign = await world.push(people(200))
    assert await world.until(campaign) == {"submitted": 160, "unknown": 40}
    assert await resolved(world, campaign) == {"submitted": 200}
    assert world.reached() == dict.fromkeys(people(200), 1)
    first = {arrival.key: arrival for arrival in world.arrivals()}
    replays = world.arrivals("replayed")
    assert len(replays) == 40
    for replay in replays:
        assert (replay.sender, replay.to) == (first[replay.key].sender, first[replay.key].to)
    assert sorted(attempt for attempt, outcome, _ in await attempts(world) if outcome == "accepted").count(2) == 40
    view = await world.view(campaign)
    assert (view.possibly_twice, view.possibly_lost) == (0, 0)


async def test_what_the_carrier_never_had_is_sent_by_the_repeat(world: World) -> None:
    """The connection was cut before it was taken: asking whether it has the message is what sends it."""
    await world.begin(idempotency="honoured")
    await probed(world, "honoured")
    await world.fail(FaultRule(kind="cut", every=4, first=5))
    await world.worker()
    campaign = await world.push(people(20))
    assert await world.until(campaign) == {"submitted": 15, "unknown": 5}
    assert await resolved(world, campaign) == {"submitted": 20}
    assert world.reached() == dict.fromkeys(people(20), 1)


@pytest.mark.parametrize(("verdict", "age_us"), [("", 0), ("ignored", 0), ("unclear", 0), ("honoured", HOLDS_US)])
async def test_without_a_proof_nothing_is_repeated_and_receipts_resolve_it(
    world: World, verdict: str, age_us: int
) -> None:
    await world.begin()
    if verdict:
        await probed(world, verdict, age_us)
    await world.fail(FaultRule(kind="lost", every=4))
    await world.worker()
    campaign = await world.push(people(20))
    assert await world.until(campaign) == {"submitted": 15, "unknown": 5}
    for _ in range(2):
        await look_now(world)
        await eventually(lambda: looked_at(world))
    assert world.reached() == dict.fromkeys(people(20), 1)
    for arrival in world.arrivals():
        if arrival.fault:
            await world.outbox.apply_receipts([receipt(campaign, arrival)])
    assert await world.counts(campaign) == {"submitted": 20}


async def test_a_campaign_that_must_not_lose_is_repeated_and_says_how_many_may_have_come_twice(world: World) -> None:
    await world.begin()
    await probed(world, "ignored")
    await world.fail(FaultRule(kind="lost", every=4, first=5))
    await world.worker()
    campaign = await world.push(people(20), on_unknown="retry")
    assert await world.until(campaign) == {"submitted": 15, "unknown": 5}
    assert await resolved(world, campaign) == {"submitted": 20}
    twice = [person for person, times in world.reached().items() if times == 2]
    assert len(twice) == 5
    assert (await world.view(campaign)).possibly_twice == 5


async def test_what_nobody_speaks_of_is_given_up_where_that_is_better_than_twice(world: World) -> None:
    await world.begin()
    await world.fail(FaultRule(kind="lost", every=4))
    await world.worker(VOLLEY_UNKNOWN_HOURS="0.0001")
    campaign = await world.push(people(20), on_unknown="give-up")

    async def given_up() -> bool:
        await look_now(world)
        return (await world.view(campaign)).possibly_lost == 5

    await eventually(given_up)
    view = await world.view(campaign)
    assert (view.state, view.counts["unknown"], view.counts["submitted"]) == ("finished", 5, 15)
    assert world.reached() == dict.fromkeys(people(20), 1)
    assert await world.outbox.retire([campaign.id], "9999999999999-0") == 1


async def test_a_repeat_that_is_throttled_rests_its_sender_and_is_made_later(world: World) -> None:
    await world.begin(senders=1, idempotency="honoured")
    await probed(world, "honoured")
    await world.fail(FaultRule(kind="lost", first=1))
    await world.worker()
    campaign = await world.push(people(1))
    assert await world.until(campaign) == {"unknown": 1}
    await world.fail(FaultRule(kind="status", status=429, code="10011", retry_after=0.2, first=1))
    assert await resolved(world, campaign) == {"submitted": 1}
    assert [outcome for _, outcome, _ in await attempts(world)] == ["perhaps_sent", "throttled", "accepted"]
    assert world.reached() == dict.fromkeys(people(1), 1)


async def test_repeats_do_not_wait_for_other_work(world: World) -> None:
    """A worker without a lease, as nothing else is to be sent, asks all the same; nothing is asked of a paused campaign."""
    await world.begin(idempotency="honoured")
    await probed(world, "honoured")
    await world.fail(FaultRule(kind="lost", first=3))
    await world.worker()
    paused, other = await world.push(people(1)), await world.push(people(2, 100))
    await world.until(paused)
    await world.until(other)
    await world.outbox.pause(paused.id)
    await asyncio.sleep(3)
    assert await resolved(world, other) == {"submitted": 2}
    assert await world.counts(paused) == {"unknown": 1}
