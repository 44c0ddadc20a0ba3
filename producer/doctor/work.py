"""Those who send, and what waits for them."""

import time

from producer.doctor.verdict import Verdict, failed, ok, warning
from producer.sight.overview import status
from volley.outbox.outbox import Outbox

_OVERDUE_S = 15.0
"""The sweeper arms what shows no life within 5 s."""


async def check(outbox: Outbox, account: str, *, relaxed: bool) -> list[Verdict]:
    document = await status(outbox, account, relaxed=relaxed)
    waiting = sum(queue["depth"] for queue in document["queues"])
    return [
        workers(len(document["workers"]), waiting),
        await overdue(outbox),
        still(document["notes"], waiting),
        unknown(document["unknown"]),
    ]


def workers(alive: int, waiting: int) -> Verdict:
    if alive:
        return ok("workers", f"{alive} alive")
    if waiting:
        return failed("workers", f"none is alive, and {waiting} messages wait", "start volley worker, or volley up")
    return warning("workers", "none is alive; nothing waits", "start volley worker, or volley up, before you send")


async def overdue(outbox: Outbox) -> Verdict:
    """Jobs that have work and show no life: the sweeper of any worker arms them again."""
    now_us = time.time_ns() // 1000
    late = await outbox.redis.zrangebyscore(outbox.keys.of("due"), 0, now_us - int(_OVERDUE_S * 1e6), 0, 1)
    if not late:
        return ok("queues", "every job with work shows life")
    since_us = int(await outbox.redis.zscore(outbox.keys.of("due"), late[0]) or now_us)
    found = f"a job has been due for {(now_us - since_us) / 1e6:.0f} s"
    return failed("queues", found, "see that a worker runs, that it reaches arq's Redis, and its log")


def still(notes: list[str], waiting: int) -> Verdict:
    """What `volley status` says about why nothing moves."""
    if notes and waiting:
        return warning("standstill", "; ".join(notes[:3]), "volley status tells of each")
    return ok("standstill", "; ".join(notes[:3]) or "nothing rests")


def unknown(count: int) -> Verdict:
    if not count:
        return ok("unknown messages", "none")
    found = f"of {count} messages nobody knows whether they were sent; they are not sent again by themselves"
    return warning("unknown messages", found, "wait for receipts, then volley reconcile: it names their likely records")
