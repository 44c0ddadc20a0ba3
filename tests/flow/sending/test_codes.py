"""Error codes that no table has: final, counted, and told to whoever looks at the status."""

import asyncio

from producer.overview import status
from tests.flow.sending.conftest import US, Scene


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
