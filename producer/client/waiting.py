"""How long to go on looking at a campaign."""

import time
from collections.abc import Callable

from .models import Campaign
from .problems import StillRunning

Progress = Callable[[Campaign], object]


class Waiting:
    """Looks again every `every_s`, for `timeout_s` (None: without end)."""

    def __init__(self, timeout_s: float | None, every_s: float) -> None:
        self._every_s = every_s
        self._end_s = float("inf") if timeout_s is None else time.monotonic() + timeout_s

    def next_look_s(self, campaign: Campaign, progress: Progress | None) -> float | None:
        """Seconds to wait before the next look; None where the campaign is over.

        Raises:
            StillRunning: no patience is left.
        """
        if progress is not None:
            progress(campaign)
        if campaign.over:
            return None
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise StillRunning(f"campaign {campaign.campaign_id} is {campaign.state} and goes on: look again later")
        return min(self._every_s, left_s)
