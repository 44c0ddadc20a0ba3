"""What this worker took and settled lately: its part of what a server may have forgotten.

A server that restarts or fails over may come back a moment younger than it was. Of a message whose take is gone, it would grant
it again; of one whose outcome is gone, it would say that nobody knows. So the worker tells it both again, and first of all which
of its flights' messages are still its own (`claims`): all but those that it settled as provably not sent. Those may be anywhere
by now, in another worker's flight too, and that worker claims them. Hence, whatever moment the server has gone back to:

* before the take: the message is ready there. Claimed, it flies again under its token and its outcome fits; not claimed, it is
  ready, as it was in truth, or another worker's, whose claim is the last take of it.
* between take and outcome: it flies there under its token, and the outcome, sent again, fits. Where it was not sent and another
  worker took it afterwards, that one's claim takes it over (lua/reassert.lua), and the old outcome comes too late.
* after the outcome: the flight is closed there, and the same outcome changes nothing.

What is kept are bytes that exist anyway, for KEPT_S or as long as flights live, and up to MOST_BYTES: the oldest go first.
"""

from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from volley.outbox.dispatch import Claim, Outcomes
from volley.outbox.flights import OUTCOME, Flight, masked
from volley.state import State

KEPT_S = 30.0
MOST_BYTES = 64 << 20
LEAST_LIFE_S = 5.0
"""So long a flight lives at least once it is told again: its outcomes follow at once."""
_NOT_SENT = frozenset({State.READY.encode(), State.DEAD.encode()})


class Taken(NamedTuple):
    at: float
    until: float
    token: str
    packed: bytes


class Settled(NamedTuple):
    """One call of settle, to be made again as it was."""

    at: float
    outcomes: Sequence[Outcomes]
    payload: bytes

    @property
    def size(self) -> int:
        return len(self.payload) + sum(len(outcome.packed) for outcome in self.outcomes)


def kept_for(life_s: float) -> float:
    """For how long to remember flights that live for so long: what is in the air must be told of for as long as it is."""
    return max(KEPT_S, life_s)


class Memory:
    """One a process. `run` is the run id of the server that knows all of this."""

    def __init__(self, *, kept_s: float = KEPT_S, most_bytes: int = MOST_BYTES) -> None:
        self.kept_s = kept_s
        self._most = most_bytes
        self._taken: deque[Taken] = deque()
        self._settled: deque[Settled] = deque()
        self.size = 0
        self.run = ""

    def took(self, flight: Flight, life_us: int) -> None:
        """A flight whose messages may be posted from now on."""
        now = monotonic()
        self._taken.append(Taken(now, now + life_us / 1_000_000, flight.token, flight.packed))
        self._grew(len(flight.packed), now)

    def settled(self, outcomes: Sequence[Outcomes], payload: bytes) -> None:
        """Outcomes that are about to be settled. Before, not after: the server that answers may be another one already."""
        kept = Settled(monotonic(), outcomes, payload)
        self._settled.append(kept)
        self._grew(kept.size, kept.at)

    def claims(self) -> list[Claim]:
        """The flights, the newest first: the last ones are the most likely to be forgotten."""
        now, not_sent = monotonic(), self._not_sent()
        return [
            Claim(
                taken.token,
                masked(taken.packed, not_sent.get(taken.token, ())),
                int((now - taken.at) * 1_000_000),
                int(max(taken.until - now, LEAST_LIFE_S) * 1_000_000),
            )
            for taken in reversed(self._taken)
        ]

    def outcomes(self) -> list[Settled]:
        """What was settled, in order."""
        return list(self._settled)

    def _not_sent(self) -> dict[str, list[int]]:
        """Token → positions that were given back, or set aside without being sent."""
        found: dict[str, list[int]] = {}
        for settled in self._settled:
            for token, packed in settled.outcomes:
                positions = [position for position, state, *_ in OUTCOME.iter_unpack(packed) if state in _NOT_SENT]
                if positions:
                    found.setdefault(token, []).extend(positions)
        return found

    def _grew(self, by: int, now: float) -> None:
        self.size += by
        while self._taken and self._is_over(self._taken[0].at, now):
            self.size -= len(self._taken.popleft().packed)
        while self._settled and self._is_over(self._settled[0].at, now):
            self.size -= self._settled.popleft().size

    def _is_over(self, at: float, now: float) -> bool:
        return now - at > self.kept_s or self.size > self._most
