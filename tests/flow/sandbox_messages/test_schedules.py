"""Scheduled messages: due at their time, cancelled before, and in the log as what became of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import telnyx

from tests.openapi import validate_schema
from volley.sandbox.config import PROFILE_ID

PERSON = "+12025550123"
SOON: dict[str, Any] = {"schedule_min_s": 0.0, "cancel_min_s": 0.0}


def ahead(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_a_scheduled_message_waits_goes_out_and_lives_as_any_other(opened: Any, hooks: Any) -> None:
    world = await opened(config=SOON, webhook_url=hooks.url)
    when = ahead(3.0)
    sent = await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="later", send_at=when)
    message_id = str(sent.data.id)
    waiting = await world.client.messages.retrieve(message_id)
    assert (waiting.data.to[0].status, hooks.hooks, world.results()) == ("scheduled", [], ["scheduled"])
    final = (await hooks.wait(1, "message.finalized"))[0]
    shown = await world.client.messages.retrieve(message_id)
    posted, due = world.sandbox.arrivals()
    validate_schema("OutboundMessageEvent", {"data": final.data | {"payload": plain(final.payload)}})
    assert sent.data.to[0].status == "scheduled"
    assert datetime.fromisoformat(sent.data.send_at) - when < timedelta(milliseconds=1)
    assert (final.payload["to"][0]["status"], shown.data.to[0].status) == ("delivered", "delivered")
    assert (posted.result, due.result, posted.id, due.id) == ("scheduled", "accepted", message_id, message_id)
    assert (due.to, due.parts, due.text_crc, due.sender) == (posted.to, posted.parts, posted.text_crc, posted.sender)
    assert due.wall_us >= when.timestamp() * 1e6 > posted.wall_us


def plain(payload: dict[str, Any]) -> dict[str, Any]:
    """Without what the reference says in prose only."""
    return {name: value for name, value in payload.items() if name != "send_at"}


async def test_a_pool_send_and_the_schedule_endpoint_schedule_too(opened: Any) -> None:
    world = await opened(config=SOON)
    messages = world.client.messages
    pooled = await messages.send(
        messaging_profile_id=PROFILE_ID, to=PERSON, text="later", extra_body={"send_at": text(9)}
    )
    other = await messages.schedule(from_=world.sandbox.senders[0], to=PERSON, text="later", send_at=ahead(9))
    at_once = await messages.schedule(from_=world.sandbox.senders[0], to=PERSON, text="now")
    assert [each.data.to[0].status for each in (pooled, other, at_once)] == ["scheduled", "scheduled", "queued"]


def text(seconds: float) -> str:
    return ahead(seconds).isoformat()


async def test_a_cancelled_message_never_goes_out_and_its_answer_is_bare(opened: Any, hooks: Any) -> None:
    world = await opened(config=SOON, webhook_url=hooks.url)
    messages = world.client.messages
    when = ahead(3.0)
    sent = await messages.send(from_=world.sandbox.senders[0], to=PERSON, text="later", send_at=when)
    message_id = str(sent.data.id)
    cancelled = await messages.cancel_scheduled(message_id)
    shown = await messages.retrieve(message_id)
    again = await messages.send(
        from_=world.sandbox.senders[0], to=PERSON, text="last", send_at=when + timedelta(seconds=0.2)
    )
    await hooks.wait(1, "message.finalized")
    validate_schema("OutboundMessagePayloadCancelled", plain(cancelled.to_dict(mode="json")), closed=False)
    assert (cancelled.id, cancelled.to[0].status, cancelled.cost.amount) == (message_id, "cancelled", "0.0")
    assert (cancelled.cost_breakdown, cancelled.errors) == (None, [])
    assert shown.data.to[0].status == "cancelled"
    assert {hook.payload["id"] for hook in hooks.hooks} == {again.data.id}
    assert world.results() == ["scheduled", "cancelled", "scheduled", "accepted"]
    assert [each.id for each in world.sandbox.arrivals()][:2] == [message_id, message_id]


async def test_a_cancel_may_be_answered_in_an_envelope(opened: Any) -> None:
    world = await opened(config=SOON | {"cancel_wrapped": True})
    sent = await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="later", send_at=ahead(60))
    headers = {"Authorization": "Bearer KEY_SANDBOX"}
    async with world.http.delete(f"{world.sandbox.url}/messages/{sent.data.id}", headers=headers) as answer:
        assert (await answer.json())["data"]["to"][0]["status"] == "cancelled"


async def test_what_was_sent_or_is_due_soon_or_unknown_is_not_cancelled(opened: Any) -> None:
    world = await opened(config={"schedule_min_s": 0.1, "cancel_min_s": 60.0})
    messages, sender = world.client.messages, world.sandbox.senders[0]
    sent = await messages.send(from_=sender, to=PERSON, text="now")
    soon = await messages.send(from_=sender, to=PERSON, text="soon", send_at=ahead(59))
    later = await messages.send(from_=sender, to=PERSON, text="later", send_at=ahead(90))
    for each in (sent, soon):
        with pytest.raises(telnyx.PermissionDeniedError) as caught:
            await messages.cancel_scheduled(str(each.data.id))
        assert (caught.value.body["code"], "errors" in caught.value.body) == ("10010", False)
    with pytest.raises(telnyx.NotFoundError, match="40303"):
        await messages.cancel_scheduled("5a4db0c5-0000-4000-8000-00000000f00d")
    assert (await messages.cancel_scheduled(str(later.data.id))).to[0].status == "cancelled"
    with pytest.raises(telnyx.PermissionDeniedError):
        await messages.cancel_scheduled(str(later.data.id))


@pytest.mark.parametrize("seconds", [-10, 240, 432_100])
async def test_a_moment_too_near_or_too_far_is_refused(opened: Any, seconds: int) -> None:
    world = await opened()
    with pytest.raises(telnyx.BadRequestError, match="10033"):
        await world.client.messages.send(
            from_=world.sandbox.senders[0], to=PERSON, text="later", send_at=ahead(seconds)
        )


async def test_the_pool_endpoint_does_not_schedule(opened: Any) -> None:
    world = await opened()
    body = {"messaging_profile_id": PROFILE_ID, "to": PERSON, "text": "later", "send_at": text(600)}
    with pytest.raises(telnyx.BadRequestError, match="10015"):
        await world.client.post("/messages/number_pool", body=body, cast_to=httpx.Response)


async def test_who_stops_before_it_is_due_is_not_texted(opened: Any, hooks: Any) -> None:
    world = await opened(config=SOON, webhook_url=hooks.url)
    await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="later", send_at=ahead(1.0))
    await world.says("STOP")
    final = (await hooks.wait(1, "message.finalized"))[0]
    assert final.payload["to"][0]["status"] == "sending_failed"
    assert [each["code"] for each in final.payload["errors"]] == ["40300"]
    assert world.results() == ["scheduled", "refused"]


async def test_a_repeated_key_gives_the_scheduled_answer_again(opened: Any) -> None:
    world = await opened(config=SOON)
    body = {"from_": world.sandbox.senders[0], "to": PERSON, "text": "later", "send_at": ahead(1.0)}
    first = await world.client.messages.send(**body, idempotency_key="k1")
    again = await world.client.messages.send(**body, idempotency_key="k1")
    assert again.to_dict() == first.to_dict()
    assert world.results() == ["scheduled", "replayed"]
