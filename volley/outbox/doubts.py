"""Messages of which nobody knows whether the carrier has them: what Redis keeps of each, and when it is looked at next."""

from collections.abc import AsyncIterator
from struct import Struct
from typing import NamedTuple

from volley.message import MessageId
from volley.outbox.client import Redis
from volley.outbox.keys import Keys

SPOT = Struct(">16sIH")
"""campaign id, chunk, offset."""
DOUBT = Struct(">BIBBBBQQHB")
"""version, sender index, parts, attempt, spent, generation, recipient, since µs, repeats, proof; see lua/lib.lua."""
_BATCH = 500


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
