"""Where a message that is ready stands in Redis, and what holds it there: plain reads, for one person's question.

Nothing here changes anything, and between two reads a message may move on: the answer then says so.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import orjson

from volley.message import MessageId
from volley.outbox import halt, lanes
from volley.outbox.chunks import decode
from volley.outbox.classes import NOBODY
from volley.outbox.flights import REF
from volley.outbox.lanes import DAY_US, Lane, Waiting
from volley.outbox.outbox import Outbox
from volley.outbox.rests import circuit
from volley.outbox.scripts import reaching
from volley.state import STATUS, State

_BETWEEN = "it is between two places at this moment, or its person's pin has changed since it was planned: ask again"


@dataclass(frozen=True, slots=True)
class Wait:
    """`why` in words. `until_us` 0: no moment is known. `lane`: a sender's number or a class. `ahead`: messages of its
    campaign before it in the lane, at most; None where it is in none. `held`: Redis has its chunk."""

    state: str
    why: str
    until_us: int = 0
    lane: str = ""
    ahead: int | None = None
    held: bool = True


async def wait_of(outbox: Outbox, place: MessageId) -> Wait:
    """What a message that was ready a moment ago waits for. Raises TryAgainLater where Redis is away."""
    with reaching():
        states = await outbox.redis.get(outbox.keys.states(place.campaign, place.chunk))
        blob = await outbox.redis.get(outbox.keys.chunk(place.campaign, place.chunk))
        fields = await outbox.redis.hgetall(outbox.keys.campaign(place.campaign))
        if not states or not blob or not fields:
            return Wait(
                STATUS[State.READY],
                "Redis does not hold it: it has ended since, or Redis has lost it; ask again",
                held=False,
            )
        state = states[place.offset : place.offset + 1].decode()
        if state != State.READY:
            return Wait(STATUS[state], "it has moved on while this was read: ask again")
        seconds, micros = await outbox.redis.time()
        message = Waiting(place, decode(blob).to[place.offset], fields, int(seconds) * 1_000_000 + int(micros))
        return await _ready(outbox, message)


async def pinned_sender(outbox: Outbox, profile: str, recipient: int) -> str | None:
    """The number that a person is pinned to now; None where no pin is held."""
    index = await outbox.profile_index(profile)
    if index is None:
        return None
    with reaching():
        seconds, _ = await outbox.redis.time()
        pin = await lanes.pin(outbox, index, recipient, int(seconds) * 1_000_000 // DAY_US)
        return None if pin is None else await lanes.number(outbox, str(pin))


async def _ready(outbox: Outbox, message: Waiting) -> Wait:
    ended = await _ends_soon(outbox, message)
    if ended:
        return Wait(STATUS[State.READY], ended)
    if message.field("st") == "p":
        return Wait(STATUS[State.READY], f"its campaign is paused: volley campaigns resume {message.place.campaign}")
    wait = await _unplanned(outbox, message) or await _later(outbox, message) or await _in_lane(outbox, message)
    return replace(wait, why="; ".join([wait.why, *await _standstill(outbox)]))


async def _ends_soon(outbox: Outbox, message: Waiting) -> str:
    """Why it will never be sent; '' if it may be."""
    expires_us = message.number("x")
    if message.field("st") == "c":
        return "its campaign is cancelled: it ends as cancelled in a moment"
    if message.field("st") == "e" or 0 < expires_us <= message.now_us:
        return "its campaign's time is over: it ends as expired in a moment"
    flags = await outbox.redis.smismember(outbox.keys.of("optout", message.profile), [message.recipient])
    return "its person has opted out meanwhile: at its turn it ends as opted_out, and is not sent" if flags[0] else ""


async def _standstill(outbox: Outbox) -> list[str]:
    """What holds up everything."""
    found = [f"the carrier does not answer ({each.reason})" for each in await circuit(outbox.redis, outbox.keys)]
    halted = await halt.stopped(outbox)
    if halted:
        found.append(f"all sending is {halted}; volley resume --all lets it go on")
    if not await outbox.workers():
        found.append("no worker is alive: start volley worker, or volley up")
    length = await outbox.ledger_length()
    if length > outbox.ledger_bound:
        found.append(
            f"the ledger is {length} entries behind, and nothing is sent until it catches up: see volley serve"
        )
    return found


async def _unplanned(outbox: Outbox, message: Waiting) -> Wait | None:
    before = message.place.chunk - message.number("next")
    parked = await outbox.redis.execute_command(
        "ZSCORE", outbox.keys.of("parked", message.place.campaign), message.place.chunk
    )
    if parked is not None:
        why = f"it is night for its recipient (quiet hours {message.field('tq')}): it is planned when they end"
        return Wait(STATUS[State.READY], why)
    if before < 0:
        return None
    why = f"it is not planned yet: chunks of its campaign before its own: {before}"
    until_us, rests = await _rests(outbox, message, ())
    return Wait(STATUS[State.READY], "; ".join([why, *rests]), until_us)


async def _later(outbox: Outbox, message: Waiting) -> Wait | None:
    """Its rest between two attempts. Walks `later`, which is short: it holds retries only."""
    wanted = message.place.campaign.encode() + message.head
    cursor = 0
    while True:
        cursor, found = await outbox.redis.execute_command(
            "ZSCAN", outbox.keys.of("later"), cursor, "MATCH", f"{message.place.campaign}*", "COUNT", 1000
        )
        for member, due_us in found:
            if member.startswith(wanted):
                attempt = REF.unpack(member[16:])[3]
                hours = message.field("tq") and not attempt
                if hours:
                    why = f"it is night for its recipient (quiet hours {message.field('tq')}): it goes on at {moment(int(due_us))}"
                    return Wait(STATUS[State.READY], why, int(due_us))
                before = f"attempt {attempt} did not send it" if attempt else "it was given back before it was tried"
                why = f"{before}; it is tried again at {moment(int(due_us))}"
                return Wait(STATUS[State.READY], why, int(due_us))
        if not cursor:
            return None


async def _in_lane(outbox: Outbox, message: Waiting) -> Wait:
    lane = await lanes.find(outbox, message)
    if lane is None:
        return Wait(STATUS[State.READY], _BETWEEN)
    about = "" if lane.exact else "at most "
    why = f"it is in the lane of {lane.words}; messages of its campaign before it: {about}{lane.ahead}"
    until_us, rests = await _rests(outbox, message, lane.buckets)
    return Wait(
        STATUS[State.READY], "; ".join([why, *(rests or _idle(lane, message))]), until_us, lane.name, lane.ahead
    )


def _idle(lane: Lane, message: Waiting) -> list[str]:
    """What holds a lane whose owner does not rest."""
    if lane.name.startswith(NOBODY):
        return ["it goes when a sync brings a sender or a route that may, or ends as expired"]
    if not lane.senders:
        left = "volley numbers list tells why" if message.named else "the sweeper moves what waits for it to others"
        return [f"none of its senders is in the pool now: {left}"]
    if lane.free_us > message.now_us:
        return [f"at its rate, the next sender is free at {moment(lane.free_us)}"]
    return []


async def _rests(outbox: Outbox, message: Waiting, buckets: tuple[tuple[str, str], ...]) -> tuple[int, list[str]]:
    """Until when account, profile and these buckets rest, all told (0: none does), and each with its reason in words."""
    stops = await outbox.redis.hgetall(outbox.keys.of("stops"))
    until_us, words = 0, []
    mms = (("m", "the account's MMS"),) if message.field("mm") else ()
    for bucket, who in (("a", "the account"), *mms, (f"p{message.profile}", "the profile"), *buckets):
        stop = orjson.loads(stops.get(bucket.encode(), b"{}"))
        ends_us = int(stop.get("until", 0))
        if ends_us > message.now_us:
            until_us = max(until_us, ends_us)
            words.append(f"{who} rests until {moment(ends_us)} ({stop['reason']})")
    return until_us, words


def moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
