"""The outbox that the settings speak of: the same one for every process, whoever asks."""

from volley.outbox.client import Redis
from volley.outbox.connect import connect
from volley.outbox.outbox import Outbox
from volley.settings import Settings


async def open_outbox(settings: Settings) -> Outbox:
    """Connected, and as durable as the settings ask; close its `redis`.

    Raises:
        UnusableInput: no Redis is named, or one that may lose what it acknowledged.
        TryAgainLater: Redis is away.
    """
    relaxed, replicas = settings.durability == "relaxed", settings.replicas
    redis = await connect(settings.current.redis_url, account=settings.account, relaxed=relaxed, replicas=replicas)
    return outbox_over(redis, settings)


def outbox_over(redis: Redis, settings: Settings) -> Outbox:
    """The same over a connection that is there already."""
    return Outbox(
        redis,
        settings.account,
        relaxed=settings.durability == "relaxed",
        replicas=settings.replicas,
        ledger_bound=settings.ledger_bound,
        pin_days=settings.pin_days,
        memory_high_water=settings.memory_high_water,
    )
