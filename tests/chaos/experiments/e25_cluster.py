"""25: a Cluster whose nodes die and whose slots move while all is sent: the barrier goes to the node that holds the account."""

import asyncio
import signal
from functools import partial
from typing import Any, cast

from tests.chaos.registry import Run, experiment
from tests.chaos.replicated import STRICT, ClusteredValkey, calls, cut_off
from tests.chaos.stage import ACCOUNT, Stage, stage
from tests.servers import Cluster, Node, becomes
from volley.embedded import free_port
from volley.sandbox.arrivals import read
from volley.sandbox.config import ReceiptSpec

AWAY_S = (0.3, 0.9)
"""How long the replica hears nothing before its primary dies."""
AGAIN_S = 5.0


async def _play(run: Run, deeds: list[str], servers: dict[str, str], env: dict[str, str], **config: Any) -> None:
    people, rate = run.pick(1_000, 4_500), run.pick(50.0, 60.0)
    run.settings |= {"workers": 2, "messages": people, "parts_per_s": rate, "deeds": " ".join(deeds), **servers, **env}
    jobs = free_port()
    make = partial(ClusteredValkey, options=servers, jobs_port=jobs)
    env = {"VOLLEY_ARQ_REDIS_URL": f"redis://127.0.0.1:{jobs}/0", **env}
    async with stage(senders=4, rate=rate / 2, account_rate=rate, valkey=make, env=env, **config) as play:
        await play.serve()
        await play.worker(wait=False)
        await play.worker()
        if not run.control:
            await play.probe()
        await play.push(people)
        for deed in deeds:
            await asyncio.sleep(run.dice.uniform(2, 5))
            await _DEEDS[deed](run, play)
            await _sends_again(run, play, deed)
        await play.drained(people / rate * 8 / 7 + 180, resolved=not run.control)
        if not run.control:
            await play.receipted()
        run.figures["unknown"] = (await play.counts()).get("unknown", 0)
        run.judged(await play.judge(unknown_allowed=run.control))


def _cluster(play: Stage) -> Cluster:
    return cast("ClusteredValkey", play.valkey).set


async def _die(run: Run, play: Stage) -> None:
    """The owner and a worker die at once, and the owner's replica does not know the last of it."""
    cluster = _cluster(play)
    owner = await cluster.owner(ACCOUNT)
    replica = await _replica_of(cluster, owner)
    await cut_off(owner, replica)
    await asyncio.sleep(run.dice.uniform(*AWAY_S))
    victim = play.workers.pop(run.dice.randrange(len(play.workers)))
    await asyncio.gather(owner.kill(), victim.kill())
    replica.signal(signal.SIGCONT)
    await cluster.replaced(ACCOUNT, owner)
    await owner.start()
    await becomes(lambda: _follows(owner), "the node that died follows its successor")
    await play.worker(wait=False)  # where no write is taken it would end again, as a supervisor expects


async def _replica_of(cluster: Cluster, owner: Node) -> Node:
    [_, _, replicas] = await owner.client.execute_command("ROLE")
    ports = {int(port) for _, port, _ in replicas}
    return next(node for node in cluster.nodes if node.port in ports)


async def _follows(node: Node) -> bool:
    role = await node.client.execute_command("ROLE")
    return bool(role[0] == b"slave" and role[3] == b"connected")


async def _fail_over(run: Run, play: Stage) -> None:
    await _cluster(play).fail_over(ACCOUNT)


async def _move(run: Run, play: Stage) -> None:
    """The account's slot goes to another node, a few keys at a time."""
    await _cluster(play).move(ACCOUNT, keys=run.dice.randint(2, 20))


_DEEDS = {"die": _die, "fail_over": _fail_over, "move": _move}


async def _sends_again(run: Run, play: Stage, deed: str) -> None:
    """Soon, and with its barrier at the node that holds the account, and at no other."""
    cluster = _cluster(play)
    owner = await cluster.owner(ACCOUNT)
    arrived = _arrived(play)
    took = await play.until(lambda: _more(play, arrived), f"nothing is sent after {deed}", 30)
    run.did(f"{deed}, sending again after {took:.1f} s")
    run.expect(f"it sends again within {AGAIN_S:.0f} s", took < AGAIN_S, f"{deed}: {took:.1f} s")
    before = {node.port: await calls(node, "waitaof") for node in cluster.nodes}
    await asyncio.sleep(1)
    asked = [node for node in cluster.nodes if await calls(node, "waitaof") > before[node.port]]
    run.expect("the barrier goes to the node of the account", asked == [owner], [node.address for node in asked])


def _arrived(play: Stage) -> int:
    assert play.config.log is not None
    return sum(1 for _ in read(play.config.log))


async def _more(play: Stage, than: int) -> bool:
    return _arrived(play) > than + 10


async def _control(run: Run) -> None:
    """At a carrier that neither reports nor knows keys: each of them would hide it."""
    silent = {"receipts": ReceiptSpec(mode="off"), "idempotency": "ignored"}
    await _play(run, ["die"] * run.pick(2, 4), {"min-replicas-to-write": "0"}, {}, **silent)


@experiment(
    25,
    "a Cluster: nodes die, slots move",
    control=_control,
    without="replicas in the barrier and writes refused",
    reds=("D",),
)
async def cluster(run: Run) -> None:
    deeds = ["die", "fail_over", "move"] * run.pick(1, 3)
    run.dice.shuffle(deeds)
    await _play(run, deeds, STRICT, {"VOLLEY_REPLICAS": "1"}, receipts=ReceiptSpec(attempts=12))
