"""Who asks again hears that it is so only once it is on the disk, though nothing is left to be changed by then."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.outbox import halt, rests
from volley.outbox.connect import client
from volley.outbox.doubts import change_policy
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import BarrierFailed

Say = Callable[[Outbox, str], Awaitable[object]]


async def stop(outbox: Outbox, _: str) -> object:
    return await halt.stop(outbox, "a wrong text")


async def go_on(outbox: Outbox, _: str) -> object:
    return await halt.go_on(outbox)


async def lift(outbox: Outbox, _: str) -> object:
    return await rests.lift(outbox.scripts, 1)


async def seal(outbox: Outbox, name: str) -> object:
    view = await outbox.campaign(name)
    assert view is not None
    return await outbox.seal(view.campaign, key_ttl_s=60)


SAID: dict[str, Say] = {
    "pause": lambda outbox, name: outbox.pause(name),
    "resume": lambda outbox, name: outbox.resume(name),
    "cancel": lambda outbox, name: outbox.cancel(name),
    "stop": stop,
    "go on": go_on,
    "lift": lift,
    "opt out": lambda outbox, _: outbox.add_optouts(PROFILE, people(1)),
    "opt in": lambda outbox, _: outbox.remove_optouts(PROFILE, people(1)),
    "policy": lambda outbox, name: change_policy(outbox.scripts, name, "retry"),
    "seal": seal,
    "key": lambda outbox, _: outbox.find_key("k"),
}


@pytest.fixture
async def lazy(rig: Rig) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """Says whether Redis leaves its disk alone, so that no barrier holds."""

    async def says(is_lazy: bool) -> None:
        await rig.redis.execute_command("CONFIG", "SET", "appendfsync", "no" if is_lazy else "always")

    yield says
    await says(False)


@pytest.mark.parametrize("what", SAID)
async def test_what_was_done_before_is_told_once_it_is_on_the_disk(
    rig: Rig, valkey: EmbeddedValkey, lazy: Callable[[bool], Awaitable[None]], what: str
) -> None:
    await rig.pool()
    name = (await rig.push(chunk_of(people(3)), idempotency_key="k", content_hash="h")).id
    say = SAID[what]
    await say(rig.outbox, name)
    other = client(valkey.url)  # has written nothing that a barrier could wait for
    try:
        await lazy(True)
        with pytest.raises(BarrierFailed):
            await say(Outbox(other, "test"), name)
        await lazy(False)
        await say(Outbox(other, "test"), name)
    finally:
        await other.aclose()
