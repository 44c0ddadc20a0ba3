"""The two arq queues. arq carries few, short jobs that decide nothing: plan this campaign, drain for a while.

A drain's job id is new each time; a plan's is its campaign's, so that one waits and not a hundred. What keeps work from being
lost is the `due` set and the sweeper, not arq's own retries. Jobs travel as msgpack, as arq's pickle would run what anybody
with access to Redis put there.
"""

import secrets
import time
from typing import Any, Final

import msgpack
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix

from volley.campaign import Priority
from volley.outbox import primary
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching

URGENT: Final = "volley:arq:urgent"
BULK: Final = "volley:arq:bulk"
_SAME_PLAN_S: Final = 4


def serialize(job: dict[str, Any]) -> bytes:
    packed: bytes = msgpack.packb(job, default=str)  # arq puts exceptions into what it keeps of jobs that failed
    return packed


def deserialize(data: bytes) -> dict[str, Any]:
    job: dict[str, Any] = msgpack.unpackb(data)
    return job


def queue_name(account: str, which: str) -> str:
    """A queue of an account's own: where one Redis serves several, none gets the jobs of another."""
    plain = URGENT if which == "u" else BULK
    return plain if account == "default" else f"{plain}:{account}"


def pool(url: str) -> ArqRedis:
    """arq's client on a pool of ours: its own settings know no socket timeout and print the password."""
    connections = primary.pool(url, "", socket_timeout=10.0, socket_connect_timeout=5.0, max_connections=32)
    return ArqRedis(connections, job_serializer=serialize, job_deserializer=deserialize, default_queue_name=BULK)


class Queue:
    """Puts jobs on the queues for one account."""

    def __init__(self, arq: ArqRedis, outbox: Outbox, account: str) -> None:
        self._arq = arq
        self._chores = outbox.chores
        self._account = account

    async def arm(self, campaign_id: str, priority: Priority) -> None:
        """A campaign has just been sealed or resumed: plan it now. If this fails the sweeper does it within seconds."""
        with reaching():
            await self.plan(campaign_id, priority[0])

    async def plan(self, campaign_id: str, which: str) -> bool:
        """False where one of this campaign waits already. Redis errors pass through."""
        await self._chores.alive(f"plan:{campaign_id}")
        # the same id while one is waiting: planning twice is harmless, queueing it a hundred times is not
        name = f"volley:plan:{campaign_id}"
        if await self._enqueue_plan(campaign_id, which, name):
            return True
        if not await self._arq.exists(in_progress_key_prefix + name):
            return False
        # in progress, or its worker was killed or lost Redis: then arq holds the id for longer than its time limit
        return await self._enqueue_plan(campaign_id, which, f"{name}:{int(time.time() // _SAME_PLAN_S)}")

    async def _enqueue_plan(self, campaign_id: str, which: str, name: str) -> bool:
        queue = queue_name(self._account, which)
        job = await self._arq.enqueue_job("plan", self._account, campaign_id, _queue_name=queue, _job_id=name)
        return job is not None

    async def drain(self, shard: int, *, defer_s: float = 0.0) -> None:
        """Redis errors pass through."""
        await self._chores.alive(f"drain:{shard}")
        await self._arq.enqueue_job(
            "drain",
            self._account,
            shard,
            _queue_name=queue_name(self._account, "b"),
            _job_id=f"volley:drain:{self._account}:{shard}:{secrets.token_hex(6)}",
            _defer_by=defer_s or None,
        )

    async def close(self) -> None:
        await self._arq.aclose()
