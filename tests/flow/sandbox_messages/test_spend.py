"""The daily spend limit: what counts, what is refused, whom it is told, and when it begins anew."""

from typing import Any

import pytest
import telnyx

from volley.sandbox.config import PROFILE_ID, ProfileSpec

PERSON = "+12025550123"
LIMIT: dict[str, Any] = {"daily_spend_limit": "0.02", "daily_spend_limit_enabled": True}


async def send(world: Any, sender: int = 0, **rest: Any) -> Any:
    return await world.client.messages.send(from_=world.sandbox.senders[sender], to=PERSON, text="hello", **rest)


async def test_past_the_limit_sends_are_refused_and_one_webhook_says_so(opened: Any, hooks: Any) -> None:
    world = await opened(**LIMIT, webhook_url=hooks.url)
    for _ in range(3):
        await send(world)
    for _ in range(2):
        with pytest.raises(telnyx.RateLimitError, match="40333"):
            await send(world)
    await hooks.wait(3, "message.finalized")
    told = await hooks.wait(1, "messaging-profile.spend-limit-reached")
    world.unwrap(told[0])
    assert [hook.payload for hook in told] == [
        {"configured_limit": "0.02", "current_cost": "0.021", "profile_id": PROFILE_ID}
    ]
    assert world.results() == ["accepted"] * 3 + ["refused"] * 2


async def test_what_was_sent_before_the_limit_was_looked_at_counts(opened: Any) -> None:
    world = await opened(**LIMIT)
    await send(world, media_urls=["https://example.com/a.png"])
    with pytest.raises(telnyx.RateLimitError, match="40333"):
        await send(world)


async def test_each_profile_has_its_own_limit(opened: Any) -> None:
    other = ProfileSpec(id="5a4db0c5-0000-4000-8000-000000000002", pool=(("long_code", 1, 0),), **LIMIT)
    mine = ProfileSpec(pool=(("long_code", 1, 0),), **LIMIT)
    world = await opened(config={"profiles": (mine, other)})
    await world.control("POST", "spend", {"profile_id": PROFILE_ID, "amount": "5"})
    with pytest.raises(telnyx.RateLimitError, match="40333"):
        await send(world)
    assert (await send(world, sender=1)).data.id


async def test_a_new_day_begins_with_nothing_spent(opened: Any, hooks: Any) -> None:
    world = await opened(**LIMIT, webhook_url=hooks.url)
    for day in ("2031-01-01", "2031-01-02"):
        await world.control("POST", "spend", {"day": day})
        assert (await send(world)).data.id
        shown = await world.control("POST", "spend", {"profile_id": PROFILE_ID, "amount": "0.5"})
        with pytest.raises(telnyx.RateLimitError, match="40333"):
            await send(world)
        assert shown == {"day": day, "spent": {PROFILE_ID: "0.5"}}
    assert len(await hooks.wait(2, "messaging-profile.spend-limit-reached")) == 2


async def test_without_a_limit_nothing_is_refused(opened: Any) -> None:
    world = await opened()
    await world.control("POST", "spend", {"profile_id": PROFILE_ID, "amount": "1000"})
    assert (await send(world)).data.id
    spent = (await world.control("GET", "spend"))["spent"]
    assert spent == {PROFILE_ID: "1000.007"}
