"""When a request is made again: after what, how often, how long. The same key and the same bytes each time."""

from collections.abc import Callable
from dataclasses import dataclass
from random import random
from typing import Any

from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay

from .problems import InProgress, ServerFailed, TooManyRequests, TooSlow, Unreachable


@dataclass(frozen=True, slots=True)
class Retries:
    """At most so many `tries`, and none that would begin `within_s` after the first.

    Waits begin at `first_s` and double up to `longest_s`, each taken at random from the half of it up; where the server says
    when to ask again (Retry-After), it is that, and a little.
    """

    tries: int = 8
    within_s: float = 120.0
    first_s: float = 0.5
    longest_s: float = 20.0

    def wait_s(self, tried: int, error: BaseException | None, chance: Callable[[], float] = random) -> float:
        """`tried` times it was tried in vain."""
        told = getattr(error, "retry_after_s", None)
        if told is not None:
            return float(told) + chance() * self.first_s
        ceiling = min(self.longest_s, self.first_s * 2.0 ** (tried - 1))
        return ceiling * (0.5 + chance() / 2)

    def words(self, repeatable: bool) -> dict[str, Any]:
        """As tenacity takes them, for waiting in a thread and in a loop alike."""
        return {
            "retry": retry_if_exception(lambda error: worth_another(error, repeatable)),
            "wait": self._wait,
            "stop": stop_after_attempt(self.tries) | stop_before_delay(self.within_s),
            "reraise": True,
        }

    def _wait(self, state: RetryCallState) -> float:
        return self.wait_s(state.attempt_number, state.outcome.exception() if state.outcome else None)


NEVER = Retries(tries=1)


def worth_another(error: BaseException, repeatable: bool) -> bool:
    """Whether the same request may end otherwise. One that is not `repeatable` goes again only if the first did nothing."""
    match error:
        case TooManyRequests() | Unreachable(never_sent=True):
            return True
        case InProgress() | Unreachable() | ServerFailed() | TooSlow():
            return repeatable
        case _:
            return False
