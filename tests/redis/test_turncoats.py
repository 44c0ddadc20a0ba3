"""A primary that became a replica and is the primary again: the same process, and data that may be older than it had."""

import asyncio
from pathlib import Path

import redis.asyncio

from tests.redis.conftest import Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.outbox.outbox import Outbox


async def follow(replica: redis.asyncio.Redis, primary: EmbeddedValkey) -> None:
    """Returns when the replica has all that the primary has."""
    await replica.execute_command("REPLICAOF", "127.0.0.1", primary.port)
    for _ in range(1000):
        if (await replica.info("replication"))["master_link_status"] == "up":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the replica did not follow")


async def test_a_primary_that_was_another_ones_replica_meanwhile_is_held_too(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path / "a") as first, EmbeddedValkey(tmp_path / "b") as second:
        one, other = (redis.asyncio.Redis.from_url(each.url) for each in (first, second))
        rig = Rig(Outbox(one, "test"))
        await rig.pool()
        await rig.push(chunk_of(people(5)))
        await follow(other, first)
        assert (await rig.take(1)).why == "hold", "a replica has joined"
        await rig.redis.hset(rig.keys.of("server"), mapping={"until": 0})
        assert (await rig.take(1)).why == ""
        await other.execute_command("REPLICAOF", "NO", "ONE")
        await follow(one, second)
        await one.execute_command("REPLICAOF", "NO", "ONE")
        assert (await rig.take(1)).why == "hold"
        await one.aclose()
        await other.aclose()
