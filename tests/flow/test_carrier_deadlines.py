"""Under load and stalls, what is called not sent never reached the carrier, and all else reached it once."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest
import uvloop

from volley.carrier.outcome import LATE, Accepted, NotSent
from volley.carrier.telnyx import Carrier, body

BODY = body("+13125550101", "+13125550001", "Good day", "16fd2706-8baf-433b-82eb-8c7fada847da")
REPLY = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"data":{"id":"a"}}'
MESSAGES = 600


class Counting(asyncio.Protocol):
    """Answers every request and counts its key."""

    def __init__(self, keys: Counter[str]) -> None:
        self._keys, self._data = keys, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._data.count(b"\r\n\r\n") and self._data.partition(b"\r\n\r\n")[2].startswith(BODY):
            head, _, rest = self._data.partition(b"\r\n\r\n")
            self._data = rest[len(BODY) :]
            self._keys[head.split(b"Idempotency-Key: ")[1].split(b"\r\n")[0].decode()] += 1
            self._transport.write(REPLY)


async def race(seed: int) -> tuple[Counter[str], dict[str, object]]:
    dice, keys, outcomes = random.Random(seed), Counter[str](), dict[str, object]()
    listener = await asyncio.get_running_loop().create_server(lambda: Counting(keys), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]

    async def one(carrier: Carrier, key: str) -> None:
        await asyncio.sleep(dice.random() / 3)
        if dice.random() < 0.01:
            time.sleep(0.01)  # noqa: ASYNC251  # a stall of the whole loop, as by a garbage collection
        patience = dice.choice((-0.001, 60.0, dice.uniform(0.0, 0.02)))
        outcomes[key], _ = await carrier.send(BODY, key, time.monotonic() + patience)

    async with Carrier("KEY", f"http://127.0.0.1:{port}/v2", concurrency=40, http_timeout_s=5) as carrier:
        async with asyncio.TaskGroup() as group:
            for number in range(MESSAGES):
                group.create_task(one(carrier, f"key-{number}"))
        await asyncio.sleep(0.05)
    listener.close()
    return keys, outcomes


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("seed", [1, 2])
def test_not_sent_means_not_one_byte_and_accepted_means_once(run: Callable[..., object], seed: int) -> None:
    result = run(race(seed))
    assert isinstance(result, tuple)
    keys, outcomes = result
    unsent = {key for key, outcome in outcomes.items() if outcome == NotSent(LATE)}
    sent = {key for key, outcome in outcomes.items() if isinstance(outcome, Accepted)}
    assert len(unsent) + len(sent) == MESSAGES
    assert unsent
    assert sent
    assert keys == Counter(sent)
