"""Messages that come to two processes at once: one key is one request, whichever of them takes it."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from producer.push.request import PushRequest
from producer.web.gather import Gather, Taken
from producer.web.mark import Text
from tests.flow.test_intake import PROFILE, chunks, outbox
from volley.campaign import Campaign
from volley.errors import KeyTaken, TryAgainLater
from volley.outbox.outbox import Outbox
from volley.settings import Settings

__all__ = ["outbox"]

PATIENCE_S = 20.0
"""Nobody is left without an answer."""
REQUEST = PushRequest(PROFILE, template="{text}", again=True, examples=1000, priority="urgent")


class Door:
    """A process that takes messages: how many it was asked to allow, and what it woke workers for."""

    def __init__(self, outbox: Outbox) -> None:
        self.allowed = 0
        self.unsure = 0
        self.armed: list[str] = []
        self._gather = Gather(outbox, Settings(), self._arm)

    async def _arm(self, campaign: Campaign) -> None:
        self.armed.append(campaign.id)

    async def _allow(self, messages: int) -> None:
        self.allowed += messages

    def _unsure(self) -> None:
        self.unsure += 1

    async def send(self, key: str, to: str, text: str = "Hi") -> Taken:
        return await self.push(REQUEST, key, [Text(to, text)])

    async def push(self, request: PushRequest, key: str, texts: list[Text]) -> Taken:
        async with asyncio.timeout(PATIENCE_S):
            return await self._gather.push(request, key, texts, self._allow, self._unsure)

    async def close(self) -> None:
        await self._gather.close()


@pytest.fixture
def doors(outbox: Outbox) -> list[Door]:
    """Each gathers for itself, as two processes do."""
    return [Door(outbox), Door(outbox)]


def phone(n: int) -> str:
    return f"+1312555{n:04d}"


async def test_a_key_at_two_doors_at_once_sends_once_and_takes_nobody_with_it(
    outbox: Outbox, doors: list[Door]
) -> None:
    """In each of them it is gathered with messages of others, which go all the same."""
    asked = [(f"same{n}", n) for n in range(5)]
    others = [[(f"{which}{n}", 100 * which + n) for n in range(3)] for which in (1, 2)]
    told = await asyncio.gather(
        *(door.send(key, phone(n)) for door, mine in zip(doors, others, strict=True) for key, n in (*asked, *mine))
    )
    for door in doors:
        await door.close()
    first, second = told[: len(told) // 2], told[len(told) // 2 :]
    for one, other in zip(first[:5], second[:5], strict=True):
        assert (one.campaign_id, one.places) == (other.campaign_id, other.places)
        assert one.replayed != other.replayed
    made = {each.campaign_id for each in told}
    got = Counter([to for name in made for chunk in await chunks(outbox, name) for to in chunk.to])
    assert got == Counter(int(phone(n)) for _, n in (*asked, *others[0], *others[1]))
    assert {name for door in doors for name in door.armed} == made


async def test_a_key_at_two_doors_with_two_texts_is_refused_at_one_of_them(outbox: Outbox, doors: list[Door]) -> None:
    texts = zip(doors, ("Hi", "Ho"), strict=True)
    told = await asyncio.gather(*(door.send("k", phone(1), text) for door, text in texts), return_exceptions=True)
    for door in doors:
        await door.close()
    assert [type(each) for each in told if isinstance(each, Exception)] == [KeyTaken]
    [taken] = [each for each in told if isinstance(each, Taken)]
    assert sum(map(len, await chunks(outbox, taken.campaign_id))) == 1


async def test_what_is_not_known_to_be_on_the_disk_is_not_told_as_taken(outbox: Outbox, doors: list[Door]) -> None:
    await outbox.redis.execute_command("CONFIG", "SET", "appendfsync", "no")
    try:
        with pytest.raises(TryAgainLater, match="on its disk"):
            await doors[0].send("k", phone(1))
    finally:
        await outbox.redis.execute_command("CONFIG", "SET", "appendfsync", "always")
    assert (doors[0].armed, doors[0].unsure) == ([], 1)
    again = await doors[1].send("k", phone(1))
    for door in doors:
        await door.close()
    assert again.replayed
    assert sum(map(len, await chunks(outbox, again.campaign_id))) == 1


async def test_what_is_not_allowed_is_not_sent_and_what_was_sent_before_is_told_without_asking(
    outbox: Outbox, doors: list[Door]
) -> None:
    first = await doors[0].send("k", phone(1))
    assert doors[0].allowed == 1
    assert (await doors[1].send("k", phone(1))).campaign_id == first.campaign_id
    assert doors[1].allowed == 0

    async def refuse(_messages: int) -> None:
        raise PermissionError("no more today")

    refused = Gather(outbox, Settings(), doors[0]._arm)
    with pytest.raises(PermissionError):
        await refused.push(REQUEST, "other", [Text(phone(2), "Hi")], refuse, doors[0]._unsure)
    await refused.close()
    assert await outbox.find_key("other") is None
    for door in doors:
        await door.close()


async def test_a_handful_in_several_zones_is_several_chunks_and_all_of_them_are_there(
    outbox: Outbox, doors: list[Door]
) -> None:
    """All but the last are stored before the step that seals them."""
    people = [area.format(n) for n in range(3) for area in ("+1212555{:04d}", "+1310555{:04d}", "+1808555{:04d}")]
    night = replace(REQUEST, quiet_hours="21:00-08:00")
    told = await doors[0].push(night, "k", [Text(to, "Hi") for to in people])
    await doors[0].close()
    stored = await chunks(outbox, told.campaign_id)
    assert len(stored) == 3
    places = [place for place in told.places if not isinstance(place, str)]
    assert [f"+{stored[chunk].to[offset]}" for chunk, offset in places] == people
