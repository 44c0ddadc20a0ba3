"""Unknown messages: what asks about them again, when, at what rate; and what resolves or closes them."""

import asyncio

import pytest

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, receipt, sender
from volley.outbox.flights import NO_ATTEMPT, NOT_SPENT
from volley.state import State

HOUR_US = 3_600_000_000


async def _overdue(rig: Rig, by_us: int) -> None:
    """All flights should have been settled so long ago."""
    for token in await rig.redis.zrange(rig.keys.of("flights"), 0, -1):
        await rig.redis.zadd(rig.keys.of("flights"), {token: await rig.now_us() - by_us})


@pytest.mark.parametrize("by", ["settle", "reap"])
async def test_what_was_sent_days_before_anybody_looked_is_not_sent_again(rig: Rig, by: str) -> None:
    """All was off over the weekend, and the carrier has forgotten the key: the POST's age counts, not that of its finding."""
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    flight = await rig.take()
    await _overdue(rig, 30 * HOUR_US)
    if by == "settle":
        await rig.settle(flight, "?")
    else:
        await rig.outbox.chores.reap(10)
    assert await rig.states(campaign) == "?"
    await rig.look_now()
    assert (await rig.repeat()).grants == []
    await rig.check(campaign)


@pytest.mark.parametrize("by", ["settle", "reap"])
async def test_what_becomes_unknown_is_looked_at_after_twenty_seconds(rig: Rig, by: str) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2), parts=3))
    flight = await rig.take(life_s=-1 if by == "reap" else 60)
    if by == "settle":
        await rig.settle(flight, "?")
    else:
        await rig.outbox.chores.reap(10)
    for doubt, grant in zip(await rig.doubts(campaign), flight.grants, strict=True):
        assert (doubt.sender, doubt.attempt, doubt.to, doubt.repeats) == (grant.sender, 1, grant.to, 0)
        waits_us = doubt.next_us - doubt.since_us
        assert waits_us == 20_000_000 if by == "settle" else 21_000_000 <= waits_us < 22_000_000
    asked = await rig.repeat()
    assert (asked.grants, asked.next_us) == ([], (await rig.doubts(campaign))[0].next_us)
    await rig.check(campaign)


async def test_a_repeat_is_the_same_message_by_the_same_sender_and_stays_unknown(rig: Rig) -> None:
    await rig.pool(3)
    campaign = await rig.push(chunk_of(people(9), parts=2))
    first = [grant for flight in await rig.take_all(9) for grant in flight.grants]
    await _overdue(rig, 0)
    await rig.outbox.chores.reap(10)
    await rig.look_now()
    again = await rig.repeat()
    assert again.repeats
    told = {(g.chunk, g.offset, g.sender, g.parts, g.generation, g.to, g.campaign) for g in again.grants}
    assert told == {(g.chunk, g.offset, g.sender, g.parts, g.generation, g.to, g.campaign) for g in first}
    assert {g.attempt for g in again.grants} == {2}
    assert await rig.states(campaign) == "?" * 9
    assert (await rig.repeat()).grants == [], "granted while it flies"
    await rig.check(campaign)


async def test_an_accepted_repeat_is_submitted_and_all_else_leaves_it_unknown(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(len(State) + 1, parts=2)
    flight = await rig.repeat()
    for position, state in enumerate(State):
        assert await rig.settle(flight, state, position, cost=500) == ("a" if state == "a" else "?")
        await rig.check(campaign)
    assert await rig.counts(campaign) == {"submitted": 1, "unknown": len(State)}
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.sent_parts, view.cost_micros) == (2, 500)
    assert (await rig.repeat()).grants == [], "asked again at once"
    assert await rig.settle(flight, "?", len(State)) == "?"
    assert await rig.left() & {"flight", "flights"} == set()


async def test_a_repeat_is_settled_once_and_by_its_token_only(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2)
    flight = await rig.repeat()
    assert await rig.settle(flight._replace(token="stranger"), "a") == "--"
    assert await rig.settle(flight, "?", 0) == "?"
    assert await rig.settle(flight, "a", 0) == "-"
    assert await rig.states(campaign) == "??"
    await rig.check(campaign)


@pytest.mark.parametrize(("delay_us", "flags"), [(0, 0), (5_000_000, NOT_SPENT)])
async def test_what_stays_unknown_is_asked_about_later_and_later(rig: Rig, delay_us: int, flags: int) -> None:
    await rig.pool()
    campaign = await rig.unknown()
    minute = 60_000_000
    for aged, wait in [(minute, 2 * minute), (30 * minute, 60 * minute), (10 * HOUR_US, 3 * HOUR_US)]:
        await rig.age(aged)
        await rig.settle(await rig.repeat(), "?", delay_us=delay_us, flags=flags)
        [doubt] = await rig.doubts(campaign)
        waits = doubt.next_us - await rig.now_us()
        assert waits == pytest.approx(delay_us or wait, abs=1_000_000)
    assert (doubt.repeats, doubt.attempt) == (3, 4)


@pytest.mark.parametrize("delay_us", [None, 1_000_000, 0])
async def test_a_repeat_that_was_not_made_counts_for_nothing_and_is_made_soon(rig: Rig, delay_us: int | None) -> None:
    """Released; not sent for whatever reason; too late for its moment."""
    await rig.pool()
    campaign = await rig.unknown()
    await rig.age(10 * HOUR_US)
    flight = await rig.repeat(honoured=True)
    if delay_us is None:
        await rig.outbox.dispatch.release(flight.token)
    else:
        assert await rig.settle(flight, "?", flags=NO_ATTEMPT | NOT_SPENT, delay_us=delay_us) == "?"
    [doubt] = await rig.doubts(campaign)
    assert (doubt.attempt, doubt.repeats) == (1, 0)
    assert doubt.next_us - await rig.now_us() <= 1_000_000
    assert await rig.states(campaign) == "?"
    await rig.check(campaign)


async def test_a_repeat_that_nobody_settles_is_reaped_and_looked_at_again(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2)
    flight = await rig.repeat(life_s=-1)
    told = await rig.told()
    await rig.outbox.chores.reap(10)
    await rig.outbox.chores.reap(10)
    assert await rig.states(campaign) == "??"
    assert await rig.told() == told
    await rig.check(campaign)
    assert await rig.settle(flight, "a") == "--", "its worker came back too late"
    assert [doubt.attempt for doubt in await rig.doubts(campaign)] == [2, 2]


async def test_a_receipt_ends_the_doubt_also_while_a_repeat_flies(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(3)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 0)])
    flight = await rig.repeat()
    assert [grant.offset for grant in flight.grants] == [1, 2]
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 1)])
    await rig.check(campaign)
    assert await rig.settle(flight, "?", 0) == "-"
    assert await rig.settle(flight, "a", 1) == "a"
    assert await rig.states(campaign) == "aaa"
    assert await rig.left() & {"unknown", "doubts", "flight", "flights"} == set()
    await rig.check(campaign)


async def test_a_key_that_is_not_known_to_be_honoured_is_not_repeated(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(3)
    assert (await rig.repeat(honoured=False)).grants == []
    [first, *_] = await rig.doubts(campaign)
    assert first.next_us > await rig.now_us()
    await rig.look_now()
    assert len((await rig.repeat(honoured=True)).grants) == 3


async def test_a_campaign_that_must_not_lose_is_repeated_all_the_same_and_says_possibly_twice(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(4, on_unknown="retry")
    flight = await rig.repeat(honoured=False)
    assert len(flight.grants) == 4
    await rig.settle(flight, "a", 0)
    await rig.settle(flight, "?", 1)
    await rig.settle(flight, "?", 2, flags=NOT_SPENT)
    await rig.outbox.dispatch.release(flight.token)
    assert await rig.tallies(campaign) == {"gu": 0, "pt": 1, "rf": 0}
    # the second may have been taken both times; the third and fourth were provably not taken again
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, n) for n in (1, 2, 3)])
    assert await rig.tallies(campaign) == {"gu": 0, "pt": 2, "rf": 0}
    await rig.check(campaign)


async def test_a_proved_repeat_is_never_possibly_twice(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2, on_unknown="retry")
    flight = await rig.repeat(honoured=True)
    await rig.settle(flight, "a", 0)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 1)])
    assert (await rig.tallies(campaign))["pt"] == 0


@pytest.mark.parametrize("act", ["pause", "cancel", "expire", "run out", "opt out", "23 hours"])
async def test_what_may_not_go_is_not_repeated(rig: Rig, act: str) -> None:
    await rig.pool()
    campaign = await rig.unknown(2)
    if act == "pause":
        await rig.outbox.pause(campaign.id)
    elif act in ("cancel", "expire"):
        await rig.outbox.sweep(campaign.id, act[0])
    elif act == "run out":
        await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"x": 1})
    elif act == "opt out":
        await rig.outbox.add_optouts(PROFILE, people(2))
    else:
        await rig.age(23 * HOUR_US)
    assert (await rig.repeat()).grants == []
    assert [doubt.next_us > await rig.now_us() for doubt in await rig.doubts(campaign)] == [True, True]
    await rig.check(campaign)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, n) for n in (0, 1)])
    assert await rig.counts(campaign) == {"submitted": 2}


async def test_a_resumed_campaign_is_repeated_again(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown()
    await rig.outbox.pause(campaign.id)
    assert (await rig.repeat()).grants == []
    await rig.outbox.resume(campaign.id)
    await rig.look_now()
    assert len((await rig.repeat()).grants) == 1


async def test_pause_and_cancel_count_the_repeats_in_flight(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(3)
    flight = await rig.repeat()
    assert await rig.outbox.pause(campaign.id) == 3
    await rig.settle(flight, "?", 0)
    assert await rig.outbox.cancel(campaign.id) == 2


async def test_only_the_sender_it_was_first_sent_by_repeats_it(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.unknown()
    await rig.sync([sender(1)])
    assert (await rig.repeat()).grants == []
    await rig.sync([sender(0), sender(1)], profile=PROFILE)
    await rig.look_now()
    assert [grant.sender for grant in (await rig.repeat()).grants] == [1]
    await rig.check(campaign)


async def test_a_sender_that_went_to_another_profile_repeats_nothing(rig: Rig) -> None:
    await rig.pool(1)
    await rig.unknown()
    await rig.sync([sender(0, profile=OTHER_PROFILE)], profile=OTHER_PROFILE)
    assert (await rig.repeat()).grants == []


async def test_a_named_sender_repeats_what_its_campaign_sent(rig: Rig) -> None:
    await rig.pool(2)
    await rig.unknown(sender=sender(1).number)
    assert [grant.sender for grant in (await rig.repeat()).grants] == [2]


@pytest.mark.parametrize("bucket", ["a", "p1", "s1"])
async def test_a_rest_holds_for_repeats_too(rig: Rig, bucket: str) -> None:
    await rig.pool(1)
    campaign = await rig.unknown()
    await rig.outbox.dispatch.rest(bucket, await rig.now_us() + 30_000_000, "why")
    assert (await rig.repeat()).grants == []
    await rig.check(campaign)


@pytest.mark.parametrize(("rate", "account"), [(10, 10_000), (1000, 10)])
async def test_repeats_are_charged_where_takes_are(rig: Rig, rate: float, account: float) -> None:
    """Among takes that ask for all there is, repeats get their turn, and both together keep to ten a second."""
    await rig.pool(1, rate=rate, account=account)
    await rig.unknown(5)
    await rig.push(chunk_of(people(100, 100)))
    moments, repeats = [], 0
    async with asyncio.timeout(20):
        while repeats < 5:
            flight = await rig.repeat()
            repeats += len(flight.grants)
            moments += [grant.moment_us for grant in (*flight.grants, *(await rig.take()).grants)]
            await asyncio.sleep(0.02)
    moments.sort()
    for n, first in enumerate(moments):
        for m, last in enumerate(moments[n:], 1):
            assert m <= 10 * ((last - first) / 1e6 + 0.3) + 1


async def test_a_repeat_charges_every_bucket_of_its_message(rig: Rig) -> None:
    await rig.sync([sender(0, rate=1, group="g")])
    for bucket in ("a", "m", "p1", "gg"):
        await rig.rate(bucket, 1)
    campaign = await rig.push(chunk_of(people(1), parts=3), media=("https://a.b/c",))
    await rig.settle(await rig.take(), "?")
    await rig.look_now()
    tat = rig.keys.of("tat")
    await rig.redis.delete(tat)
    await rig.redis.zadd(rig.keys.of("pool", "c1.any"), {"1": 1})
    assert len((await rig.repeat()).grants) == 1
    soonest = await rig.now_us() + 2_500_000
    assert {name: int(at) > soonest for name, at in (await rig.redis.hgetall(tat)).items()} == dict.fromkeys(
        (b"a", b"m", b"p1", b"gg"), True
    )
    assert int(await rig.redis.zscore(rig.keys.of("pool", "c1.any"), "1") or 0) > soonest
    await rig.check(campaign)


async def test_those_that_wait_for_a_slow_sender_do_not_hide_others(rig: Rig) -> None:
    await rig.pool(2, rate=100_000, account=100_000)
    slow = await rig.unknown(300, sender=sender(0).number)
    other = await rig.unknown(1, sender=sender(1).number)
    await rig.redis.zadd(rig.keys.of("pool", "c1.any"), {"1": await rig.now_us() + 60_000_000})
    granted = [grant.campaign for _ in range(4) for grant in (await rig.repeat(20)).grants]
    assert granted == [other.id]
    await rig.check(slow, other)


async def test_a_ledger_that_is_behind_holds_repeats_back(rig: Rig) -> None:
    await rig.pool()
    await rig.unknown()
    rig.outbox.dispatch.ledger_bound = 1
    flight = await rig.repeat()
    assert (flight.grants, flight.why) == ([], "ledger")


async def test_a_repeat_that_the_carrier_refuses_as_opted_out_is_the_last_one(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown()
    assert await rig.settle(await rig.repeat(), "o", flags=NOT_SPENT) == "?"
    assert await rig.outbox.opted_out(PROFILE, people(1)) == set(people(1))
    await rig.look_now()
    assert (await rig.repeat()).grants == []
    await rig.check(campaign)


async def test_an_idle_look_is_cheap(rig: Rig) -> None:
    """Asked once a second by every worker, mostly in vain."""
    await rig.pool()
    await rig.push(chunk_of(people(2)))
    await rig.settle(await rig.take(), "?")
    await rig.repeat()
    await rig.redis.execute_command("CONFIG", "RESETSTAT")
    await rig.repeat()
    stats = await rig.redis.info("commandstats")
    calls = {name: fields["calls"] for name, fields in stats.items()}
    assert sum(n for name, n in calls.items() if name not in ("cmdstat_evalsha", "cmdstat_waitaof")) <= 8


async def test_a_doubt_of_a_campaign_that_is_being_rebuilt_is_kept(rig: Rig) -> None:
    """Chunks come first, the campaign last; a worker that was started too soon must not sweep the doubts away."""
    await rig.pool()
    campaign = await rig.unknown(1)
    key = rig.keys.campaign(campaign.id)
    held = await rig.redis.execute_command("DUMP", key)
    await rig.redis.delete(key)
    assert (await rig.repeat()).grants == []
    await rig.redis.execute_command("RESTORE", key, 0, held)
    await rig.look_now()
    assert len((await rig.repeat()).grants) == 1
