"""The circuit: nothing is granted while the carrier does not answer, then one message at a time, until one gets through."""

import asyncio

from tests.redis.conftest import Rig, chunk_of, people
from volley.outbox.flights import Flight

OPEN = "the carrier does not answer"


async def past(rig: Rig) -> None:
    """The rest is over; nobody waits for it."""
    await rig.redis.hset(rig.keys.of("circuit"), mapping={"until": await rig.now_us()})
    await asyncio.sleep(0.001)


async def until_s(rig: Rig) -> float:
    held = await rig.redis.hgetall(rig.keys.of("circuit"))
    return (int(held[b"until"]) - await rig.now_us()) / 1e6


async def opened(rig: Rig, messages: int = 300) -> Flight:
    await rig.pool()
    await rig.push(chunk_of(people(messages)))
    flight = await rig.take(5)
    assert await rig.outbox.dispatch.trip(flight.now_us, OPEN) == (True, await tripped_us(rig))
    return flight


async def tripped_us(rig: Rig) -> int:
    return int(await rig.redis.hget(rig.keys.of("circuit"), "at") or 0)


async def test_while_it_is_open_nothing_is_granted_to_anybody(rig: Rig) -> None:
    await opened(rig)
    for _ in range(5):
        flight = await rig.take()
        assert (flight.grants, flight.why) == ([], "circuit")
    [rest] = await rig.outbox.rests()
    assert (rest.what, rest.reason) == ("carrier", OPEN)
    assert 1.5 < await until_s(rig) <= 2


async def test_when_its_rest_is_over_the_fleet_tries_with_one_message_a_second_and_ever_less(rig: Rig) -> None:
    await opened(rig)
    for gap_s in (1, 2, 4, 8, 16, 30, 30):
        await past(rig)
        flights = await asyncio.gather(*(rig.take() for _ in range(8)))
        assert sum(len(flight.grants) for flight in flights) == 1
        assert all(flight.probes for flight in flights)
        assert gap_s - 0.5 < await until_s(rig) <= gap_s


async def test_a_probe_that_fails_makes_the_rest_longer_and_what_flew_before_does_not(rig: Rig) -> None:
    before = await opened(rig)
    assert not (await rig.outbox.dispatch.trip(before.now_us, OPEN))[0]
    for rest_s in (4, 8, 16, 30, 30):
        await past(rig)
        probe = await rig.take()
        news = [(await rig.outbox.dispatch.trip(probe.now_us, OPEN))[0] for _ in range(3)]
        assert news == [True, False, False], "one failure is told once"
        assert rest_s - 0.5 < await until_s(rig) <= rest_s


async def test_a_probe_that_is_answered_closes_it_and_what_flew_before_does_not(rig: Rig) -> None:
    before = await opened(rig)
    assert not await rig.outbox.dispatch.close(before.now_us)
    assert (await rig.take()).why == "circuit"
    await past(rig)
    probe = await rig.take()
    assert await rig.outbox.dispatch.close(probe.now_us)
    assert not await rig.outbox.dispatch.close(probe.now_us)
    assert len((await rig.take(50)).grants) == 50
    assert await rig.outbox.rests() == []


async def test_what_was_granted_before_it_closed_cannot_open_it_again_for_longer(rig: Rig) -> None:
    """A new outage begins with the shortest rest."""
    await opened(rig)
    await past(rig)
    probe = await rig.take()
    await rig.outbox.dispatch.close(probe.now_us)
    await rig.outbox.dispatch.trip((await rig.take(1)).now_us, OPEN)
    assert await until_s(rig) <= 2


async def test_after_it_closes_no_rate_has_been_saved_up(rig: Rig) -> None:
    await rig.pool(2, rate=100, account=100)
    await rig.push(chunk_of(people(300)))
    first = await rig.take()
    await rig.outbox.dispatch.trip(first.now_us, OPEN)
    await asyncio.sleep(0.5)
    await rig.redis.delete(rig.keys.of("circuit"))
    began, moments = await rig.now_us(), []
    for _ in range(20):
        moments += [grant.moment_us for grant in (await rig.take()).grants]
        await asyncio.sleep(0.01)
    for window_us in (50_000, 100_000, 200_000):
        most = max(sum(at <= each < at + window_us for each in moments) for at in moments)
        assert most <= 100 * (window_us / 1e6 + 0.1) + 1
    assert min(moments) >= began
    assert len(moments) > 10


async def test_urgent_messages_try_first(rig: Rig) -> None:
    await opened(rig)
    urgent = await rig.push(chunk_of(people(3, 1000)), priority="urgent")
    await past(rig)
    assert [grant.campaign for grant in (await rig.take()).grants] == [urgent.id]
