"""Pause, resume and cancel, as every front does them: on the disk before they answer, a worker woken, the carrier told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox
from volley.settings import Settings

Verb = Literal["pause", "resume", "cancel"]
Arm = Callable[[Campaign], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Steered:
    """`in_flight` messages will still be sent or settled. `withdrawn`: what came of those that the carrier kept, where it did."""

    campaign_id: str
    state: str
    in_flight: int
    withdrawn: dict[str, int] | None = None

    def as_json(self) -> dict[str, object]:
        told = {"campaign_id": self.campaign_id, "state": self.state, "in_flight": self.in_flight}
        return told if self.withdrawn is None else told | {"carrier": self.withdrawn}


async def steer(verb: Verb, settings: Settings, outbox: Outbox, arm: Arm, campaign_id: str) -> Steered:
    """Raises UnusableInput where there is no such campaign, or it is over; TryAgainLater where Redis or the carrier is away."""
    verbs = {"pause": outbox.pause, "resume": outbox.resume, "cancel": outbox.cancel}
    in_flight = await verbs[verb](campaign_id)
    view = await outbox.campaign(campaign_id)
    if view is None:
        raise UnusableInput(f"campaign {campaign_id} is gone: its time in Redis is over")
    if verb == "resume":
        await arm(view.campaign)
    withdrawn = None
    if verb == "cancel" and view.campaign.send_at_us:
        from producer.push.withdrawal import withdraw_all  # SQL is half a second of imports

        withdrawn = (await withdraw_all(settings, outbox, view.campaign)).as_json()
    return Steered(campaign_id, view.state, in_flight, withdrawn)
