"""Sentinel and Cluster, real ones: the primary is found, followed through failovers and moves, and asked for its replicas' word."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import redis.asyncio
import uvloop
from redis.crc import key_slot
from redis.exceptions import ConnectionError, RedisError

from tests.chaos.proxy import Proxy
from tests.redis.conftest import Rig, chunk_of, people
from tests.servers import Cluster, Node, Sentinels
from volley.embedded import EmbeddedValkey
from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.connect import connect, where
from volley.outbox.outbox import Outbox
from volley.outbox.primary import pool
from volley.outbox.queue import pool as arq_pool
from volley.outbox.scripts import BarrierFailed
from volley.settings import Settings

T = TypeVar("T")
ACCOUNT = "test"
SAFE = {"min-replicas-to-write": "1", "min-replicas-max-lag": "10"}


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Sentinels]:
    async with Sentinels(tmp_path, options=SAFE, password="se/cret@:") as servers:
        yield servers


def test_a_connection_that_was_reset_while_it_idled_is_redis_away_also_under_uvloop(valkey: EmbeddedValkey) -> None:
    """asyncio says OSError when such a connection is written to, uvloop RuntimeError: that is no fault of ours to end for."""

    async def scenario(proxy: Proxy) -> None:
        held = await pool(f"redis://127.0.0.1:{proxy.port}/0", ACCOUNT).get_connection()
        await held.send_command("PING")
        assert await held.read_response() == b"PONG"
        proxy.reset_all()
        await asyncio.sleep(0.2)
        with pytest.raises(ConnectionError):
            await held.send_command("PING")
        await held.disconnect()

    with Proxy(("127.0.0.1", valkey.port)) as proxy:
        uvloop.run(scenario(proxy))


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(tmp_path) as servers:
        yield servers


async def rig_on(url: str, *, replicas: int = 0) -> Rig:
    client = await connect(url, account=ACCOUNT, replicas=replicas)
    return Rig(Outbox(client, ACCOUNT, replicas=replicas))


async def again(work: Callable[[], Awaitable[T]]) -> tuple[T, list[RedisError | BarrierFailed]]:
    """Does it until it is done, as a caller who waits for Redis; and what stood in its way."""
    errors: list[RedisError | BarrierFailed] = []
    async with asyncio.timeout(30):
        while True:
            try:
                return await work(), errors
            except (RedisError, BarrierFailed) as error:
                errors.append(error)
                await asyncio.sleep(0.05)


async def port_of(rig: Rig) -> int:
    return int((await rig.redis.info("server"))["tcp_port"])


async def test_sentinels_are_asked_for_the_primary_and_its_successor(watched: Sentinels) -> None:
    rig = await rig_on(watched.url, replicas=1)
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    first = await watched.primary()
    assert await port_of(rig) == first.port
    assert len((await rig.take(2)).grants) == 2
    second = await watched.fail_over()
    flight, _ = await again(lambda: rig.take(2))
    assert (flight.why, await port_of(rig)) == ("hold", second.port)
    assert await rig.states(campaign) == "ss..."
    await rig.redis.aclose()


async def test_a_primary_that_dies_is_replaced_without_a_hand(watched: Sentinels) -> None:
    rig = await rig_on(watched.url)
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    dead = await watched.primary()
    await dead.kill()
    second = await watched.replaced(dead)
    await second.client.config_set("min-replicas-to-write", "0")  # nobody is left to be the replica
    await again(lambda: rig.take(1))
    assert await port_of(rig) == second.port
    assert await rig.states(campaign) == "....."
    await rig.redis.aclose()


async def test_jobs_follow_the_primary_too(watched: Sentinels) -> None:
    arq = arq_pool(watched.url)
    assert await arq.enqueue_job("plan", "account", "campaign") is not None
    await watched.fail_over()

    async def enqueue() -> None:
        # arq takes a connection that drops at the wrong moment for a job that waits already, and says None
        if await arq.enqueue_job("plan", "account", "campaign") is None:
            raise ConnectionError

    await again(enqueue)
    await arq.aclose()


async def test_a_write_without_its_replica_is_no_write(watched: Sentinels) -> None:
    """The control: without `replicas` the same server says yes."""
    rig, easy = await rig_on(watched.url, replicas=1), await rig_on(watched.url)
    await rig.pool(1)
    await rig.push(chunk_of(people(5)))
    assert len((await rig.take(1)).grants) == 1
    [replica] = [node for node in watched.servers if node is not await watched.primary()]
    replica.signal(signal.SIGSTOP)
    with pytest.raises(BarrierFailed, match="replicas"):
        await rig.take(1)
    assert len((await easy.take(1)).grants) == 1
    replica.signal(signal.SIGCONT)
    _, errors = await again(lambda: rig.take(1))
    assert all(isinstance(error, BarrierFailed) for error in errors)
    await rig.redis.aclose()
    await easy.redis.aclose()


async def test_replicas_that_nothing_makes_the_server_wait_for_are_refused(valkey: EmbeddedValkey) -> None:
    with pytest.raises(UnusableInput, match="min-replicas-to-write 2"):
        await connect(valkey.url, replicas=2)


async def test_what_nobody_knows_is_told_without_the_password(watched: Sentinels) -> None:
    unknown = watched.url.replace("/volley/", "/other/")
    with pytest.raises(TryAgainLater) as told:
        await connect(unknown)
    assert "se/cret" not in str(told.value)
    assert where(watched.url) == f"{watched.sentinels[0].address}/volley/0"


async def test_the_owner_of_the_accounts_slot_is_found_and_followed(cluster: Cluster) -> None:
    rig = await rig_on(cluster.url)
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    old = await cluster.owner(ACCOUNT)
    assert await port_of(rig) == old.port
    assert len((await rig.take(2)).grants) == 2
    new = await cluster.move(ACCOUNT)
    with pytest.raises(
        ConnectionError
    ):  # MOVED, in one pipeline with the barrier: nothing is granted, nothing may be posted
        await rig.take(2)
    flight, _ = await again(lambda: rig.take(2))
    assert flight.why == "hold"
    assert await port_of(rig) == new.port
    assert await rig.states(campaign) == "ss..."
    await rig.redis.aclose()


async def test_while_its_slot_is_on_the_move_an_account_waits(cluster: Cluster) -> None:
    """Keys are on two nodes then, and a script that found one missing would take it for empty."""
    rig = await rig_on(cluster.url)
    await rig.pool(1)
    campaign = await rig.push(chunk_of(people(5)))
    source = await cluster.owner(ACCOUNT)
    target = next(node for node in cluster.nodes if node is not source)
    await mark_moving(cluster, source, target)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await rig.take(2)
    await cluster.move(ACCOUNT)
    await again(lambda: rig.take(2))
    await rig.redis.hset(rig.keys.of("server"), mapping={"until": 0})
    assert len((await rig.take()).grants) == 5
    await rig.check(campaign)
    await rig.redis.aclose()


async def mark_moving(cluster: Cluster, source: Node, target: Node) -> None:
    slot = key_slot(f"volley:{{{ACCOUNT}}}:".encode())
    await target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", await cluster.id_of(source))
    await source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", await cluster.id_of(target))


async def test_a_node_that_dies_is_replaced_by_its_replica(tmp_path: Path) -> None:
    async with Cluster(tmp_path, replicas=1) as cluster:
        rig = await rig_on(cluster.url)
        await rig.pool(1)
        campaign = await rig.push(chunk_of(people(5)))
        dead = await cluster.owner(ACCOUNT)
        await dead.kill()
        new = await cluster.replaced(ACCOUNT, dead)
        flight, _ = await again(lambda: rig.take(2))
        assert (flight.why, await port_of(rig)) == ("hold", new.port)
        assert await rig.states(campaign) == "....."
        await rig.redis.aclose()


async def test_a_server_that_is_made_a_replica_is_left_also_where_it_was_named_itself(valkey: EmbeddedValkey) -> None:
    """As behind a name that moves: the next connect may find another one there."""
    client = await connect(valkey.url)
    other: redis.asyncio.Redis = redis.asyncio.Redis.from_url(valkey.url)
    before = await client.execute_command("CLIENT", "ID")
    await other.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(ConnectionError):
            await client.set("x", 1)
        assert await client.execute_command("CLIENT", "ID") != before
    finally:
        await other.execute_command("REPLICAOF", "NO", "ONE")
        await other.aclose()
        await client.aclose()


def test_jobs_need_a_server_beside_a_cluster() -> None:
    with pytest.raises(UnusableInput, match="VOLLEY_ARQ_REDIS_URL"):
        _ = Settings(redis_url="redis+cluster://a:1/0").queue_url
    both = Settings(redis_url="redis+cluster://a:1/0", arq_redis_url="redis://b:1/0")
    assert both.queue_url == "redis://b:1/0"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/",
        "redis+sentinel://a:1/name/x",
        "redis+sentinel://a:x/name/0",
        "redis+sentinel:///name/0",
        "redis+cluster://a:1/1",
        "redis+cluster://a:1/0/0",
        "redis+cluster://a:1/0?ssl=1",
    ],
)
async def test_a_url_that_cannot_be_meant_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(UnusableInput, match=r"VOLLEY_REDIS_URL: (write it as redis|'x' is no port)"):
        await connect(url)
