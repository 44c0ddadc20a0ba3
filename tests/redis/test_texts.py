"""What a flight's messages need, read in one step of however many campaigns they are."""

import pytest
import redis.asyncio

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from tests.redis.test_idle_takes import commands_of
from volley.campaign import Campaign, new_campaign_id
from volley.errors import VolleyError
from volley.outbox.chunks import encode
from volley.outbox.flights import Grant
from worker.texts import CAMPAIGNS, Texts

CHUNKS = 100


async def store(rig: Rig, n: int) -> list[Grant]:
    """A grant of each of so many campaigns, whose records and chunks are there."""
    granted = []
    for person in people(n):
        campaign = Campaign(new_campaign_id(), PROFILE, f"hello {person}", accepted=1, chunks=1)
        await rig.redis.hset(rig.keys.campaign(campaign.id), mapping={"meta": campaign.to_json()})
        await rig.redis.set(rig.keys.chunk(campaign.id, 0), encode(chunk_of([person])))
        granted.append(Grant(0, campaign.id, 1, 0, 0, 1, 1, 1, 0, person, 0))
    return granted


async def test_a_flight_of_more_campaigns_than_are_kept_has_all_its_texts_in_one_step(
    rig: Rig, db: redis.asyncio.Redis
) -> None:
    granted, texts = await store(rig, CAMPAIGNS + 10), Texts(rig.outbox, None, chunks=CHUNKS)
    held = await texts.fetch(granted)
    assert {voice.render([]) for voice, _ in held.values()} == {f"hello {grant.to}" for grant in granted}
    assert {chunk.to[0] for _, chunk in held.values()} == {grant.to for grant in granted}
    asking = await commands_of(db, texts.fetch([]))
    assert await commands_of(db, texts.fetch(granted)) - asking == 10 + CAMPAIGNS + 10 - CHUNKS, "the others are known"
    await texts.fetch(granted[:CHUNKS])
    assert await commands_of(db, texts.fetch(granted[:CHUNKS])) == asking, "those that were used last are kept"


async def test_a_chunk_that_is_gone_is_not_held_and_a_record_that_is_gone_is_told(rig: Rig) -> None:
    granted, texts = await store(rig, 3), Texts(rig.outbox, None)
    await rig.redis.delete(rig.keys.chunk(granted[0].campaign, 0))
    assert (await texts.fetch(granted)).keys() == {(grant.campaign, 0) for grant in granted[1:]}
    await rig.redis.delete(rig.keys.campaign(granted[1].campaign))
    assert len(await texts.fetch(granted)) == 2, "what is known is not read again"
    with pytest.raises(VolleyError, match=f"{granted[1].campaign} has messages but no record"):
        await Texts(rig.outbox, None).fetch(granted)
