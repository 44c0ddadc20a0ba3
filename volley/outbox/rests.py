"""What rests in an account, until when and why; and how a profile's rest ends before its time."""

from dataclasses import dataclass

import orjson

from volley.outbox.client import Redis
from volley.outbox.keys import Keys, sender_field
from volley.outbox.scripts import Scripts, reaching

CARRIER = "carrier"
STOPPED = "sending"
KINDS = {"h": STOPPED, "a": "account", "m": "mms", "p": "profile", "g": "group", "s": "sender"}


@dataclass(frozen=True, slots=True)
class RestView:
    """`what`: sending (stopped by hand, all of it, until it is resumed), carrier (the circuit is open: it does not answer),
    account, mms (the account's), profile, sender, or a registered campaign's group; `name` is the profile's id, the number, the
    group.
    """

    what: str
    name: str
    until_us: int
    reason: str


async def rests(client: Redis, keys: Keys) -> list[RestView]:
    """All rests that are not over: an open circuit first, what was stopped by hand, the account's, then profiles, groups and senders."""
    numbers = await client.hgetall(keys.of("numbers"))
    profiles = {index: name for name, index in (await client.hgetall(keys.of("profile"))).items()}
    names = {b"s": numbers, b"p": profiles}
    found = []
    for bucket, value in (await client.hgetall(keys.of("stops"))).items():
        kind, rest = bucket[:1], orjson.loads(value)
        name = names.get(kind, {}).get(bucket[1:], bucket[1:]).decode()
        found.append(RestView(KINDS[kind.decode()], name, int(rest["until"]), rest["reason"]))
    now_us = await moment(client, 0)
    rest = sorted((rest for rest in found if rest.until_us > now_us), key=lambda rest: (_rank(rest.what), rest.name))
    return [*await circuit(client, keys), *rest]


async def circuit(client: Redis, keys: Keys) -> list[RestView]:
    """The open circuit, until the next message tries whether the carrier is back; nothing where it is closed."""
    held = await client.hgetall(keys.of("circuit"))
    return [RestView(CARRIER, "", int(held[b"until"]), held[b"why"].decode())] if held else []


async def moment(client: Redis, ahead_s: float) -> int:
    """µs since 1970 by the clock of Redis."""
    seconds, micros = await client.time()
    return int(seconds) * 1_000_000 + int(micros) + int(ahead_s * 1e6)


def _rank(what: str) -> int:
    return list(KINDS.values()).index(what)


async def bucket(
    client: Redis, keys: Keys, profile: str | None, number: str | None, *, group: bool, mms: bool
) -> str | None:
    """The bucket of a number (an alphanumeric ID is that of the profile) or with `group` of its registered campaign, if it has
    one; else of a profile, of the account's MMS, or of the account. None for one that is not known.
    """
    if number is not None:
        info = await client.hget(keys.of("senderinfo"), sender_field(number, profile or ""))
        if info is None:
            return None
        sender = orjson.loads(info)
        return f"g{sender['group']}" if group and sender["group"] else f"s{sender['index']}"
    if profile is not None:
        index = await client.hget(keys.of("profile"), profile)
        return None if index is None else f"p{index.decode()}"
    return "m" if mms else "a"


async def lift(scripts: Scripts, profile_index: int) -> bool:
    """Ends a profile's rest. Raises TryAgainLater where Redis is away."""
    with reaching():
        return bool(await scripts.durable("lift", f"p{profile_index}"))
