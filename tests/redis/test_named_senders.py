"""Campaigns that name their sender: alphanumeric ones with a fallback, the carrier's own pool, types that no weight names."""

import pytest

from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, sender
from tests.redis.test_pacing import drain, worst_excess
from tests.redis.test_pool_scripts import evict, senders_of
from tests.redis.test_routes import british, mixed, sent, spin
from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.message import MessageId
from volley.outbox.views import pins
from volley.outbox.whereabouts import wait_of
from volley.sender import Sender, carrier_pool

POOL = carrier_pool(PROFILE)


def named(number: str = "ACME", rate: int = 1000) -> Sender:
    return Sender(number, "alphanumeric", PROFILE, rate_milli=rate * 1000)


async def push_with_fallback(rig: Rig, numbers: list[int], refused: tuple[str, ...]) -> Campaign:
    return await rig.push(chunk_of(numbers), sender="ACME", fallback=sender(0).number, refused=refused)


async def test_countries_that_refuse_a_sender_id_get_the_fallback(rig: Rig) -> None:
    await rig.sync([sender(0), named()])
    await rig.rate("a", 10_000)
    campaign = await push_with_fallback(rig, [*mixed(20), 12684641234, 16135550123], ("US", "CA"))
    await rig.check(campaign)
    held = await sent(rig, 42)
    assert {held[to] for to in [*people(20), 16135550123]} == {1}
    assert {held[to] for to in [*british(20), 12684641234]} == {2}, "Antigua shares its calling code with the US"
    assert await pins(rig.redis, rig.keys) == {}


async def test_what_is_given_back_returns_to_its_own_of_the_two(rig: Rig) -> None:
    await rig.sync([sender(0), named()])
    await rig.rate("a", 10_000)
    campaign = await push_with_fallback(rig, mixed(10), ("US",))
    before = {}
    for flight in await rig.take_all(20):
        before |= {g.to: g.sender for g in flight.grants}
        await rig.outbox.dispatch.release(flight.token)
    await rig.check(campaign)
    assert (await wait_of(rig.outbox, MessageId(campaign.id, 0, 0))).lane == sender(0).number
    assert (await wait_of(rig.outbox, MessageId(campaign.id, 0, 1))).lane == "ACME"
    assert await sent(rig, 20) == before


async def test_without_a_refusing_country_the_fallback_has_nothing_to_do(rig: Rig) -> None:
    await rig.sync([sender(0), named()])
    await rig.rate("a", 10_000)
    await push_with_fallback(rig, mixed(10), ())
    assert await senders_of(rig, 20) == {2}


@pytest.mark.parametrize(("field", "number"), [("sender", "OTHER"), ("fallback", "+12025551111")])
async def test_a_push_says_which_of_its_senders_is_not_in_the_profile(rig: Rig, field: str, number: str) -> None:
    await rig.sync([sender(0), named()])
    await rig.sync([Sender("OTHER", "alphanumeric", OTHER_PROFILE)], profile=OTHER_PROFILE)
    fields = {"sender": "ACME", "fallback": sender(0).number} | {field: number}
    campaign = await rig.open(chunk_of(people(1)), **fields)
    with pytest.raises(UnusableInput) as refused:
        await rig.outbox.seal(campaign, key_ttl_s=60, refused=("US",))
    assert str(refused.value).startswith(f"{field} {number} is not in the pool of {PROFILE}")


async def test_the_carriers_pool_serves_who_names_it_at_its_rate_and_nobody_else(rig: Rig) -> None:
    await rig.sync([sender(0), Sender(POOL, "carrier_pool", PROFILE, rate_milli=100_000)])
    await rig.rate("a", 10_000)
    ours = await rig.push(chunk_of(people(60)))
    theirs = await rig.push(chunk_of(people(400), parts=2), sender=POOL)
    found, paced_s = await drain(rig, 0.6)
    assert {s.sender for s in found if s.campaign == ours.id} == {1}
    paced = [s for s in found if s.campaign == theirs.id]
    assert {s.sender for s in paced} == {2}
    assert worst_excess(paced, 100) <= 0
    assert sum(s.parts for s in paced) >= 0.98 * 100 * paced_s - 2
    assert set((await pins(rig.redis, rig.keys)).values()) == {1}
    await rig.check(ours, theirs)


async def test_a_pool_of_the_carriers_alone_leaves_nobody_stuck(rig: Rig) -> None:
    await rig.sync([Sender(POOL, "carrier_pool", PROFILE, rate_milli=1_000_000)])
    await rig.rate("a", 10_000)
    assert not (await rig.outbox.router(PROFILE)).reachable(people(1)[0])
    campaign = await rig.push(chunk_of(people(10)), sender=POOL)
    await rig.take_all(10)
    await rig.check(campaign)


async def test_a_type_without_a_weight_serves_only_who_names_it(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1, type="short_code")], {"long_code": 1})
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(people(60)))
    assert await senders_of(rig, 60) == {1}
    await rig.push(chunk_of(people(10)), sender=sender(1).number)
    assert await senders_of(rig, 10) == {2}


async def test_people_whose_sender_lost_its_weight_move_to_others(rig: Rig) -> None:
    await rig.sync([sender(0), sender(1, type="short_code")])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(people(60)))
    assert await senders_of(rig, 60) == {1, 2}
    campaign = await rig.push(chunk_of(people(60)))
    await rig.sync([sender(0), sender(1, type="short_code")], {"long_code": 1})
    assert "s2" in await rig.outbox.chores.evicted(), "it need not be free first"
    await rig.check(campaign)
    await evict(rig)
    await rig.check(campaign)
    assert await rig.outbox.chores.evicted() == []
    assert set((await spin(rig, campaign)).values()) == {1}
