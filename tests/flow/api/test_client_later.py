"""The client where the server says «later»: it comes again when it was told to, with the same key, and not before."""

import asyncio
from typing import Any

import httpx
import pytest

from producer.client import AsyncClient, Client, Retries, TooManyRequests
from producer.client.problems import problem_error
from producer.client.retries import worth_another
from tests.flow.api.conftest import PROFILE, Office

HASTY = Retries(tries=2, first_s=0.01, longest_s=0.01)
"""Who does not heed what is told tries the second and last time at once, and in vain."""
SLOW_MILLI = 200
"""Requests in 1,000 s that the key may make: a second one is told to come again after 5 s. The first is answered long before."""


def people(first: int) -> list[dict[str, object]]:
    return [{"to": f"+1312555{first + n:04d}"} for n in range(2)]


class Seen:
    """What goes out: the Idempotency-Key of each request. In both of httpx's ways."""

    def __init__(self, office: Office, key: str) -> None:
        self.keys: list[str] = []
        self.words: dict[str, Any] = {"base_url": office.url, "headers": {"Authorization": f"Bearer {key}"}}

    def hear(self, request: httpx.Request) -> None:
        self.keys.append(request.headers["Idempotency-Key"])

    async def hear_async(self, request: httpx.Request) -> None:
        self.hear(request)


def test_told_that_it_asks_too_fast_it_comes_again_then_and_with_the_same_key(office: Office) -> None:
    _, key = office.make_key("send", rate_milli=SLOW_MILLI)
    seen = Seen(office, key)
    with httpx.Client(**seen.words, event_hooks={"request": [seen.hear]}) as http:
        volley = Client(office.url, key, retries=HASTY, http=http)
        first, second = (volley.push(people(start), profile=PROFILE, text="Later") for start in (3000, 3010))
    assert (first.accepted, second.accepted, second.replayed) == (2, 2, False)
    one, other, again = seen.keys
    assert one != other == again


async def test_the_asynchronous_twin_comes_again_then_and_with_the_same_key(office: Office) -> None:
    _, key = await asyncio.to_thread(office.make_key, "send", rate_milli=SLOW_MILLI)
    seen = Seen(office, key)
    async with httpx.AsyncClient(**seen.words, event_hooks={"request": [seen.hear_async]}) as http:
        volley = AsyncClient(office.url, key, retries=HASTY, http=http)
        first = await volley.send([{"to": "+13125553020", "text": "Later"}], profile=PROFILE)
        second = await volley.send([{"to": "+13125553021", "text": "Later"}], profile=PROFILE)
    assert first.campaign_id != second.campaign_id
    one, other, again = seen.keys
    assert one != other == again


def test_told_to_come_again_tomorrow_it_says_so_at_once(office: Office) -> None:
    _, key = office.make_key("send", daily=3)
    seen = Seen(office, key)
    with httpx.Client(**seen.words, event_hooks={"request": [seen.hear]}) as http:
        volley = Client(office.url, key, retries=Retries(within_s=5), http=http)
        volley.push(people(3030), profile=PROFILE, text="Today")
        with pytest.raises(TooManyRequests, match="a day") as refused:
            volley.push(people(3040), profile=PROFILE, text="Today")
    assert 5 < (refused.value.retry_after_s or 0) <= 86_400
    assert len(seen.keys) == 2
    assert refused.value.idempotency_key == seen.keys[1]


@pytest.mark.parametrize(
    ("status", "name"), [(429, "too-many-requests"), (503, "try-again-later"), (409, "in-progress"), (503, "")]
)
def test_whoever_says_when_is_heeded_whatever_it_is_about(status: int, name: str) -> None:
    """A proxy before the server too, which knows nothing of problems."""
    told = f'{{"type": "/v1/docs#{name}", "title": "Later", "status": {status}, "detail": "why"}}' if name else "<html>"
    late, unsaid = (problem_error(status, told.encode(), after) for after in ("7", None))
    assert worth_another(late, True)
    assert Retries().wait_s(6, late, lambda: 0.0) == 7.0
    assert Retries().wait_s(6, unsaid, lambda: 1.0) == Retries().wait_s(6, None, lambda: 1.0) == 16.0
