"""What a front does at the steps of a push: choose, allow, look where messages lie, claim keys. Nothing of it is needed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from producer.push.cast import Cast, choose
from producer.push.request import PushRequest, Rejected
from volley.outbox.outbox import Outbox
from volley.settings import Settings


async def _allowed(_messages: int) -> None:
    pass


def _seen(_chunk: int, _to: Sequence[int]) -> None:
    pass


def _unsure() -> None:
    pass


def _unclaimed(_rejected: Sequence[Rejected]) -> tuple[tuple[str, str], ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Steps:
    """`choose` says who sends. `allow` is asked before so many messages are admitted: what it raises ends the push. `placed` is
    told which numbers a chunk holds, in their order. `claims`, at the end and given the rejected rows of the result: further
    idempotency keys → what is kept under them, sealed with the campaign or not at all. `unsure` is told before a push ends in an
    error that may be sealed nonetheless. `beside`: rows are read in a thread, as a source may block and many take long; a handful
    that is there already is read on the loop, and stored in the step that seals it.
    """

    choose: Callable[[Outbox, Settings, PushRequest], Awaitable[Cast]] = choose
    allow: Callable[[int], Awaitable[None]] = _allowed
    placed: Callable[[int, Sequence[int]], None] = _seen
    claims: Callable[[Sequence[Rejected]], tuple[tuple[str, str], ...]] = _unclaimed
    unsure: Callable[[], None] = _unsure
    beside: bool = True
