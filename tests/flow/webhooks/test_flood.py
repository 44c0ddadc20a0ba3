"""Thousands of webhooks, many of them doubled, while the recorder works: each answered 2xx, each recorded once."""

import asyncio
import random
import time
from collections import Counter

import aiohttp

from tests.flow.cli.conftest import wait_until
from tests.flow.webhooks.conftest import SIGNER, House, event
from volley.sandbox.config import PROFILE_ID

EVENTS, AT_ONCE = 3_000, 100


def receipt(n: int) -> bytes:
    payload = {
        "id": f"carrier-{n}",
        "from": {"phone_number": "+12025550000"},
        "to": [{"phone_number": f"+1202555{n:04}", "status": "delivered"}],
        "parts": 1,
        "cost": {"amount": "0.0042", "currency": "USD"},
    }
    return event(f"receipt-{n}", "message.finalized", payload)


def text(n: int) -> bytes:
    payload = {
        "id": f"carrier-{n}",
        "from": {"phone_number": f"+1202556{n:04}"},
        "to": [{"phone_number": "+12025550000"}],
        "messaging_profile_id": PROFILE_ID,
        "text": "STOP" if n % 10 == 0 else f"text {n}",
    }
    return event(f"text-{n}", "message.received", payload)


async def flood(house: House, bodies: list[bytes]) -> tuple[Counter[int], list[float]]:
    """Sends all, and again what was answered 503, as the carrier does; statuses, and how long each answer took."""
    statuses: Counter[int] = Counter()
    took_s: list[float] = []
    waiting = iter(bodies)

    async def courier(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            status = 503
            while status == 503:
                begun = time.perf_counter()
                async with session.post(
                    f"{house.url}/webhooks/telnyx/default", data=body, headers=SIGNER.headers(body)
                ) as answer:
                    status = answer.status
                took_s.append(time.perf_counter() - begun)
                statuses[status] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        await asyncio.gather(*(courier(session) for _ in range(AT_ONCE)))
    return statuses, took_s


def test_a_flood_with_doubles_is_answered_and_recorded_once_each(house: House) -> None:
    once = [make(n) for n in range(EVENTS // 2) for make in (receipt, text)]
    bodies = [*once, *random.Random(7).sample(once, EVENTS // 3)]
    random.Random(8).shuffle(bodies)
    begun = time.perf_counter()
    statuses, took_s = asyncio.run(flood(house, bodies))
    seconds = time.perf_counter() - begun
    took_s.sort()
    print(
        f"\n{len(bodies)} webhooks in {seconds:.1f} s; median {took_s[len(took_s) // 2] * 1e3:.0f} ms,"
        f" 99 % {took_s[len(took_s) * 99 // 100] * 1e3:.0f} ms, worst {took_s[-1] * 1e3:.0f} ms; {dict(statuses)}"
    )
    assert statuses[200] == len(bodies)
    assert set(statuses) <= {200, 503}
    wait_until(lambda: house.health()["recorder"]["inbound"] >= EVENTS // 2)
    wait_until(lambda: house.rows("select count(*) from receipts") == [(EVENTS // 2,)])
    assert house.rows("select count(*), count(distinct event_id) from inbound") == [(EVENTS // 2, EVENTS // 2)]
    assert len(house.opted_out()) == EVENTS // 20
    assert house.count("strangers") >= EVENTS // 2
