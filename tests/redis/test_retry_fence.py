"""The fence of a retry: what has become another thing since the ledger was read is left as it is."""

import asyncio
from datetime import UTC, datetime, timedelta

from producer.push.redrive import refs
from tests.redis.conftest import Rig, chunk_of, people, receipt
from volley.campaign import Campaign
from volley.ledger.dead import Corpse
from volley.state import RETRIES_ARG

N = 3
OVER = -2


async def refused(rig: Rig) -> tuple[Campaign, int]:
    """A campaign all of whose messages were refused, and the turn of somebody who retries them."""
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(N)))
    for flight in await rig.take_all(N):
        await rig.settle(flight, "x")
    return campaign, int(await rig.outbox.scripts.durable("retry", campaign.id, ""))


async def act(rig: Rig, campaign: Campaign, turn: int) -> int:
    """As who has read in the ledger that all were refused."""
    packed = refs(0, chunk_of(people(N)), [Corpse(offset, 1) for offset in range(N)])
    return int(
        await rig.outbox.scripts.durable("retry", campaign.id, turn, RETRIES_ARG, 0, 8, packed, "x" * N, b"", "c1")
    )


async def test_the_same_word_said_again_does_not_send_again_what_went_meanwhile(rig: Rig) -> None:
    """The answer to it was lost, and workers were quick."""
    campaign, turn = await refused(rig)
    assert await act(rig, campaign, turn) == N
    for flight in await rig.take_all(N):
        await rig.settle(flight, "a")
    assert await act(rig, campaign, turn) == 0
    assert await rig.states(campaign) == "a" * N
    await rig.check(campaign)


async def test_what_was_delivered_though_it_was_refused_is_not_sent_again(rig: Rig) -> None:
    """The carrier contradicts itself, after the ledger was read."""
    campaign, turn = await refused(rig)
    await rig.outbox.apply_receipts([receipt(campaign.id, 0, 1)])
    assert await act(rig, campaign, turn) == N - 1
    assert await rig.states(campaign) == ".x."
    await rig.check(campaign)


async def test_nothing_of_a_campaign_that_has_ended_meanwhile_goes(rig: Rig) -> None:
    campaign, turn = await refused(rig)
    await rig.outbox.change(campaign.id, expires=datetime.now(UTC) + timedelta(seconds=0.05))
    await asyncio.sleep(0.06)
    assert await act(rig, campaign, turn) == OVER
    await rig.outbox.change(campaign.id, expires=None)
    await rig.outbox.cancel(campaign.id)
    assert await act(rig, campaign, turn) == OVER
    assert await rig.states(campaign) == "x" * N


async def test_what_was_begun_by_another_or_by_nobody_is_not_acted_on(rig: Rig) -> None:
    campaign, turn = await refused(rig)
    later = int(await rig.outbox.scripts.durable("retry", campaign.id, ""))
    assert await act(rig, campaign, turn) == -3
    assert await act(rig, campaign, later) == N
    assert await rig.outbox.scripts.durable("retry", campaign.id, later) == 1
    assert await act(rig, campaign, later) == -3
