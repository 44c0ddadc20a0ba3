"""A real Valkey for the whole run; each test gets it empty, and an account name of its own."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis.asyncio

from tests.commands import run_volley
from tests.postgres import Postgres, binaries
from volley.embedded import EmbeddedValkey

ROOT = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The short ones last: where several run at once, no long file is still at work when the others have ended."""
    items.sort(key=lambda item: "unit" in item.path.relative_to(ROOT).parts)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    folder: Path = tmp_path_factory.mktemp("valkey")
    server = EmbeddedValkey(folder)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL for the whole run, with nothing in it."""
    programs = binaries()
    if programs is None:
        lacking = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        lacking("PostgreSQL is not installed (Debian's package postgresql): nothing is tested on it")
    server = Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def db(valkey: EmbeddedValkey) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(valkey.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def volley(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The real command line, in an empty folder, with no settings but those given."""

    def run(*words: str, stdin: str | bytes = "", **settings: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "VOLLEY_HOME": str(tmp_path / "home"), **settings}
        return run_volley(*words, env=env, cwd=tmp_path, stdin=stdin)

    return run
