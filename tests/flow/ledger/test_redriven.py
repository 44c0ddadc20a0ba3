"""A message that was dead and is tried once more: the ledger tells what came of it since, in whatever order it hears of it."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.flow.ledger.conftest import T0, Feed, Push
from volley.ledger.dead import corpses, dead
from volley.ledger.reader import Reader
from volley.ledger.recorder import Recorder
from volley.outbox.events import MOVE, NOBODY

Write = Callable[[], Awaitable[object]]


class Story:
    """One message, number 0: refused until its attempts were spent, dead, redriven at the 10th second."""

    def __init__(self, feed: Feed, push: Push) -> None:
        self.feed = feed
        self.push = push

    async def refused(self) -> None:
        record = self.push.failed(0, "refused", at=3, error_code="40008")._replace(attempt=2)
        await self.feed.raw(await self._attempts(record, "z"), "1000-0")

    async def redriven(self) -> None:
        packed = MOVE.pack(self.push.campaign.id.encode(), 0, 0, b".", NOBODY, 2)
        at = {"w": "redrive", "t": T0 + 10_000_000}
        await self.feed.raw({"v": "1", "k": "moves", "p": packed, **at}, "2000-0")

    async def moved(self, state: str) -> None:
        packed = MOVE.pack(self.push.campaign.id.encode(), 0, 0, state.encode(), 1, 3)
        await self.feed.raw({"v": "1", "k": "moves", "p": packed, "w": "reap", "t": T0 + 20_000_000}, "3000-0")

    async def tried(self, outcome: str, state: str, code: str = "") -> None:
        made = (
            self.push.attempt(0, at=20)
            if outcome == "accepted"
            else self.push.failed(0, outcome, at=20, error_code=code)
        )
        await self.feed.raw(await self._attempts(made._replace(attempt=3), state), "3000-0")

    async def _attempts(self, record: Any, state: str) -> dict[str, Any]:
        from volley.outbox.events import pack

        return {"v": "1", "k": "attempts", "p": pack([record]), "m": state}


AFTER = {
    "unknown, reaped": ("unknown", None, lambda story: story.moved("?")),
    "expired": ("expired", None, lambda story: story.moved("e")),
    "cancelled": ("cancelled", None, lambda story: story.moved("c")),
    "unknown": ("unknown", None, lambda story: story.tried("perhaps_sent", "?")),
    "throttled": ("ready", "10011", lambda story: story.tried("throttled", ".", "10011")),
    "dead again": ("dead", "40301", lambda story: story.tried("refused", "z", "40301")),
    "refused": ("refused", "40310", lambda story: story.tried("refused", "x", "40310")),
    "submitted": ("submitted", None, lambda story: story.tried("accepted", "a")),
}


@pytest.mark.parametrize("name", AFTER)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_what_came_of_it_since_is_told_in_whatever_order_the_ledger_hears_of_it(
    feed: Feed, recorder: Recorder, engine: AsyncEngine, push: Push, name: str, order: tuple[int, ...]
) -> None:
    story = Story(feed, push)
    status, code, after = AFTER[name]
    steps: list[Write] = [story.refused, story.redriven, lambda: after(story)]
    await feed.sealed(push)
    await recorder.catch_up()
    for step in [*order, order[0]]:  # the first one twice
        await feed.client.delete(feed.outbox.keys.ledger)
        await steps[step]()
        await recorder.catch_up()
    [line] = [each async for each in Reader(engine).export(push.campaign.id) if each["message_id"].endswith("-0-0")]
    assert (line["status"], line["error_code"], line["attempts"]) == (status, code, 3)


async def test_before_anything_came_of_it_it_is_ready(
    feed: Feed, recorder: Recorder, engine: AsyncEngine, push: Push
) -> None:
    story = Story(feed, push)
    await feed.sealed(push)
    await recorder.catch_up()
    await feed.client.delete(feed.outbox.keys.ledger)
    await story.refused()
    await recorder.catch_up()
    assert {chunk: [tuple(each) for each in of] for chunk, of in (await corpses(engine, push.campaign.id)).items()} == {
        0: [(0, 2)]
    }
    [told] = await dead(engine, push.campaign.id)
    assert (told["why"], told["error_code"]) == ("its attempts are spent", "40008")
    await story.redriven()
    await recorder.catch_up()
    lines = [each async for each in Reader(engine).export(push.campaign.id)]
    assert lines[0]["status"] == "ready"
    assert await dead(engine, push.campaign.id) == []


async def test_what_the_carrier_says_of_it_stands_above_a_redrive(
    feed: Feed, recorder: Recorder, engine: AsyncEngine, push: Push
) -> None:
    """Nobody should have it, as it was provably not sent; if the carrier says so, it is so."""
    story = Story(feed, push)
    await feed.sealed(push)
    await feed.receipts(push.receipt(0, 30, "delivered"))
    await recorder.catch_up()
    for step in (story.refused, story.redriven):
        await feed.client.delete(feed.outbox.keys.ledger)
        await step()
        await recorder.catch_up()
    lines = [each async for each in Reader(engine).export(push.campaign.id)]
    assert lines[0]["status"] == "delivered"
