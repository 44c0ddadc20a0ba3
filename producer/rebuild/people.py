"""What Redis knew of people, from the ledger back into Redis: their opt-outs, and the senders that they are pinned to."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from volley.ledger import people
from volley.ledger.people import Pin
from volley.outbox.inbound import Said, Word, hear
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching

_AT_ONCE = 500
_DAY_US = 86_400_000_000


async def opt_outs(outbox: Outbox, engine: AsyncEngine, *, dry: bool = False) -> int:
    """Everyone whose last word was STOP, of all profiles, also of those that are not synced yet. How many there are.

    A START that Redis has heard since still counts.
    """
    async with engine.connect() as connection:
        found = await people.opted_out(connection)
    words = [Word(profile, recipient, "stop", at_us) for (profile, recipient), at_us in found.items()]
    for at in range(0, 0 if dry else len(words), _AT_ONCE):
        await hear(outbox, [Said(None, word) for word in words[at : at + _AT_ONCE]])
    return len(words)


async def pins(outbox: Outbox, engine: AsyncEngine, pin_days: int, now_us: int, *, dry: bool = False) -> int:
    """The last sender of each person and profile, of the last `pin_days`, where it is known here. How many messages told of one."""
    numbers = {number: index for index, number in (await outbox.sender_numbers()).items()}
    profiles = {view.profile: await outbox.profile_index(view.profile) for view in await outbox.profiles()}
    batch: list[tuple[int, int, Pin]] = []
    told = 0
    async with engine.connect() as connection:
        async for pin in people.pins(connection, now_us - pin_days * _DAY_US):
            profile, sender = profiles.get(pin.profile), numbers.get(pin.sender)
            if profile is None or sender is None:
                continue
            batch.append((profile, sender, pin))
            told += 1
            if len(batch) == _AT_ONCE:
                await _write(outbox, [] if dry else batch)
                batch.clear()
    await _write(outbox, [] if dry else batch)
    return told


async def _write(outbox: Outbox, batch: Sequence[tuple[int, int, Pin]]) -> None:
    if not batch:
        return
    pipeline = outbox.redis.pipeline(transaction=False)
    for profile, sender, pin in batch:
        person, value = pin.recipient.to_bytes(8, "big"), sender * 100_000 + pin.at_us // _DAY_US
        pipeline.execute_command("HSET", outbox.keys.pin(profile, pin.recipient), person, value)
    with reaching():
        await pipeline.execute()
