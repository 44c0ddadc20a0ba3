"""The queues as documents of campaigns ask for them: drawn from the snapshot that everyone shares, so that who looks at one campaign
again and again does not have all campaigns and all senders read.
"""

from collections.abc import Collection
from dataclasses import replace

from producer.sight.sight import Sight
from volley.outbox.outbox import Outbox
from volley.outbox.scripts import reaching
from volley.outbox.views import ProfileView


async def queues(sight: Sight, outbox: Outbox, names: Collection[str]) -> dict[str, ProfileView]:
    """Of these profiles, as old as the snapshot is, but for the moment. Raises TryAgainLater where Redis is away."""
    scene = await sight.scene()
    if not scene.profiles.keys() >= set(names):  # one came a moment ago
        scene = await sight.scene(0)
    with reaching():
        seconds, micros = await outbox.redis.time()
    now_us = int(seconds) * 1_000_000 + int(micros)
    return {name: replace(scene.profiles[name], now_us=now_us) for name in names if name in scene.profiles}
