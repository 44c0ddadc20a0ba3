"""Rules of campaigns' own terms, changed while they run: caps, starts, and night and day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.redis.machine.stage import Stage, act, pick
from volley.campaign import Campaign
from volley.errors import UnusableInput

CHANGES: dict[str, dict[str, Any]] = {
    "slow": {"rate": Decimal(1)},
    "fast": {"rate": Decimal(100_000)},
    "any rate": {"rate": None},
    "later": {"start": datetime.now(UTC) + timedelta(days=1)},
    "now": {"start": None},
    "urgent": {"priority": "urgent"},
    "bulk": {"priority": "bulk"},
    "hours": {"quiet_hours": "02:00-03:00"},
    "no hours": {"quiet_hours": None},
}
DAY = "0-1099511627776"


class Terms(Stage):
    @act(2, n=pick, what=st.sampled_from([*CHANGES, "night", "day", "day"]))
    def change(self, n: int, what: str) -> None:
        if campaign := self.one(n):
            if what in CHANGES:
                self.ask_for(campaign, **CHANGES[what])
            else:
                self.turn(campaign, night=what == "night")

    def ask_for(self, campaign: Campaign, **changes: Any) -> None:
        try:
            self.surely(self.rig.outbox.change(campaign.id, **changes))
        except UnusableInput:
            return  # it is over
        if "start" in changes:
            later = self.truth.later
            later.add(campaign.id) if changes["start"] else later.discard(campaign.id)
        if "quiet_hours" in changes:
            self.truth.nights.discard(campaign.id)
        self.happened["changed"] += 1

    def turn(self, campaign: Campaign, *, night: bool) -> None:
        """For all of its people at once, if it has quiet hours."""
        groups = int(self.do(self.client.hget(self.rig.keys.of("hours", campaign.id), "n")) or 0)
        if groups:
            text = "" if night else DAY
            self.surely(
                self.rig.outbox.scripts.durable("reckon", campaign.id, 1 << 52, "", "", "", *[text] * (groups + 1))
            )
            quiet = self.do(self.client.hget(self.rig.keys.campaign(campaign.id), "tq")) not in (None, b"-")
            (self.truth.nights.add if night and quiet else self.truth.nights.discard)(campaign.id)

    def lift_terms(self) -> None:
        for campaign in self.campaigns:
            self.ask_for(campaign, rate=None, start=None, quiet_hours=None)
