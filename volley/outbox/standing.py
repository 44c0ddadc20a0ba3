"""How all campaigns stand, by their counters alone: one short command a campaign."""

from collections.abc import MutableMapping, Sequence
from typing import NamedTuple

import orjson

from volley.outbox.outbox import Outbox
from volley.state import STATUS, State

_PAGE = 200


class Standing(NamedTuple):
    """`counters`: state byte → messages."""

    campaign: str
    accepted: int
    counters: dict[str, int]

    @property
    def moving(self) -> bool:
        """Whether anything of it is ready or being sent."""
        return bool(self.counters[State.READY] or self.counters[State.SENDING])


async def standings(outbox: Outbox, accepted: MutableMapping[str, int]) -> list[Standing]:
    """All campaigns that Redis has, each read at one moment; those of gathered messages only while anything of them is open.
    `accepted` remembers what never changes, from call to call.

    Redis errors pass through.
    """
    pipeline = outbox.redis.pipeline(transaction=False)
    for index in ("campaigns", "live"):
        pipeline.execute_command("ZRANGE", outbox.keys.of(index), 0, -1)
    ids = list(dict.fromkeys(name.decode() for names in await pipeline.execute() for name in names))
    for name in accepted.keys() - set(ids):
        del accepted[name]
    return [each for at in range(0, len(ids), _PAGE) for each in await _page(outbox, ids[at : at + _PAGE], accepted)]


async def standing(outbox: Outbox, campaign_id: str) -> Standing | None:
    """One of them; None where Redis has none of that id."""
    return next(iter(await _page(outbox, [campaign_id], {})), None)


async def _page(outbox: Outbox, ids: Sequence[str], accepted: MutableMapping[str, int]) -> list[Standing]:
    pipeline = outbox.redis.pipeline(transaction=False)
    for name in ids:
        fields = ["n" + state for state in STATUS] + ([] if name in accepted else ["meta"])
        pipeline.execute_command("HMGET", outbox.keys.campaign(name), *fields)
    found = []
    for name, values in zip(ids, await pipeline.execute(), strict=True):
        if len(values) > len(STATUS) and values[-1] is not None:
            accepted[name] = orjson.loads(values[-1])["accepted"]
        if name in accepted and any(values):
            counts = [int(value or 0) for value in values[: len(STATUS)]]
            found.append(Standing(name, accepted[name], dict(zip(STATUS, counts, strict=True))))
    return found


async def waiting(outbox: Outbox) -> int:
    """How many messages of all campaigns are ready. Redis errors pass through."""
    ids = [name.decode() for name in await outbox.redis.zrange(outbox.keys.of("live"), 0, -1)]
    total = 0
    for at in range(0, len(ids), _PAGE):
        pipeline = outbox.redis.pipeline(transaction=False)
        for name in ids[at : at + _PAGE]:
            pipeline.execute_command("HGET", outbox.keys.campaign(name), "n" + State.READY)
        total += sum(int(count or 0) for count in await pipeline.execute())
    return total
