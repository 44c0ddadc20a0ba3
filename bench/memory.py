"""What Redis holds for a waiting message and for a pin: the growth of its used memory, divided.

    python -m bench.memory [--quick]

No worker runs: the campaign is planned here with the worker's own code, once it has been measured as pushed.
"""

import asyncio
import sys

from bench.people import strangers
from bench.pins import pin_people, skewed
from bench.rig import Rig
from bench.table import Figure, sizes, tell
from volley.outbox.client import Redis
from volley.sandbox.config import PROFILE_ID
from worker.plan import plan
from worker.texts import Texts

SENDERS = 1_000
WANTED_BYTES = 60


async def used(redis: Redis) -> int:
    await asyncio.sleep(0.3)  # buffers of the last command go
    return int((await redis.info("memory"))["used_memory"])


async def plan_all(bench: Rig, campaign_id: str) -> None:
    texts = Texts(bench.outbox, None)
    while await plan(bench.outbox, texts, campaign_id, enough=sys.maxsize):
        pass


async def measure(messages: int, people: int) -> list[Figure]:
    async with Rig([1.0] * SENDERS, 50.0) as bench:
        empty = await used(bench.redis)
        campaign = await bench.admit(strangers(messages))
        await bench.outbox.seal(campaign, key_ttl_s=3600)
        pushed = await used(bench.redis)
        await plan_all(bench, campaign.id)
        planned = await used(bench.redis)
        profile = await bench.outbox.profile_index(PROFILE_ID)
        assert profile is not None
        senders = sorted(await bench.outbox.sender_numbers())
        await pin_people(bench.redis, bench.outbox.keys, profile, skewed(strangers(people), senders))
        pinned = await used(bench.redis)
    return [
        Figure("waiting messages of one templated campaign", messages),
        Figure("a waiting message, as pushed", (pushed - empty) / messages, "bytes", most=WANTED_BYTES),
        Figure("a waiting message, all of them in lanes", (planned - empty) / messages, "bytes", most=WANTED_BYTES),
        Figure("people with a pin", people),
        Figure("a pin", (pinned - planned) / people, "bytes", most=WANTED_BYTES),
    ]


def main() -> None:
    quick = sizes("memory").quick
    messages, people = (20_000, 100_000) if quick else (200_000, 1_000_000)
    tell("memory", asyncio.run(measure(messages, people)))


if __name__ == "__main__":
    main()
