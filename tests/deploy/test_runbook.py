"""Every command of the runbook, run in its order against a Volley under supervisord; and that what it promises comes true."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.chaos import oracle
from tests.chaos.books import rows
from tests.chaos.stage import stage
from tests.deploy.files import DEPLOY, path_with_volley
from tests.deploy.supervised import WORKERS, Supervised
from volley.outbox import halt
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.signing import Signer

RUNBOOK = DEPLOY / "runbook.md"
REDIS_CLI = f"""#!{sys.executable}
import sys, redis
_, _u, url, *words = sys.argv
print(redis.Redis.from_url(url).execute_command(*words))
"""
LARGE = 9000
"""More than the margin of rebuild, in which nobody knows what was sent: the rest may go on."""


def sections() -> dict[str, list[str]]:
    """Title → its blocks of commands. What stands before the first title, but for the setting of variables, is `first`."""
    parts = re.split(r"^## (.+)$", RUNBOOK.read_text("utf-8"), flags=re.M)
    titled = dict(zip(["first", *parts[1::2]], parts[::2], strict=True))
    return {title: re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S) for title, text in titled.items()}


class Night:
    """The one who was called, with the runbook on the table."""

    def __init__(self, supervised: Supervised) -> None:
        self.supervised = supervised
        self.play = supervised.play
        self.env: dict[str, str] = {}
        self.said = ""
        self.done: list[str] = []

    def prepare(self) -> None:
        """What the runbook says to set first, and a redis-cli."""
        folder = self.play.folder
        tools, secrets = folder / "tools", folder / "home" / "secrets"
        tools.mkdir()
        (tools / "redis-cli").write_text(REDIS_CLI)
        (tools / "redis-cli").chmod(0o755)
        ctl = f"{sys.executable} -m supervisor.supervisorctl -c {folder}/supervisord.conf"
        self.env = self.play.env | {
            "PATH": f"{tools}{os.pathsep}{path_with_volley()}",
            "PROFILE": PROFILE_ID,
            "SECRETS": str(secrets),
            "RESTART_ONE_BY_ONE": f"{ctl} restart volley-serve {WORKERS[0]}",  # one of the two shows it
            "STOP_WORKERS": f"{ctl} stop volley-worker:*",
            "START_WORKERS": f"{ctl} start volley-worker:*",
        }
        wanted = set(re.findall(r"^export (\w+)=", RUNBOOK.read_text("utf-8"), re.M))
        assert wanted <= self.env.keys()

    async def run(self, block: str) -> str:
        """What a block said. It must end well, each command of it."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", block, env=self.env, cwd=self.play.folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, f"{block}\n{said}"
        return said

    async def read(self, title: str) -> AsyncIterator[int]:
        """Runs the blocks of a section, and hands over after each: its place."""
        self.done.append(title)
        blocks = sections()[title]
        assert blocks, title
        for place, block in enumerate(blocks):
            self.said = await self.run(block)
            yield place

    async def follow(self, *titles: str) -> None:
        """Whole sections, one after the other."""
        for title in titles:
            async for _ in self.read(title):
                pass

    async def push(self, people: int) -> str:
        """A campaign that sends, and that the commands are about."""
        name = (await self.play.push(people)).campaign_id or ""
        self.env["CAMPAIGN"] = name
        return name

    async def sent(self) -> int:
        """POSTs that reached the carrier."""
        return sum(each["count"] for each in (await self.play.carrier_stats())["results"])

    async def sends(self) -> None:
        """Waits until something more is sent."""
        before = await self.sent()

        async def more() -> bool:
            return await self.sent() > before

        await self.until(more, "nothing more is sent")

    async def until(self, true: Callable[[], Awaitable[bool]], complaint: str) -> None:
        await self.play.until(true, complaint, 120)


@pytest.fixture
async def night() -> AsyncIterator[Night]:
    async with stage(senders=4, rate=50, account_rate=40, fsync=False) as play:
        home, secrets = play.folder / "home", play.folder / "home" / "secrets"
        secrets.mkdir()
        (home / "volley.toml").write_text("[rates]\naccount = 40\nlong_code = 50\n")  # as a sync of the pool finds them
        for variable, name in (
            ("TELNYX_API_KEY", "telnyx_api_key"),
            ("TELNYX_PUBLIC_KEY", "telnyx_public_key"),
            ("VOLLEY_SECRET", "secret"),
        ):
            (secrets / name).write_text(play.env.pop(variable))
        supervised = Supervised(play, steady_s=0)
        await supervised.begin()
        made = Night(supervised)
        made.prepare()
        yield made


@pytest.mark.timeout(900)  # it runs some sixty commands, one after the other
async def test_the_runbook_does_what_it_says(night: Night) -> None:
    await night.follow("first")
    for scene in (_stop_all, _blocked, _carrier_down, _redis, _database, _keys, _upgrade):
        await scene(night)
    assert set(night.done) == set(sections()), "a section that no test reads"
    await night.play.drained()
    check = oracle.twice(await night.play.books())
    assert check.kept, check.found


async def _stop_all(night: Night) -> None:
    play = night.play
    other = await night.push(4000)
    await night.push(3000)
    await night.sends()
    async for place in night.read("Stop all sending now"):
        if place == 0:
            await night.until(_nothing_flies(night), "what was taken before is not settled")
            silent = await night.sent()
            os.kill(await night.supervised.pid(WORKERS[0]), signal.SIGKILL)
            await play.kill_redis()
            await play.start_redis()
            await night.until(night.supervised.all_work, "the killed worker did not come back")
            await asyncio.sleep(1)
            assert await night.sent() == silent
            assert await halt.stopped(play.outbox)
            said = await night.run("volley status")
            assert "all sending is stopped by cli:" in said
            assert "wrong text in the autumn campaign" in said
        if place == 1:
            assert await night.sent() == silent
        if place == 2:
            await night.sends()
    night.env["CAMPAIGN"] = other
    await night.sends()
    await play.outbox.cancel(other)


def _nothing_flies(night: Night) -> Callable[[], Awaitable[bool]]:
    async def landed() -> bool:
        return not (await night.play.counts()).get("sending")

    return landed


async def _blocked(night: Night) -> None:
    number = night.env["NUMBER"] = next(iter(night.play.rates))

    async def pool() -> set[str]:
        return {view.sender.number for view in await night.play.outbox.senders() if view.sender.active}

    async for place in night.read("A number is blocked"):
        assert (number in await pool()) == (place != 0), night.said


async def _carrier_down(night: Night) -> None:
    async def open_circuit() -> bool:
        return any(rest.what == "carrier" for rest in await night.play.outbox.rests())

    await night.play.fail(FaultRule(kind="status", status=503))
    name = await night.push(300)
    await night.until(open_circuit, "no circuit")
    async for place in night.read("The carrier is down"):
        if place == 0:
            assert "the carrier does not answer" in night.said
            await night.play.fail()
    await night.until(lambda: _closed(open_circuit), "the circuit stays open")
    await night.play.outbox.cancel(name)


async def _closed(is_open: Callable[[], Awaitable[bool]]) -> bool:
    return not await is_open()


async def _redis(night: Night) -> None:
    play = night.play
    await night.follow("Redis is full")
    assert (await play.redis.config_get("maxmemory"))["maxmemory"] == str(4 << 30)
    name = await night.push(LARGE)
    await night.sends()
    await night.until(_recorded(night), "the ledger is behind")
    async for place in night.read("Redis is lost"):
        view = await play.outbox.campaign(name)
        assert view is not None, night.said
        assert view.state == ("paused" if place == 0 else "ready")
        assert sum(view.counts.values()) == LARGE
    await night.sends()
    await play.outbox.cancel(name)


def _recorded(night: Night) -> Callable[[], Awaitable[bool]]:
    async def recorded() -> bool:
        return await night.play.outbox.ledger_length() < 50

    return recorded


async def _database(night: Night) -> None:
    await night.follow("The database is away")


async def _keys(night: Night) -> None:
    secrets = Path(night.env["SECRETS"])
    before = await night.supervised.pid(WORKERS[0])
    night.env["NEW_API_KEY"] = API_KEY
    await night.follow("Change the carrier's API key")
    assert await night.supervised.pid(WORKERS[0]) not in (0, before)
    signer = Signer(night.play.config.seed)
    signer.rotate()
    night.env["NEW_PUBLIC_KEY"] = signer.public_key
    async for place in night.read("Change the key of the carrier's webhooks"):
        if place == 0:
            await night.play.carrier("POST", "/_sandbox/rotate_key")
    async for place in night.read("Change VOLLEY_SECRET"):
        assert (secrets / "secret").read_text().strip().count(",") == (place == 0)
    await night.until(night.supervised.all_work, "serve and two workers")
    name = await night.push(20)

    async def receipted() -> bool:
        mine = [row.status for row in rows(night.play.folder / "home" / "ledger.db", {name}).values()]
        return len(mine) == 20 and not {"ready", "sending", "submitted"} & set(mine)

    await night.until(receipted, "receipts signed by the new key, with references under the new secret, are missing")
    made = await night.run("volley keys create --name shop --scope send --json")
    night.env["OLD_KEY"] = re.findall(r'"id":"([^"]+)"', made)[0]
    await night.follow("Change a client's API key")
    assert "revoked" in night.said


async def _upgrade(night: Night) -> None:
    name = await night.push(LARGE)
    await night.follow("Upgrade")
    await night.until(night.supervised.all_work, "serve and two workers")
    await night.sends()
    await night.play.outbox.cancel(name)
