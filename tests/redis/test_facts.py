"""What people see who watch: counted from a real server, adding up, and changing nothing."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import orjson
import pytest

from producer.sight.facts import Facts, Waits
from producer.sight.history import EVERY_S, KEPT, History, point
from producer.sight.pinned import PinCount
from producer.sight.sight import Sight
from producer.web.presence import Presence
from producer.web.watchers import Watchers
from tests.redis.conftest import OTHER_PROFILE, PROFILE, Rig, chunk_of, people, sender
from tests.redis.test_idle_takes import commands_of
from volley.campaign import Campaign
from volley.embedded import free_port
from volley.errors import TryAgainLater
from volley.ledger.engine import open_ledger
from volley.ledger.reader import Reader
from volley.outbox import outcomes, serves
from volley.outbox.connect import client
from volley.outbox.flights import NOT_SPENT
from volley.outbox.outbox import Outbox
from volley.outbox.serves import ServeView
from volley.state import State

SHOWN = {"host": "here", "pid": 7, "started_us": 1, "in_flight": 3, "rate": 2.5}


@pytest.fixture
def sight(rig: Rig) -> Sight:
    return Sight(rig.outbox, "test")


async def look(sight: Sight) -> Facts:
    return await sight.facts(0)


def waits_of(facts: Facts, campaign: Campaign) -> Waits:
    return next(each.waits for each in facts.campaigns if each.campaign_id == campaign.id)


async def pinned_people(rig: Rig, n: int, start: int) -> list[int]:
    """People who have got a message, and so have a sender."""
    found = people(n, start)
    await rig.push(chunk_of(found))
    for flight in await rig.take_all(n):
        await rig.settle(flight, "a")
    return found


async def test_what_is_ready_is_told_by_what_it_waits_for_and_adds_up(rig: Rig, sight: Sight) -> None:
    await rig.pool(3)
    known = await pinned_people(rig, 4, 0)
    campaign = await rig.push(chunk_of(known + people(6, 100)), chunk_of(people(5, 200)), plan=False)
    await rig.plan(campaign, 0, chunk_of(known + people(6, 100)))
    flight = await rig.take(2)
    await rig.settle(flight, ".", flags=NOT_SPENT, delay_us=60_000_000)
    paused = await rig.push(chunk_of(people(7, 300)))
    await rig.outbox.pause(paused.id)
    cancelled = await rig.push(chunk_of(people(3, 400)))
    await rig.outbox.cancel(cancelled.id)

    facts = await look(sight)
    seen = waits_of(facts, campaign)
    in_flight = facts.total.in_flight
    taken_of_pinned = 4 - seen.pinned
    assert seen.retry == len(flight.grants)
    assert 0 <= taken_of_pinned <= 2, "people with a sender of their own wait for it"
    assert seen.rate + seen.pinned + seen.retry == 15 - in_flight
    assert waits_of(facts, paused) == Waits(paused=7)
    total = facts.total
    assert total.ready == 15 - in_flight + 7
    assert sum(getattr(total.waits, name) for name in Waits.__slots__) == total.ready
    assert total.due == total.waits.rate + total.waits.pinned
    assert {queue.profile for queue in facts.queues} == {PROFILE}


async def test_messages_whose_campaign_names_its_sender_wait_for_that_one(rig: Rig, sight: Sight) -> None:
    await rig.pool(2)
    campaign = await rig.push(chunk_of(people(5)), sender=sender(1).number)
    assert waits_of(await look(sight), campaign) == Waits(pinned=5)


async def test_what_nobody_may_serve_is_told_apart(rig: Rig, sight: Sight) -> None:
    await rig.sync([sender(0, reach="US")], {"long_code": 1}, routes={"GB": ("short_code",)})
    campaign = await rig.push(chunk_of([*people(3), 447700900001, 447700900002]))
    assert waits_of(await look(sight), campaign) == Waits(rate=3, unserved=2)


async def test_the_oldest_due_message_is_no_paused_one_and_has_its_priority(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    paused = await rig.push(chunk_of(people(1)), priority="urgent")
    await rig.outbox.pause(paused.id)
    await asyncio.sleep(0.25)
    await rig.push(chunk_of(people(2, 50)))
    lines = (await look(sight)).total.lines
    assert (lines["urgent"].due, lines["urgent"].oldest_due_seconds) == (0, None)
    assert lines["bulk"].due == 2
    bulk_age = lines["bulk"].oldest_due_seconds
    assert bulk_age is not None
    await rig.outbox.resume(paused.id)
    urgent_age = (await look(sight)).total.lines["urgent"].oldest_due_seconds
    assert urgent_age is not None
    assert urgent_age > bulk_age


async def test_states_rates_and_dead_ones_are_of_their_profile(rig: Rig, sight: Sight) -> None:
    await rig.pool(2, rate=5)
    await rig.sync([sender(7, rate=3, profile=OTHER_PROFILE)], profile=OTHER_PROFILE)
    campaign = await rig.push(chunk_of(people(4)))
    flight = await rig.take(2)
    await rig.settle(flight, "z", 0)
    facts = await look(sight)
    mine = {queue.profile: queue for queue in facts.queues}
    assert mine[PROFILE].allowed_rate == 10
    assert mine[OTHER_PROFILE].allowed_rate == 3
    assert facts.total.allowed_rate == 13
    assert mine[PROFILE].dead == 1
    assert mine[PROFILE].in_flight == len(flight.grants) - 1
    assert (mine[OTHER_PROFILE].ready, mine[OTHER_PROFILE].dead) == (0, 0)
    await rig.rate("a", 6)
    assert (await look(sight)).total.allowed_rate == 6
    await rig.outbox.cancel(campaign.id)
    assert (await look(sight)).total.dead == 1, "what is dead is told as long as Redis has its campaign"


async def test_it_is_gathered_once_however_many_ask(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3)))
    before = rig.outbox.scripts.calls
    many = await asyncio.gather(*(sight.facts() for _ in range(50)))
    assert rig.outbox.scripts.calls == before + 1
    assert all(each is many[0] for each in many)
    await look(sight)
    assert rig.outbox.scripts.calls == before + 2, "who wants it fresh gets it"


async def test_looking_changes_nothing(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(3)))
    await rig.take(1)

    async def writes() -> int:
        return int((await rig.redis.info("persistence"))["rdb_changes_since_last_save"])

    before = await writes()
    await look(sight)
    assert await writes() == before
    await rig.check(campaign)


async def test_workers_say_what_they_run_and_why_they_take_nothing(rig: Rig, sight: Sight) -> None:
    said = SHOWN | {"version": "1.2.3", "loop_lag": 0.25, "taking": "ledger"}
    await rig.outbox.chores.show("w1", said)
    await rig.outbox.chores.show("w2", SHOWN)  # an older release
    await rig.outbox.chores.show("w3", SHOWN | {"taking": "yes"})
    found = {each.id: each for each in (await look(sight)).workers}
    first = found["w1"]
    assert (first.version, first.loop_lag_seconds, first.taking, first.why) == ("1.2.3", 0.25, False, "ledger")
    assert (found["w2"].taking, found["w2"].version) == (True, "")
    assert found["w3"].taking
    await rig.outbox.chores.leave("w1", [])
    assert "w1" not in {each.id for each in (await look(sight)).workers}


async def test_senders_show_what_they_sent_of_late_and_why_they_rest(
    rig: Rig, sight: Sight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.sight.pools.SENT_S", 0.0)
    await rig.pool(3)
    await look(sight)
    await rig.push(chunk_of(people(40)), sender=sender(1).number)
    await rig.take(20)
    until_us = await rig.now_us() + 3_600_000_000
    index = next(index for index, number in (await rig.outbox.sender_numbers()).items() if number == sender(2).number)
    await rig.outbox.dispatch.rest(f"s{index}", until_us, "40318 queue full")
    facts = await look(sight)
    found = {each.number: each for each in facts.senders}
    busy, resting, idle = (found[sender(n).number] for n in (1, 2, 0))
    assert busy.used is not None
    assert busy.used > 0
    assert busy.sent_today > 0
    assert (idle.used, idle.state) == (0.0, "active")
    assert (resting.state, resting.reason) == ("resting", "40318 queue full")
    assert facts.senders[0] == resting, "those that rest come first"
    [pool] = facts.pools
    assert pool.states == {"active": 2, "resting": 1}
    assert pool.rate == 2000
    assert [(rest.what, rest.name) for rest in facts.rests] == [("sender", sender(2).number)]


async def test_outcomes_of_all_workers_are_added_up_by_code(rig: Rig, sight: Sight) -> None:
    for counts in ({"accepted:": 5, "refused:40008": 1}, {"accepted:": 2, "perhaps_sent:no_answer": 1}):
        await outcomes.count(rig.redis, rig.keys, counts)
    found = {(each.outcome, each.code): each.count for each in (await look(sight)).outcomes}
    assert found == {("accepted", ""): 7, ("refused", "40008"): 1, ("perhaps_sent", "no_answer"): 1}


async def test_spend_is_what_the_carrier_said_or_what_was_estimated(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    await look(sight)
    priced = await rig.push(chunk_of(people(2)), parts=2, estimated_micros=9_000)
    await rig.settle((await rig.take_all(2))[0], "a", cost=5_000)
    [facts] = (await look(sight)).spend
    assert facts.spent_micros == sight.totals.spent["USD"] == 5_000 * (await rig.counts(priced))["submitted"]
    await rig.push(chunk_of(people(2, 20)), parts=2, estimated_micros=8_000)
    for flight in await rig.take_all(2):
        await rig.settle(flight, "a")
    [later] = (await look(sight)).spend
    assert later.spent_micros - facts.spent_micros == 8_000


async def test_totals_begin_at_the_first_look_and_never_fall(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    before = await rig.push(chunk_of(people(1)))
    await rig.settle((await rig.take_all(1))[0], "a")
    await look(sight)
    assert sight.totals.messages["submitted"] == 0, "what was so before is no news"
    await rig.push(chunk_of(people(3, 50)))
    for flight in await rig.take_all(3):
        await rig.settle(flight, "a")
    await look(sight)
    assert (sight.totals.messages["submitted"], sight.totals.parts[PROFILE]) == (3, 3)
    await rig.redis.delete(rig.keys.campaign(before.id))
    await rig.redis.zrem(rig.keys.of("live"), before.id)
    await look(sight)
    assert sight.totals.messages["submitted"] == 3


async def test_an_ended_campaign_is_read_once_more_and_no_more_after(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(1)))
    await look(sight)
    flight = (await rig.take_all(1))[0]
    await rig.settle(flight, "z")
    await rig.redis.zrem(rig.keys.of("live"), campaign.id)
    facts = await look(sight)
    assert (facts.campaigns, facts.total.dead, sight.totals.messages[State.DEAD.name.lower()]) == ((), 1, 1)
    before = rig.outbox.scripts.calls
    await look(sight)
    assert rig.outbox.scripts.calls == before, "nothing is live, so no campaign is read"


async def test_the_history_has_one_point_a_half_minute_whoever_adds_it(rig: Rig, sight: Sight) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(3)))
    first = point(await look(sight))
    assert (first.ready, first.profiles, first.at % EVERY_S) == (3, {PROFILE: 3}, 0)
    one, other = History(rig.outbox), History(Outbox(rig.redis, "test"))
    await one.add(first)
    await other.add(first)
    assert len(one.points()) == len(other.points()) == 1
    again = History(rig.outbox)
    await again.read()
    assert list(again.points()) == [first], "it outlives who wrote it"
    for n in range(1, KEPT + 5):
        await one.add(replace(first, at=first.at + n * EVERY_S))
    await again.read()
    assert len(again.points()) == KEPT
    assert again.points()[-1].at == first.at + (KEPT + 4) * EVERY_S


async def test_while_redis_is_away_nothing_old_is_told_as_new(sight: Sight) -> None:
    gone = Sight(Outbox(client(f"redis://127.0.0.1:{free_port()}/0"), "test"), "test")
    with pytest.raises(TryAgainLater):
        await gone.facts()
    assert gone.last is None
    assert json.loads((await look(sight)).as_json())["account"] == "test"


async def test_people_are_counted_by_their_sender_and_old_pins_are_not(rig: Rig, sight: Sight) -> None:
    await rig.pool(1)
    await rig.sync([sender(5, profile=OTHER_PROFILE)], profile=OTHER_PROFILE)
    assert {pool.pins for pool in (await look(sight)).pools} == {None}, "nobody has counted yet"
    await pinned_people(rig, 7, 0)
    profile, far = await rig.outbox.profile_index(PROFILE), people(1, 900)[0]
    assert profile is not None
    await rig.redis.execute_command("HSET", rig.keys.pin(profile, far), far.to_bytes(8, "big"), 1 * 100_000 + 17)
    await PinCount(rig.outbox).round(0.0)
    sight = Sight(rig.outbox, "test")  # what was counted is there for whoever looks: another serve, a command
    facts = await look(sight)
    assert {pool.profile: pool.pins for pool in facts.pools} == {PROFILE: 7, OTHER_PROFILE: 0}
    assert {each.number: each.pins for each in facts.senders} == {sender(0).number: 7, sender(5).number: 0}


async def test_messages_that_were_not_delivered_are_told_apart_from_attempts_with_what_their_code_means(
    rig: Rig, sight: Sight
) -> None:
    counted = {"accepted:": 9, "undelivered:40008": 2, "undelivered:40001": 5, "refused:40310": 1}
    await outcomes.count(rig.redis, rig.keys, counted)
    facts = await look(sight)
    assert [(each.outcome, each.code, each.count) for each in facts.outcomes] == [
        ("accepted", "", 9),
        ("refused", "40310", 1),
    ]
    assert [(each.code, each.count) for each in facts.delivery_errors] == [("40001", 5), ("40008", 2)]
    assert facts.delivery_errors[1].meaning == "undeliverable"


async def test_each_serve_is_there_with_its_loop_s_lag_until_it_falls_silent(rig: Rig, sight: Sight) -> None:
    view = ServeView("h:1", "h", 1, "0.1.0", 5, 0, 0.25, 2)
    await serves.show(rig.redis, rig.keys, view)
    await serves.show(rig.redis, rig.keys, replace(view, id="h:2", pid=2, loop_lag_s=0.0))
    facts = await look(sight)
    assert [(each.id, each.loop_lag_seconds, each.watching) for each in facts.serves] == [
        ("h:1", 0.25, 2),
        ("h:2", 0, 2),
    ]
    silent = orjson.dumps(asdict(view) | {"seen_us": await rig.now_us() - serves.ALIVE_US - 1})
    await rig.redis.hset(rig.keys.of("serves"), mapping={"h:1": silent})  # type: ignore[dict-item]
    assert [each.id for each in (await look(sight)).serves] == ["h:2"]
    await serves.show(rig.redis, rig.keys, replace(view, id="h:3"))
    assert {name.decode() for name in await rig.redis.hkeys(rig.keys.of("serves"))} == {"h:2", "h:3"}


async def test_a_serve_whose_loop_stood_still_says_how_long(rig: Rig, sight: Sight) -> None:
    presence = Presence(rig.outbox, Watchers(), every_s=1.0)  # what it says of its lag stands as long
    async with asyncio.TaskGroup() as group:
        shown = group.create_task(presence.run())
        await eventually(sight, lambda facts: len(facts.serves) == 1)
        time.sleep(0.4)  # noqa: ASYNC251 - the loop stands still
        await eventually(sight, lambda facts: facts.serves[0].loop_lag_seconds > 0.2)
        shown.cancel()
    assert (await look(sight)).serves == (), "it has taken its leave"


async def test_those_who_ask_for_a_snapshot_of_now_at_one_time_share_one(rig: Rig, sight: Sight) -> None:
    await rig.pool(2)
    for n in range(20):
        await rig.push(chunk_of(people(1, n)))
    await look(sight)
    alone = await commands_of(rig.redis, look(sight))
    assert await commands_of(rig.redis, asyncio.gather(*(look(sight) for _ in range(20)))) <= 3 * alone
    late = await rig.push(chunk_of(people(1, 50)))
    assert late.id in {each.campaign_id for each in (await look(sight)).campaigns}


async def eventually(sight: Sight, true: Callable[[Facts], bool]) -> None:
    async with asyncio.timeout(20):
        while not true(await look(sight)):
            pass


async def test_who_watches_sees_on_while_the_ledgers_database_hangs(rig: Rig, sight: Sight) -> None:
    """It takes connections and answers none: each stream stood still for as long as the driver had patience."""
    asked: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: asked.append(writer), "127.0.0.1", 0)
    engine = open_ledger(
        f"postgresql+asyncpg://volley@127.0.0.1:{server.sockets[0].getsockname()[1]}/books", answer_s=30
    )
    watchers = Watchers()
    try:
        async with asyncio.timeout(8):
            for _ in range(5):
                told = await watchers.sections(sight, Reader(engine), 10)
        assert (told["ledger_away"], len(asked)) == (b"true", 1), "what hangs is asked once"
        assert told["total"]
    finally:
        watchers.close()
        for writer in asked:
            writer.transport.abort()
        server.close()
        await engine.dispose()
