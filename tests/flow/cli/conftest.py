"""Processes as operators run them: a sandbox, and `volley up` in a folder of its own."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from tests.commands import run_volley
from tests.offspring import Process, begin
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey, free_port
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sandbox.signing import Signer

PATIENCE_S = 60.0
RATES = 'sticky = "always"\n[rates]\naccount = 500\nlong_code = 100\ntoll_free = 100\n'


def wait_until(true: Callable[[], object]) -> None:
    """Returns once it is true; fails the test if that takes too long."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


@dataclass
class World:
    """A folder and the settings that a process in it is given."""

    folder: Path
    settings: dict[str, str]
    started: list[Process] = field(default_factory=list)

    def env(self, **settings: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], **self.settings, **settings}

    def run(self, *words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        return run_volley(*words, env=self.env(**settings), cwd=self.folder, stdin=stdin)

    def json(self, *words: str, stdin: str = "") -> dict[str, object]:
        done = self.run(*words, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def workers(self) -> list[object]:
        done = self.run("status", "--json")
        return json.loads(done.stdout)["workers"] if done.returncode == 0 else []

    def serves(self) -> bool:
        """Whether `volley serve` is there for whoever asks it."""
        try:
            with socket.create_connection(("127.0.0.1", int(self.settings["VOLLEY_SERVE_PORT"])), timeout=1):
                return True
        except OSError:
            return False

    def health(self) -> dict[str, Any]:
        """What serve says of itself, be its Redis there or not."""
        try:
            with urllib.request.urlopen(f"{self.settings['VOLLEY_PUBLIC_URL']}/healthz", timeout=30) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:  # its Redis did not answer within a second
            found = json.loads(error.read())
        return found

    def is_well(self) -> bool:
        """Whether serve is there, and reaches its Redis."""
        try:
            return bool(self.health()["status"] == "ok")
        except OSError:
            return False

    def start(self, *words: str, **settings: str) -> Process:
        with (self.folder / f"{words[0]}.log").open("a") as log:
            command = [sys.executable, "-m", "volley", *words]
            env = self.env(**settings)
            process = begin(command, env=env, cwd=self.folder, stdout=log.fileno(), stderr=log.fileno())
        self.started.append(process)
        return process

    def log(self, command: str) -> str:
        return (self.folder / f"{command}.log").read_text()

    def end(self) -> None:
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)


@pytest.fixture(scope="session")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Settings of a running sandbox, whose one profile has long codes and toll-free numbers."""
    with sandbox_process("--pool", "long_code=20@0", "--pool", "toll_free=4@0") as url:
        yield {"TELNYX_API_KEY": API_KEY, "TELNYX_BASE_URL": url, "TELNYX_PUBLIC_KEY": Signer(1).public_key}


@pytest.fixture(scope="session")
def profile() -> str:
    return PROFILE_ID


def make_world(folder: Path, **settings: str) -> World:
    home = folder / "home"
    home.mkdir()
    (home / "volley.toml").write_text(RATES)
    port = free_port()
    own = {"VOLLEY_HOME": str(home), "VOLLEY_SERVE_PORT": str(port), "VOLLEY_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    return World(folder, own | settings)


@pytest.fixture
def world(tmp_path: Path, carrier: dict[str, str]) -> Iterator[World]:
    """Nothing runs yet."""
    made = make_world(tmp_path, **carrier)
    yield made
    made.end()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, carrier: dict[str, str]) -> Iterator[World]:
    """`volley up` runs, and the pool is known."""
    made = make_world(tmp_path_factory.mktemp("town"), **carrier)
    try:
        made.start("up")
        wait_until(lambda: made.run("status").returncode == 0)
        assert made.run("numbers", "sync", "--profile", PROFILE_ID).returncode == 0
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def pool(
    tmp_path_factory: pytest.TempPathFactory, carrier: dict[str, str], valkey: EmbeddedValkey, profile: str
) -> str:
    """A Valkey that knows a pool and is otherwise empty; no worker."""
    asyncio.run(_flush(valkey.url))
    made = make_world(tmp_path_factory.mktemp("pool"), **carrier, VOLLEY_REDIS_URL=valkey.url)
    assert made.run("numbers", "sync", "--profile", profile).returncode == 0
    return valkey.url


@pytest.fixture
def desk(world: World, pool: str) -> World:
    world.settings["VOLLEY_REDIS_URL"] = pool
    return world


async def _flush(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.flushall()


def nothing_is_left(world: World) -> None:
    """No campaign, no chunk, no key of a push, no file."""
    keys = asyncio.run(_keys(world.settings["VOLLEY_REDIS_URL"]))
    of_pushes = ("campaigns", "campaign:", "chunk:", "states:", "open", "once:", "live")
    assert not [key for key in keys if key.removeprefix("volley:{default}:").startswith(of_pushes)]
    assert asyncio.run(_told(world.settings["VOLLEY_REDIS_URL"])) <= {b"action"}
    assert [path.name for path in world.folder.iterdir() if "rejected" in path.name] == []


async def _keys(url: str) -> list[str]:
    async with redis.asyncio.Redis.from_url(url) as client:
        return [key.decode() for key in await client.keys()]


async def _told(url: str) -> set[bytes]:
    """What the ledger is told of: that the pool was synced is in the audit."""
    async with redis.asyncio.Redis.from_url(url) as client:
        return {fields[b"k"] for _, fields in await client.xrange("volley:{default}:ledger")}
