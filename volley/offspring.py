"""Child processes that never outlive us: a group of their own, and the kernel ends them when we die without a word."""

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""prctl(2), Linux 2.1.57 and later."""


def ends_with_parent(signum: int = signal.SIGTERM) -> Callable[[], None] | None:
    """A `preexec_fn`: the child gets `signum` when the thread that started it ends. None where the system cannot."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, as nothing may be loaded after it

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signum))

    return ask
