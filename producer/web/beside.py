"""What goes on beside the requests: what ends by an error is told and begins again, so that nothing stops unseen until the next restart."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

AGAIN_S = 5.0

Chore = Callable[[], Coroutine[Any, Any, None]]


async def going(chore: Chore, again_s: float = AGAIN_S) -> None:
    """Until the chore ends by itself, or is cancelled."""
    while True:
        try:
            await chore()
        except Exception as error:  # noqa: BLE001 - the top of a chore
            # where it happened, and not what was in it: messages of errors may hold numbers or texts
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("a chore failed and begins again in %g s: %s\n%s", again_s, type(error).__name__, where)
        else:
            return
        await asyncio.sleep(again_s)
