"""Campaigns that gathered messages were made of: many a second, so they stand apart, and leave Redis soon after they are over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest

from producer.sight.gathered import Gathered
from producer.sight.sight import Sight
from producer.sight.totals import Totals
from tests.redis.conftest import Rig, chunk_of, people
from tests.redis.test_chores import FAR, PERMANENT, entries
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.errors import TryAgainLater
from volley.outbox import pages
from volley.outbox.queue import Queue, pool
from volley.outbox.standing import standings
from worker.alone import Alone
from worker.sweep import Sweeper

NOW = -1_000_000
LATER = 3_600_000_000
RETENTION = 86_400_000_000

_keys = count()


async def push(rig: Rig, n: int = 1, start: int = 0, **fields: object) -> Campaign:
    """Each of them a request's, with a key of its own."""
    claims = tuple((f"k{next(_keys)}", f"mark [[0, {at}]]") for at in range(n))
    return await rig.push(chunk_of(people(n, start)), claims=claims, created_us=await rig.now_us(), **fields)


async def end(rig: Rig, campaign: Campaign, state: str = "a") -> None:
    """All of it comes to a state, and the recorder has committed that."""
    for flight in await rig.take_all(campaign.accepted):
        await rig.settle(flight, state)
    await rig.outbox.chores.done(f"plan:{campaign.id}")
    await rig.outbox.retire([campaign.id], FAR)


async def held(rig: Rig, index: str) -> set[str]:
    return {name.decode() for name in await rig.redis.zrange(rig.keys.of(index), 0, -1)}


async def test_gathered_messages_leave_redis_soon_after_they_are_over_and_pushes_stay(rig: Rig) -> None:
    await rig.pool()
    pushed = await rig.push(chunk_of(people(1, 50)))
    await end(rig, pushed)
    campaign = await push(rig, 3)
    await end(rig, campaign)
    assert await rig.outbox.chores.forget(RETENTION, 10, LATER) == 0, "it was sealed just now"
    assert await rig.outbox.chores.forget(RETENTION, 10, NOW) == 1
    assert await rig.outbox.campaign(campaign.id) is None
    assert await rig.outbox.campaign(pushed.id) is not None
    assert await rig.outbox.chores.forget(NOW, 10, NOW) == 1
    await rig.redis.delete(rig.keys.ledger)
    assert not (await rig.take()).grants
    assert await rig.left() - {"once", "sent", "tempo", "pin"} <= PERMANENT


async def test_what_is_open_or_not_yet_in_the_ledger_is_not_forgotten(rig: Rig) -> None:
    await rig.pool()
    campaign = await push(rig, 2)
    [flight] = await rig.take_all(2)
    await rig.settle(flight, "a", 0)
    await rig.outbox.retire([campaign.id], FAR)
    assert await rig.outbox.chores.forget(RETENTION, 10, NOW) == 0
    await rig.settle(flight, "a", 1)
    before_the_last = (await entries(rig))[-2]
    await rig.outbox.retire([campaign.id], before_the_last)
    assert await rig.outbox.chores.forget(RETENTION, 10, NOW) == 0, "over, and its last entry is not committed"
    await rig.check(campaign)
    await rig.outbox.retire([campaign.id], FAR)
    assert await rig.outbox.chores.forget(RETENTION, 10, NOW) == 1


async def test_one_that_stays_open_keeps_no_others_and_is_not_looked_at_all_the_time(rig: Rig) -> None:
    await rig.pool()
    still = [await push(rig, start=n) for n in range(3)]
    for flight in await rig.take_all(3):
        await rig.settle(flight, "?")
    await end(rig, await push(rig, start=9))
    assert await rig.outbox.chores.forget(RETENTION, 2, 0) == 0
    assert await rig.outbox.chores.forget(RETENTION, 2, 0) == 1
    assert await held(rig, "gathered") == {each.id for each in still}


@pytest.mark.parametrize("state", ["z", "?"])
async def test_one_that_ended_dead_or_unknown_is_kept_and_listed_like_any_other(rig: Rig, state: str) -> None:
    await rig.pool()
    campaign = await push(rig, on_unknown="give-up")
    for flight in await rig.take_all(1):
        await rig.settle(flight, state)
    if state == "?":
        await rig.age(LATER)
        assert await rig.outbox.chores.give_up(1, 10) == 1
    assert await rig.outbox.campaigns() == []
    await rig.outbox.retire([campaign.id], FAR)
    assert await rig.outbox.chores.forget(RETENTION, 10, NOW) == 0
    [view] = await rig.outbox.campaigns()
    assert (view.campaign.id, view.sealed_us) == (campaign.id, campaign.created_us)
    assert await rig.outbox.chores.forget(NOW, 10, NOW) == 1


async def test_lists_of_all_campaigns_are_of_pushes_and_gathered_ones_are_found_by_their_id(rig: Rig) -> None:
    await rig.pool()
    pushed, gathered = await rig.push(chunk_of(people(1))), await push(rig, start=5)
    assert [view.campaign.id for view in await rig.outbox.campaigns()] == [pushed.id]
    views, _ = await pages.campaigns(rig.redis, rig.keys, 10, None)
    assert [view.campaign.id for view in views] == [pushed.id]
    assert {view.campaign.id for view in await rig.outbox.campaigns("live")} == {pushed.id, gathered.id}
    found = await rig.outbox.campaign(gathered.id)
    assert found is not None
    assert (found.sealed_us, found.counts["ready"]) == (gathered.created_us, 1)
    assert {each.campaign for each in await standings(rig.outbox, {})} == {pushed.id, gathered.id}
    for flight in await rig.take_all(2):
        await rig.settle(flight, "a")
    await rig.outbox.retire([pushed.id, gathered.id], FAR)
    assert {each.campaign for each in await standings(rig.outbox, {})} == {pushed.id}, "the ledger tells of it now"


async def test_the_sweep_forgets_as_many_as_there_are_to_go(rig: Rig, valkey: EmbeddedValkey) -> None:
    await rig.pool(rate=100_000, account=100_000)
    made = [await push(rig, start=n) for n in range(130)]
    for flight in await rig.take_all(len(made)):
        await rig.settle(flight, "a")
    await rig.outbox.retire([each.id for each in made], FAR)
    await rig.redis.delete(rig.keys.of("due"))
    await rig.redis.zadd(rig.keys.of("gathered"), {each.id: 1 for each in made})
    arq = pool(valkey.url)
    try:
        await Sweeper(rig.outbox, Queue(arq, rig.outbox, "test"), Alone(), shards=1, retention_days=1).round()
    finally:
        await arq.aclose()
    assert await held(rig, "gathered") == set()
    assert not {"campaign", "chunk", "states", "final", "live"} & await rig.left()


async def test_what_is_sent_between_two_looks_is_counted_though_it_is_over_by_then(rig: Rig) -> None:
    await rig.pool()
    sight = Sight(rig.outbox, "test")
    await sight.facts(0)
    for n in range(3):
        await end(rig, await push(rig, start=n))
    await sight.facts(0)
    assert sight.totals.messages["submitted"] == 3
    await sight.facts(0)
    assert sight.totals.messages["submitted"] == 3


async def test_what_has_waited_for_long_is_counted_once_when_it_ends(rig: Rig) -> None:
    """The sweeper puts it behind all others again, as if it had been sealed just now."""
    await rig.pool()
    sight = Sight(rig.outbox, "test")
    await sight.facts(0)
    campaign = await push(rig)
    await sight.facts(0)
    assert await rig.outbox.chores.forget(RETENTION, 10, NOW) == 0
    await end(rig, campaign)
    for _ in range(2):
        await sight.facts(0)
        assert sight.totals.messages["submitted"] == 1


@pytest.mark.parametrize("broken", ["later", "campaign"])
async def test_a_look_that_fails_loses_nothing_of_the_count(rig: Rig, broken: str) -> None:
    """`later` is read after those that are over were counted; a campaign's own record in the midst of it."""
    await rig.pool()
    sight = Sight(rig.outbox, "test")
    await sight.facts(0)
    before = await push(rig)
    await sight.facts(0)
    await end(rig, before)
    between = await push(rig, start=1)
    await end(rig, between)
    still = await push(rig, start=2)
    key = rig.keys.of("later") if broken == "later" else rig.keys.campaign(between.id)
    async with broken_key(rig, key):
        with pytest.raises(TryAgainLater):
            await sight.facts(0)
    await end(rig, still)
    for _ in range(2):
        await sight.facts(0)
        assert sight.totals.messages["submitted"] == 3


@asynccontextmanager
async def broken_key(rig: Rig, key: str) -> AsyncIterator[None]:
    """Whoever reads it as what it is gets an error."""
    was = await rig.redis.execute_command("DUMP", key)
    await rig.redis.set(key, "of another type")
    yield
    await rig.redis.delete(key)
    if was:
        await rig.redis.execute_command("RESTORE", key, 0, was)


async def test_a_clock_that_was_set_back_counts_nothing_twice(rig: Rig) -> None:
    await rig.pool()
    totals = Totals()
    gathered, now = Gathered(rig.outbox, totals), await rig.now_us()
    await gathered.count((), now)
    await end(rig, await push(rig))
    await gathered.count((), await rig.now_us())
    await gathered.count((), now)
    await end(rig, await push(rig, start=5))
    for _ in range(2):
        await gathered.count((), await rig.now_us())
        assert totals.messages["submitted"] == 2


async def test_open_pushes_are_shown_before_gathered_messages(rig: Rig) -> None:
    await rig.pool()
    pushed = await rig.push(chunk_of(people(1)))
    for n in range(3):
        await push(rig, start=10 + n)
    facts = await Sight(rig.outbox, "test").facts(0)
    assert facts.campaigns[0].campaign_id == pushed.id
    assert len(facts.campaigns) == 4
