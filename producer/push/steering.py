"""Pause, resume and cancel, as every front does them: on the disk before they answer, a worker woken, the carrier told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from volley.campaign import Campaign
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox
from volley.settings import Settings

Verb = Literal["pause", "resume", "cancel"]
Arm = Callable[[Campaign], Awaitable[None]]


class Counts(Protocol):
    def as_json(self) -> dict[str, int]: ...


Withdraw = Callable[[Settings, Outbox, Campaign], Awaitable[Counts | None]]
"""Has the carrier cancel what it keeps of a campaign; None where that goes on."""


@dataclass(frozen=True, slots=True)
class Steered:
    """`in_flight` messages will still be sent or settled. `withdrawn`: what came of those that the carrier kept, where it did;
    `withdrawing`: that goes on.
    """

    campaign_id: str
    state: str
    in_flight: int
    withdrawn: dict[str, int] | None = None
    withdrawing: bool = False

    def as_json(self) -> dict[str, object]:
        told = {"campaign_id": self.campaign_id, "state": self.state, "in_flight": self.in_flight}
        told |= {"withdrawing": True} if self.withdrawing else {}
        return told if self.withdrawn is None else told | {"carrier": self.withdrawn}


async def to_the_end(settings: Settings, outbox: Outbox, campaign: Campaign) -> Counts:
    from producer.push.withdrawal import withdraw_all  # SQL is half a second of imports

    return await withdraw_all(settings, outbox, campaign)


async def steer(
    verb: Verb, settings: Settings, outbox: Outbox, arm: Arm, campaign_id: str, withdraw: Withdraw = to_the_end
) -> Steered:
    """Raises UnusableInput where there is no such campaign, or it is over; TryAgainLater where Redis or the carrier is away."""
    verbs = {"pause": outbox.pause, "resume": outbox.resume, "cancel": outbox.cancel}
    in_flight = await verbs[verb](campaign_id)
    view = await outbox.campaign(campaign_id)
    if view is None:
        raise UnusableInput(f"campaign {campaign_id} is gone: its time in Redis is over")
    if verb == "resume":
        await arm(view.campaign)
    if verb != "cancel" or not view.campaign.send_at_us:
        return Steered(campaign_id, view.state, in_flight)
    withdrawn = await withdraw(settings, outbox, view.campaign)
    return Steered(campaign_id, view.state, in_flight, withdrawn.as_json() if withdrawn else None, withdrawn is None)
