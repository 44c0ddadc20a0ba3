"""21: after a pause, a cancel or a STOP is acknowledged nothing more is taken, and the number in flight that was answered is exact."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import NamedTuple

import aiohttp
import msgpack
import orjson

from tests.chaos.oracle import accepted, message_of
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.message import MessageId
from volley.outbox.dispatch import HORIZON_US, LATE_US, URGENT_HORIZON_US
from volley.outbox.events import AttemptRecord
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.signing import Signer

WIRE_US = 250_000
"""What a POST may take from the last look at the clock to the carrier's stamp, on a busy machine."""
HORIZON = {"bulk": HORIZON_US, "urgent": URGENT_HORIZON_US}


class Halt(NamedTuple):
    """A command that was acknowledged: the campaign, what it answered, when by the monotonic clock."""

    campaign: str
    in_flight: int
    at_us: int


async def _play(run: Run, *how: str) -> None:
    await _pauses_and_cancels(run, *how)
    await _stops(run, *how)


# pause and cancel: nobody records here, so that the stream keeps the order of all that happened


async def _pauses_and_cancels(run: Run, *how: str) -> None:
    people, rounds = run.pick(1_200, 6_000), run.pick(4, 20)
    run.settings |= {"campaigns": 2, "people_each": people, "pauses_each": rounds}
    async with stage(senders=8, rate=40, account_rate=300, latency_ms=(5, 80)) as play:
        for _ in range(2):
            await play.worker(*how, wait=False)
        await play.until(lambda: _two(play), "the workers did not start", 30)
        made = [await play.push(people, priority=priority) for priority in ("bulk", "urgent")]
        campaigns = [each.campaign_id or "" for each in made]
        halts = await asyncio.gather(*(_pause_and_go_on(run, play, each, rounds) for each in campaigns))
        await play.drained()
        books = await play.books()
        arrived = [(message_of(each).campaign, each.at_us) for each in accepted(books.arrivals)]
        for priority, campaign, mine in zip(HORIZON, campaigns, halts, strict=True):
            _judge_arrivals(run, priority, mine, [at_us for name, at_us in arrived if name == campaign])
        taken, exact = _by_the_stream(await play.redis.xrange(play.outbox.keys.ledger))
        total = sum(map(len, halts))
        run.expect("pause and cancel: nothing is taken after", not taken, taken[:5] or f"{total} acknowledgements")
        answered = [halt.in_flight for mine in halts for halt in mine]
        run.expect("the number in flight is exact", sorted(answered) == sorted(exact), f"{answered}, settled {exact}")
        run.figures["in_flight_at_pauses"] = sum(answered)
        run.judged(await play.judge(), "pause")


async def _two(play: Stage) -> bool:
    return len(await play.outbox.workers()) >= 2


async def _pause_and_go_on(run: Run, play: Stage, campaign: str, rounds: int) -> list[Halt]:
    halts = []
    for _ in range(rounds):
        await asyncio.sleep(run.dice.uniform(0.15, 0.8))
        halts.append(await _halt(campaign, play.outbox.pause))
        await asyncio.sleep(run.dice.uniform(0.8, 1.2))  # what was in flight has ended by then
        await play.outbox.resume(campaign)
    await asyncio.sleep(run.dice.uniform(0.15, 0.8))
    halts.append(await _halt(campaign, play.outbox.cancel))
    run.did(f"{rounds} pauses and a cancel")
    return halts


async def _halt(campaign: str, command: Callable[[str], Awaitable[int]]) -> Halt:
    in_flight = await command(campaign)
    return Halt(campaign, in_flight, time.monotonic_ns() // 1000)


def _judge_arrivals(run: Run, priority: str, halts: list[Halt], arrivals: list[int]) -> None:
    """By the carrier's log: what comes after an acknowledgement was in flight, and comes soon."""
    window = HORIZON[priority] + LATE_US + WIRE_US
    after = [[at - halt.at_us for at in arrivals if halt.at_us < at < halt.at_us + 750_000] for halt in halts]
    many = [(len(seen), halt.in_flight) for seen, halt in zip(after, halts, strict=True) if len(seen) > halt.in_flight]
    latest = max((late for seen in after for late in seen), default=0)
    run.expect(f"{priority}: no more arrive than were in flight", not many, many or f"{sum(map(len, after))} arrived")
    run.expect(f"{priority}: the latest within {window // 1000} ms", latest <= window, f"{latest / 1000:.0f} ms")
    ended = sum(1 for at in arrivals if at > halts[-1].at_us)
    run.expect(f"{priority}: after the cancel no more than in flight", ended <= halts[-1].in_flight, ended)


def _by_the_stream(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> tuple[list[str], list[int]]:
    """(messages taken while their campaign was halted, how many were settled after each halt and before it ended)."""
    halted: dict[str, int] = {}
    settled: dict[str, int] = {}
    taken, exact = [], []
    for _, fields in entries:
        if fields[b"k"] == b"campaign":
            name, state = fields[b"c"].decode(), fields[b"s"]
            if name in settled:
                exact.append(settled.pop(name))
                del halted[name]
            if state in (b"paused", b"cancelled"):
                halted[name], settled[name] = int(fields[b"t"]), 0
        elif fields[b"k"] == b"attempts":
            for record, mask in zip(msgpack.unpackb(fields[b"p"]), fields[b"m"], strict=True):
                made = AttemptRecord(*record)
                if made.campaign in halted and mask != ord("-"):
                    settled[made.campaign] += 1
                    if made.taken_us > halted[made.campaign]:
                        taken.append(f"{made.campaign}-{made.chunk}-{made.offset}")
    return taken, exact + list(settled.values())


# STOP


async def _stops(run: Run, *how: str) -> None:
    people, stops = run.pick(800, 4_000), run.pick(150, 900)
    run.settings |= {"people": people, "stops": stops}
    async with stage(senders=8, rate=40, account_rate=150, latency_ms=(5, 80)) as play:
        await play.serve()
        for _ in range(2):
            await play.worker(*how, wait=False)
        await play.until(lambda: _two(play), "the workers did not start", 30)
        crowd = play.people(people)
        made = await play.push(people=crowd)
        who = run.dice.sample(crowd, stops)
        seconds = people / 150
        said = await asyncio.gather(
            _by_webhook(run, play, who[: stops // 2], seconds), _by_command(run, play, who[stops // 2 :], seconds)
        )
        await play.drained()
        await play.receipted()
        heard = said[0] | said[1]
        _judge_stops(run, play, made.campaign_id or "", heard, await _arrivals(play))
        run.judged(await play.judge(), "stop")


async def _by_webhook(run: Run, play: Stage, who: list[int], seconds: float) -> dict[int, tuple[int, int]]:
    """Texts STOP, as the carrier tells of it; (monotonic µs, wall µs) of each acknowledgement."""
    signer, heard = Signer(play.config.seed), {}
    url = f"http://127.0.0.1:{play.serve_port}/webhooks/telnyx/default"
    async with aiohttp.ClientSession() as session:
        for number, person in enumerate(who):
            body = stop_event(f"stop-{number}", person)
            async with session.post(url, data=body, headers=signer.headers(body)) as answer:
                assert answer.status == 200, answer.status
            heard[person] = _now()
            await asyncio.sleep(run.dice.uniform(0, 2 * seconds / len(who)))
    run.did(f"{len(who)} STOPs by webhook")
    return heard


def stop_event(name: str, person: int) -> bytes:
    """An inbound STOP as the carrier writes it."""
    payload = {
        "id": f"in-{name}",
        "from": {"phone_number": f"+{person}"},
        "to": [{"phone_number": "+12025550000"}],
        "messaging_profile_id": PROFILE_ID,
        "text": "STOP",
    }
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    data = {"record_type": "event", "event_type": "message.received", "id": name, "occurred_at": moment}
    return orjson.dumps({"data": data | {"payload": payload}, "meta": {"attempt": 1}})


async def _by_command(run: Run, play: Stage, who: list[int], seconds: float) -> dict[int, tuple[int, int]]:
    """`volley optouts import` of a handful at a time, the real command."""
    heard: dict[int, tuple[int, int]] = {}
    handfuls = [who[at : at + 15] for at in range(0, len(who), 15)]
    for number, handful in enumerate(handfuls):
        file = play.folder / f"stops-{number}.txt"
        file.write_text("".join(f"+{person}\n" for person in handful))
        command = play.start("optouts", "volley", "optouts", "import", str(file), "--profile", PROFILE_ID)
        await command.begin()
        assert await command.gone() == 0
        heard |= dict.fromkeys(handful, _now())
        await asyncio.sleep(run.dice.uniform(0, seconds / len(handfuls)))
    run.did(f"{len(who)} opt-outs by {len(handfuls)} commands")
    return heard


def _now() -> tuple[int, int]:
    return time.monotonic_ns() // 1000, time.time_ns() // 1000


async def _arrivals(play: Stage) -> dict[int, int]:
    return {int(each.to[1:]): each.at_us for each in accepted((await play.books()).arrivals)}


def _judge_stops(
    run: Run, play: Stage, campaign: str, heard: dict[int, tuple[int, int]], arrived: dict[int, int]
) -> None:
    window = HORIZON_US + LATE_US + WIRE_US
    late = {to: arrived[to] - at for to, (at, _) in heard.items() if to in arrived and arrived[to] > at}
    latest = max(late.values(), default=0)
    run.expect(
        f"STOP: the latest within {window // 1000} ms", latest <= window, f"{len(late)} after, {latest / 1000:.0f} ms"
    )
    with closing(sqlite3.connect(f"file:{play.folder}/home/ledger.db?mode=ro", uri=True)) as base:
        query = (
            'SELECT m.recipient, a.taken_us, m.status, m.chunk, m."offset" FROM messages m LEFT JOIN attempts a'
            ' ON a.campaign_id = m.campaign_id AND a.chunk = m.chunk AND a."offset" = m."offset" WHERE m.campaign_id = ?'
        )
        rows = base.execute(query, (campaign,)).fetchall()
    taken = [
        str(MessageId(campaign, *row[3:])) for row in rows if row[1] and row[0] in heard and row[1] > heard[row[0]][1]
    ]
    run.expect("STOP: nothing is taken after", not taken, taken[:5] or f"{len(heard)} acknowledgements")
    out = {row[0] for row in rows if row[2] == "opted_out"}
    missed = heard.keys() - arrived.keys()
    run.expect("STOP: who was not reached is opted out, exactly", out == missed, f"{len(out)} opted out")
    run.figures["stops_after_their_message"] = len(heard) - len(missed)


async def _control(run: Run) -> None:
    await _play(run, "--without", "halts")


@experiment(
    21,
    "pause, cancel and STOP at random moments while sending",
    control=_control,
    without="take's look at pause, cancel and opt-out",
)
async def pause_cancel_stop(run: Run) -> None:
    await _play(run)
