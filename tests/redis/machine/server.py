"""A real Valkey that loses power: killed, its append-only file cut where a disk may have cut it, started again."""

import os
from pathlib import Path

from volley.embedded import EmbeddedValkey


class MortalServer:
    """`synced` is how much of the append-only file somebody has been told is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._valkey = EmbeddedValkey(folder)
        self.synced = 0

    @property
    def url(self) -> str:
        return self._valkey.url

    async def start(self) -> None:
        await self._valkey.start()

    async def stop(self) -> None:
        await self._valkey.stop()

    def _file(self) -> Path:
        return max((self._folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime_ns)

    def written(self) -> int:
        """Bytes of the append-only file. It is written before a script is answered."""
        return self._file().stat().st_size

    def told(self) -> None:
        """Somebody has been told that all so far is on the disk."""
        self.synced = self.written()

    async def lose_power(self, kept: float) -> None:
        """Kills it, keeps that share of what nobody was told of, in bytes and so perhaps half a script, and starts it again."""
        assert self._valkey.process is not None
        self._valkey.process.kill()
        self._valkey.process.wait()
        file, size = self._file(), self.written()
        os.truncate(file, self.synced + int((size - self.synced) * kept))
        await self._valkey.start()
