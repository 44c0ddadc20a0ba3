"""What take answered, turned into when: the server's clock and ours differ, and the answer took its time."""

from typing import NamedTuple

from volley.outbox.dispatch import LATE_US


class Clock(NamedTuple):
    """`asked` and `answered` are `time.monotonic()` around a take, `now_us` the server's clock in between."""

    asked: float
    answered: float
    now_us: int

    def moment(self, moment_us: int) -> float:
        """When a message may go, by `time.monotonic()`: never early, however long the answer took."""
        return self.answered + (moment_us - self.now_us) / 1_000_000

    def deadline(self, moment_us: int) -> float:
        """From when on it is too late: never after the server would say so."""
        return self.asked + (moment_us - self.now_us + LATE_US) / 1_000_000

    def server_us(self, local: float) -> int:
        """A local `time.monotonic()` by the server's clock."""
        return self.now_us + int((local - self.answered) * 1_000_000)
