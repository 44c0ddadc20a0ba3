"""Redis is lost in the middle of a campaign, with all it held; the ledger is not. Real workers, a real carrier's log."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.audit.whole import Whole
from producer.rebuild.run import Wish, rebuild
from tests.commands import run_volley
from tests.flow.worker.conftest import World, eventually, people
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.ledger.engine import open_ledger, upgrade
from volley.ledger.recorder import Recorder
from volley.outbox.outbox import Outbox
from volley.sandbox.config import API_KEY, PROFILE_ID
from volley.settings import Settings

PEOPLE = 3000
STOPPED = people(PEOPLE)[-40::10]
NOTHING_MARKED = -(10**6)


class Lost(World):
    """A world with a ledger, whose Redis goes."""

    def __init__(self, folder: Path, valkey: EmbeddedValkey) -> None:
        super().__init__(folder, valkey)
        (folder / "home").mkdir()
        self.engine: AsyncEngine = open_ledger(f"sqlite+aiosqlite:///{folder}/home/ledger.db")
        self.recording: asyncio.Task[None] | None = None
        self.recorder: Recorder | None = None

    async def record(self) -> None:
        self.recorder = Recorder(self.outbox, self.engine, name="tests")
        self.recording = asyncio.create_task(self.recorder.run())

    async def stop_recording(self) -> None:
        if self.recorder and self.recording:
            self.recorder.stop()
            await self.recording

    async def half_sent(self) -> Campaign:
        """Some of it is sent and recorded, some sent and not recorded, some in flight. Then everything dies."""
        await upgrade(self.engine)
        await self.begin(rate=150)
        await self.record()
        await self.outbox.add_optouts(PROFILE_ID, STOPPED)
        campaign = await self.push(people(PEOPLE), created_us=1_763_800_000_000_000, on_unknown="hold")
        worker = await self.worker()

        async def some() -> bool:
            return self.recorder is not None and self.recorder.counts.attempts > 600

        await eventually(some)
        await self.stop_recording()
        await asyncio.sleep(0.4)  # what is sent meanwhile nobody records
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        await self.lose_redis()
        return campaign

    async def lose_redis(self) -> None:
        assert self.valkey.process
        self.valkey.process.kill()
        await asyncio.to_thread(self.valkey.process.wait)
        self.valkey.process = None
        await self.client.aclose()
        shutil.rmtree(self.valkey.folder)
        await self.valkey.start()
        self.client = redis.asyncio.Redis.from_url(self.valkey.url)
        self.outbox = Outbox(self.client, "default")
        (self.folder / "home" / "volley.toml").write_text("[rates]\naccount = 100000\nlong_code = 150\n")

    def settings(self) -> dict[str, str]:
        return {
            "VOLLEY_HOME": str(self.folder / "home"),
            "VOLLEY_REDIS_URL": self.valkey.url,
            "TELNYX_API_KEY": API_KEY,
            "TELNYX_BASE_URL": self.sandbox.url,
        }

    async def volley(self, *words: str) -> tuple[int, str]:
        env = {"PATH": os.environ["PATH"], **self.settings()}
        done = await asyncio.to_thread(run_volley, *words, env=env, cwd=self.folder)
        return done.returncode, done.stdout

    async def go_on(self, campaign: Campaign) -> dict[str, int]:
        """Resumed, and sent to its end."""
        await self.record()
        await self.outbox.resume(campaign.id)
        await self.worker()
        return await self.until(campaign)

    async def end(self) -> None:
        await self.stop_recording()
        await super().end()
        await self.engine.dispose()


@pytest.fixture
async def lost(tmp_path: Path) -> AsyncIterator[Lost]:
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        made = Lost(tmp_path, valkey)
        try:
            yield made
        finally:
            await made.end()


async def test_after_redis_was_lost_nobody_hears_twice_and_everybody_is_accounted_for(lost: Lost) -> None:
    campaign = await lost.half_sent()
    before = lost.reached()
    known = {int(each.to[1:]): each.sender for each in lost.arrivals()}

    code, out = await lost.volley("rebuild", "--yes", "--json")
    report = json.loads(out)
    assert code == 0, out
    (mine,) = report["campaigns"]
    assert mine["why"] == ""
    assert mine["ready"] + mine["unknown"] + mine["ended"] == PEOPLE
    assert mine["ready"] > 500
    assert report["optouts"] == len(STOPPED)
    assert report["synced"] == [PROFILE_ID]
    view = await lost.view(campaign)
    assert view.state == "paused"
    assert lost.reached() == before, "nothing is sent before somebody says so"

    counts = await lost.go_on(campaign)
    reached = lost.reached()
    assert max(reached.values()) == 1
    assert not reached.keys() & set(STOPPED)
    assert counts["opted_out"] == len(STOPPED)
    assert sum(counts.values()) == PEOPLE
    states = await unknown_people(lost, campaign)
    assert set(people(PEOPLE)) - reached.keys() - set(STOPPED) <= states
    document = await Whole(lost.outbox, lost.engine, 30, pause_s=0).run(campaign.id)
    assert (document["broken"], document["notes"]) == ([], [])
    pinned = await lost.pinned()
    recorded = [who for who in known if who in pinned]
    assert len(recorded) > 500
    assert all(pinned[who] == known[who] for who in recorded), "they keep the sender they know"


async def unknown_people(lost: Lost, campaign: Campaign) -> set[int]:
    """Whose message is unknown."""
    found = set()
    for k in range(campaign.chunks):
        text = (await lost.client.get(lost.outbox.keys.states(campaign.id, k)) or b"").decode()
        found |= {people(PEOPLE)[100 * k + at] for at, state in enumerate(text) if state == "?"}
    return found


async def test_without_the_doubt_people_would_hear_twice(lost: Lost) -> None:
    """The control: the same again, and what the ledger calls ready is taken for ready."""
    campaign = await lost.half_sent()
    settings = Settings.model_validate(
        {
            "home": lost.folder / "home",
            "telnyx_api_key": API_KEY,
            "telnyx_base_url": lost.sandbox.url,
            "rates": {"account": 100000, "long_code": 150},
        }
    )
    report = await rebuild(settings, lost.outbox, lost.engine, Wish(margin_chunks=NOTHING_MARKED))
    assert report.campaigns[0].marked == 0
    await lost.go_on(campaign)
    assert max(lost.reached().values()) > 1
