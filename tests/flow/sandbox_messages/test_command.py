"""`volley sandbox` as another team starts it: options on the command line, one JSON line, the official client."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
import telnyx


@asynccontextmanager
async def sandbox(*options: str) -> AsyncIterator[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "volley", "sandbox", "--port", "0", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield orjson.loads(await process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_its_line_is_all_that_a_client_needs(hooks: Any) -> None:
    options = ("--webhook-url", hooks.url, "--schedule-min-s", "0", "--cancel-min-s", "0", "--pool", "long_code=1@0")
    async with sandbox(*options) as facts:
        client = telnyx.AsyncTelnyx(
            api_key=facts["api_key"], public_key=facts["public_key"], base_url=facts["url"], max_retries=0
        )
        async with client, aiohttp.ClientSession() as http:
            number = (await client.phone_numbers.messaging.list()).data[0].phone_number
            soon = datetime.now(UTC) + timedelta(seconds=30)
            sent = await client.messages.send(from_=number, to="+12025550123", text="later", send_at=soon)
            cancelled = await client.messages.cancel_scheduled(str(sent.data.id))
            root = facts["url"].removesuffix("/v2")
            body = {"from": "+12025550123", "to": number, "text": "hello"}
            async with http.post(f"{root}/_sandbox/inbound", json=body) as answer:
                said = (await answer.json())["data"][0]["id"]
            hook = (await hooks.wait(1))[0]
            event = hook.unwrapped(facts["public_key"])
    assert cancelled.to[0].status == "cancelled"
    assert event.data.payload.id == said
