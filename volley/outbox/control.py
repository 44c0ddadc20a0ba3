"""Pause, resume, and the end of a campaign: each one script call after another, on the disk before it answers."""

from volley.errors import UnusableInput
from volley.outbox.scripts import Scripts
from volley.outbox.views import STATES
from volley.state import MOVES_ARG

_SWEEP_CHUNKS = 20
FINISHED = "f"


async def control(scripts: Scripts, campaign_id: str, new: str, action: bytes, why: str = "") -> int:
    """Pauses (p) or resumes (r), and records the action where that changed something. How many messages are in flight.

    One that has finished is not paused.
    """
    state, flying = await scripts.durable("control", campaign_id, new, action, why)
    _check_known(state, campaign_id)
    if state.decode() not in (new, FINISHED):
        raise UnusableInput(f"campaign {campaign_id} is {STATES[state.decode()]} and stays so")
    return int(flying)


async def sweep(scripts: Scripts, campaign_id: str, to: str, action: bytes) -> tuple[int, int]:
    """Ends what waits of a campaign as cancelled (c) or expired (e): (in flight, ended)."""
    done, ended, flying = 0, 0, 0
    while not done:
        state, flying, count, done = await scripts.durable("sweep", MOVES_ARG, campaign_id, to, _SWEEP_CHUNKS, action)
        ended += count
    _check_known(state, campaign_id)
    return int(flying), ended


def _check_known(state: bytes, campaign_id: str) -> None:
    if not state:
        raise UnusableInput(f"no campaign {campaign_id[:40]!r}: see volley campaigns")
