"""What `volley up` runs for test keys: a sandbox in which every number of the live account is there too, and processes of their own.

So a test key pushes to the same profiles and senders as a live one, and nothing of it leaves this machine.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from redis.exceptions import RedisError

from producer.pool.sync import sync
from producer.supervisor import Child, volley_command
from volley.embedded import free_port
from volley.errors import VolleyError
from volley.outbox.connect import connect
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sandbox.signing import Signer
from volley.sender import is_carrier_pool
from volley.settings import Settings
from volley.trial import Sandbox, sandbox_file

_EVERY_S = 2.0
_ANSWER_S = 10.0
PATIENCE = 5
"""Rounds in a row that may fail before anybody is told."""
KEPT_SENDS = 100_000
"""So many the sandbox tells of: it runs for as long as `volley up`, which may be years."""
_POOL = "long_code=20@10"
"""Of the profile that the sandbox has by itself, for who has none at the carrier yet."""

Tell = Callable[[str], None]
Roster = list[dict[str, str]]


class Trial:
    """The test account of one `volley up`. `brings` a sandbox unless its account names one."""

    def __init__(self, settings: Settings, tell: Tell) -> None:
        assert settings.test_account is not None
        self._settings = settings
        self._name = settings.test_account
        self._rounds = Rounds(tell)
        own = settings.accounts.get(self._name)
        self.brings = own is None or "base_url" not in own.model_fields_set
        self._port = free_port()
        self._seed = secrets.randbelow(1 << 31)

    @contextlib.contextmanager
    def announced(self) -> Iterator[None]:
        """While it is on, commands and processes of this data folder find the sandbox."""
        path = sandbox_file(self._settings.home)
        if not self.brings:
            yield
            return
        found = Sandbox(f"http://127.0.0.1:{self._port}/v2", API_KEY, Signer(self._seed).public_key)
        path.write_text(json.dumps(found._asdict()), "utf-8")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def children(self, env: Mapping[str, str]) -> Iterator[Child]:
        """In the order of their start. Their `serve` is for the sandbox's webhooks and the ledger: requests come to the live one."""
        if self.brings:
            own = ("--port", str(self._port), "--seed", str(self._seed), "--pool", _POOL, "--keep-log", str(KEPT_SENDS))
            yield Child("the sandbox of test keys", volley_command("sandbox", *own), env)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        theirs = {
            "VOLLEY_ACCOUNT": self._name,
            "VOLLEY_SERVE_HOST": "127.0.0.1",
            "VOLLEY_SERVE_PORT": str(port),
            "VOLLEY_PUBLIC_URL": address,
            "VOLLEY_PUBLIC_FAILOVER_URL": address,
        }
        for name in ("serve", "worker"):
            yield Child(f"the {name} of test keys", volley_command(name), {**env, **theirs})

    async def run(self, redis_url: str | None) -> None:
        """Keeps its pools as the live ones are, until it is cancelled. `redis_url`: where settings name none."""
        if not self.brings:
            return
        settings = self._settings if redis_url is None else self._settings.model_copy(update={"redis_url": redis_url})
        while True:
            try:
                async with _outbox(settings) as live, _outbox(settings.of_tests()) as mine:
                    while True:
                        await self._round(live, settings.of_tests(), mine)
                        self._rounds.succeeds()
                        await asyncio.sleep(_EVERY_S)
            except (VolleyError, RedisError, aiohttp.ClientError, OSError) as error:
                self._rounds.fails(str(error) or type(error).__name__)
            await asyncio.sleep(_EVERY_S)

    async def _round(self, live: Outbox, settings: Settings, mine: Outbox) -> None:
        wanted = await _rosters(live)
        known = await mine.redis.hgetall(mine.keys.of("profile"))
        for profile in {PROFILE_ID, *wanted}:
            if await self._changed(profile, wanted.get(profile, [])) or profile.encode() not in known:
                await sync(settings, mine, profile)

    async def _changed(self, profile: str, roster: Roster) -> bool:
        """Whether the sandbox had other numbers in it until now."""
        if not roster:
            return False
        url = f"http://127.0.0.1:{self._port}/_sandbox/profiles/{quote(profile, safe='')}"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S)) as session:
            async with session.get(url) as answer:
                if answer.status == 200 and (await answer.json(content_type=None))["numbers"] == roster:
                    return False
            async with session.put(url, data=orjson.dumps({"numbers": roster})) as answer:
                answer.raise_for_status()
        return True


class Rounds:
    """What is told of rounds: nothing of the first that fail, as what they need is only starting; and of an end of what was told."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told = ""
        self._failed = 0

    def fails(self, why: str) -> None:
        self._failed += 1
        if self._failed > PATIENCE and why != self._told:
            self._tell(f"test keys wait for their pool: {why}")
            self._told = why

    def succeeds(self) -> None:
        if self._told:
            self._tell("test keys have their pool now")
        self._told, self._failed = "", 0


@contextlib.asynccontextmanager
async def _outbox(settings: Settings) -> AsyncIterator[Outbox]:
    relaxed = settings.durability == "relaxed"
    redis = await connect(settings.current.redis_url, account=settings.account, relaxed=relaxed)
    try:
        yield Outbox(redis, settings.account, relaxed=relaxed, pin_days=settings.pin_days)
    finally:
        await redis.aclose()


async def _rosters(live: Outbox) -> dict[str, Roster]:
    """Profile → its numbers, as the sandbox's control has them."""
    found: dict[str, Roster] = {}
    with reaching():
        held = await live.redis.hgetall(live.keys.of("senderinfo"))
    for value in held.values():
        each: dict[str, Any] = orjson.loads(value)
        if is_carrier_pool(each["number"]):
            continue  # the sandbox has its own
        member = {"number": each["number"], "type": each["type"], "country": each.get("country") or "US"}
        found.setdefault(each["profile"], []).append(member)
    return {profile: sorted(roster, key=lambda each: each["number"]) for profile, roster in found.items()}
