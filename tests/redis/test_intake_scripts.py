"""admit, seal, abandon, opt-outs: a push becomes a campaign at once and whole, or leaves nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.campaign import Campaign, new_campaign_id
from volley.errors import RefusedByPolicy, TryAgainLater, UnusableInput
from volley.outbox.chunks import encode
from volley.outbox.outbox import Outbox
from volley.outbox.pushes import Chunk


async def test_nothing_of_a_push_is_sent_before_its_seal(rig: Rig) -> None:
    await rig.pool()
    await rig.open(chunk_of(people(5)))
    flight = await rig.take()
    assert (flight.grants, flight.hungry) == ([], [])


async def test_a_sealed_push_counts_all_its_messages(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)), chunk_of(people(2, 3)), plan=False)
    assert await rig.counts(campaign) == {"ready": 5}
    await rig.check(campaign)


async def test_the_same_key_and_content_is_the_same_campaign(rig: Rig) -> None:
    await rig.pool()
    first = await rig.push(chunk_of(people(3)), idempotency_key="k", content_hash="h")
    again = await rig.open(chunk_of(people(3)), idempotency_key="k", content_hash="h")
    sealed = await rig.outbox.seal(again, key_ttl_s=60)
    assert sealed[:2] == (first.id, True)
    assert await rig.outbox.campaign(again.id) is None
    assert await rig.states(again) == ""
    assert len(await rig.outbox.campaigns()) == 1


async def test_the_same_key_with_another_content_is_refused_and_leaves_nothing(rig: Rig) -> None:
    await rig.pool()
    first = await rig.push(chunk_of(people(3)), idempotency_key="k", content_hash="h")
    again = await rig.open(chunk_of(people(4)), idempotency_key="k", content_hash="other")
    with pytest.raises(RefusedByPolicy, match=first.id):
        await rig.outbox.seal(again, key_ttl_s=60)
    assert await rig.states(again) == ""
    assert await rig.outbox.find_key("k") == (first.id, "h")


async def test_a_key_whose_hash_begins_like_the_held_one_is_another_content(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(1)), idempotency_key="k", content_hash="abcd")
    again = await rig.open(chunk_of(people(1)), idempotency_key="k", content_hash="abc")
    with pytest.raises(RefusedByPolicy):
        await rig.outbox.seal(again, key_ttl_s=60)


async def test_a_push_that_was_given_up_cannot_be_sealed(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.open(chunk_of(people(3)))
    await rig.outbox.abandon(campaign.id)
    with pytest.raises(TryAgainLater):
        await rig.outbox.seal(campaign, key_ttl_s=60)
    assert await rig.outbox.campaign(campaign.id) is None
    assert await rig.left() == {"numbers", "pool", "profile", "rates", "sender", "senderinfo", "sequence", "classes"}


async def test_a_later_chunk_of_a_push_that_was_given_up_is_refused(rig: Rig) -> None:
    campaign = await rig.open(chunk_of(people(3)))
    await rig.outbox.abandon(campaign.id)
    with pytest.raises(TryAgainLater):
        await rig.outbox.admit(campaign.id, 1, b"blob", 1)


async def test_abandon_leaves_a_sealed_campaign_alone(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.outbox.abandon(campaign.id)
    await rig.check(campaign)
    assert await rig.states(campaign) == "..."


async def test_a_seal_that_is_repeated_makes_nothing_twice(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)), idempotency_key="k", content_hash="h")
    await rig.take()
    assert (await rig.outbox.seal(campaign, key_ttl_s=60))[:2] == (campaign.id, True)
    assert await rig.states(campaign) == "sss"
    await rig.check(campaign)


def handful(n: int, start: int = 0, **fields: Any) -> tuple[Campaign, Chunk]:
    """A campaign of one chunk, and that chunk as its seal stores it."""
    chunk = chunk_of(people(n, start))
    facts = {"profile": PROFILE, "template": "hello", "priority": "urgent", "chunks": 1} | fields
    campaign = Campaign(new_campaign_id(), accepted=n, **facts)
    return campaign, Chunk(0, encode(chunk), n)


async def due(rig: Rig) -> set[str]:
    return {name.decode() for name in await rig.redis.zrange(rig.keys.of("due"), 0, -1)}


async def test_a_handful_goes_into_lanes_in_the_step_that_seals_it(rig: Rig) -> None:
    await rig.pool()
    campaign, chunk = handful(3)
    calls = rig.outbox.scripts.calls
    sealed = await rig.outbox.seal(campaign, key_ttl_s=60, last=chunk)
    assert rig.outbox.scripts.calls - calls == 4, "admit, seal, plan and the barrier"
    assert sealed == (campaign.id, False, False), "nobody drains, so somebody must be woken"
    assert await due(rig) == set(), "and nobody need plan it"
    await rig.check(campaign)
    assert len((await rig.take()).grants) == 3

    await rig.outbox.chores.alive("drain:0")
    campaign, chunk = handful(2, 3)
    assert await rig.outbox.seal(campaign, key_ttl_s=60, last=chunk) == (campaign.id, False, True)
    assert (await rig.outbox.seal(campaign, key_ttl_s=60, last=chunk))[:2] == (campaign.id, True), "its answer was lost"
    await rig.check(campaign)
    assert len((await rig.take()).grants) == 2
    assert not (await rig.take()).grants


@pytest.mark.parametrize("fields", [{"quiet_hours": "21:00-08:00"}, {"chunks": 2}, {"rate_milli": 1000}])
async def test_what_waits_for_more_than_a_sender_is_left_to_the_planner(rig: Rig, fields: dict[str, object]) -> None:
    await rig.pool()
    await rig.outbox.chores.alive("drain:0")
    campaign, chunk = handful(3, **fields)
    if campaign.chunks == 2:
        other = chunk_of(people(3, 3))
        await rig.outbox.admit(campaign.id, 0, encode(other), 3)
        campaign, chunk = replace(campaign, accepted=6), chunk._replace(number=1)
    assert await rig.outbox.seal(campaign, key_ttl_s=60, last=chunk) == (campaign.id, False, False)
    assert f"plan:{campaign.id}" in await due(rig)
    assert not (await rig.take()).grants


async def test_a_handful_that_is_refused_leaves_nothing_in_lanes(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(1)), idempotency_key="k", content_hash="h", plan=False)
    before = await rig.left()
    campaign, chunk = handful(3, 5, idempotency_key="k", content_hash="other")
    with pytest.raises(RefusedByPolicy):
        await rig.outbox.seal(campaign, key_ttl_s=60, last=chunk)
    assert await rig.left() == before


async def test_a_chunk_that_comes_after_the_seal_changes_nothing(rig: Rig) -> None:
    await rig.pool()
    chunk = chunk_of(people(3))
    campaign = await rig.push(chunk)
    await rig.settle(await rig.take(), "a")
    with pytest.raises(TryAgainLater):
        await rig.outbox.admit(campaign.id, 0, encode(chunk), 3)
    assert await rig.states(campaign) == "aaa"
    assert await rig.outbox.chores.deserted(-10_000_000) == []


async def test_a_deserted_push_goes_and_one_that_moves_stays(rig: Rig) -> None:
    await rig.open(chunk_of(people(3)))
    assert await rig.outbox.chores.deserted(60_000_000) == []
    [deserted] = await rig.outbox.chores.deserted(-10_000_000)
    await rig.outbox.abandon(deserted)
    assert await rig.left() == set()


async def test_intake_waits_while_the_ledger_is_behind(rig: Rig) -> None:
    await rig.pool()
    narrow = Outbox(rig.redis, "test", ledger_bound=1)
    for _ in range(2):
        await rig.redis.execute_command("XADD", rig.keys.ledger, "*", "v", "1")
    with pytest.raises(TryAgainLater, match="ledger"):
        await narrow.admit(new_campaign_id(), 0, b"", 1)


async def test_an_unknown_profile_or_sender_is_refused(rig: Rig) -> None:
    await rig.pool()
    for fields in ({"profile": "nobody"}, {"sender": "+12025551111"}):
        campaign = await rig.open(chunk_of(people(1)), **fields)
        with pytest.raises(UnusableInput):
            await rig.outbox.seal(campaign, key_ttl_s=60)


async def test_a_sealed_campaign_is_told_to_the_ledger_with_all_its_facts(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)), columns=("a", "b"), tags=("x",))
    [(_, fields)] = await rig.redis.xrange(rig.keys.ledger)  # type: ignore[attr-defined]
    assert fields[b"k"] == b"sealed"
    assert Campaign.from_json(fields[b"c"]) == campaign


async def test_opt_outs_belong_to_one_profile_and_are_counted_once(rig: Rig) -> None:
    await rig.pool()
    await rig.sync([], profile="other")
    assert await rig.outbox.add_optouts(PROFILE, people(3)) == 3
    assert await rig.outbox.add_optouts(PROFILE, people(5)) == 2
    assert await rig.outbox.opted_out(PROFILE, people(9)) == set(people(5))
    assert await rig.outbox.opted_out("other", people(9)) == set()
    with pytest.raises(UnusableInput):
        await rig.outbox.add_optouts("nobody", people(1))


@pytest.fixture
async def memory(rig: Rig) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
    """Bounds the memory so that this share of it is in use."""

    async def fill(share: float) -> None:
        used = int((await rig.redis.info("memory"))["used_memory"])
        await rig.redis.execute_command("CONFIG", "SET", "maxmemory", int(used / share))

    yield fill
    await rig.redis.execute_command("CONFIG", "SET", "maxmemory", 0)


async def test_above_the_high_water_nothing_is_accepted_and_nothing_half_accepted(
    rig: Rig, memory: Callable[[float], Awaitable[None]]
) -> None:
    await rig.pool()
    sealed = await rig.push(chunk_of(people(3)), idempotency_key="k", content_hash="h")
    admitted, again = (
        await rig.open(chunk_of(people(3))),
        await rig.open(chunk_of(people(3)), idempotency_key="k", content_hash="h"),
    )
    await memory(0.91)
    with pytest.raises(TryAgainLater, match=r"9\d % full"):
        await rig.open(chunk_of(people(3)))
    with pytest.raises(TryAgainLater, match=r"9\d % full"):
        await rig.outbox.seal(admitted, key_ttl_s=60)
    assert [view.campaign.id for view in await rig.outbox.campaigns()] == [sealed.id]
    assert (await rig.outbox.seal(again, key_ttl_s=60)).existing, "what is there already is told all the same"
    await rig.outbox.abandon(admitted.id)
    assert await rig.states(admitted) == ""
    assert len((await rig.take()).grants) == 3


async def test_below_the_high_water_all_is_accepted(rig: Rig, memory: Callable[[float], Awaitable[None]]) -> None:
    await rig.pool()
    await memory(0.6)
    await rig.push(chunk_of(people(3)))
    rig.outbox.high_water = 50
    with pytest.raises(TryAgainLater, match="% full"):
        await rig.open(chunk_of(people(3)))
