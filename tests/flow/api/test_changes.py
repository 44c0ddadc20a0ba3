"""Terms changed over HTTP while two real workers send: once the answer is there, no worker goes by the old ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import pytest_asyncio

from producer.access import register
from producer.access.keys import make
from tests.chaos.stage import ACCOUNT, Stage, stage
from volley.ledger.engine import open_ledger
from volley.outbox.views import CampaignView

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = 8_000
A_FEW = 40
"""Of the account's messages: two workers take so many only in several takes each."""
ZONE = ZoneInfo("America/New_York")


class Shop:
    """A stage on which two workers send two campaigns; `mine` is the one that is changed."""

    def __init__(self, play: Stage, http: aiohttp.ClientSession) -> None:
        self.play = play
        self.http = http
        self.mine = self.other = ""

    async def push(self, priority: str = "bulk") -> str:
        return (await self.play.push(PEOPLE, priority=priority)).campaign_id or ""

    async def view(self, campaign_id: str) -> CampaignView:
        found = await self.play.outbox.campaign(campaign_id)
        assert found is not None
        return found

    async def ready(self, campaign_id: str) -> int:
        return (await self.view(campaign_id)).counts["ready"]

    async def change(self, terms: Mapping[str, object]) -> int:
        """Over HTTP; how many of its messages nobody has taken when the answer is there."""
        async with self.http.patch(f"/v1/campaigns/{self.mine}", json=terms) as answer:
            assert answer.status == 200, await answer.text()
        return await self.ready(self.mine)

    async def until_taken(self, campaign_id: str, count: int) -> None:
        left = await self.ready(campaign_id) - count

        async def gone() -> bool:
            return await self.ready(campaign_id) <= left

        await self.play.until(gone, f"{count} more of {campaign_id} were not taken", 60)

    async def until_both_have_worked(self) -> None:
        """Each worker has shown, later than now, that it takes; and the account's messages went meanwhile."""
        seconds, micros = await self.play.redis.time()
        now_us = seconds * 1_000_000 + micros

        async def both() -> bool:
            workers = await self.play.outbox.workers()
            return sum(each.seen_us > now_us and each.taking == "yes" for each in workers) == 2

        await self.play.until(both, "two workers that take", 60)
        await self.until_taken(self.other, A_FEW)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Shop]:
    async with stage(senders=8, rate=50, account_rate=120, fsync=False) as play:
        await play.serve()
        for _ in range(2):
            await play.worker()
        key, token = make(ACCOUNT, "changes", frozenset({"ops"}), time.time_ns() // 1000)
        engine = open_ledger(f"sqlite+aiosqlite:///{play.folder}/home/ledger.db")
        await register.add(engine, key)
        await engine.dispose()
        own = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{play.serve_port}", headers=own) as http:
            found = Shop(play, http)
            found.other, found.mine = await found.push(), await found.push()
            await found.until_taken(found.mine, A_FEW)
            yield found


def night_now() -> str:
    """Quiet hours that have begun two hours ago for all these people, and end in two."""
    now = datetime.now(ZONE)
    return f"{now - timedelta(hours=2):%H:%M}-{now + timedelta(hours=2):%H:%M}"


STANDSTILLS: Mapping[str, tuple[Mapping[str, Any], int]] = {
    "rate": ({"rate": "0.001"}, 1),
    "start": ({"start": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, 0),
    "quiet_hours": ({"quiet_hours": night_now()}, 0),
    "budget": ({"budget": "0.000001"}, 0),
}
"""Changes after which nothing may go, or so many messages."""


@pytest.mark.parametrize("what", STANDSTILLS)
async def test_once_the_answer_is_there_no_worker_goes_by_the_old_terms(shop: Shop, what: str) -> None:
    terms, most = STANDSTILLS[what]
    await shop.until_taken(shop.mine, A_FEW)
    left = await shop.change(terms)
    await shop.until_both_have_worked()
    assert left - most <= await shop.ready(shop.mine) <= left
    await shop.change({what: None})
    await shop.until_taken(shop.mine, A_FEW)


async def test_a_campaign_that_is_made_urgent_goes_before_the_others_from_then_on(shop: Shop) -> None:
    await shop.until_taken(shop.mine, A_FEW)
    mine, other = await shop.change({"priority": "urgent"}), await shop.ready(shop.other)
    await shop.until_taken(shop.mine, 10 * A_FEW)
    went, others = mine - await shop.ready(shop.mine), other - await shop.ready(shop.other)
    assert others * 5 < went, "until then each had half"
    await shop.change({"priority": "bulk"})
    await shop.until_taken(shop.other, A_FEW)


async def test_what_nobody_had_taken_when_its_time_was_over_expires(shop: Shop) -> None:
    over_since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    async with shop.http.patch(f"/v1/campaigns/{shop.mine}", json={"expires": over_since}) as refused:
        assert refused.status == 422
        assert "cancel it" in (await refused.json())["detail"]
    await shop.change({"expires": (datetime.now(UTC) + timedelta(seconds=5)).isoformat()})
    await asyncio.sleep(5)
    then = (await shop.view(shop.mine)).counts

    async def over() -> bool:
        counts = (await shop.view(shop.mine)).counts
        return not counts["ready"] and not counts["sending"]

    await shop.play.until(over, "it did not expire", 60)
    # the sweeper may have been at it already when the answer came
    assert (await shop.view(shop.mine)).counts["expired"] >= then["ready"] + then["expired"] > 0
    await shop.play.outbox.cancel(shop.other)
    await shop.play.drained()
    for check in await shop.play.judge(unknown_allowed=True, priced=False):
        assert check.kept, f"{check.name}: {check.found}"
