"""A real worker whose carrier fails as only our own mistakes do, and says all it holds: careless.py crash|leak [unmasked|talkative].

`crash`: the worker. `leak`: no worker, a few events as nobody should log them, numbers, keys and a text among them.
"""

import asyncio
import logging
import sys
import threading
from typing import Any

from tests.flow.cli.leaked import BARE, CRASHES, KEY, PASSWORD, TEXT, TOKEN
from volley import logs
from volley.__main__ import main
from volley.carrier.telnyx import Carrier
from volley.settings import load


class Careless(Exception):
    pass


def crash() -> None:
    real = Carrier.send

    async def send(self: Carrier, request: bytes, *more: Any) -> Any:
        if CRASHES.encode() in request:
            raise Careless(f"{CRASHES} was to get {TEXT!r}")
        return await real(self, request, *more)

    Carrier.send = send  # type: ignore[method-assign]
    sys.argv = ["volley", "worker"]
    main()


async def _forgotten() -> None:
    raise Careless(f"{CRASHES} {TEXT}")


async def _forget() -> None:
    task = asyncio.ensure_future(_forgotten())
    await asyncio.sleep(0)
    del task


def leak() -> None:
    logs.start_logging("worker", load())
    log = logging.getLogger("worker.careless")
    log.warning("sent to %s", CRASHES)
    log.warning("sent to %s of %s", BARE, {"to": [int(BARE)]}, extra={"campaign": f"tel:{BARE}"})
    log.error("the carrier refused %s, Authorization: Bearer %s", KEY, TOKEN)
    log.error("the API key %s, redis://volley:%s@redis:6379/0", TOKEN, PASSWORD)
    log.error("it failed: %s", Careless(TEXT))
    log.error("%d words", TEXT)  # type: ignore[str-format, unused-ignore]
    asyncio.run(_forget())
    thread = threading.Thread(target=lambda: asyncio.run(_forgotten()))
    thread.start()
    thread.join()
    log.warning("campaign 0123456789012345 at 1764244045123456 us, entry 1764244045123-0, port 65535")
    raise Careless(f"{CRASHES} {TEXT}")


if __name__ == "__main__":
    if "unmasked" in sys.argv:
        logs.masking = lambda secrets=(): str  # type: ignore[assignment]
    if "talkative" in sys.argv:
        logs.words = repr  # type: ignore[assignment]
    {"crash": crash, "leak": leak}[sys.argv[1]]()
