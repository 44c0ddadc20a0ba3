"""Error codes that no table has: final, counted, and told to whoever looks at the status."""

import asyncio

import pytest

from producer.sight.overview import status
from tests.flow.sending.conftest import US, Scene

LINK = "https://media.example.com/a.png"


async def test_an_unknown_code_ends_its_message_and_stands_in_the_status(scene: Scene) -> None:
    await scene.sync("long_code")
    refusal = {"errors": [{"code": "49999", "title": "Something of next year"}]}
    scene.wire.refusals["POST"] = [(400, refusal), (422, refusal)]
    result = await scene.push([US, US + 1, US + 2])
    async with scene.working():
        await scene.until_settled(result.campaign_id or "")
        for _ in range(200):
            notes = (await status(scene.outbox, "default", relaxed=False))["notes"]
            if notes:
                break
            await asyncio.sleep(0.1)
    assert notes == ["the carrier refused 2 messages with 49999, a code that this release does not know: they ended so"]
    lines = await scene.export(result.campaign_id or "")
    assert sorted((line["status"], line["error_code"]) for line in lines.values()) == [
        ("refused", "49999"), ("refused", "49999"), ("submitted", None),
    ]  # fmt: skip


@pytest.mark.parametrize("source", [{"pointer": "/media_urls/0"}, {"parameter": "media_urls"}])
async def test_a_link_that_the_carrier_does_not_take_ends_its_message_and_stops_nobody_else(
    scene: Scene, source: dict[str, str]
) -> None:
    await scene.sync("long_code", mms=True)
    scene.wire.refusals["POST"] = [(400, {"errors": [{"code": "10003", "title": "Invalid URL", "source": source}]})]
    campaign_id = await scene.sent(await scene.push([US, US + 1], media=(LINK,), media_check=False))
    lines = await scene.export(campaign_id)
    assert sorted((line["status"], line["error_code"]) for line in lines.values()) == [
        ("refused", "10003"), ("submitted", None),
    ]  # fmt: skip
    assert await scene.outbox.rests() == []


async def test_a_webhook_url_that_the_carrier_does_not_take_burns_no_message(scene: Scene) -> None:
    await scene.sync("long_code", mms=True)
    source = {"pointer": "/webhook_url"}
    scene.wire.refusals["POST"] = [(400, {"errors": [{"code": "10003", "title": "Invalid URL", "source": source}]})]
    result = await scene.push([US], media=(LINK,), media_check=False)
    async with scene.working():
        for _ in range(100):
            rests = await scene.outbox.rests()
            if rests:
                break
            await asyncio.sleep(0.1)
    assert [rest.what for rest in rests] == ["account"]
    view = await scene.outbox.campaign(result.campaign_id or "")
    assert view is not None
    assert view.counts["ready"] == 1
