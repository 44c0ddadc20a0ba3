"""What people text: signed webhooks, STOP and START, the block list, and the messages themselves."""

from typing import Any

import pytest
import telnyx

from tests.openapi import validate_schema
from volley.sandbox.config import PROFILE_ID

PERSON = "+12025550123"


async def test_a_text_reaches_the_profile_s_url_signed_and_in_the_carrier_s_shape(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=f"{hooks.url}/in?x=1")
    said = (await world.says("Thanks, bye ✓"))[0]
    hook = (await hooks.wait(1))[0]
    validate_schema("InboundMessageEvent", {"data": hook.data}, closed=False)
    event = world.unwrap(hook)
    shown = await world.client.messages.retrieve(said["id"])
    assert (hook.path, hook.kind, hook.meta["attempt"]) == ("/in?x=1", "message.received", 1)
    assert hook.headers["user-agent"] == "telnyx-webhooks"
    assert event.data.payload.id == shown.data.id == said["id"]
    assert event.data.payload.from_.phone_number == PERSON
    assert event.data.payload.to[0].phone_number == world.sandbox.senders[0]
    assert event.data.payload.to[0].status == "webhook_delivered"
    assert (hook.payload["text"], hook.payload["encoding"], hook.payload["parts"]) == ("Thanks, bye ✓", "UCS-2", 1)
    assert (hook.payload["autoresponse_type"], hook.payload["is_spam"]) == (None, False)


async def test_a_picture_comes_in_as_an_mms(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=hooks.url)
    await world.says("", media=["https://example.com/cat.png"])
    hook = (await hooks.wait(1))[0]
    validate_schema("InboundMessageEvent", {"data": hook.data}, closed=False)
    assert (hook.payload["type"], hook.payload["media"][0]["url"]) == ("MMS", "https://example.com/cat.png")


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop All ", "StopAll", "unsubscribe", "CANCEL", "end", "QUIT"])
async def test_a_stop_word_blocks_the_person_for_every_number_of_the_profile(opened: Any, word: str) -> None:
    world = await opened()
    said = await world.says(word)
    with pytest.raises(telnyx.PermissionDeniedError, match="40300"):
        await world.client.messages.send(from_=world.sandbox.senders[1], to=PERSON, text="hello")
    other = await world.client.messages.send(from_=world.sandbox.senders[1], to="+12025550199", text="hello")
    assert said[0]["autoresponse_type"] == "STOP"
    assert other.data.id
    assert world.results() == ["refused", "accepted"]


async def test_what_only_contains_a_stop_word_blocks_nobody(opened: Any) -> None:
    world = await opened()
    said = await world.says("please stop")
    assert said[0]["autoresponse_type"] is None
    assert (await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="hello")).data.id


@pytest.mark.parametrize("word", ["START", "unstop"])
async def test_a_start_word_lets_messages_through_again(opened: Any, word: str) -> None:
    world = await opened()
    await world.says("STOP")
    said = await world.says(word)
    sent = await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="hello")
    listed = [each async for each in world.client.messaging_optouts.list()]
    assert (said[0]["autoresponse_type"], bool(sent.data.id), listed) == ("START", True, [])


async def test_opt_outs_are_listed_in_pages_and_by_filters(opened: Any) -> None:
    world = await opened()
    first, second = world.sandbox.senders[:2]
    await world.says("STOP", person="+12025550100", to=first, count=30)
    await world.says("QUIT", person="+13035550100", to=second)
    optouts = world.client.messaging_optouts
    every = [each async for each in optouts.list(page_size=7)]
    of_second = [each async for each in optouts.list(filter={"from": second, "messaging_profile_id": PROFILE_ID})]
    elsewhere = [each async for each in optouts.list(filter={"messaging_profile_id": "another"})]
    old = [each async for each in optouts.list(created_at={"lte": "2020-01-01T00:00:00+00:00"})]
    redacted = await optouts.list(redaction_enabled="true", page_size=1)
    assert len({each.to for each in every}) == len(every) == 31
    assert [(each.from_, each.to, each.keyword) for each in of_second] == [(second, "+13035550100", "QUIT")]
    assert (elsewhere, old, redacted.data[0].to) == ([], [], "+1202555****")


async def test_thousands_text_at_once_and_each_has_a_webhook(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=hooks.url)
    said = await world.says("STOP", person="+12025550000", count=2000)
    seen = await hooks.wait(2000)
    assert {hook.payload["id"] for hook in seen} == {each["id"] for each in said}
    assert len({hook.payload["from"]["phone_number"] for hook in seen}) == 2000


async def test_a_text_to_a_number_without_a_profile_is_refused(opened: Any) -> None:
    world = await opened(config={"spare": (("long_code", 1, 0),)})
    body = {"from": PERSON, "to": world.sandbox.senders[-1], "text": "hello"}
    async with world.http.post(f"{world.sandbox.root}/_sandbox/inbound", json=body) as answer:
        assert answer.status == 400


async def test_a_profile_s_own_words_count_too(opened: Any) -> None:
    world = await opened()
    configs = world.client.messaging_profiles.autoresp_configs
    for op, word in (("stop", "BASTA"), ("start", "Ancora")):
        await configs.create(
            PROFILE_ID, country_code="*", keywords=[word], op=op, resp_text="So it shall be done, friend."
        )
    stopped, blocked = (await world.says("basta"))[0], [each.to async for each in world.client.messaging_optouts.list()]
    started, free = (await world.says("ANCORA"))[0], [each.to async for each in world.client.messaging_optouts.list()]
    assert (stopped["autoresponse_type"], blocked) == ("STOP", [PERSON])
    assert (started["autoresponse_type"], free) == ("START", [])
