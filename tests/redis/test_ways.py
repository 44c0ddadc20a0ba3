"""The ways to a Redis (TCP, a socket of this machine, TLS): what a connection promises holds on each of them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
import trustme
import uvloop
from redis.exceptions import ConnectionError

from tests.servers import HOST, Node
from volley.embedded import EmbeddedValkey
from volley.outbox import primary
from volley.outbox.primary import pool

WAYS = ["redis", "unix", "rediss"]
NOBODYS = {"replicaof": f"{HOST} 1", "replica-read-only": "yes"}


@contextlib.asynccontextmanager
async def way_to(kind: str, folder: Path, name: str = HOST, **options: str) -> AsyncIterator[str]:
    """The URL of a server that is reached so. `name`: whom its certificate is made out to; `options` are the server's."""
    node = Node(folder, {"unixsocket": str(folder / "socket")} | options)
    await node.start()
    try:
        if kind == "rediss":
            async with _tls(folder, node.port, name) as url:
                yield url
        else:
            yield f"unix://{folder}/socket" if kind == "unix" else f"redis://{node.address}/0"
    finally:
        await node.end()


@contextlib.asynccontextmanager
async def _tls(folder: Path, behind: int, name: str) -> AsyncIterator[str]:
    """TLS before a server that speaks none."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, behind)
        with contextlib.suppress(ConnectionResetError):
            await asyncio.gather(_pour(reader, back), _pour(there, writer))

    door = await asyncio.start_server(through, HOST, 0, ssl=context)
    try:
        yield f"rediss://{HOST}:{door.sockets[0].getsockname()[1]}/0?ssl_ca_certs={folder}/ca.pem"
    finally:
        door.close()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        into.write(data)
    into.close()


@pytest.mark.parametrize("kind", WAYS)
def test_whoever_is_told_to_end_in_the_midst_of_a_command_ends(kind: str, tmp_path: Path) -> None:
    """Whatever moment of a command it is. A worker that missed the word would sweep, and not exit, until it was killed."""

    async def scenario() -> int:
        told = 0
        async with way_to(kind, tmp_path) as url:
            client = redis.asyncio.Redis.from_pool(pool(url, "test", socket_timeout=60.0))
            for moment in range(120):
                asking = asyncio.ensure_future(client.execute_command("PING"))
                for _ in range(moment % 6):
                    await asyncio.sleep(0)
                if asking.cancel():
                    told += 1
                    with pytest.raises(asyncio.CancelledError):
                        await asking
                await client.execute_command("PING")
            await client.aclose()
        return told

    assert uvloop.run(scenario()) >= 50


@pytest.mark.parametrize("kind", WAYS)
async def test_a_connection_to_a_server_that_became_a_replica_is_lost(kind: str, tmp_path: Path) -> None:
    """Else all of them would stay there after a failover, and nothing be sent until a restart."""
    async with way_to(kind, tmp_path, **NOBODYS) as url:
        client = redis.asyncio.Redis.from_pool(pool(url, "test", socket_timeout=60.0))
        first = await client.client_id()
        with pytest.raises(ConnectionError, match="not the primary"):
            await client.set("key", "value")
        assert await client.client_id() != first
        await client.aclose()


async def test_commands_do_not_wait_for_each_others_connections(tmp_path: Path) -> None:
    """With a server that says nothing the tenth of them would hear of it after ten timeouts."""
    all_here, many = asyncio.Event(), 10
    here: list[asyncio.StreamWriter] = []

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.append(writer)
        if len(here) == many:
            all_here.set()

    door = await asyncio.start_server(silent, HOST, 0)
    connections = pool(f"redis://{HOST}:{door.sockets[0].getsockname()[1]}/0", "test", socket_timeout=600.0)
    client = redis.asyncio.Redis.from_pool(connections)
    asking = [asyncio.ensure_future(client.ping()) for _ in range(many)]
    try:
        async with asyncio.timeout(60):
            await all_here.wait()
    finally:
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await client.aclose()
        for writer in here:
            writer.close()
        door.close()


async def test_who_finds_all_connections_in_use_waits_for_one(valkey: EmbeddedValkey) -> None:
    """A crowd of requests is served in turns. Those that are told to end meanwhile take nobody's place with them."""
    client = redis.asyncio.Redis.from_pool(pool(valkey.url, "test", socket_timeout=60.0, max_connections=4))
    for _ in range(20):
        crowd = [asyncio.ensure_future(client.ping()) for _ in range(60)]
        await asyncio.sleep(0)
        for each in crowd[::3]:
            each.cancel()
        answers = await asyncio.gather(*crowd, return_exceptions=True)
        assert [answer for answer in answers if answer is not True and type(answer) is not asyncio.CancelledError] == []
        assert sum(answer is True for answer in answers) == 40
    await client.aclose()


async def test_who_waits_in_vain_for_a_connection_is_told(
    valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primary, "_ROOM_S", 0.2)
    client = redis.asyncio.Redis.from_pool(pool(valkey.url, "test", socket_timeout=60.0, max_connections=1))
    busy = asyncio.ensure_future(client.blpop(["nothing"], 0))
    await asyncio.sleep(0)
    with pytest.raises(ConnectionError, match="No connection"):
        await client.ping()
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    assert await client.ping()
    await client.aclose()


@pytest.mark.parametrize(
    ("name", "more", "is_taken"),
    [(HOST, "", True), ("elsewhere.test", "", False), ("elsewhere.test", "&ssl_check_hostname=no", True)],
)
async def test_a_certificate_of_somebody_else_is_refused_unless_the_url_allows_it(
    name: str, more: str, is_taken: bool, tmp_path: Path
) -> None:
    async with way_to("rediss", tmp_path, name) as url:
        client = redis.asyncio.Redis.from_pool(pool(url + more, "test", socket_timeout=60.0))
        with contextlib.nullcontext() if is_taken else pytest.raises(ConnectionError, match="certificate"):
            assert await client.ping()
        await client.aclose()
