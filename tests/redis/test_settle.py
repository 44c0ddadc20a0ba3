"""settle: only the holder of the token, each message once, and what happened meanwhile counts."""

import asyncio

import pytest

from tests.redis.conftest import PROFILE, Rig, chunk_of, people, sender
from volley.outbox.dispatch import Outcomes
from volley.outbox.events import pack, unpack_attempts
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, NOT_SPENT, OTHER_SENDER, OUTCOME
from volley.outbox.views import pins
from volley.state import MOVES, STATUS, State

STALE = "-"


async def test_a_settled_flight_is_gone_and_its_counts_are_right(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(4)))
    flight = await rig.take()
    assert await rig.settle(flight, "a", 0, 1) == "aa"
    await rig.check(campaign)
    assert await rig.settle(flight, "x", 2) == "x"
    assert await rig.settle(flight, "?", 3) == "?"
    assert await rig.counts(campaign) == {"submitted": 2, "refused": 1, "unknown": 1}
    assert await rig.left() & {"flight", "flights"} == set()
    await rig.check(campaign)


async def test_a_message_is_settled_once(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take()
    assert await rig.settle(flight, "a", 0) == "a"
    assert await rig.settle(flight, ".", 0) == STALE
    packed = OUTCOME.pack(1, b"a", 0, 0, 0, -1) * 2
    assert await rig.outbox.dispatch.settle([Outcomes(flight.token, packed)], b"") == b"a-"
    assert await rig.settle(flight, ".", 0, 1) == STALE * 2
    assert await rig.counts(campaign) == {"submitted": 2}


async def test_a_message_that_another_flight_holds_by_now_is_not_this_ones_to_settle(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(2)))
    first = await rig.take()
    await rig.settle(first, ".", 0)
    second = await rig.take()
    assert [g.to for g in second.grants] == people(1)
    for state in "a.?x":
        assert await rig.settle(first, state, 0) == STALE
    await rig.outbox.dispatch.release(first.token)
    assert await rig.states(campaign) == "s."
    await rig.check(campaign)


async def test_a_stranger_settles_nothing(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take()
    stranger = flight._replace(token="not-this-one")
    assert await rig.settle(stranger, ".") == STALE * 2
    await rig.outbox.dispatch.release("not-this-one")
    assert await rig.states(campaign) == "ss"
    assert await rig.settle(flight, "a", 7) == STALE
    await rig.check(campaign)


async def test_several_flights_are_settled_in_one_call_in_order(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(4)))
    one, two = await rig.take(2), await rig.take(2)
    packed = [OUTCOME.pack(n, s, 0, 0, 0, -1) for n, s in ((0, b"a"), (1, b"x"))]
    mask = await rig.outbox.dispatch.settle(
        [Outcomes(one.token, packed[0]), Outcomes(two.token, packed[1]), Outcomes(one.token, packed[1])], b""
    )
    assert mask == b"axx"
    assert await rig.counts(campaign) == {"submitted": 1, "refused": 2, "sending": 1}
    await rig.check(campaign)


@pytest.mark.parametrize("new", sorted(set(STATUS)))
async def test_only_legal_ends_of_an_attempt_are_taken(rig: Rig, new: str) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    flight = await rig.take()
    legal = "s" + new in MOVES
    assert await rig.settle(flight, new) == (new if legal else STALE)
    assert await rig.states(campaign) == (new if legal else "s")
    await rig.check(campaign)


@pytest.mark.parametrize("old", sorted(set(STATUS) - {State.READY, State.SENDING}))
@pytest.mark.parametrize("new", sorted(set(STATUS)))
async def test_no_worker_moves_what_is_not_being_sent(rig: Rig, old: str, new: str) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    flight = await rig.take()
    packed = await rig.redis.get(rig.keys.of("flight", flight.token))
    assert packed
    await rig.redis.set(rig.keys.states(campaign.id, 0), old)  # as a rollback or a bug might leave it
    answer = await rig.settle(flight, new)
    assert answer == (new if old + new in MOVES else STALE)
    assert await rig.states(campaign) == answer.replace(STALE, old)


@pytest.mark.parametrize(("end", "state"), [("c", "cancelled"), ("e", "expired")])
async def test_what_was_not_sent_of_a_campaign_that_is_over_does_not_go_again(rig: Rig, end: str, state: str) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    flight = await rig.take()
    assert (await rig.outbox.sweep(campaign.id, end))[0] == 3
    assert await rig.settle(flight, ".", 0) == end
    assert await rig.settle(flight, ".", 1, delay_us=1_000_000) == end
    assert await rig.settle(flight, "a", 2) == "a"
    assert await rig.counts(campaign) == {state: 2, "submitted": 1}
    await rig.check(campaign)


async def test_what_expired_in_flight_does_not_go_again_even_before_the_sweep(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)), expires_us=await rig.now_us() + 10**10)
    flight = await rig.take()
    assert len(flight.grants) == 1
    await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"x": 1})
    assert await rig.settle(flight, ".") == "e"
    assert await rig.counts(campaign) == {"expired": 1}


async def test_what_was_paused_in_flight_waits(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    flight = await rig.take()
    await rig.outbox.pause(campaign.id)
    assert await rig.settle(flight, ".") == "..."
    assert [(await rig.take()).grants for _ in range(2)] == [[], []]
    await rig.outbox.resume(campaign.id)
    await rig.check(campaign)
    assert len((await rig.take()).grants) == 3


async def test_a_released_flight_is_as_if_it_had_never_been(rig: Rig) -> None:
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    flight = await rig.take(3)
    await rig.outbox.dispatch.release(flight.token)
    await rig.outbox.dispatch.release(flight.token)
    await rig.check(campaign)
    again = [g for f in await rig.take_all(5) for g in f.grants]
    assert sorted(g.to for g in again) == people(5)
    assert {(g.attempt, g.spent, g.generation) for g in again} == {(1, 1, 0)}


async def test_a_release_leaves_what_was_settled_before(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    flight = await rig.take()
    await rig.settle(flight, "a", 1)
    await rig.outbox.dispatch.release(flight.token)
    assert await rig.states(campaign) == ".a."
    await rig.check(campaign)


@pytest.mark.parametrize(
    ("flags", "attempt", "spent", "generation"),
    [(0, 2, 2, 1), (NO_ATTEMPT, 1, 1, 0), (NO_ATTEMPT | AT_HEAD, 1, 1, 0), (NOT_SPENT, 2, 1, 1)],
)
@pytest.mark.parametrize("delay_us", [0, 1000])
async def test_what_an_attempt_costs_a_message(
    rig: Rig, flags: int, attempt: int, spent: int, generation: int, delay_us: int
) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    assert await rig.settle(await rig.take(), ".", flags=flags, delay_us=delay_us) == "."
    await rig.check(campaign)
    [flight] = await rig.take_all(1)
    [grant] = flight.grants
    assert (grant.attempt, grant.spent, grant.generation) == (attempt, spent, generation)


async def test_counters_of_a_message_stop_at_the_top(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    for _ in range(260):
        [flight] = await rig.take_all(1)
        assert await rig.settle(flight, ".") == "."
    [flight] = await rig.take_all(1)
    [grant] = flight.grants
    assert (grant.attempt, grant.spent, grant.generation) == (255, 255, 255)
    await rig.check(campaign)


async def test_a_grant_that_came_too_late_goes_first_again(rig: Rig) -> None:
    await rig.pool(1)
    await rig.push(chunk_of(people(5)))
    flight = await rig.take(1)
    await rig.settle(flight, ".", flags=NO_ATTEMPT | AT_HEAD)
    assert [g.to for g in (await rig.take(1)).grants] == people(1)


async def test_another_sender_is_free_to_take_it_and_the_pin_goes(rig: Rig) -> None:
    await rig.pool(2)
    campaign = await rig.push(chunk_of(people(10)))
    flight = await rig.take()
    await rig.settle(flight, ".", flags=OTHER_SENDER)
    assert await pins(rig.redis, rig.keys) == {}
    await rig.check(campaign)
    assert {name.split(":")[1] for name in await rig.ids("lane")} == {"c1.any"}


async def test_another_sender_leaves_a_pin_to_a_third_alone(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(1)))
    flight = await rig.take()
    [grant] = flight.grants
    [key] = (await rig.ids("pin")).values()
    today = await rig.now_us() // 86_400_000_000
    await rig.redis.hset(key, mapping={grant.to.to_bytes(8): (3 - grant.sender) * 100_000 + today})
    await rig.settle(flight, ".", flags=OTHER_SENDER)
    assert await pins(rig.redis, rig.keys) == {(1, grant.to): 3 - grant.sender}
    assert [g.sender for f in await rig.take_all(1) for g in f.grants] == [3 - grant.sender]


async def test_a_named_sender_is_kept_even_when_another_one_is_asked_for(rig: Rig) -> None:
    await rig.pool(2)
    await rig.push(chunk_of(people(1)), sender=sender(1).number)
    await rig.settle(await rig.take(), ".", flags=OTHER_SENDER)
    assert [g.sender for f in await rig.take_all(1) for g in f.grants] == [2]


async def test_parts_and_cost_of_the_carrier_add_up(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(4), parts=2))
    flight = await rig.take()
    await rig.settle(flight, "a", 0, parts=3, cost=12_000)
    await rig.settle(flight, "a", 1)  # the carrier did not say
    await rig.settle(flight, "x", 2, parts=9, cost=9)
    view = await rig.outbox.campaign(campaign.id)
    assert view is not None
    assert (view.sent_parts, view.cost_micros) == (5, 12_000)


async def test_the_ledger_gets_the_attempts_and_what_became_of_each(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3)))
    flight = await rig.take()
    await rig.settle(flight, "a", 0, payload=pack([]))
    await rig.settle(flight, "a", 0, 1, payload=b"payload")
    entries = [f for _, f in await rig.redis.xrange(rig.keys.ledger) if f[b"k"] == b"attempts"]  # type: ignore[attr-defined]
    assert [(f[b"p"], f[b"m"]) for f in entries] == [(pack([]), b"a"), (b"payload", b"-a")]
    assert unpack_attempts(entries[0][b"p"]) == []


async def test_what_was_never_tried_and_is_over_is_told_all_the_same(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(2)))
    flight = await rig.take()
    await rig.outbox.cancel(campaign.id)
    assert await rig.settle(flight, ".", flags=NO_ATTEMPT, payload=b"") == "cc"
    assert [move for move in await rig.told() if move[0] == "settle"] == [
        ("settle", campaign.id, 0, n, "c") for n in (0, 1)
    ]
    assert await rig.outbox.retire([campaign.id], "9999999999999-0") == 1


async def test_only_one_of_two_who_settle_the_same_counts(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(50)))
    flight = await rig.take()
    masks = await asyncio.gather(*(rig.settle(flight, state) for state in "a.x?" * 3))
    taken = [sum(mask[n] != STALE for mask in masks) for n in range(50)]
    assert taken == [1] * 50
    await rig.check(campaign)


async def test_who_said_stop_to_the_carrier_is_opted_out_of_the_profile(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(1)))
    assert await rig.settle(await rig.take(), "o") == "o"
    assert await rig.outbox.opted_out(PROFILE, people(2)) == set(people(1))
    later = await rig.push(chunk_of(people(2)))
    assert [grant.to for grant in (await rig.take()).grants] == people(2)[1:]
    assert await rig.counts(later) == {"opted_out": 1, "sending": 1}
