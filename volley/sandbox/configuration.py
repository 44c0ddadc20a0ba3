"""The rooms of the configuration endpoints, put together."""

from collections.abc import Callable

from volley.sandbox.alphanumeric_room import AlphanumericRoom
from volley.sandbox.app import Room
from volley.sandbox.autoresponse_room import AutoresponseRoom
from volley.sandbox.bulk_room import BulkRoom
from volley.sandbox.campaign_room import CampaignRoom
from volley.sandbox.changes import Changes
from volley.sandbox.config import SandboxConfig
from volley.sandbox.number_room import NumberRoom
from volley.sandbox.profile_room import ProfileRoom
from volley.sandbox.short_code_room import ShortCodeRoom
from volley.sandbox.toll_free_room import TollFreeRoom


def configuration(
    config: SandboxConfig, changes: Changes, at: Callable[[int, Callable[[], None]], None]
) -> tuple[Room, ...]:
    """`at` (µs of the monotonic clock, call) does something later."""
    return (
        NumberRoom(changes),
        ShortCodeRoom(changes),
        AlphanumericRoom(changes),
        ProfileRoom(changes),
        AutoresponseRoom(changes),
        BulkRoom(changes, at, config.bulk_s),
        CampaignRoom(changes, at, config.campaign_s),
        TollFreeRoom(changes),
    )
