"""pause, resume, cancel, expiry: a flag from the first call on, states after it, and nothing is counted twice."""

import asyncio

import pytest

from tests.redis.conftest import Rig, chunk_of, people
from volley.errors import UnusableInput
from volley.outbox.flights import REF
from volley.state import MOVES_ARG

NOBODY_KNOWS = "0123456789abcdef"


async def sweep(rig: Rig, campaign_id: str, to: str, most: int) -> list[object]:
    answer: list[object] = await rig.outbox.scripts.run("sweep", MOVES_ARG, campaign_id, to, most)
    return answer


async def test_pause_and_resume_answer_with_what_is_in_flight(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(10)))
    await rig.take(4)
    assert await rig.outbox.pause(campaign.id) == 4
    assert await rig.outbox.pause(campaign.id) == 4
    assert await rig.outbox.resume(campaign.id) == 4
    kinds = [f[b"s"] for _, f in await rig.redis.xrange(rig.keys.ledger) if f[b"k"] == b"campaign"]  # type: ignore[attr-defined]
    assert kinds == [b"paused", b"resumed"]
    await rig.check(campaign)


async def test_what_has_finished_is_not_paused_and_a_redrive_of_it_goes(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take()
    await rig.settle(flight, "a", 0)
    await rig.settle(flight, "z", 1)
    told = await rig.redis.xlen(rig.keys.ledger)
    assert await rig.outbox.by("ops").pause(campaign.id) == 0
    assert await rig.redis.xlen(rig.keys.ledger) == told
    packed = REF.pack(0, 1, 1, 1, 0, 1, people(2)[1])
    assert await rig.outbox.scripts.run("redrive", MOVES_ARG, campaign.id, 0, 8, packed) == 1
    assert [each.campaign for taken in await rig.take_all(1) for each in taken.grants] == [campaign.id]


async def test_what_nobody_knows_of_can_still_be_held(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2)
    assert await rig.outbox.pause(campaign.id) == 0
    kinds = [f[b"s"] for _, f in await rig.redis.xrange(rig.keys.ledger) if f[b"k"] == b"campaign"]  # type: ignore[attr-defined]
    assert kinds == [b"paused"]


async def test_an_unknown_campaign_is_the_callers_mistake(rig: Rig) -> None:
    for act in (rig.outbox.pause, rig.outbox.resume, rig.outbox.cancel):
        with pytest.raises(UnusableInput):
            await act(NOBODY_KNOWS)
    assert await rig.left() == set()


async def test_a_cancelled_campaign_can_neither_be_paused_nor_resumed(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.outbox.cancel(campaign.id)
    for act in (rig.outbox.pause, rig.outbox.resume):
        with pytest.raises(UnusableInput):
            await act(campaign.id)
    assert await rig.outbox.cancel(campaign.id) == 0
    assert await rig.counts(campaign) == {"cancelled": 3}


async def test_a_resumed_campaign_is_planned_on(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)), plan=False)
    await rig.outbox.pause(campaign.id)
    await rig.redis.delete(rig.keys.of("due"))
    await rig.outbox.resume(campaign.id)
    assert await rig.outbox.chores.due(1) == [f"plan:{campaign.id}"]


async def test_cancel_ends_what_waits_wherever_it_waits(rig: Rig) -> None:
    await rig.pool(2)
    chunks = [chunk_of(people(4, 10 * k)) for k in range(4)]
    campaign = await rig.push(*chunks, plan=False)
    for k in (0, 1):
        await rig.plan(campaign, k, chunks[k])
    await rig.settle(await rig.take(2), "a")
    await rig.settle(await rig.take(2), ".", delay_us=1_000_000)
    flying = await rig.take(3)
    assert await rig.outbox.cancel(campaign.id) == 3
    assert await rig.counts(campaign) == {"submitted": 2, "sending": 3, "cancelled": 11}
    await rig.check(campaign)
    await rig.settle(flying, "a")
    assert await rig.counts(campaign) == {"submitted": 5, "cancelled": 11}
    assert len([move for move in await rig.told() if move[0] == "cancel"]) == 11
    assert await rig.left() & {"lane", "lanes", "ready", "unplanned"} == set()


async def test_a_sweep_that_is_interrupted_goes_on_where_it_was(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(*(chunk_of(people(3, 10 * k)) for k in range(5)))
    assert await sweep(rig, campaign.id, "c", 2) == [b"c", 0, 6, 0]
    assert (await rig.take()).grants == []
    await rig.check(campaign)
    assert f"sweep:{campaign.id}" in await rig.outbox.chores.due(1)
    assert await sweep(rig, campaign.id, "c", 2) == [b"c", 0, 6, 0]
    assert await sweep(rig, campaign.id, "e", 2) == [b"c", 0, 3, 1]
    assert await sweep(rig, campaign.id, "c", 2) == [b"c", 0, 0, 1]
    assert await rig.counts(campaign) == {"cancelled": 15}
    assert await rig.redis.zscore(rig.keys.of("due"), f"sweep:{campaign.id}") is None
    await rig.check(campaign)


async def test_many_who_cancel_at_once_end_each_message_once(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(*(chunk_of(people(3, 10 * k)) for k in range(30)))
    await asyncio.gather(*(rig.outbox.cancel(campaign.id) for _ in range(10)))
    assert await rig.counts(campaign) == {"cancelled": 90}
    assert len(await rig.told()) == len(set(await rig.told())) == 90
    await rig.check(campaign)


async def test_what_has_expired_is_found_and_ends(rig: Rig) -> None:
    await rig.pool()
    soon = await rig.push(chunk_of(people(3)), expires_us=1)
    later = await rig.push(chunk_of(people(3, 10)), expires_us=await rig.now_us() + 10**12)
    never = await rig.push(chunk_of(people(3, 20)))
    assert await rig.outbox.chores.expired() == [soon.id]
    assert await rig.outbox.sweep(soon.id, "e") == (0, 3)
    assert await rig.outbox.chores.expired() == []
    assert await rig.counts(soon) == {"expired": 3}
    assert {g.campaign for f in await rig.take_all(6) for g in f.grants} == {later.id, never.id}
    await rig.check(soon, later, never)


async def test_a_paused_campaign_expires_too(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)), expires_us=1)
    await rig.outbox.pause(campaign.id)
    for name in await rig.outbox.chores.expired():
        await rig.outbox.sweep(name, "e")
    assert await rig.counts(campaign) == {"expired": 3}


async def test_cancel_leaves_opted_out_refused_and_submitted_as_they_are(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(5)))
    flight = await rig.take()
    for position, state in enumerate("axoz"):
        await rig.settle(flight, state, position)
    await rig.settle(flight, ".", 4)
    before = await rig.states(campaign)
    await rig.outbox.cancel(campaign.id)
    assert await rig.states(campaign) == before.replace(".", "c")
    await rig.check(campaign)


async def test_people_see_what_state_a_campaign_is_in(rig: Rig) -> None:
    await rig.pool()
    seen = []
    campaign = await rig.push(chunk_of(people(2)))

    async def look() -> None:
        view = await rig.outbox.campaign(campaign.id)
        assert view is not None
        seen.append((view.state, view.waiting, view.in_flight))

    await look()
    await rig.outbox.pause(campaign.id)
    await look()
    await rig.outbox.resume(campaign.id)
    flight = await rig.take()
    await look()
    await rig.settle(flight, "a")
    await look()
    assert seen == [("ready", 2, 0), ("paused", 2, 0), ("ready", 0, 2), ("finished", 0, 0)]
