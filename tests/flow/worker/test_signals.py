"""Signals: what ends a worker in order, what makes it quiet, and what its service manager hears of it."""

import asyncio
import os
import signal

import pytest

from tests.deploy.manager import ManagerSocket
from tests.flow.worker.conftest import World, eventually, people
from volley.sandbox.fault_rule import FaultRule

SLOW = FaultRule(kind="latency", ms=(150, 300))


async def there_are(world: World, *, quiet: int, taking: int) -> bool:
    found = [view.quiet for view in await world.outbox.workers()]
    return (sum(found), len(found) - sum(found)) == (quiet, taking)


async def test_a_quiet_worker_takes_nothing_more_and_ends_what_it_has(world: World) -> None:
    await world.begin(rate=60)
    await world.fail(SLOW)
    worker = await world.worker()
    campaign = await world.push(people(400))
    await world.until(campaign, left=340)
    worker.send_signal(signal.SIGTSTP)
    await eventually(lambda: there_are(world, quiet=1, taking=0))

    async def nothing_flies() -> bool:
        return (await world.view(campaign)).in_flight == 0

    await eventually(nothing_flies)
    sent = len(world.arrivals())
    await asyncio.sleep(1.5)
    assert len(world.arrivals()) == sent < 400
    assert (await world.counts(campaign)).keys() == {"ready", "submitted"}
    assert worker.returncode is None
    worker.send_signal(signal.SIGCONT)
    await eventually(lambda: there_are(world, quiet=0, taking=1))
    assert await world.until(campaign) == {"submitted": 400}
    assert world.reached() == dict.fromkeys(people(400), 1)
    assert await world.stop(worker) == 0


async def test_what_a_quiet_worker_leaves_another_one_takes_at_once(world: World) -> None:
    await world.begin(rate=100)
    first, second = await world.worker(), await world.worker()
    await eventually(lambda: there_are(world, quiet=0, taking=2))
    campaign = await world.push(people(900))
    await world.until(campaign, left=800)
    first.send_signal(signal.SIGTSTP)
    assert await world.until(campaign) == {"submitted": 900}
    assert world.reached() == dict.fromkeys(people(900), 1)
    assert await world.stop(first) == 0  # SIGTERM ends one that is quiet too
    assert await world.stop(second) == 0


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT])
async def test_a_terminal_that_hangs_up_or_interrupts_leaves_nothing_unknown(
    world: World, signum: signal.Signals
) -> None:
    await world.begin(rate=60)
    await world.fail(SLOW)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and stays so in what is started
    try:
        worker = await world.worker()
    finally:
        signal.signal(signal.SIGHUP, before)
    campaign = await world.push(people(200))
    await world.until(campaign, left=160)
    worker.send_signal(signum)
    async with asyncio.timeout(30):
        assert await worker.wait() == 0
    assert (await world.counts(campaign)).keys() == {"ready", "submitted"}


async def test_the_service_manager_hears_when_it_can_work_what_it_does_and_that_it_ends(world: World) -> None:
    await world.begin(rate=30)
    await world.fail(SLOW)
    with ManagerSocket(world.folder) as manager:
        worker = await world.worker(NOTIFY_SOCKET=str(manager.path), WATCHDOG_USEC="1000000")
        await asyncio.to_thread(manager.until, "READY")
        assert len(await world.outbox.workers()) == 1
        campaign = await world.push(people(3000))  # 25 s of work: some are ready whenever it speaks
        await world.until(campaign, left=2960)
        await asyncio.to_thread(manager.until, "STATUS", r"^[1-9]\d* ready, \d+ in flight, [1-9][\d.]*/s$")
        worker.send_signal(signal.SIGTSTP)
        await asyncio.to_thread(manager.until, "STATUS", "quiet, takes nothing more")
        assert await world.stop(worker) == 0
        assert manager.all("STOPPING") == ["1"]
        assert manager.all("EXTEND_TIMEOUT_USEC") == ["30000000"]
        assert len(manager.all("WATCHDOG")) > 5
        assert manager.all("READY") == ["1"]


async def test_a_worker_is_not_ready_before_redis_has_heard_it(world: World) -> None:
    await world.begin()
    with ManagerSocket(world.folder) as manager:
        worker = await world.worker(NOTIFY_SOCKET=str(manager.path), VOLLEY_REDIS_URL="redis://127.0.0.1:1/0")
        async with asyncio.timeout(30):
            assert await worker.wait() != 0
        assert manager.all("READY") == []


async def test_a_stopped_and_continued_worker_that_was_not_quiet_just_goes_on(world: World) -> None:
    await world.begin(rate=100)
    worker = await world.worker()
    campaign = await world.push(people(300))
    await world.until(campaign, left=250)
    os.kill(worker.pid, signal.SIGSTOP)
    os.kill(worker.pid, signal.SIGCONT)
    assert await world.until(campaign) == {"submitted": 300}


async def test_a_part_of_it_that_breaks_ends_it_in_order(world: World) -> None:
    """Nobody knows what broke it: it ends with an error, but what is in the air is not cut off."""
    await world.begin(rate=60)
    await world.fail(SLOW)
    worker = await world.worker()
    campaign = await world.push(people(900))
    await world.until(campaign, left=800)
    await world.client.zadd(world.outbox.keys.of("due"), {b"plan:\xff": 1})  # the sweeper breaks on it
    async with asyncio.timeout(30):
        assert await worker.wait() == 1
    assert (await world.counts(campaign)).keys() <= {"ready", "submitted"}


async def test_a_worker_that_is_made_quiet_while_it_starts_is_not_suspended_and_begins_quiet(world: World) -> None:
    await world.begin(rate=100)
    os.mkfifo(settings := world.folder / "volley.toml")
    begun = "from volley.__main__ import _run_worker; raise SystemExit(_run_worker())"
    worker = await world.worker(begun, VOLLEY_HOME=str(world.folder))
    with await asyncio.to_thread(settings.open, "w") as file:  # returns once it reads its settings
        worker.send_signal(signal.SIGTSTP)
        file.write("[rates]\naccount = 100000\n")
    await eventually(lambda: there_are(world, quiet=1, taking=0))
    worker.send_signal(signal.SIGCONT)
    await eventually(lambda: there_are(world, quiet=0, taking=1))
    assert await world.stop(worker) == 0
