"""MMS: what goes, at which price and how fast; what does not; and the SMS in its place."""

from typing import Any

import pytest
import telnyx

from tests.openapi import validate_schema
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.number_spec import NumberChange

PERSON, BRITON = "+12025550123", "+447700900123"
CAT = "https://example.com/cat.png"


async def _send(world: Any, to: str = PERSON, **rest: Any) -> Any:
    body: dict[str, Any] = {"from_": world.sandbox.senders[0], "to": to, "media_urls": [CAT]} | rest
    return await world.client.messages.send(**body)


async def test_an_mms_is_one_part_at_its_own_price_with_its_media(opened: Any, hooks: Any) -> None:
    world = await opened(webhook_url=hooks.url)
    sent = await _send(world, text="Look! " * 100, subject="A cat", type="MMS")
    final = (await hooks.wait(1, "message.finalized"))[0]
    validate_schema("OutboundMessageEvent", {"data": final.data})
    assert (sent.data.type, sent.data.parts, sent.data.subject) == ("MMS", 1, "A cat")
    assert (sent.data.cost.amount, final.payload["cost"]["amount"]) == ("0.020", "0.020")
    assert [(each.url, each.content_type, each.size) for each in sent.data.media] == [(CAT, "image/png", 1024)]
    assert [(each.type, each.parts, each.result) for each in world.sandbox.arrivals()] == [("MMS", 1, "accepted")]


@pytest.mark.parametrize(
    ("media", "code"),
    [
        ([CAT] * 10, ""),
        ([CAT] * 11, "40317"),
        ([f"{CAT}?bytes=999999"], ""),
        ([f"{CAT}?bytes=500000"] * 2, "40317"),
        (["https://example.com/large.mp4"], "40317"),
    ],
)
async def test_an_mms_holds_ten_items_of_less_than_a_megabyte(opened: Any, media: list[str], code: str) -> None:
    world = await opened(config={"media_bytes": {"https://example.com/large.mp4": 1_000_000}})
    if not code:
        assert (await _send(world, media_urls=media)).data.type == "MMS"
        return
    with pytest.raises(telnyx.BadRequestError, match=code):
        await _send(world, media_urls=media)


async def test_a_profile_that_transcodes_takes_five_megabytes(opened: Any) -> None:
    world = await opened(mms_transcoding=True)
    assert (await _send(world, media_urls=[f"{CAT}?bytes=4999999"])).data.type == "MMS"
    with pytest.raises(telnyx.BadRequestError, match="40317"):
        await _send(world, media_urls=[f"{CAT}?bytes=5000000"])


async def test_an_mms_goes_to_the_us_and_canada_and_from_numbers_that_can(opened: Any) -> None:
    world = await opened(config={"states": {1: NumberChange(features={"mms": None})}})
    assert (await _send(world, "+14165550123")).data.type == "MMS"
    with pytest.raises(telnyx.BadRequestError, match="40301"):
        await _send(world, BRITON)
    with pytest.raises(telnyx.BadRequestError, match="40308"):
        await _send(world, from_=world.sandbox.senders[1])


async def test_a_profile_that_falls_back_sends_the_address_of_the_media_instead(opened: Any, hooks: Any) -> None:
    world = await opened(mms_fall_back_to_sms=True, webhook_url=hooks.url)
    sent = await _send(world, BRITON, text="a" * 150)
    final = (await hooks.wait(1, "message.finalized"))[0]
    shown = await world.client.messages.retrieve(str(sent.data.id))
    assert (sent.data.type, sent.data.parts, sent.data.media) == ("SMS", 2, [])
    assert sent.data.text == shown.data.text == final.payload["text"] == f"{'a' * 150} {CAT}"
    assert sent.data.cost.amount == "0.014"
    assert [each.type for each in world.sandbox.arrivals()] == ["SMS"]


async def test_mms_and_sms_of_a_number_wait_in_queues_of_their_own(opened: Any) -> None:
    world = await opened(pool=(("long_code", 2, 0.01),))
    sms = [await _send(world, media_urls=[], text="hello") for _ in range(2)]
    mms = [await _send(world) for _ in range(2)]
    waits = [each.data.wait_seconds for each in (*sms, *mms)]
    assert (waits[0], waits[2]) == (0.0, 0.0)
    assert 95 < waits[1] <= 100
    assert 95 < waits[3] <= 100


async def test_the_account_has_a_rate_for_mms_and_a_queue_that_ends(opened: Any) -> None:
    world = await opened(config={"account_mms_rate": 0.01, "queue_cap_s": 150})
    waits = [(await _send(world, from_=world.sandbox.senders[turn])).data.wait_seconds for turn in range(2)]
    assert waits[0] == 0.0
    assert 95 < waits[1] <= 100
    with pytest.raises(telnyx.RateLimitError, match="40318"):
        await _send(world, from_=world.sandbox.senders[2])
    assert (await _send(world, media_urls=[], text="hello")).data.wait_seconds == 0.0


async def test_the_pool_sends_mms_too(opened: Any) -> None:
    world = await opened()
    sent = await world.client.messages.send_number_pool(to=PERSON, messaging_profile_id=PROFILE_ID, media_urls=[CAT])
    assert (sent.data.type, sent.data.from_.phone_number in world.sandbox.senders) == ("MMS", True)
