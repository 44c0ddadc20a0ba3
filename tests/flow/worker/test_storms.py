"""Storms at the carrier: what is slowed, for whom, for how long, and that nothing bursts out when they are over."""

import asyncio

import pytest

from tests.flow.worker.conftest import World, eventually, people
from volley.campaign import Campaign
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import PROFILE_ID, ProfileSpec
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.rates import by_sender, max_excess
from volley.sender import Sender

OTHER_PROFILE = "5a4db0c5-0000-4000-8000-000000000002"
UNAVAILABLE = FaultRule(kind="status", status=503, code="10037")
SILENT = FaultRule(kind="black_hole", accept=False)


def kept(world: World, rate: float) -> bool:
    """Whether each sender kept to its rate by what the carrier took."""
    series = by_sender(sorted(world.arrivals(), key=lambda each: each.at_us))
    return all(max_excess(times, parts, rate).kept for sender, (times, parts) in series.items() if sender)


def everything(world: World) -> list[Arrival]:
    return sorted(world.arrivals() + world.arrivals("refused"), key=lambda each: each.at_us)


async def circuit(world: World) -> list[str]:
    return [rest.reason for rest in await world.outbox.rests() if rest.what == "carrier"]


@pytest.mark.parametrize("rule", [UNAVAILABLE, SILENT], ids=["503", "no answer"])
async def test_an_outage_of_the_carrier_leaves_little_unknown_and_all_the_rest_goes_afterwards(
    world: World, rule: FaultRule
) -> None:
    await world.begin(rate=100)
    await world.fail(rule)
    for _ in range(2):
        await world.worker(VOLLEY_HTTP_TIMEOUT="1", VOLLEY_CONCURRENCY="100")
    campaign = await world.push(people(2000))
    await eventually(lambda: is_open(world))
    await asyncio.sleep(5)
    assert await circuit(world)
    met = len(world.arrivals("refused"))
    await world.fail()
    counts = await world.until(campaign)
    unknown = counts.pop("unknown")
    assert counts == {"submitted": 2000 - unknown}
    assert 10 <= unknown <= met + 8
    assert unknown <= 250, "two workers' slots and a few probes; without the circuit all of them"
    assert max(world.reached().values()) == 1
    assert await circuit(world) == []
    assert kept(world, 100)


async def is_open(world: World) -> bool:
    return bool(await circuit(world))


async def test_flapping_answers_open_no_circuit_while_most_get_through(world: World) -> None:
    await world.begin(rate=100)
    await world.fail(FaultRule(kind="status", status=500, every=4))
    await world.worker()
    campaign = await world.push(people(400))
    assert await world.until(campaign) == {"submitted": 300, "unknown": 100}
    assert await circuit(world) == []


async def test_too_many_requests_slow_all_workers_within_a_second_and_nothing_bursts_out_afterwards(
    world: World,
) -> None:
    await world.begin(rate=50)
    for _ in range(2):
        await world.worker()
    await eventually(lambda: both(world))
    campaign = await world.push(people(1500))
    await world.until(campaign, left=1300)
    await world.fail(FaultRule(kind="status", status=429, code="10011", retry_after=3, first=1))
    assert await world.until(campaign) == {"submitted": 1500}
    [refused] = world.arrivals("refused")
    quiet = [each for each in world.arrivals() if 1e6 <= each.at_us - refused.at_us < 2.9e6]
    assert quiet == []
    assert [each for each in world.arrivals() if each.at_us - refused.at_us >= 3e6]
    assert kept(world, 50)
    assert world.reached() == dict.fromkeys(people(1500), 1)


async def both(world: World) -> bool:
    return len(await world.outbox.workers()) == 2


async def two_profiles(world: World, bad: str) -> tuple[Campaign, Campaign]:
    """A campaign of a profile whose numbers meet `bad`, and one of another profile, both under way."""
    pool = (("long_code", 2, 0),)
    await world.begin(profiles=(ProfileSpec(pool=pool), ProfileSpec(id=OTHER_PROFILE, pool=pool)))
    pools: dict[str, list[str]] = {}
    for entry in (await world.ask("GET", "/v2/phone_numbers/messaging?page[size]=50"))["data"]:
        pools.setdefault(entry["messaging_profile_id"], []).append(entry["phone_number"])
    for profile, numbers in pools.items():
        made = [Sender(n, "long_code", profile, rate_milli=100_000) for n in numbers]
        await world.outbox.sync_senders(profile, made)
    rules = [FaultRule(kind="status", status=429, code=bad, match_from=each) for each in pools[PROFILE_ID]]
    await world.fail(*rules)
    await world.worker()
    return await world.push(people(200)), await world.push(people(200, 1000), profile=OTHER_PROFILE)


async def test_a_spent_limit_parks_its_profile_until_midnight_utc_and_others_go_on(world: World) -> None:
    parked, other = await two_profiles(world, "40333")
    assert await world.until(other) == {"submitted": 200}
    await eventually(lambda: rests(world, "profile"))
    [rest] = [each for each in await world.outbox.rests() if each.what == "profile"]
    seconds, _ = await world.client.time()
    assert rest.name == PROFILE_ID
    after_midnight_s, ahead_s = rest.until_us / 1e6 % 86_400, rest.until_us / 1e6 - seconds
    assert 55 < after_midnight_s < 120 or ahead_s < 120, "a minute after midnight UTC, or soon when that is now"
    await eventually(lambda: lands(world, parked))
    met = len(world.arrivals("refused"))
    await asyncio.sleep(2)
    assert len(world.arrivals("refused")) == met
    assert await world.counts(parked) == {"ready": 200}
    assert await circuit(world) == []


async def rests(world: World, what: str) -> bool:
    return bool([each for each in await world.outbox.rests() if each.what == what])


async def lands(world: World, campaign: Campaign) -> bool:
    return (await world.view(campaign)).in_flight == 0


async def only_waits_for(world: World, campaign: Campaign, number: str) -> bool:
    """Nothing of it is in flight, and all who wait are this number's people."""
    counts = await world.counts(campaign)
    theirs = {person for person, pin in (await world.pinned()).items() if pin == number} - world.reached().keys()
    return counts == {"ready": len(theirs), "submitted": campaign.accepted - len(theirs)}


async def test_a_full_queue_rests_its_sender_and_its_people_go_on_with_it_later(world: World) -> None:
    await world.begin(rate=100, senders=2)
    full, free = world.numbers
    await world.fail(FaultRule(kind="status", status=400, code="40318", match_from=full, first=20))
    await world.worker()
    campaign = await world.push(people(200))
    await eventually(lambda: rests(world, "sender"))
    await eventually(lambda: only_waits_for(world, campaign, full))
    [rest] = await world.outbox.rests()
    seconds, _ = await world.client.time()
    assert rest.name == full
    assert 50 < rest.until_us / 1e6 - seconds <= 61
    met = len(world.arrivals("refused"))
    assert {each.sender for each in world.arrivals("refused")} == {full}
    await asyncio.sleep(1)
    assert len(world.arrivals("refused")) == met
    counts = await world.counts(campaign)
    assert counts["submitted"] == len(world.arrivals())
    assert {each.sender for each in world.arrivals()} >= {free}
