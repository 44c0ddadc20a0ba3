"""What each event leads to, at a real Redis: few commands, nothing lost when Redis is away, bounded memories."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from producer.web import rests
from producer.web.intake import KEPT_AN_HOUR, KEPT_BYTES, Intake
from producer.web.rests import Rests
from producer.web.tally import Tally
from volley.carrier.events import InboundMessage, Other, ReceiptEvent, SpendLimit
from volley.errors import TryAgainLater
from volley.outbox import webhooks
from volley.outbox.outbox import Outbox
from volley.sender import Sender

PROFILE, NUMBER, PERSON = "40017b3d-0000-4000-8000-000000000001", "+12025559000", "+12025550101"


def now_us() -> int:
    return time.time_ns() // 1000


def receipt(code: str = "", at_us: int = 0, *, opted_out: bool = False, name: str = "e-1") -> ReceiptEvent:
    at = at_us or now_us()
    return ReceiptEvent(
        name, "message.finalized", at, at, "", -1, -1, f"c-{name}", "delivery_failed", NUMBER, PERSON, "GSM-7", 1,
        -1, -1, -1, "", -1, -1, code, "", PROFILE, opted_out,
    )  # fmt: skip


def text(words: str = "hello", keyword: str = "", at_us: int = 0) -> InboundMessage:
    at = at_us or now_us()
    return InboundMessage("t-1", at, now_us(), "c-1", PROFILE, PERSON, NUMBER, words, (), keyword)  # type: ignore[arg-type]


@pytest.fixture
async def outbox(db: redis.asyncio.Redis) -> Outbox:
    found = Outbox(db, "test")
    await found.sync_senders(PROFILE, [Sender(NUMBER, "long_code", PROFILE)])
    return found


@pytest.fixture
async def tally(outbox: Outbox) -> Tally:
    return Tally(outbox)


@pytest.fixture
async def intake(outbox: Outbox, tally: Tally) -> AsyncIterator[Intake]:
    found = Intake(outbox, tally)
    tasks = [asyncio.create_task(each.run()) for each in (found.receipts, found.texts)]
    yield found
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def commands(outbox: Outbox) -> int:
    info = await outbox.redis.info("stats")
    return int(info["total_commands_processed"])


async def test_an_ordinary_receipt_and_the_second_of_a_kind_cost_no_command_more(intake, outbox) -> None:
    await intake.take(receipt("40018"))
    start = await commands(outbox)
    for n in range(10):
        await intake.take(receipt(name=f"plain-{n}"))
    plain = await commands(outbox) - start
    start = await commands(outbox)
    for n in range(10):
        await intake.take(receipt("40018", name=f"slow-{n}"))
    assert await commands(outbox) - start == plain


async def test_a_late_block_by_stop_is_an_opt_out_and_a_receipt(intake, outbox, tally) -> None:
    await intake.take(receipt("40300", opted_out=True))
    assert await outbox.opted_out(PROFILE, [12025550101]) == {12025550101}
    assert (await outbox.ledger_length(), tally.counts["opted_out"], tally.counts["applied"]) == (2, 1, 1)
    assert await outbox.rests() == []


@pytest.mark.parametrize("moment_us", [-1, 4_000_000_000_000_000])
async def test_a_stop_without_a_time_or_of_a_far_future_is_of_now(intake, outbox, moment_us) -> None:
    await intake.take(text("STOP", "stop", moment_us))
    await asyncio.sleep(0.01)
    await intake.take(text("START", "start"))
    assert await outbox.opted_out(PROFILE, [12025550101]) == set()


async def test_an_event_that_nothing_uses_touches_nothing(intake, outbox, tally) -> None:
    start = await commands(outbox)
    for n in range(100):
        await intake.take(Other("o", f"type-{n}", 1))
    assert await commands(outbox) - start <= 1
    assert (len(tally.types), tally.counts["ignored"]) == (21, 100)


async def test_unreadable_bodies_are_kept_in_part_and_so_many_an_hour(intake, outbox, tally) -> None:
    for _ in range(KEPT_AN_HOUR + 5):
        await intake.keep(b"x" * (2 * KEPT_BYTES), "no event")
    kept = await outbox.redis.xrange(outbox.keys.ledger, count=1000)
    assert len(kept) == KEPT_AN_HOUR
    assert {len(fields[b"b"]) for _, fields in kept} == {KEPT_BYTES}
    assert tally.counts["unreadable"] == KEPT_AN_HOUR + 5


@pytest.mark.parametrize("code", ["40016", "40018"])
async def test_a_limit_of_a_registered_campaign_rests_all_of_its_senders(outbox, code) -> None:
    await outbox.sync_senders(PROFILE, [Sender(NUMBER, "long_code", PROFILE, group="CMP1")])
    found = Rests(outbox, Counter())
    for _ in range(2):
        await found.told(receipt(code))
    assert [(each.what, each.name) for each in await outbox.rests()] == [("group", "CMP1")]
    assert [member.group for member in (await outbox.dispatch.members()).values()] == ["CMP1"]


async def test_while_redis_is_away_a_limit_comes_again_and_a_receipts_rest_is_let_go(outbox) -> None:
    away = Outbox(redis.asyncio.Redis(port=1), "test")
    found = Rests(away, Counter())
    with pytest.raises(TryAgainLater):
        await found.spent(SpendLimit("s-1", now_us(), PROFILE, "25", "26"))
    await found.told(receipt("40018"))
    found._outbox = outbox
    await found.told(receipt("40018"))
    assert [each.what for each in await outbox.rests()] == ["sender"], "what failed is not taken for done"


async def test_what_is_remembered_of_rests_is_bounded(outbox, monkeypatch) -> None:
    monkeypatch.setattr(rests, "_MOST", 10)
    found = Rests(outbox, Counter())
    for n in range(50):
        await found.spent(SpendLimit("s", now_us(), f"profile-{n}", "", ""))
    assert len(found._until) <= 10


async def test_counts_of_all_processes_add_up_in_redis(outbox) -> None:
    for _ in range(2):
        tally = Tally(outbox)
        tally.counts.update(applied=3, refused=1)
        await tally.tell()
        tally.counts["applied"] += 1
        await tally.tell()
        await tally.tell()
    found = await webhooks.counts(outbox.redis, outbox.keys)
    assert {name: count for name, (count, _) in found.items()} == {"applied": 8, "refused": 2}
    assert all(0 < last <= now_us() for _, last in found.values())


async def test_what_was_counted_last_is_told_when_it_ends(outbox) -> None:
    tally = Tally(outbox)
    telling = asyncio.create_task(tally.run())
    await asyncio.sleep(0)
    tally.counts["refused"] += 2
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert (await webhooks.counts(outbox.redis, outbox.keys))["refused"][0] == 2
