"""17: webhooks ten times, reversed, shuffled, a day late, and before the answer to their POST: the same end, each cost once."""

import asyncio
import base64
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp
import orjson
from nacl.signing import SigningKey

from tests.chaos.oracle import accepted
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import Stage, stage
from volley.carrier.signature import SIGNATURE, TIMESTAMP
from volley.sandbox.arrivals import Arrival
from volley.sandbox.config import ReceiptSpec
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.signing import Signer

DAY_S = 86_400
AT_ONCE = 40
FATES = (("delivered", ""),) * 8 + (("delivery_failed", "40008"), ("delivery_unconfirmed", ""))
EXPECTED = {"delivered": "delivered", "delivery_failed": "undelivered", "delivery_unconfirmed": "unconfirmed"}
Order = Callable[[Run, list[bytes]], list[bytes]]


class End(NamedTuple):
    """What the ledger holds of one message in the end, with the moment that the carrier names."""

    status: str
    error_code: str
    parts: int
    cost_micros: int
    currency: str
    sender: str
    completed_us: int


def _several(run: Run, events: list[bytes]) -> list[bytes]:
    found = [event for event in events for _ in range(run.dice.randint(1, 3))]
    run.dice.shuffle(found)
    return found


def _ten_times(run: Run, events: list[bytes]) -> list[bytes]:
    found = events * 10
    run.dice.shuffle(found)
    return found


ORDERS: dict[str, Order] = {
    "in order": lambda _, events: events,
    "reversed": lambda _, events: events[::-1],
    "ten times": _ten_times,
    "shuffled": _several,
    "shuffled anew": _several,
    "a day late": lambda _, events: events,
    "a day late, shuffled": _several,
}


async def _in_all_orders(run: Run, *how: str) -> None:
    """The same people, texts and fates for each order; the events are made here, and signed as the carrier signs."""
    people = run.pick(120, 1_000)
    run.settings |= {"people": people, "orders": len(ORDERS)}
    quiet = ReceiptSpec(mode="off")
    async with stage(senders=8, rate=60, account_rate=400, receipts=quiet) as play:
        serve = await play.serve(*how)
        await play.worker()
        crowd = play.people(people)
        made = {name: await play.push(people=crowd, idempotency_key=name) for name in ORDERS}
        await play.drained()
        books = await play.books()
        ends: dict[str, dict[int, End]] = {}
        base_us = time.time_ns() // 1000
        for name, order in ORDERS.items():
            late_s = DAY_S if name.startswith("a day late") else 0
            if late_s and serve.name != "late":
                await serve.end()
                serve = await play.serve(*how, "--ahead", str(DAY_S))
                serve.name = "late"
            campaign = made[name].campaign_id or ""
            took = [each for each in accepted(books.arrivals) if each.key.startswith(campaign)]
            events = [event for each in sorted(took, key=lambda sent: sent.to) for event in _events(each, base_us)]
            await _post(play, order(run, events), late_s)
            run.did(f"{len(events)} events {name}")
        await play.drained()
        for name in ORDERS:
            ends[name] = _ends(play, made[name].campaign_id or "")
        first = ends["in order"]
        unlike = [f"{name}: {_unlike(first, end)}" for name, end in ends.items() if end != first]
        run.expect("the same end in all orders", not unlike, unlike or f"{len(ORDERS)} × {len(first)} messages")
        wrong = [to for to, end in first.items() if end.status != EXPECTED[_fate(f"+{to}")[0]]]
        run.expect("the end is what was said", not wrong and len(first) == people, wrong[:3] or len(first))
        costs = {name: sum(end.cost_micros or 0 for end in found.values()) for name, found in ends.items()}
        run.expect("the cost is counted once", len(set(costs.values())) == 1, set(costs.values()))
        views = {view.cost_micros for view in await play.outbox.campaigns()}
        run.expect("in Redis too", views == set(costs.values()), views)
        rows = _receipt_rows(play)
        run.expect("each event is kept once", set(rows) == {2 * people} and len(rows) == len(ORDERS), set(rows))
        run.judged(await play.judge(), "orders")


def _fate(to: str) -> tuple[str, str]:
    return FATES[int(to[1:]) % len(FATES)]


def _events(arrival: Arrival, base_us: int) -> Iterator[bytes]:
    """message.sent, then message.finalized; what the first says of the cost is not yet true."""
    status, code = _fate(arrival.to)
    since = base_us + int(arrival.to[-4:]) * 1_000
    price = Decimal("0.007") * arrival.parts
    for kind, word, at_us, cost in (
        ("message.sent", "sent", since, price / 2),
        ("message.finalized", status, since + 700_000, price),
    ):
        payload: dict[str, Any] = {
            "id": arrival.id,
            "from": {"phone_number": arrival.sender},
            "to": [{"phone_number": arrival.to, "status": word}],
            "parts": arrival.parts,
            "cost": {"amount": str(cost), "currency": "USD"},
            "sent_at": _iso(since),
            "completed_at": _iso(at_us) if kind == "message.finalized" else None,
            "webhook_url": arrival.reference,
            "errors": [{"code": code, "title": "Undeliverable"}] if code and kind == "message.finalized" else [],
        }
        data = {"record_type": "event", "event_type": kind, "id": f"{arrival.id}-{word}", "occurred_at": _iso(at_us)}
        yield orjson.dumps({"data": data | {"payload": payload}, "meta": {"attempt": 1}})


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat()


async def _post(play: Stage, events: list[bytes], late_s: float) -> None:
    """All of them, signed at the moment at which they come by the receiver's clock, 40 at a time; again where told to."""
    url, waiting = f"http://127.0.0.1:{play.serve_port}/webhooks/telnyx/default", iter(events)
    key: SigningKey = Signer(play.config.seed)._keys[0]

    async def courier(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            status = 503
            while status == 503:
                stamp = str(int(time.time() + late_s))
                signature = base64.b64encode(key.sign(stamp.encode() + b"|" + body).signature).decode()
                async with session.post(url, data=body, headers={SIGNATURE: signature, TIMESTAMP: stamp}) as answer:
                    status = answer.status
            assert status == 200, status

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(courier(session) for _ in range(AT_ONCE)))


def _ends(play: Stage, campaign: str) -> dict[int, End]:
    names = "recipient, status, error_code, carrier_parts, cost_micros, currency, sender, completed_us"
    with closing(sqlite3.connect(f"file:{play.folder}/home/ledger.db?mode=ro", uri=True)) as base:
        rows = base.execute(f"SELECT {names} FROM messages WHERE campaign_id = ?", (campaign,))
        return {row[0]: End(*row[1:]) for row in rows}


def _unlike(one: dict[int, End], other: dict[int, End]) -> str:
    """Which fields differ, of how many messages."""
    fields = Counter(
        name for to in one for name in End._fields if getattr(one[to], name) != getattr(other.get(to), name, None)
    )
    return ", ".join(f"{name} {count}" for name, count in fields.items())


def _receipt_rows(play: Stage) -> list[int]:
    """How many events of each campaign are kept."""
    with closing(sqlite3.connect(f"file:{play.folder}/home/ledger.db?mode=ro", uri=True)) as base:
        return [row[0] for row in base.execute("SELECT count(*) FROM receipts GROUP BY campaign_id")]


async def _before_the_answer(run: Run) -> None:
    """The carrier reports at once, twice and half of it in reverse, and answers the POST long after; some answers never come."""
    people = run.pick(400, 4_000)
    spec = ReceiptSpec(sent_after_s=0, done_after_s=(0, 0), duplicated=1.0, reversed=0.5)
    run.settings |= {"people_before_the_answer": people, "answers_lost": 0.1}
    async with stage(senders=8, rate=40, account_rate=150, receipts=spec) as play:
        await play.serve()
        await play.worker()
        await play.fail(
            FaultRule(kind="lost", share=0.1, ms=(200, 600)), FaultRule(kind="latency", ms=(200, 700), share=1.0)
        )
        await play.push(people)
        run.did("each receipt comes 0.2–0.7 s before the answer to its POST, 10 % of which are lost")
        await play.drained(people / 100 + 60, resolved=True)
        await play.receipted()
        run.judged(await play.judge(), "before")


@experiment(
    17,
    "webhooks ten times, reversed, a day late, before the answer",
    control=lambda run: _in_all_orders(run, "--without", "order"),
    without="the ledger's order of what it is told",
    reds=("the", "C"),
)
async def any_order(run: Run) -> None:
    await _in_all_orders(run)
    await _before_the_answer(run)
