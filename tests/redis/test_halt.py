"""All sending stopped by hand: nothing is granted from that moment on, by any way, whatever else happens, until it goes on."""

import asyncio
from pathlib import Path

import orjson
import redis.asyncio

from producer.sight.standstill import reasons
from tests.redis.conftest import Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.message import MessageId
from volley.outbox import halt
from volley.outbox.outbox import Outbox
from volley.outbox.whereabouts import wait_of


async def test_once_it_is_acknowledged_nothing_is_taken_until_it_goes_on(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.push(chunk_of(people(30)))
    assert len((await rig.take(4)).grants) == 4
    assert await halt.stop(rig.outbox, "a wrong text") == (True, 4)
    for _ in range(3):
        flight = await rig.take()
        assert (flight.grants, flight.why) == ([], "stopped")
    assert await halt.stop(rig.outbox, "another reason") == (False, 4)
    assert await halt.stopped(rig.outbox) == "stopped by hand: a wrong text"
    told = await wait_of(rig.outbox, MessageId(campaign.id, 0, 29))
    assert "all sending is stopped by hand: a wrong text; volley resume --all lets it go on" in told.why
    assert await halt.go_on(rig.outbox) == (True, 4)
    assert await halt.go_on(rig.outbox) == (False, 4)
    assert await halt.stopped(rig.outbox) == ""
    await rig.take_all(26)
    await rig.check(campaign)


async def test_takers_that_race_with_it_get_nothing_after_it(rig: Rig) -> None:
    await rig.pool(20, rate=10_000, account=100_000)
    await rig.push(chunk_of(people(500)))
    stopped = asyncio.Event()
    late: list[int] = []

    async def taker() -> None:
        for _ in range(60):
            after = stopped.is_set()
            granted = len((await rig.take(1)).grants)
            if after:
                late.append(granted)

    async def stopper() -> None:
        await asyncio.sleep(0.02)
        await halt.stop(rig.outbox, "")
        stopped.set()

    await asyncio.gather(stopper(), *(taker() for _ in range(6)))
    assert late
    assert sum(late) == 0


async def test_unknown_messages_are_not_asked_about_either_and_what_flies_is_settled(rig: Rig) -> None:
    await rig.pool()
    campaign = await rig.unknown(2)
    await rig.push(chunk_of(people(5, 100)))
    flight = await rig.take()
    await halt.stop(rig.outbox, "")
    asked = await rig.repeat()
    assert (asked.grants, asked.why) == ([], "stopped")
    assert await rig.settle(flight, "a") == "aaaaa"
    await halt.go_on(rig.outbox)
    await rig.look_now()
    assert len((await rig.repeat()).grants) == 2
    await rig.check(campaign)


async def test_rests_that_end_rates_and_the_clock_let_nothing_go(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(9)))
    await halt.stop(rig.outbox, "")
    await rig.outbox.rest(0.001, "a moment")
    await rig.outbox.set_rates(50, {})  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    await rig.outbox.chores.wake()
    await rig.redis.hset(rig.keys.of("server"), mapping={"seen": await rig.now_us() + 90_000_000})
    await rig.outbox.chores.clock()
    assert (await rig.take()).why == "stopped"
    assert await halt.stopped(rig.outbox) == "stopped by hand"


async def test_everybody_who_looks_sees_it_first_and_nobody_foretells_an_end(rig: Rig) -> None:
    await rig.pool()
    await rig.push(chunk_of(people(9)))
    outbox = rig.outbox.by("cli:ann@desk")
    await outbox.rest(60, "busy")
    await halt.stop(outbox, "wrong text")
    first, second = await rig.outbox.rests()
    assert (first.what, first.reason) == ("sending", "stopped by cli:ann@desk: wrong text")
    assert second.what == "account"
    notes = reasons([], [], 0, 1, [first, second])
    assert notes[0] == "all sending is stopped by cli:ann@desk: wrong text: volley resume --all lets it go on"
    [profile] = await rig.outbox.profiles()
    assert profile.rests_until_us > 10**15 * 5


async def test_it_is_recorded_who_stopped_it_and_who_let_it_go_on_each_once(rig: Rig) -> None:
    outbox = rig.outbox.by("key:night-shift")
    for _ in range(2):
        await halt.stop(outbox, "too late in the evening")
    await halt.go_on(outbox)
    await halt.go_on(outbox)
    entries = await rig.redis.xrange(rig.keys.ledger, count=100)
    told = [orjson.loads(fields[b"p"]) for _, fields in entries if fields and fields[b"k"] == b"action"]
    assert [(each["who"], each["what"]) for each in told] == [("key:night-shift", "stop"), ("key:night-shift", "go_on")]
    assert told[0]["detail"] == {"why": "too late in the evening"}


async def test_it_holds_through_a_server_that_is_killed(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey:
        client = redis.asyncio.Redis.from_url(valkey.url)
        await halt.stop(Outbox(client, "default"), "before the crash")
        assert valkey.process is not None
        valkey.process.kill()
        await asyncio.to_thread(valkey.process.wait)
        await valkey.start()
        again = redis.asyncio.Redis.from_url(valkey.url)
        assert await halt.stopped(Outbox(again, "default")) == "stopped by hand: before the crash"
        await client.aclose()
        await again.aclose()
