"""`volley serve` with a pool that is known and nobody who sends: what is pushed stays where it was put."""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from producer.access import register
from producer.access.keys import Mode, Scope, make
from tests.flow.cli.conftest import World, make_world, wait_until
from volley.embedded import EmbeddedValkey
from volley.ledger.engine import open_ledger, upgrade
from volley.outbox.connect import client
from volley.outbox.outbox import Outbox
from volley.sender import Sender

PROFILE = "40017b3d-0000-4000-8000-000000000001"
ALL: tuple[Scope, ...] = ("send", "read", "ops")
T = TypeVar("T")


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem; the answer must be one."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.body
        document = self.json
        assert document["status"] == self.status
        assert document["title"]
        assert document["detail"]
        return str(document["type"].rpartition("#")[2])


@dataclass
class Office:
    """What runs, and words for it. `key` may send, read and steer."""

    world: World
    valkey: EmbeddedValkey
    key: str = ""
    url: str = ""

    def up(self) -> bool:
        try:
            return self.get("/livez", key="").status == 200
        except OSError:
            return False

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A JSON body unless bytes are given; `key` "" sends no Authorization."""
        token = self.key if key is None else key
        own = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None and not isinstance(body, bytes):
            own["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.url}{path}", data, own | dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **more: Any) -> Answer:
        return self.call("GET", path, **more)

    def post(self, path: str, body: object = None, **more: Any) -> Answer:
        return self.call("POST", path, b"" if body is None else body, **more)

    def make_key(self, *scopes: Scope, mode: Mode = "live", name: str = "a test", **more: Any) -> tuple[str, str]:
        """Its id and its token."""
        key, token = make("default", name, frozenset(scopes), time.time_ns() // 1000, mode=mode, **more)

        async def store() -> None:
            engine = open_ledger(f"sqlite+aiosqlite:///{self.world.folder}/home/ledger.db")
            await upgrade(engine)
            await register.add(engine, key)
            await engine.dispose()

        asyncio.run(store())
        return key.id, token

    def outbox(self, work: Callable[[Outbox], Coroutine[Any, Any, T]], account: str = "default") -> T:
        """Does something with the outbox of serve's account."""

        async def run() -> T:
            redis = client(self.valkey.url)
            try:
                return await work(Outbox(redis, account))
            finally:
                await redis.aclose()

        return asyncio.run(run())


def pool(outbox: Outbox, profile: str = PROFILE) -> Coroutine[Any, Any, object]:
    senders = [Sender(f"+1206555010{n}", "long_code", profile, "US", rate_milli=1000) for n in range(3)]
    return outbox.sync_senders(profile, senders, None)


@contextlib.contextmanager
def opened(tmp_path_factory: pytest.TempPathFactory, **settings: str) -> Iterator[Office]:
    """A Valkey, a serve with these settings beside its own, a pool, and a key for all."""
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    own = {"VOLLEY_REDIS_URL": valkey.url, "VOLLEY_SECRET": "a secret of this office"}
    world = make_world(tmp_path_factory.mktemp("office"), **own | settings)
    found = Office(world, valkey, url=world.settings["VOLLEY_PUBLIC_URL"])
    world.start("serve")
    wait_until(found.up)
    found.outbox(pool)
    found.key = found.make_key(*ALL)[1]
    yield found
    world.end()
    asyncio.run(valkey.stop())


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with opened(tmp_path_factory) as found:
        yield found
