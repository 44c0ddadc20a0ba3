"""due, retire, prune, forget, presence; and that in the end nothing is left that nobody listed."""

import asyncio

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, receipt, sender
from volley.outbox.chores import ALIVE_US
from volley.outbox.keys import DIRECTORY, PIN_BUCKETS

FAR = "9999999999999-0"
PERMANENT = {key.name for key in DIRECTORY if key.lifetime.startswith("permanent")}
BY_RETENTION = {"campaigns", "campaign"}


async def entries(rig: Rig) -> list[str]:
    return [name.decode() for name, _ in await rig.redis.xrange(rig.keys.ledger)]  # type: ignore[attr-defined]


async def test_a_sealed_campaign_is_due_for_planning_and_work_for_draining(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)), plan=False)
    assert await rig.outbox.chores.due(2) == [f"plan:{campaign.id}"]
    await rig.plan(campaign, 0, chunk_of(people(3)))
    assert sorted(await rig.outbox.chores.due(2)) == ["drain:0", "drain:1"]


async def test_only_one_sweeper_arms_a_job(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3, 3)))
    for _ in range(5):
        await rig.push(chunk_of(people(3)), plan=False)
    claimed = [job for jobs in await asyncio.gather(*(rig.outbox.chores.due(2) for _ in range(20))) for job in jobs]
    assert len(claimed) == len(set(claimed)) == 7


async def test_a_job_that_shows_life_is_not_armed_and_one_that_stops_is(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3)))
    await rig.redis.delete(rig.keys.of("due"))
    await rig.outbox.chores.alive("drain:0")
    assert await rig.outbox.chores.due(1) == []
    await rig.redis.execute_command("ZINCRBY", rig.keys.of("due"), -ALIVE_US, "drain:0")
    assert await rig.outbox.chores.due(1) == ["drain:0"]
    await rig.outbox.chores.done("drain:0")
    assert await rig.outbox.chores.due(1) == ["drain:0"], "there is work still"


async def test_without_work_or_beyond_the_wanted_number_no_drain_is_armed(rig: Rig) -> None:
    await rig.pool()
    await rig.redis.zadd(rig.keys.of("due"), {"drain:0": 0, "drain:1": 0})
    assert await rig.outbox.chores.due(2) == []
    await rig.push(chunk_of(people(3)))
    await rig.redis.zadd(rig.keys.of("due"), {"drain:5": 0})
    assert "drain:5" not in await rig.outbox.chores.due(1)


async def test_what_rests_and_is_due_is_work(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(1)))
    await rig.settle(await rig.take(), ".", delay_us=500_000)
    await rig.take()
    await rig.take()
    await rig.redis.delete(rig.keys.of("due"))
    assert await rig.outbox.chores.due(1) == []
    await asyncio.sleep(0.51)
    assert await rig.outbox.chores.due(1) == ["drain:0"]


async def test_a_chunk_goes_only_when_the_recorder_has_committed_its_last_entry(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)), chunk_of(people(2, 2)))
    flight = await rig.take()
    first = [g.position for g in flight.grants if g.chunk == 0]
    await rig.settle(flight, "a", *first)
    assert await rig.outbox.retire([campaign.id], (await entries(rig))[-2]) == 0
    assert await rig.outbox.retire([campaign.id], (await entries(rig))[-1]) == 1
    assert await rig.states(campaign) == "ss"
    await rig.check(campaign)
    await rig.settle(flight, "a", *({0, 1, 2, 3} - set(first)))
    assert await rig.outbox.retire([campaign.id], FAR) == 1
    assert await rig.states(campaign) == ""
    assert await rig.counts(campaign) == {"submitted": 4}


async def test_a_chunk_with_something_unknown_stays(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take()
    await rig.settle(flight, "a", 0)
    await rig.settle(flight, "?", 1)
    assert await rig.outbox.retire([campaign.id], FAR) == 0
    assert await rig.states(campaign) == "a?"


async def test_a_receipt_after_the_chunk_went_reaches_the_ledger_only(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    await rig.settle(await rig.take(), "a")
    await rig.outbox.retire([campaign.id], FAR)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)])
    assert await rig.counts(campaign) == {"submitted": 1}
    assert await rig.left() & {"chunk", "states", "final", "heard"} == set()


async def test_pins_that_are_over_are_pruned_and_others_stay(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(2)))
    await rig.take()
    (old, key), _ = (await rig.ids("pin")).items()
    [person] = await rig.redis.hgetall(key)
    today = await rig.now_us() // 86_400_000_000
    bucket = int.from_bytes(old.encode("latin-1")[-2:], "big")
    for age, dropped in ((8, 0), (9, 1)):
        await rig.redis.hset(key, mapping={person: 100_000 + today - age})
        assert await rig.outbox.chores.prune_pins(bucket + PIN_BUCKETS) == dropped
    assert len(await rig.ids("pin")) == 1


async def test_a_worker_is_seen_while_it_shows_itself(rig: Rig) -> None:
    facts = {"host": "h", "pid": 7, "started_us": 1, "in_flight": 2, "rate": 1.5}
    await rig.outbox.chores.show("w1", facts)
    [view] = await rig.outbox.workers()
    assert (view.id, view.host, view.pid, view.in_flight, view.rate) == ("w1", "h", 7, 2, 1.5)
    assert await rig.redis.execute_command("TTL", rig.keys.of("worker", "w1")) > 0
    await rig.outbox.chores.leave("w1", ["drain:0"])
    assert await rig.outbox.workers() == []
    await rig.pool()
    await rig.push(chunk_of(people(1)))
    assert "drain:0" in await rig.outbox.chores.due(1)


async def test_an_old_campaign_is_forgotten_once_it_is_over_and_recorded(rig: Rig) -> None:
    await rig.pool()
    over, live = await rig.push(chunk_of(people(1))), await rig.push(chunk_of(people(5, 5)))
    flight = await rig.take(2)
    await rig.settle(flight, "a", *(g.position for g in flight.grants if g.campaign == over.id))
    assert await rig.outbox.chores.forget(-1_000_000, 10) == 0
    await rig.outbox.retire([over.id, live.id], FAR)
    assert await rig.outbox.chores.forget(3_600_000_000, 10) == 0
    assert await rig.outbox.chores.forget(-1_000_000, 10) == 1
    assert [view.campaign.id for view in await rig.outbox.campaigns()] == [live.id]
    await rig.check(live)


async def test_profiles_show_what_waits_and_how_fast_it_may_go(rig: Rig) -> None:
    await rig.pool(2, rate=5)
    await rig.push(chunk_of(people(9)))
    await rig.take(1)
    [view] = await rig.outbox.profiles()
    assert (view.profile, view.depth, view.senders, view.allowed_rate) == (PROFILE, 8, 2, 10)
    assert view.oldest_us > 0


async def test_the_allowed_rate_is_that_of_the_class_which_ends_last_with_its_share(rig: Rig) -> None:
    pool = [sender(n, 0.1) for n in range(20)] + [sender(20 + n, 20, type="toll_free") for n in range(4)]
    for weights, allowed in (({"long_code": 1, "toll_free": 1}, 4), ({"long_code": 1, "toll_free": 40}, 82), ({}, 82)):
        await rig.sync(pool, weights)
        [view] = await rig.outbox.profiles()
        assert view.allowed_rate == allowed
    await rig.rate("a", 50)
    assert [view.allowed_rate for view in await rig.outbox.profiles()] == [50]


async def test_after_all_is_over_only_what_is_listed_as_permanent_is_left(rig: Rig) -> None:
    """Everything that can happen to a message, then the recorder commits, then nothing must remember it."""
    await rig.sync([sender(0, group="CX"), sender(1, type="toll_free"), sender(2)], {"long_code": 2, "toll_free": 1})
    await rig.rate("a", 10_000)
    await rig.rate("gCX", 1000)
    await rig.outbox.add_optouts(PROFILE, people(2))
    chunks = [chunk_of(people(10, 10 * k)) for k in range(3)]
    sent = await rig.push(*chunks, idempotency_key="k", content_hash="h", expires_us=await rig.now_us() + 10**10)
    named = await rig.push(chunk_of(people(4)), sender=sender(2).number, priority="urgent")
    cancelled = await rig.push(*chunks)
    expired = await rig.push(*chunks, expires_us=1)
    await rig.outbox.cancel(cancelled.id)
    await rig.outbox.sweep(expired.id, "e")
    await rig.outbox.abandon((await rig.open(chunk_of(people(3)))).id)
    await rig.outbox.scripts.run("rest", "s1", await rig.now_us() + 50_000, "why", 0)
    states = iter("a.x.o.z.?.e" * 100)
    async with asyncio.timeout(20):
        while (flight := await rig.take(5)).why != "idle":
            await rig.outbox.chores.wake()
            for owner in await rig.outbox.chores.evicted():
                await rig.outbox.chores.evict(owner, 100)
            for grant in flight.grants:
                await rig.settle(flight, next(states), grant.position, delay_us=10_000)
                await rig.outbox.apply_receipts([receipt(grant.campaign, grant.chunk, grant.offset)])
            await rig.check(sent, named, cancelled, expired)
    everyone = [sent.id, named.id, cancelled.id, expired.id]
    for campaign_id in everyone:
        await rig.outbox.chores.done(f"plan:{campaign_id}")
    await rig.outbox.retire(everyone, FAR)
    await rig.redis.delete(rig.keys.ledger)  # the recorder trims what it has committed
    await rig.redis.zremrangebyscore(rig.keys.of("heard"), 0, "+inf")
    with_ttl = {"once", "sent", "tempo"}
    assert await rig.left() - with_ttl - {"pin"} <= PERMANENT | BY_RETENTION
    for name in with_ttl:
        for key in (await rig.ids(name)).values():
            assert await rig.redis.execute_command("TTL", key) > 0
    assert await rig.outbox.chores.forget(-1_000_000, 10) == 4
    assert await rig.left() - with_ttl - {"pin"} <= PERMANENT


async def test_campaigns_that_never_end_keep_no_others(rig: Rig) -> None:
    """What is unknown and held stays; those that were sealed after it are forgotten as they are old."""
    await rig.pool()
    held = [await rig.push(chunk_of(people(1, n))) for n in range(3)]
    for flight in await rig.take_all(3):
        await rig.settle(flight, "?")
    await rig.push(chunk_of(people(1, 9)))
    for flight in await rig.take_all(1):
        await rig.settle(flight, "a")
    everyone = [name.decode() for name in await rig.redis.zrange(rig.keys.campaigns, 0, -1)]
    await rig.outbox.retire(everyone, FAR)
    for _ in range(200):
        await rig.outbox.chores.forget(-1_000_000, 2)
    assert set(await rig.redis.zrange(rig.keys.campaigns, 0, -1)) == {each.id.encode() for each in held}


async def test_a_chunk_that_was_put_back_for_nothing_goes_with_its_campaign(rig: Rig) -> None:
    """A redrive that ended half-way: what it put back has ended, and no entry will ever tell of it."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    for flight in await rig.take_all(1):
        await rig.settle(flight, "a")
    await rig.outbox.retire([campaign.id], FAR)
    await rig.outbox.scripts.run("restore", campaign.id, 0, b"blob", b"a")
    assert await rig.outbox.chores.forget(-1_000_000, 2) == 1
    assert not {"chunk", "states", "campaign"} & await rig.left()
