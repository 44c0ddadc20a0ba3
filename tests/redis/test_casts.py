"""Who sends what is gathered: chosen once for many, and anew when the pool has changed."""

import asyncio

import pytest

from producer.push.request import PushRequest
from producer.web.casts import Casts
from tests.redis.conftest import PROFILE, Rig
from volley.errors import UnusableInput
from volley.settings import Settings

REQUEST = PushRequest(PROFILE, template="{text}")
LONG_S = 600.0


async def chosen(casts: Casts, rig: Rig) -> int:
    """How many senders there are to choose from."""
    return len((await casts.choose(rig.outbox, Settings(), REQUEST)).serving)


async def renewed(casts: Casts) -> None:
    """Until what is made anew beside is there."""
    async with asyncio.timeout(10):
        while casts.renewing:  # noqa: ASYNC110 - a task in the midst of Redis commands
            await asyncio.sleep(0.01)


async def test_many_campaigns_at_once_read_the_pool_once(rig: Rig) -> None:
    await rig.pool(2)
    casts = Casts(LONG_S, LONG_S)
    first = await casts.choose(rig.outbox, Settings(), REQUEST)
    await rig.pool(3)
    assert await casts.choose(rig.outbox, Settings(), REQUEST) is first


async def test_a_choice_that_is_no_longer_fresh_is_made_anew_beside(rig: Rig) -> None:
    await rig.pool(2)
    casts = Casts(0.0, LONG_S)
    assert await chosen(casts, rig) == 2
    await rig.pool(3)
    assert await chosen(casts, rig) == 2, "nobody waits for it"
    await renewed(casts)
    assert await chosen(casts, rig) == 3
    await casts.close()


async def test_a_choice_that_is_too_old_is_not_used(rig: Rig) -> None:
    await rig.pool(2)
    casts = Casts(0.0, 0.0)
    assert await chosen(casts, rig) == 2
    await rig.pool(3)
    assert await chosen(casts, rig) == 3


async def test_where_nobody_may_send_any_more_that_is_said(rig: Rig) -> None:
    await rig.pool(2)
    casts = Casts(0.0, LONG_S)
    assert await chosen(casts, rig) == 2
    await rig.outbox.sync_senders(PROFILE, [])
    assert await chosen(casts, rig) == 2
    await renewed(casts)
    with pytest.raises(UnusableInput):
        await chosen(casts, rig)
    await casts.close()
