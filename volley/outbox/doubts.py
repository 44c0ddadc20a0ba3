"""Messages of which nobody knows whether the carrier has them: what Redis keeps of each, and when it is looked at next."""

from collections.abc import AsyncIterator
from struct import Struct
from typing import NamedTuple

from volley.campaign import OnUnknown
from volley.errors import UnusableInput
from volley.message import MessageId
from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.outbox.scripts import Scripts

SPOT = Struct(">16sIH")
"""campaign id, chunk, offset."""
DOUBT = Struct(">BIBBBBQQHB")
"""version, sender index, parts, attempt, spent, generation, recipient, since µs, repeats, proof; see lua/lib.lua."""
_BATCH = 500
KEY_LIFE_US = 23 * 3_600_000_000
"""As lua/repeat.lua has it: the carrier keeps an idempotency key for a day."""
BY_ITSELF = "a webhook or a record of the carrier's resolves it"


class Doubt(NamedTuple):
    """`since_us`: when it became unknown. `next_us`: when it is looked at next, 0 while a repeat flies. `attempt`: the last one."""

    place: MessageId
    sender: int
    attempt: int
    to: int
    since_us: int
    repeats: int
    next_us: int


async def of_campaign(client: Redis, keys: Keys, campaign_id: str) -> AsyncIterator[Doubt]:
    """In no order. Walks all that is unknown in the account: for people who ask, not for loops."""
    cursor = 0
    while True:
        cursor, found = await client.execute_command(
            "HSCAN", keys.of("unknown"), cursor, "MATCH", f"{campaign_id}*", "COUNT", _BATCH
        )
        held = list(found.items()) if isinstance(found, dict) else list(zip(found[::2], found[1::2], strict=True))
        for at in range(0, len(held), _BATCH):
            async for doubt in _dated(client, keys, held[at : at + _BATCH]):
                yield doubt
        if not int(cursor):
            return


async def of_message(client: Redis, keys: Keys, place: MessageId) -> Doubt | None:
    """None for a message that is not unknown, or that was given up."""
    packed = await client.hget(keys.of("unknown"), spot(place))
    if packed is None:
        return None
    due = await client.execute_command("ZSCORE", keys.of("doubts"), spot(place))
    return read(spot(place), packed, int(float(due or 0)))


async def change_policy(scripts: Scripts, campaign_id: str, policy: OnUnknown, action: bytes = b"") -> int:
    """What becomes of a campaign's unknown messages from now on, on the disk before this returns; how many there are.

    Raises UnusableInput for a campaign that is not there. Redis errors pass through.
    """
    spots = [spot(doubt.place) async for doubt in of_campaign(scripts.client, scripts.keys, campaign_id)]
    due = 0
    for at in range(0, max(1, len(spots)), _BATCH):
        page = b"".join(spots[at : at + _BATCH])
        known, count = await scripts.durable("policy", campaign_id, policy[0], page, b"" if at else action)
        if not known:
            raise UnusableInput(f"no campaign {campaign_id[:40]!r} in Redis: see volley campaigns")
        due += int(count)
    return due


def waits_for(doubt: Doubt, state: str, policy: OnUnknown, *, honoured: bool, now_us: int) -> str:
    """What an unknown message waits for, in words. `state`: its campaign's (ready, paused …)."""
    if not doubt.next_us:
        return "the carrier is being asked about it at this moment"
    if state in ("cancelled", "expired"):
        return f"its campaign is {state}, so the carrier is not asked: {BY_ITSELF}"
    if now_us - doubt.since_us >= KEY_LIFE_US:
        return f"it is too old for the carrier to be asked by its key: {BY_ITSELF}"
    if state == "paused":
        return f"the carrier is asked again once its campaign is resumed; {BY_ITSELF}"
    if honoured or policy == "retry":
        return (
            f"the carrier is asked again, with the same key, when its time has come and its sender is free; {BY_ITSELF}"
        )
    return f"nobody has proved that the carrier heeds the key (volley doctor --probe-idempotency), so {BY_ITSELF}"


async def _dated(client: Redis, keys: Keys, held: list[tuple[bytes, bytes]]) -> AsyncIterator[Doubt]:
    pipeline = client.pipeline(transaction=False)
    for spot, _ in held:
        pipeline.execute_command("ZSCORE", keys.of("doubts"), spot)
    for (spot, packed), due in zip(held, await pipeline.execute(), strict=True):
        yield read(spot, packed, int(float(due or 0)))


def read(spot: bytes, packed: bytes, next_us: int) -> Doubt:
    """As Redis keeps it."""
    campaign, chunk, offset = SPOT.unpack(spot)
    _, sender, _, attempt, _, _, to, since_us, repeats, _ = DOUBT.unpack(packed)
    return Doubt(MessageId(campaign.decode(), chunk, offset), sender, attempt, to, since_us, repeats, next_us)


def spot(place: MessageId) -> bytes:
    return SPOT.pack(place.campaign.encode(), place.chunk, place.offset)
