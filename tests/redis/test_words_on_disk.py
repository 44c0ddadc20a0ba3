"""Nothing that a person or a program asked for is acknowledged before it is on the disk: a server that cannot say so is no yes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import pytest
import redis.asyncio

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.errors import VolleyError
from volley.outbox import halt

WORDS: dict[str, Callable[[Rig, str], Awaitable[object]]] = {
    "change": lambda rig, name: rig.outbox.change(name, rate=Decimal(1)),
    "pause": lambda rig, name: rig.outbox.pause(name),
    "resume": lambda rig, name: rig.outbox.resume(name),
    "cancel": lambda rig, name: rig.outbox.cancel(name),
    "stop": lambda rig, _: halt.stop(rig.outbox, "a test"),
    "go on": lambda rig, _: halt.go_on(rig.outbox),
    "opt-out": lambda rig, _: rig.outbox.add_optouts(PROFILE, people(1)),
    "opt-in": lambda rig, _: rig.outbox.remove_optouts(PROFILE, people(1)),
    "push": lambda rig, _: rig.push(chunk_of(people(2, 100)), plan=False),
    "action": lambda rig, name: rig.outbox.record_action("tested", name),
    "quiet hours": lambda rig, name: rig.outbox.change(name, quiet_hours="21:00-08:00"),
}


@pytest.fixture
async def forgetful(rig: Rig, db: redis.asyncio.Redis) -> AsyncIterator[Rig]:
    """A server that writes nothing to its disk any more."""
    await rig.pool(1)
    yield rig
    await db.config_set("appendonly", "yes")


@pytest.mark.parametrize("word", WORDS)
async def test_a_word_that_is_not_on_the_disk_is_not_acknowledged(
    forgetful: Rig, db: redis.asyncio.Redis, word: str
) -> None:
    campaign = await forgetful.push(chunk_of(people(2)), plan=False)
    await db.config_set("appendonly", "no")
    with pytest.raises(VolleyError, match="on its disk"):
        await WORDS[word](forgetful, campaign.id)
