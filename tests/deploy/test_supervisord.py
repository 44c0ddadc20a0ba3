"""Volley under a real supervisord: started by our file, restarted under load, killed; nobody twice, nothing lost."""

import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.chaos.processes import Process
from tests.chaos.stage import stage
from tests.deploy.supervised import WORKERS, Supervised

PEOPLE = 6000
PATIENT = {"VOLLEY_HTTP_TIMEOUT": "3"}
"""No answer comes later because this machine is busy."""
SLOW = {"latency_ms": (2000, 2500), "env": {"VOLLEY_HTTP_TIMEOUT": "10"}}
"""A carrier that takes its time: whoever ends has something to wait for."""


@pytest.fixture
async def supervised() -> AsyncIterator[Supervised]:
    async with stage(senders=4, rate=50, account_rate=40, fsync=False, env=PATIENT) as play:
        made = Supervised(play)
        await made.begin()
        yield made


async def test_a_rolling_restart_and_a_kill_under_load_reach_everybody_once(supervised: Supervised) -> None:
    play = supervised.play

    async def all_run() -> bool:
        return [line.split()[1] for line in (await supervised.ctl("status")).splitlines()] == ["RUNNING"] * 3

    await play.until(all_run, "supervisord does not say that all run", 30)
    campaign = (await play.push(PEOPLE)).campaign_id or ""
    await play.until_left(PEOPLE - 20)
    before = [await supervised.pid(name) for name in WORKERS]
    for name in WORKERS:
        assert "started" in await supervised.ctl("restart", name)
    after = [await supervised.pid(name) for name in WORKERS]
    assert not set(before) & set(after)
    counts = await play.counts()
    assert not counts.get("unknown"), "an orderly restart left messages unknown"
    os.kill(after[0], signal.SIGKILL)

    async def started_again() -> bool:
        return await supervised.pid(WORKERS[0]) not in (0, after[0])

    await play.until(started_again, "supervisord did not start it again", 30)
    left = (await play.counts())["ready"]  # more than can have gone meanwhile: it was under load all the time
    await play.until_left(left - 20)
    await play.outbox.cancel(campaign)
    await play.drained()
    await play.receipted()
    for check in await play.judge(unknown_allowed=True):  # what the killed one held and nobody speaks of
        assert check.kept, f"{check.name}: {check.found}"
    serving = play.serving
    assert isinstance(serving, Process)
    assert await serving.end(60) == 0
    assert not any(psutil.pid_exists(pid) for pid in after)


@pytest.mark.parametrize(("stop_s", "unknown"), [(None, False), (1, True)])
async def test_what_is_in_flight_is_waited_for_and_would_be_unknown_if_it_were_not(
    stop_s: int | None, unknown: bool
) -> None:
    """The second is the negative control: a stop timeout shorter than the drain."""
    async with stage(senders=4, rate=50, account_rate=40, **SLOW) as play:
        supervised = Supervised(play, stop_s=stop_s)
        await supervised.begin()
        campaign = (await play.push(PEOPLE)).campaign_id or ""
        await play.until_left(PEOPLE - 60)
        await supervised.ctl("stop", "volley-worker:*")
        left = (await play.counts()).get("sending", 0)
        assert bool(left) == unknown, "what nobody has settled when the last worker is gone"
        await play.outbox.cancel(campaign)
        assert isinstance(play.serving, Process)
        assert await play.serving.end(60) == 0
