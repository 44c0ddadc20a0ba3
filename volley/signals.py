"""What ends a long-running process in order: SIGTERM, SIGINT, and a terminal that hangs up.

SIGHUP would end a process at once, with what it holds in the air. It ends it as SIGTERM does; under a supervisor that starts it
again that reads the settings anew. Where it is ignored (nohup) it stays so.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType


def on_end(end: Callable[[], None]) -> None:
    """Calls `end` for each of them. Call inside the running loop."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
            loop.add_signal_handler(signum, end)


class Hush:
    """Whether the process is wished quiet: SIGTSTP, and SIGCONT after it. Make one before all else.

    Until somebody listens SIGTSTP suspends the whole process: a worker that is only starting would stand still, alive to its
    supervisor, until a SIGCONT.
    """

    def __init__(self) -> None:
        self._quiet = False
        for signum in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(signum, self._heard)

    def _heard(self, signum: int, _frame: FrameType | None) -> None:
        self._quiet = signum == signal.SIGTSTP

    def tell(self, hush: Callable[[bool], None]) -> None:
        """From now on to `hush`, and what was heard before. Call inside the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, hush, True)
        loop.add_signal_handler(signal.SIGCONT, hush, False)
        if self._quiet:
            hush(True)
