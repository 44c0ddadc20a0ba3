"""The signals that end a process as an event that long-running commands wait for."""

import asyncio

from volley.signals import on_end


def stop_event() -> asyncio.Event:
    """An event that the first SIGINT, SIGTERM or SIGHUP sets. Call inside the running loop."""
    stop = asyncio.Event()
    on_end(stop.set)
    return stop


async def run_until(stop: asyncio.Event, work: asyncio.Task[None]) -> None:
    """Lets `work` run until `stop` is set, then cancels it and waits; an error in `work` comes out here."""
    waiting = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    try:
        await work
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
