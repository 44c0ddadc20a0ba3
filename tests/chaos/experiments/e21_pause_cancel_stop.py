"""21: after a pause, a cancel or a STOP is acknowledged nothing more is taken, and the number in flight that was answered is exact."""

import asyncio
import contextlib
import sqlite3
import time
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
from volley.outbox.events import MOVE, AttemptRecord
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.signing import Signer

WIRE_US = 5_000_000
"""What a POST may take from the last look at the clock to the carrier's stamp at most: the HTTP total of PATIENT."""
LOOK_US = 50_000
"""The last look at the clock is a worker's, and its clock is the server's but for the time that a take takes."""
PATIENT = {"VOLLEY_HTTP_TIMEOUT": "5"}
HORIZON = {"bulk": HORIZON_US, "urgent": URGENT_HORIZON_US}


class Halt(NamedTuple):
    """A command that was acknowledged: the campaign, what it answered, when; until when it held (by the monotonic clock)."""

    campaign: str
    in_flight: int
    at_us: int
    until_us: int


class Told(NamedTuple):
    """What the stream tells of halts: messages taken in one, how many ended after each, and how late the last byte left, µs."""

    taken: list[str]
    ended: list[int]
    latest_us: int


async def _play(run: Run, *how: str) -> None:
    await _pauses_and_cancels(run, *how)
    await _stops(run, *how)


# pause and cancel: nobody records here, so that the stream keeps the order of all that happened


async def _pauses_and_cancels(run: Run, *how: str) -> None:
    people, rounds = run.pick(1_200, 6_000), run.pick(4, 20)
    run.settings |= {"campaigns": 2, "people_each": people, "pauses_each": rounds}
    async with stage(senders=8, rate=40, account_rate=300, latency_ms=(5, 80), env=PATIENT) as play:
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
        told = _by_the_stream(await play.redis.xrange(play.outbox.keys.ledger))
        answered = [halt.in_flight for mine in halts for halt in mine]
        total = len(answered)
        run.expect(
            "pause and cancel: nothing is taken after", not told.taken, told.taken[:5] or f"{total} acknowledgements"
        )
        exact = sorted(answered) == sorted(told.ended)
        run.expect("the number in flight is exact", exact, f"{sorted(answered)}, ended {sorted(told.ended)}")
        late, most = told.latest_us, URGENT_HORIZON_US + LATE_US + LOOK_US
        run.expect(f"the last byte leaves within {most // 1000} ms", late <= most, f"{late / 1000:.0f} ms")
        run.figures["in_flight_at_pauses"] = sum(answered)
        run.judged(await play.judge(unknown_allowed=True), "pause")


async def _two(play: Stage) -> bool:
    return len(await play.outbox.workers()) >= 2


async def _pause_and_go_on(run: Run, play: Stage, campaign: str, rounds: int) -> list[Halt]:
    halts = []
    for number in range(rounds + 1):
        await asyncio.sleep(run.dice.uniform(0.15, 0.8))
        last = number == rounds
        in_flight = await (play.outbox.cancel if last else play.outbox.pause)(campaign)
        at_us = _now()[0]
        await asyncio.sleep(run.dice.uniform(0.6, 1.0))
        with contextlib.suppress(RuntimeError):
            await play.until(
                lambda: _landed(play, campaign),
                "what was in flight does not end",
                2 if run.control else 10,
                every_s=0.05,
            )
        halts.append(Halt(campaign, in_flight, at_us, _now()[0]))
        if not last:
            await play.outbox.resume(campaign)
    run.did(f"{rounds} pauses and a cancel")
    return halts


async def _landed(play: Stage, campaign: str) -> bool:
    view = await play.outbox.campaign(campaign)
    return view is None or not view.in_flight


def _judge_arrivals(run: Run, priority: str, halts: list[Halt], arrivals: list[int]) -> None:
    """By the carrier's log: what comes after an acknowledgement was in flight, and comes soon."""
    window = HORIZON[priority] + LATE_US + WIRE_US
    after = [[at - halt.at_us for at in arrivals if halt.at_us < at < halt.until_us] for halt in halts]
    many = [(len(seen), halt.in_flight) for seen, halt in zip(after, halts, strict=True) if len(seen) > halt.in_flight]
    latest = max((late for seen in after for late in seen), default=0)
    run.expect(f"{priority}: no more arrive than were in flight", not many, many or f"{sum(map(len, after))} arrived")
    run.figures[f"{priority}_latest_ms"] = latest // 1000
    run.expect(f"{priority}: the latest within {window // 1000} ms", latest <= window, f"{latest / 1000:.0f} ms")
    ended = sum(1 for at in arrivals if at > halts[-1].at_us)
    run.expect(f"{priority}: after the cancel no more than in flight", ended <= halts[-1].in_flight, ended)


def _by_the_stream(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> Told:
    """By the order of what happened and the server's clock: all that ended after a halt was taken before it."""
    halted: dict[str, int] = {}
    ended: dict[str, int] = {}
    taken, exact, latest = [], [], 0
    for _, fields in entries:
        if fields[b"k"] == b"campaign":
            name, state = fields[b"c"].decode(), fields[b"s"]
            if name in halted:
                exact.append(ended.pop(name))
                del halted[name]
            if state in (b"paused", b"cancelled"):
                halted[name], ended[name] = int(fields[b"t"]), 0
        elif fields[b"k"] == b"attempts":
            for record, mask in zip(msgpack.unpackb(fields[b"p"]), fields[b"m"], strict=False):
                made = AttemptRecord(*record)
                if made.campaign in halted and mask != ord("-"):
                    ended[made.campaign] += 1
                    latest = max(latest, made.sent_us - halted[made.campaign])
                    if made.taken_us > halted[made.campaign]:
                        taken.append(f"{made.campaign}-{made.chunk}-{made.offset}")
        elif fields[b"k"] == b"moves" and fields[b"w"] == b"reap":
            for move in MOVE.iter_unpack(fields[b"p"]):
                if (name := move[0].decode()) in halted:
                    ended[name] += 1
    return Told(taken, exact + list(ended.values()), latest)


# STOP


async def _stops(run: Run, *how: str) -> None:
    people, stops = run.pick(800, 4_000), run.pick(150, 900)
    run.settings |= {"people": people, "stops": stops}
    async with stage(senders=8, rate=40, account_rate=150, latency_ms=(5, 80), env=PATIENT) as play:
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
        run.judged(await play.judge(unknown_allowed=True), "stop")


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
    missed = heard.keys() - arrived.keys() - {row[0] for row in rows if row[2] == "unknown"}
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
