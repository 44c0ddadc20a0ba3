"""Flights of a newer release, side by side with ours, are left to it; all others are given up as ever."""

from tests.redis.conftest import Rig, chunk_of, people


async def test_a_flight_of_a_newer_release_is_left_to_it_and_holds_up_no_other(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(9)))
    flights = [await rig.take(3, life_s=0) for _ in range(3)]
    key = rig.keys.of("flight", flights[1].token)
    held = await rig.redis.get(key)
    assert held is not None
    await rig.redis.set(key, b"\x09" + held[1:])
    assert await rig.outbox.chores.reap(50) == 6
    assert sorted(await rig.states(campaign)) == sorted("??????sss")
    await rig.redis.set(key, held)
    assert await rig.outbox.chores.reap(50) == 3
    await rig.check(campaign)
