"""Delivery receipts of the sandbox: signed, in the carrier's form, and as unreliable as they are told to be."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from volley.sandbox.config import Price, ReceiptSpec, SandboxConfig, Tariff
from volley.sandbox.server import Sandbox

AT_ONCE = {"sent_after_s": 0.0, "done_after_s": (0.001, 0.002), "backoff_s": 0.01}


@dataclass
class Hook:
    """One webhook as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.raw)["data"])

    @property
    def kind(self) -> str:
        return str(self.event["event_type"])

    @property
    def status(self) -> str:
        return str(self.event["payload"]["to"][0]["status"])


class Receiver:
    """Collects webhooks; `failing` answers 500 to that many first."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.url = ""
        self.hooks: list[Hook] = []

    async def take(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.hooks.append(Hook(request.path_qs, headers, await request.read()))
        self.failing -= 1
        return web.Response(status=500 if self.failing >= 0 else 200)

    async def wait(self, count: int) -> list[Hook]:
        async with asyncio.timeout(10):
            while True:
                if len(self.hooks) >= count:
                    return self.hooks
                await asyncio.sleep(0.005)


@asynccontextmanager
async def receiver(failing: int = 0) -> AsyncIterator[Receiver]:
    taking = Receiver(failing)
    runner = web.ServerRunner(web.Server(taking.take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taking.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield taking
    await runner.cleanup()


def config(tariff: Tariff | None = None, **receipts: Any) -> SandboxConfig:
    spec = ReceiptSpec(**(AT_ONCE | receipts))
    return SandboxConfig(pool=(("long_code", 2, 0),), receipts=spec, tariff=tariff or Tariff())


async def call(method: str, url: str, body: object = None) -> dict[str, Any]:
    headers = {"Authorization": "Bearer KEY_SANDBOX"}
    async with aiohttp.request(method, url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def send(sandbox: Sandbox, url: str, **rest: object) -> dict[str, Any]:
    body = {"from": sandbox.senders[0], "to": "+12025550123", "text": "hi", "webhook_url": url} | rest
    return dict((await call("POST", f"{sandbox.url}/messages", body))["data"])


async def test_sent_and_finalized_come_signed_with_the_known_key() -> None:
    async with receiver() as hooks, Sandbox(config()) as sandbox:
        posted = await send(sandbox, f"{hooks.url}/hook?ref=1")
        sent, final = await hooks.wait(2)
        key = VerifyKey(base64.b64decode(sandbox.public_key))
    for hook in (sent, final):
        signed = hook.headers["telnyx-timestamp"].encode() + b"|" + hook.raw
        signature = base64.b64decode(hook.headers["telnyx-signature-ed25519"])
        key.verify(signed, signature)
        with pytest.raises(BadSignatureError):
            key.verify(signed + b" ", signature)
        assert hook.path == "/hook?ref=1"
        assert hook.event["record_type"] == "event"
        assert hook.event["payload"]["id"] == posted["id"]
        assert json.loads(hook.raw)["meta"] == {"attempt": 1, "delivered_to": f"{hooks.url}/hook?ref=1"}
    assert [(hook.kind, hook.status) for hook in (sent, final)] == [
        ("message.sent", "sent"),
        ("message.finalized", "delivered"),
    ]
    assert sent.event["id"] != final.event["id"]
    assert sent.event["occurred_at"] <= final.event["occurred_at"]
    assert final.event["payload"].keys() == posted.keys()


async def test_the_final_cost_may_differ_from_the_one_at_the_post() -> None:
    tariff = Tariff(price=Price("0.004", "0.003"), final=Price("0.004", "0.0045"))
    async with receiver() as hooks, Sandbox(config(tariff)) as sandbox:
        posted = await send(sandbox, hooks.url, text="a" * 200)
        sent, final = await hooks.wait(2)
    assert posted["cost"] == sent.event["payload"]["cost"] == {"amount": "0.014", "currency": "USD"}
    assert final.event["payload"]["cost"] == {"amount": "0.0170", "currency": "USD"}
    assert final.event["payload"]["cost_breakdown"]["carrier_fee"]["amount"] == "0.0090"


async def test_a_cost_that_is_unknown_at_the_post_comes_with_the_last_receipt() -> None:
    async with receiver() as hooks, Sandbox(config(Tariff(at_post=False))) as sandbox:
        posted = await send(sandbox, hooks.url)
        _, final = await hooks.wait(2)
    assert (posted["cost"], posted["cost_breakdown"]) == (None, None)
    assert final.event["payload"]["cost"]["amount"] == "0.007"


@pytest.mark.parametrize(
    ("share", "status", "codes"),
    [
        ({"failed": 1.0, "error_codes": ("40008",)}, "delivery_failed", ["40008"]),
        ({"unconfirmed": 1.0}, "delivery_unconfirmed", []),
    ],
)
async def test_what_was_not_delivered_says_why(share: dict[str, Any], status: str, codes: list[str]) -> None:
    async with receiver() as hooks, Sandbox(config(**share)) as sandbox:
        posted = await send(sandbox, hooks.url)
        _, final = await hooks.wait(2)
        shown = await call("GET", f"{sandbox.url}/messages/{posted['id']}")
    assert final.status == status
    assert [error["code"] for error in final.event["payload"]["errors"]] == codes
    assert shown["data"] == final.event["payload"]


async def test_some_messages_stay_at_sent_for_ever() -> None:
    async with receiver() as hooks, Sandbox(config(silent=1.0)) as sandbox:
        await send(sandbox, hooks.url)
        await hooks.wait(1)
        stats = await call("GET", f"{sandbox.root}/_sandbox/stats")
    assert [hook.kind for hook in hooks.hooks] == ["message.sent"]
    assert stats["receipts"]["scheduled"] == 0


async def test_receipts_come_twice_and_in_the_wrong_order_when_told_so() -> None:
    async with receiver() as hooks, Sandbox(config(duplicated=1.0, reversed=1.0, connections=1)) as sandbox:
        await send(sandbox, hooks.url)
        seen = await hooks.wait(4)
    assert [hook.kind for hook in seen] == ["message.finalized"] * 2 + ["message.sent"] * 2
    assert len({hook.event["id"] for hook in seen}) == 2


async def test_a_receiver_that_fails_is_tried_again_and_then_the_failover() -> None:
    async with receiver(failing=99) as down, receiver() as standby, Sandbox(config(silent=1.0)) as sandbox:
        await send(sandbox, down.url, webhook_failover_url=standby.url)
        hook = (await standby.wait(1))[0]
        tries = len(down.hooks)
    assert tries == 3
    assert json.loads(hook.raw)["meta"] == {"attempt": 4, "delivered_to": standby.url}


async def _lost(sandbox: Sandbox) -> None:
    async with asyncio.timeout(5):
        while True:
            if (await call("GET", f"{sandbox.root}/_sandbox/stats"))["receipts"]["lost"]:
                return
            await asyncio.sleep(0.01)


async def test_a_receiver_that_never_answers_well_is_given_up() -> None:
    async with receiver(failing=99) as down, Sandbox(config(silent=1.0)) as sandbox:
        await send(sandbox, down.url)
        await down.wait(3)
        await _lost(sandbox)
    assert len(down.hooks) == 3


async def test_deferred_receipts_wait_until_they_are_released() -> None:
    async with receiver() as hooks, Sandbox(config(mode="defer")) as sandbox:
        ids = [(await send(sandbox, hooks.url))["id"] for _ in range(3)]
        stats = await call("GET", f"{sandbox.root}/_sandbox/stats")
        assert (stats["receipts"]["deferred"], hooks.hooks) == (3, [])
        first = await call("POST", f"{sandbox.root}/_sandbox/receipts", {"limit": 1})
        await hooks.wait(2)
        rest = await call("POST", f"{sandbox.root}/_sandbox/receipts", {"limit": 100})
        seen = await hooks.wait(6)
    assert (first, rest) == ({"released": 1}, {"released": 2})
    assert [hook.event["payload"]["id"] for hook in seen[:2]] == [ids[0]] * 2
    assert {hook.event["payload"]["id"] for hook in seen} == set(ids)
