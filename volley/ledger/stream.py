"""The ledger stream as its reader sees it: a consumer group whose entries stay until they are committed."""

from collections.abc import Sequence

from redis.exceptions import OutOfMemoryError, ResponseError

from volley.ledger.facts import Entry
from volley.outbox.client import Entries, Redis

GROUP = "recorder"
_ABANDONED_MS = 60_000
"""An entry given out this long ago belongs to a recorder that died. Should it live, both write the same rows."""


class LedgerStream:
    def __init__(self, redis: Redis, key: str, consumer: str) -> None:
        self._redis = redis
        self._key = key
        self._consumer = consumer

    async def ensure(self) -> None:
        """The group, from the stream's first entry on: whatever is there is not recorded yet."""
        try:
            await self._redis.xgroup_create(self._key, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            # with its memory full Redis makes no group, and does not say that there is one: whoever makes room must start
            if "BUSYGROUP" not in str(error) and not (isinstance(error, OutOfMemoryError) and await self._is_there()):
                raise

    async def _is_there(self) -> bool:
        groups = await self._redis.xinfo_groups(self._key)
        return any(group["name"] == GROUP.encode() for group in groups)

    async def own(self, count: int) -> list[Entry]:
        """What this consumer was given before and has not acknowledged, oldest first."""
        return await self._read("0", count, None)

    async def fresh(self, count: int, block_ms: int) -> list[Entry]:
        """What nobody was given yet; waits up to `block_ms` for it (0: not at all)."""
        return await self._read(">", count, block_ms or None)

    async def _read(self, start: str, count: int, block_ms: int | None) -> list[Entry]:
        answer = await self._redis.xreadgroup(GROUP, self._consumer, {self._key: start}, count=count, block=block_ms)
        return _entries(answer[0][1]) if answer else []

    async def abandoned(self, count: int) -> list[Entry]:
        """What another consumer was given and has left lying; from now on this one's."""
        answer = await self._redis.xautoclaim(self._key, GROUP, self._consumer, _ABANDONED_MS, count=count)
        return _entries(answer[1])

    async def committed_up_to(self, committed: Sequence[str]) -> str:
        """The id up to which every entry is in the ledger, when those `committed` are and are not acknowledged yet."""
        known = set(committed)
        waiting = await self._redis.xpending_range(self._key, GROUP, "-", "+", len(known) + 1)
        others = (entry["message_id"].decode() for entry in waiting)
        blocker = next((entry_id for entry_id in others if entry_id not in known), None)
        return min((committed[-1], *([_before(blocker)] if blocker else [])), key=order)

    async def acknowledge(self, ids: Sequence[str]) -> None:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.execute_command("XACK", self._key, GROUP, *ids)
        pipeline.execute_command("XDEL", self._key, *ids)
        await pipeline.execute()

    async def lag_seconds(self) -> float:
        """Age of the oldest entry that is not in the ledger yet; 0 when all are."""
        oldest = await self._redis.xrange(self._key, count=1)
        if not oldest:
            return 0.0
        seconds, micros = await self._redis.time()
        return max(0.0, int(seconds) + int(micros) / 1e6 - order(oldest[0][0].decode())[0] / 1e3)


def _entries(answer: Entries) -> list[Entry]:
    # an entry that was deleted before it was recorded comes without fields: it is quarantined like any bad one
    return [Entry(entry_id.decode(), fields or {}) for entry_id, fields in answer]


def order(entry_id: str) -> tuple[int, int]:
    """An entry's id as two numbers, by which entries are in order."""
    milliseconds, sequence = entry_id.split("-")
    return int(milliseconds), int(sequence)


def _before(entry_id: str) -> str:
    milliseconds, sequence = order(entry_id)
    return f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-{2**32}"
