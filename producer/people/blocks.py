"""The carrier's opt-out list over ours: who is on theirs is put on ours, and nobody is taken off."""

from dataclasses import asdict, dataclass
from typing import Any

from volley.carrier.api import TelnyxApi
from volley.carrier.optouts_api import OptOut, optouts
from volley.errors import UnusableInput
from volley.outbox.inbound import Said, Word, hear, person
from volley.outbox.outbox import Outbox

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Sync:
    """One profile. People, but `unreadable`: entries that name nobody. `started`: their last word there was START."""

    profile: str
    people: int
    added: int
    already: int
    started: int
    unreadable: int


async def sync(api: TelnyxApi, outbox: Outbox, profile: str | None) -> list[dict[str, Any]]:
    """Reads the list of one profile, or of every profile that is known here.

    Raises:
        UnusableInput: the profile is not known here; what the carrier refuses.
        TryAgainLater: the carrier or Redis is away.
    """
    names = [view.profile for view in await outbox.profiles()]
    if profile is not None and profile not in names:
        raise UnusableInput(f"profile {profile} is not known: run volley numbers sync --profile {profile}")
    ours = set((await outbox.sender_numbers()).values())
    return [asdict(await _sync_one(api, outbox, name, ours)) for name in ([profile] if profile else names)]


async def _sync_one(api: TelnyxApi, outbox: Outbox, profile: str, ours: set[str]) -> Sync:
    latest: dict[int, OptOut] = {}
    unreadable = 0
    async for item in optouts(api, profile):
        who = person(_person_of(item, ours))
        if who is None:
            unreadable += 1
        elif who not in latest or latest[who].at_us <= item.at_us:
            latest[who] = item
    stopped = [Word(profile, who, "stop", max(item.at_us, 0)) for who, item in latest.items() if not item.started]
    added = 0
    for at in range(0, len(stopped), _AT_ONCE):
        added += (await hear(outbox, [Said(None, word) for word in stopped[at : at + _AT_ONCE]])).added
    return Sync(profile, len(latest), added, len(stopped) - added, len(latest) - len(stopped), unreadable)


def _person_of(item: OptOut, ours: set[str]) -> str:
    """`to`, as the specification has it; `from` where `to` is a number of ours, should it be told from the STOP's side."""
    return item.sender if item.to in ours and item.sender not in ours else item.to
