"""7: the primary dies while its replica lags, and a worker with it. The replica takes its place and nothing is sent twice.

With `replicas` what a take wrote is on the replica too before anything is posted, and the other writes are refused once
the replica is away: what is lost in a failover was never acted on, or a live worker tells it again.
"""

import asyncio
import signal
from functools import partial
from typing import Any, cast

from tests.chaos.registry import Run, experiment
from tests.chaos.replicated import STRICT, WatchedValkey, cut_off
from tests.chaos.stage import Stage, stage
from tests.servers import Node, Sentinels, becomes
from volley.errors import TryAgainLater
from volley.sandbox.arrivals import read
from volley.sandbox.config import ReceiptSpec

AWAY_S = (0.3, 0.9)
"""How long the replica hears nothing before the primary dies."""
COMES_BACK_S = 90.0
"""A Sentinel that was itself kept waiting for 2 s trusts nobody's clock for the next 30 s, and sends the old primary no word."""


async def _play(
    run: Run, failovers: int, servers: dict[str, str], env: dict[str, str], *how: str, **config: Any
) -> None:
    people, rate = run.pick(1_200, 6_000), run.pick(50.0, 60.0)
    run.settings |= {"workers": 2, "messages": people, "parts_per_s": rate, "failovers": failovers, **servers, **env}
    make = partial(WatchedValkey, options=servers)
    async with stage(senders=4, rate=rate / 2, account_rate=rate, valkey=make, env=env, **config) as play:
        await play.serve()
        await play.worker(*how, wait=False)
        await play.worker(*how)
        if not run.control:
            await play.probe()
        await play.push(people)
        await asyncio.sleep(2)
        if not run.control:
            await _refused_without_replica(run, play)
        for _ in range(failovers):
            await asyncio.sleep(run.dice.uniform(2, 5))
            await _fail_over(run, play, *how)
        await play.drained(people / rate * 8 / 7 + 180, resolved=not run.control)
        if not run.control:
            await play.receipted()
        run.figures["unknown"] = (await play.counts()).get("unknown", 0)
        run.judged(await play.judge(unknown_allowed=run.control))


def _servers(play: Stage) -> Sentinels:
    return cast("WatchedValkey", play.valkey).set


async def _both(servers: Sentinels) -> tuple[Node, Node]:
    primary = await servers.primary()
    return primary, next(each for each in servers.servers if each is not primary)


async def _fail_over(run: Run, play: Stage, *how: str) -> None:
    """The primary and a worker die at once, the replica does not know the last of it; a moment later all are back."""
    servers = _servers(play)
    primary, replica = await _both(servers)
    await cut_off(primary, replica)
    await asyncio.sleep(run.dice.uniform(*AWAY_S))
    victim = play.workers[run.dice.randrange(len(play.workers))]
    await asyncio.gather(primary.kill(), victim.kill())
    replica.signal(signal.SIGCONT)
    play.workers.remove(victim)
    await servers.replaced(primary)
    # alone the new primary refuses writes, too; the old one comes back as its replica
    await primary.start()
    await becomes(lambda: _whole(servers), "one follows the other, and writes are taken", COMES_BACK_S)
    await play.worker(*how, wait=False)  # before that it would end again, as a supervisor expects
    arrived = _arrived(play)
    took = await play.until(lambda: _more(play, arrived), "nothing is sent after the failover", 30)
    run.did(f"failover, sending again {took:.1f} s after one followed the other")
    run.expect("it sends again within 5 s", took < 5, f"{took:.1f} s")


async def _whole(servers: Sentinels) -> bool:
    """Whichever is the primary: a new one that is slow to begin is replaced at once. Raises RedisError while it refuses writes."""
    primary, replica = await _both(servers)
    role = await replica.client.execute_command("ROLE")
    if role[0] != b"slave" or role[3] != b"connected":
        return False
    await primary.client.delete("nobody's key")
    return True


async def _refused_without_replica(run: Run, play: Stage) -> None:
    """The replica is away for a while: nothing is posted, a push is refused, and all goes on when it is back."""
    primary, replica = await _both(_servers(play))
    await cut_off(primary, replica)
    await asyncio.sleep(1)  # what had its barrier goes out
    before = _arrived(play)
    await asyncio.sleep(2)
    run.expect("without its replica nothing is sent", _arrived(play) == before, f"{_arrived(play) - before} sent")
    try:
        await play.push(5)
        refused = False
    except TryAgainLater:
        refused = True
    run.expect("without its replica a push is refused", refused, refused)
    replica.signal(signal.SIGCONT)
    took = await play.until(lambda: _more(play, before), "nothing is sent with the replica back", 30)
    run.expect("with its replica back it sends again within 5 s", took < 5, f"{took:.1f} s")


def _arrived(play: Stage) -> int:
    assert play.config.log is not None
    return sum(1 for _ in read(play.config.log))


async def _more(play: Stage, than: int) -> bool:
    return _arrived(play) > than


async def _control(run: Run) -> None:
    """At a carrier that neither reports nor knows keys: each of them would hide it."""
    silent = {"receipts": ReceiptSpec(mode="off"), "idempotency": "ignored"}
    await _play(run, run.pick(2, 4), {"min-replicas-to-write": "0"}, {}, **silent)


@experiment(
    7,
    "failover to a replica that lags",
    control=_control,
    without="replicas in the barrier and writes refused",
    reds=("D",),
)
async def failover(run: Run) -> None:
    await _play(run, run.pick(2, 8), STRICT, {"VOLLEY_REPLICAS": "1"}, receipts=ReceiptSpec(attempts=12))
