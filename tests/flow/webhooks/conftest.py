"""A carrier, a Valkey and `volley serve`, each a process; the carrier's webhooks go to serve, and so do those signed here."""

import asyncio
import json
import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from tests.flow.cli.conftest import World, make_world, wait_until
from tests.offspring import Process
from tests.sandboxes import sandbox_process
from volley.embedded import EmbeddedValkey
from volley.outbox.keys import Keys
from volley.sandbox.config import API_KEY, PROFILE_ID, ProfileSpec, SandboxConfig, dump
from volley.sandbox.signing import Signer

SIGNER = Signer(1)
QUIET_PROFILE = "5a4db0c5-0000-4000-8000-000000000002"
"""Its people are heard by the carrier only: it has no webhook URL."""
BY_ITSELF = re.compile(rb":(webhooks|workers?|serves|conservation|history|pincount)")
"""What serve writes though nobody asks it for anything."""


@dataclass
class House:
    """What runs, and words for it."""

    world: World
    valkey: EmbeddedValkey
    carrier: str
    serve: Process

    @property
    def url(self) -> str:
        return self.world.settings["VOLLEY_PUBLIC_URL"]

    def numbers(self, profile: str = PROFILE_ID) -> list[str]:
        found = self.world.json("numbers", "list", "--profile", profile)
        return [each["number"] for each in found["numbers"]]  # type: ignore[attr-defined]

    def says(self, text: str, person: str, to: str, **more: object) -> None:
        """A person texts one of our numbers, at the carrier."""
        self.control("inbound", {"from": person, "to": to, "text": text} | more)

    def control(self, path: str, body: object) -> None:
        request = urllib.request.Request(f"{self.carrier}/_sandbox/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def post(self, body: bytes, headers: dict[str, str] | None = None, path: str = "default") -> int:
        """A webhook, signed unless headers are given; the status of its answer."""
        given = SIGNER.headers(body) if headers is None else headers
        try:
            request = urllib.request.Request(f"{self.url}/webhooks/telnyx/{path}", body, given)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def health(self) -> dict[str, Any]:
        return self.world.health()

    def count(self, name: str) -> int:
        return int(self.health()["webhooks"].get(name, 0))

    def rests(self) -> dict[str, str]:
        """Name → why it rests."""
        return {each["name"]: each["reason"] for each in self.world.json("status")["rests"]}  # type: ignore[attr-defined]

    def opted_out(self, profile: str = PROFILE_ID) -> list[str]:
        found = self.world.json("optouts", "list", "--profile", profile)["numbers"]
        return list(found)  # type: ignore[call-overload]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.world.folder / "home" / "ledger.db", timeout=10) as db:
            return db.execute(query).fetchall()

    def fingerprint(self) -> dict[str, object]:
        """All of Redis but what counts webhooks and what is written as time goes by; once the ledger has what was done before."""
        with redis.Redis.from_url(self.valkey.url) as client:
            wait_until(lambda: client.xlen(Keys("default").ledger) == 0)
            names = [name for name in client.keys("*") if not BY_ITSELF.search(name)]
            return {name.decode("latin-1"): _content(client, name) for name in sorted(names)}


def _content(client: redis.Redis, name: bytes) -> object:
    """Of a stream its entries, and the last that ever was one: its dump has when each reader last looked, too."""
    if client.type(name) != b"stream":
        return client.dump(name)
    return client.xrange(name), client.xinfo_stream(name)["last-generated-id"]


def event(name: str, kind: str, payload: dict[str, Any], occurred_at: str = "2026-01-01T00:00:00.000Z") -> bytes:
    data = {"record_type": "event", "event_type": kind, "id": name, "occurred_at": occurred_at, "payload": payload}
    return json.dumps({"data": data, "meta": {"attempt": 1}}).encode()


@contextmanager
def sandbox(config: SandboxConfig) -> Iterator[str]:
    with sandbox_process("--config", dump(config)) as url:
        yield url


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    asyncio.run(valkey.start())
    own = {"TELNYX_API_KEY": API_KEY, "TELNYX_PUBLIC_KEY": SIGNER.public_key, "VOLLEY_SECRET": "a secret of this house"}
    world = make_world(tmp_path_factory.mktemp("house"), VOLLEY_REDIS_URL=valkey.url, **own)
    hook = f"{world.settings['VOLLEY_PUBLIC_URL']}/webhooks/telnyx/default"
    pool = (("long_code", 4, 0.0), ("toll_free", 1, 0.0))
    loud = ProfileSpec(
        pool=pool, webhook_url=hook, webhook_failover_url=f"{hook}/failover",
        daily_spend_limit="5", daily_spend_limit_enabled=True,
    )  # fmt: skip
    profiles = (loud, ProfileSpec(id=QUIET_PROFILE, pool=(("long_code", 2, 0.0),)))
    with sandbox(SandboxConfig(profiles=profiles)) as carrier:
        world.settings["TELNYX_BASE_URL"] = carrier
        serve = world.start("serve")
        found = House(world, valkey, carrier.removesuffix("/v2"), serve)
        wait_until(world.is_well)
        for profile in (PROFILE_ID, QUIET_PROFILE):
            done = world.run("numbers", "sync", "--profile", profile)
            assert done.returncode == 0, done.stderr
        yield found
        world.end()
    asyncio.run(valkey.stop())
