"""What ends a long-running process in order: SIGTERM, SIGINT, and a terminal that hangs up.

SIGHUP would end a process at once, with what it holds in the air. It ends it as SIGTERM does; under a supervisor that starts it
again that reads the settings anew. Where it is ignored (nohup) it stays so.
"""

import asyncio
import signal
from collections.abc import Callable


def on_end(end: Callable[[], None]) -> None:
    """Calls `end` for each of them. Call inside the running loop."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
            loop.add_signal_handler(signum, end)
