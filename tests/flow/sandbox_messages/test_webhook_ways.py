"""How webhooks travel: which URL first, how often, signed with which key; clicks; and the log of deliveries."""

from typing import Any

import pytest
import telnyx
from telnyx.lib.webhook_verification import WebhookVerificationError

from tests.openapi import validate_schema
from volley.sandbox.config import ReceiptSpec

PERSON = "+12025550123"


async def send(world: Any, **rest: Any) -> Any:
    return (await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="hello", **rest)).data


async def test_every_event_is_verified_and_parsed_by_the_official_client(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=hooks.url)
    sent = await send(world)
    for hook in await hooks.wait(2):
        validate_schema("OutboundMessageEvent", {"data": hook.data, "meta": hook.meta})
        assert world.unwrap(hook).data.payload.id == sent.id


async def test_after_a_rotation_the_new_key_signs_and_both_are_shown(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=hooks.url)
    old = world.sandbox.public_key
    await world.says("before")
    before = (await hooks.wait(1))[0]
    keys = await world.control("POST", "rotate_key")
    await world.says("after")
    after = (await hooks.wait(2))[1]
    assert keys["public_keys"] == [keys["public_key"], old]
    assert world.sandbox.public_key == keys["public_key"] != old
    assert world.unwrap(before).data.payload.text == "before"
    assert after.unwrapped(keys["public_key"]).data.payload.text == "after"
    for key, hook in ((old, after), (keys["public_key"], before)):
        with pytest.raises(WebhookVerificationError, match="does not match"):
            hook.unwrapped(key)


async def test_the_message_s_own_url_comes_first_then_the_profile_s(opened: Any, hooks: Any, standby: Any) -> None:
    silent = {"receipts": ReceiptSpec(silent=1.0, backoff_s=0.01)}
    world = await opened(silent, webhook_url=f"{standby.url}/profile", webhook_failover_url=f"{standby.url}/last")
    hooks.answers = [500] * 3
    standby.answers = [302] * 3
    sent = await send(world, webhook_url=f"{hooks.url}/own?ref=1")
    seen = await standby.wait(4)
    assert sent.webhook_url == f"{hooks.url}/own?ref=1"
    assert [hook.path for hook in hooks.hooks] == ["/own?ref=1"] * 3
    assert [hook.path for hook in seen] == ["/profile"] * 3 + ["/last"]
    assert [hook.meta["attempt"] for hook in (*hooks.hooks, *seen)] == [1, 2, 3, 4, 5, 6, 7]
    assert seen[3].meta["delivered_to"] == f"{standby.url}/last"


async def test_a_message_that_does_without_the_profile_s_webhooks_has_none_of_them(
    opened: Any, hooks: Any, standby: Any
) -> None:
    world = await opened(webhook_url=standby.url)
    alone = await send(world, use_profile_webhooks=False)
    own = await send(world, use_profile_webhooks=False, webhook_url=hooks.url)
    seen = await hooks.wait(2)
    assert (alone.webhook_url, own.webhook_url, standby.hooks) == ("", hooks.url, [])
    assert {hook.payload["id"] for hook in seen} == {own.id}


async def test_an_inbound_webhook_goes_to_the_failover_after_three_tries(opened: Any, hooks: Any, standby: Any) -> None:
    world = await opened(webhook_url=hooks.url, webhook_failover_url=standby.url)
    hooks.answers = [503] * 3
    said = (await world.says("hello"))[0]
    hook = (await standby.wait(1))[0]
    assert (len(hooks.hooks), hook.meta) == (3, {"attempt": 4, "delivered_to": standby.url})
    assert world.unwrap(hook).data.payload.id == said["id"]
    assert len({each.data["id"] for each in (*hooks.hooks, hook)}) == 1


async def test_a_click_on_a_link_is_told_like_any_event(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=hooks.url)
    sent = await send(world)
    await world.control("POST", "click", {"message_id": sent.id, "url": "https://example.com/offer"})
    hook = (await hooks.wait(1, "link_clicked"))[0]
    validate_schema("ReplacedLinkClickEvent", {"data": hook.data})
    event = world.unwrap(hook)
    assert (event.data.message_id, event.data.url, event.data.to) == (sent.id, "https://example.com/offer", PERSON)


async def test_deliveries_are_listed_with_every_attempt(opened: Any, hooks: Any, standby: Any) -> None:
    world = await opened(webhook_url=hooks.url, webhook_failover_url=standby.url)
    hooks.answers = [500] * 3
    standby.answers = [500] * 3
    lost = (await world.says("first"))[0]
    await standby.wait(3)
    await world.says("second")
    await hooks.wait(4)
    deliveries = world.client.webhook_deliveries
    while len(every := [each async for each in deliveries.list()]) < 2:
        pass
    failed = (await deliveries.list(filter={"status": {"eq": "failed"}, "event_type": "message.received"})).data
    about = (await deliveries.list(filter={"webhook": {"contains": lost["id"]}})).data
    at_standby = (await deliveries.list(filter={"attempts": {"contains": standby.url}})).data
    none = (await deliveries.list(filter={"started_at": {"gte": "2100-01-01T00:00:00Z"}})).data
    one = await deliveries.retrieve(failed[0].id)
    assert sorted(each.status for each in every) == ["delivered", "failed"]
    assert [each.id for each in failed] == [each.id for each in about] == [each.id for each in at_standby]
    assert none == []
    assert [attempt.http.response.status for attempt in one.data.attempts] == [500] * 6
    assert one.data.webhook.payload["id"] == lost["id"]
    with pytest.raises(telnyx.NotFoundError):
        await deliveries.retrieve("5a4db0c5-0000-4000-8000-00000000f00d")


async def test_old_deliveries_are_forgotten(opened: Any, hooks: Any) -> None:
    world = await opened(config={"receipts": ReceiptSpec(keep_deliveries=5)}, webhook_url=hooks.url)
    await world.says("hello", count=20)
    await hooks.wait(20)
    listed = await world.client.webhook_deliveries.list()
    assert listed.meta.total_results <= 5
