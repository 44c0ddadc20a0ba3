"""Servers with replicas for a stage: watched by a Sentinel, or a Cluster; and a replica that lags, so that it lacks the last writes."""

import signal
from pathlib import Path
from typing import Any

from tests.servers import Cluster, Node, Sentinels
from volley.embedded import EmbeddedValkey

STRICT = {"min-replicas-to-write": "1", "min-replicas-max-lag": "2"}
"""A primary that is alone refuses writes after so many seconds."""


class WatchedValkey(EmbeddedValkey):
    """A primary, a replica and a Sentinel. `options`: of the servers."""

    def __init__(self, folder: Path, *, options: dict[str, str]) -> None:
        super().__init__(folder)
        self.set = Sentinels(folder, options=options)

    @property
    def url(self) -> str:
        return self.set.url

    async def start(self) -> None:
        await self.set.__aenter__()

    async def stop(self) -> None:
        await self.set.end()


class ClusteredValkey(EmbeddedValkey):
    """Three primaries, each with a replica, and a server beside them for arq's jobs."""

    def __init__(self, folder: Path, *, options: dict[str, str], jobs_port: int) -> None:
        super().__init__(folder)
        self.set = Cluster(folder / "cluster", replicas=1, options=options)
        self._jobs = EmbeddedValkey(folder / "jobs", port=jobs_port)

    @property
    def url(self) -> str:
        return self.set.url

    async def start(self) -> None:
        await self.set.__aenter__()
        await self._jobs.start()

    async def stop(self) -> None:
        await self._jobs.stop()
        await self.set.end()


async def cut_off(primary: Node, replica: Node) -> None:
    """From now on the replica hears nothing of what the primary writes, until it is continued."""
    replica.signal(signal.SIGSTOP)
    # what its socket holds already would reach it yet
    await primary.client.execute_command("CLIENT", "KILL", "TYPE", "replica")


async def calls(node: Node, command: str) -> int:
    """How often a node has run a command."""
    found: Any = await node.client.info("commandstats")
    return int(found.get(f"cmdstat_{command}", {}).get("calls", 0))
