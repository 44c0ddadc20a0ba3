"""A worker under the real s6 and runit: restarted under load, killed, stopped; nobody twice, nothing lost."""

import os
import signal

import psutil
import pytest

from tests.chaos.stage import stage
from tests.deploy.kept import Kept, Name, need

PEOPLE = 3000
PATIENT = {"VOLLEY_HTTP_TIMEOUT": "3"}
"""No answer comes later because this machine is busy."""


@pytest.mark.parametrize("name", ["s6", "runit"])
async def test_a_restart_drains_and_a_kill_is_made_good(name: Name) -> None:
    need(name)
    async with stage(senders=4, rate=50, account_rate=40, latency_ms=(300, 600), fsync=False, env=PATIENT) as play:
        await play.serve()
        kept = Kept(name, play)
        await kept.begin()
        try:
            campaign = (await play.push(PEOPLE)).campaign_id or ""
            await play.until_left(PEOPLE - 30)
            first = await kept.pid()
            await kept.restart()
            second = await kept.works(first)
            assert not psutil.pid_exists(first)
            assert not (await play.counts()).get("unknown"), "it was asked to end, and left what was in flight unknown"
            os.kill(second, signal.SIGKILL)
            third = await kept.works(second)
            await play.until_left((await play.counts())["ready"] - 30)
            await play.outbox.cancel(campaign)
            await play.drained()
            await play.receipted()
        finally:
            await kept.end()
        assert not psutil.pid_exists(third)
        for check in await play.judge(unknown_allowed=True):  # what the killed one held and nobody speaks of
            assert check.kept, f"{check.name}: {check.found}"
