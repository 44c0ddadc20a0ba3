"""What take answered, turned into when: the server's clock and ours differ, and the answer took its time."""

import logging
from time import monotonic
from typing import NamedTuple

from volley.outbox.dispatch import LATE_US, SLACK_US

log = logging.getLogger(__name__)

_WEIGHT = 0.2
_TELL_EVERY_S = 30.0


class Clock(NamedTuple):
    """`asked` and `answered` are `time.monotonic()` around a take, `now_us` the server's clock in between.

    `late_us`: how long after its moment a message may still go.
    """

    asked: float
    answered: float
    now_us: int
    late_us: int = LATE_US

    def moment(self, moment_us: int) -> float:
        """When a message may go, by `time.monotonic()`: never early, however long the answer took."""
        return self.answered + (moment_us - self.now_us) / 1_000_000

    def deadline(self, moment_us: int) -> float:
        """From when on it is too late: never after the server would say so."""
        return self.asked + (moment_us - self.now_us + self.late_us) / 1_000_000

    def server_us(self, local: float) -> int:
        """A local `time.monotonic()` by the server's clock."""
        return self.now_us + int((local - self.answered) * 1_000_000)


class Away:
    """How long takes have lately been under way, in `seconds`; says so where that is too long for anything to be in time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._told_at = -_TELL_EVERY_S

    def saw(self, took_s: float) -> None:
        self.seconds += (took_s - self.seconds) * _WEIGHT
        now = monotonic()
        if self.seconds >= SLACK_US / 1_000_000 and now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            log.warning("Redis answers after %.0f ms: what it grants comes too late to be sent", self.seconds * 1000)
