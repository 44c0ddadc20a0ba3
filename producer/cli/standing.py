"""Of which release the ledger's tables are. SQL is half a second of imports: commands import this when they run."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.records import opened
from volley.ledger.engine import is_newer, newest, revision, upgrade
from volley.settings import load

T = TypeVar("T")

_LONGEST_S = 86_400.0
"""An index over a hundred million rows takes its time."""

_WORDS = {
    "current": "up to date",
    "behind": "this release needs another: run volley db upgrade",
    "empty": "nothing is there yet: volley db upgrade makes it, and so does volley serve",
    "newer": "of a newer release: update Volley on this machine",
}


class Standing(NamedTuple):
    """`revision` "": there are no tables yet."""

    database: str
    revision: str
    newest: str
    state: str

    @property
    def words(self) -> str:
        return _WORDS[self.state]

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"revision": self.revision or None}


def at_ledger(work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    """Runs one command's work with the settings of this process."""

    async def run() -> T:
        async with opened(load(), answer_s=_LONGEST_S) as engine:
            return await work(engine)

    return asyncio.run(run())


async def upgraded(engine: AsyncEngine) -> tuple[Standing, Standing]:
    """Brings the tables up to this release: where they stood before, and after."""
    before = await standing(engine)
    await upgrade(engine)
    return before, await standing(engine)


async def standing(engine: AsyncEngine) -> Standing:
    held = "" if _no_file(engine) else await revision(engine)
    state = "empty" if not held else "current" if held == newest() else "newer" if is_newer(held) else "behind"
    return Standing(engine.dialect.name, held, newest(), state)


def _no_file(engine: AsyncEngine) -> bool:
    """Looking must not make one."""
    url = make_url(engine.url)
    return url.get_backend_name() == "sqlite" and bool(url.database) and not Path(url.database or "").exists()
