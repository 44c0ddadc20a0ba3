"""What a profile asks of our pool: numbers of the person's own area, and whether people keep their sender."""

import asyncio
from dataclasses import replace

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from tests.redis.test_pacing import drain, worst_excess
from tests.redis.test_pool_scripts import evict, senders_of
from tests.redis.test_routes import british, sent, spin
from volley.outbox.views import pins
from volley.sender import Sender, SenderType


def local(area: int, n: int = 0, rate: int = 1000, kind: SenderType = "long_code") -> Sender:
    return Sender(f"+1{area}555{9000 + n}", kind, PROFILE, "US", rate * 1000)


def neighbours(area: int, n: int) -> list[int]:
    return [10_000_000_000 + area * 10_000_000 + 5_550_000 + i for i in range(n)]


async def test_people_are_served_from_their_own_area_and_others_by_all(rig: Rig) -> None:
    await rig.sync([local(202), local(415), local(415, 1), local(800, kind="toll_free")], geomatch=True)
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(neighbours(202, 40) + neighbours(415, 80) + neighbours(303, 120)))
    held = await sent(rig, 240)
    assert {held[to] for to in neighbours(202, 40)} == {1}
    assert {held[to] for to in neighbours(415, 80)} == {2, 3}
    assert {held[to] for to in neighbours(303, 120)} == {1, 2, 3, 4}
    await rig.check(campaign)


async def test_those_of_no_area_are_shared_out_by_weight_and_within_it_by_rate(rig: Rig) -> None:
    pool = [local(202, rate=10), local(415, rate=30), local(800, rate=5, kind="toll_free")]
    await rig.sync(pool, {"long_code": 3, "toll_free": 1}, geomatch=True)
    assert await rig.outbox.weights(PROFILE) == {"long_code@202": 3, "long_code@415": 9, "toll_free": 4}
    await rig.push(*(chunk_of(british(400, 400 * k)) for k in range(4)))
    lanes = {name.split(".")[1]: await rig.redis.llen(key) for name, key in (await rig.ids("lane")).items()}  # type: ignore[attr-defined]
    assert {name: round(16 * n / 1600) for name, n in lanes.items()} == {
        "long_code@202": 3, "long_code@415": 9, "toll_free": 4,
    }  # fmt: skip


async def test_of_very_many_areas_none_is_forgotten_and_none_too_fast(rig: Rig) -> None:
    areas = range(201, 351)
    await rig.sync([local(area, rate=8) for area in areas], geomatch=True)
    await rig.rate("a", 10_000)
    await rig.push(*(chunk_of(british(500, 500 * k)) for k in range(6)))
    found, paced_s = await drain(rig, 1.5)
    assert len(found) >= 0.98 * 8 * len(areas) * paced_s - len(areas)
    for one in range(1, len(areas) + 1):
        assert worst_excess([s for s in found if s.sender == one], 8) <= 0


async def test_without_geomatch_an_area_means_nothing(rig: Rig) -> None:
    await rig.sync([local(202), local(415)], geomatch=False)
    await rig.rate("a", 10_000)
    assert await rig.outbox.weights(PROFILE) == {"any": 1}
    await rig.push(chunk_of(neighbours(202, 60)))
    assert await senders_of(rig, 60) == {1, 2}


async def test_a_pin_goes_before_the_area(rig: Rig) -> None:
    await rig.sync([local(415)])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(neighbours(202, 20)))
    await rig.take_all(20)
    await rig.sync([local(202), local(415)], geomatch=True)
    await rig.push(chunk_of(neighbours(202, 40)))
    held = await sent(rig, 40)
    assert {held[to] for to in neighbours(202, 20)} == {1}
    assert {held[to] for to in neighbours(202, 40)[20:]} == {2}


async def test_when_the_areas_last_sender_goes_its_people_are_everybodys(rig: Rig) -> None:
    await rig.sync([local(202), local(415)], geomatch=True)
    await rig.rate("a", 10_000)
    campaign = await rig.push(chunk_of(neighbours(202, 30)))
    await rig.sync([replace(local(202), active=False), local(415)], geomatch=True)
    await evict(rig)
    assert set((await spin(rig, campaign)).values()) == {2}


async def test_a_profile_without_stickiness_writes_no_pin_and_reads_none(rig: Rig) -> None:
    await rig.sync([local(202), local(202, 1)])
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(people(20)))
    await rig.take_all(20)
    before = await pins(rig.redis, rig.keys)
    await rig.sync([local(202), local(202, 1)], sticky=False)
    campaign = await rig.push(chunk_of(people(40)))
    assert {name.split(":")[1] for name in await rig.ids("lane")} == {"c1.any"}
    await rig.redis.execute_command("CONFIG", "RESETSTAT")
    await rig.take_all(40)
    used = await rig.redis.execute_command("INFO", "commandstats")
    assert await pins(rig.redis, rig.keys) == before
    assert used["cmdstat_hget"]["calls"] < 20, "no pin was looked at"
    await rig.check(campaign)


async def test_stickiness_that_returns_goes_by_the_pins_that_are_there(rig: Rig) -> None:
    pool = [local(202, n) for n in range(4)]
    await rig.sync(pool)
    await rig.rate("a", 10_000)
    await rig.push(chunk_of(people(40)))
    held = await sent(rig, 40)
    await rig.sync(pool, sticky=False)
    await rig.push(chunk_of(people(40)))
    await rig.take_all(40)
    await rig.sync(pool, sticky=True)
    await rig.push(chunk_of(people(40)))
    assert await sent(rig, 40) == held


async def test_facts_stay_where_a_sync_brings_none(rig: Rig) -> None:
    await rig.sync([local(202)], sticky=False, geomatch=True, name="Alerts", destinations=("US", "GB"))
    await rig.sync([local(202), local(415)])
    facts = await rig.outbox.facts(PROFILE)
    assert facts is not None
    assert (facts.name, facts.sticky, facts.destinations) == ("Alerts", False, ("US", "GB"))
    assert set(await rig.outbox.weights(PROFILE)) == {"any@202", "any@415"}
    assert await rig.outbox.facts("nobody") is None


async def test_a_rest_of_a_sender_keeps_what_its_profile_asks(rig: Rig) -> None:
    """Its record is written anew when it leaves the pool and when it returns."""
    await rig.sync([local(202)], sticky=False)
    await rig.rate("a", 10_000)
    await rig.outbox.scripts.run("rest", "s1", await rig.now_us() + 20_000, "why", 0)
    await asyncio.sleep(0.03)
    await rig.outbox.chores.wake()
    await rig.push(chunk_of(people(5)))
    await rig.take_all(5)
    assert await pins(rig.redis, rig.keys) == {}
