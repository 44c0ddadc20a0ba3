"""Which lane a waiting message is in, as lua/lanes.lua's owner_of decides it, found again without walking lanes."""

from dataclasses import dataclass
from math import floor

from volley.message import MessageId
from volley.outbox.classes import ANY, NOBODY, Dealt
from volley.outbox.flights import REF
from volley.outbox.outbox import Outbox
from volley.prefixes import Prefixes

DAY_US = 86_400_000_000
_LOOK = 500
"""So far into a lane is looked; beyond it, its length is the answer."""
_PIN_DAYS = 100_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is ready, with its campaign's moving fields and the server's clock."""

    place: MessageId
    recipient: int
    fields: dict[bytes, bytes]
    now_us: int

    def field(self, name: str) -> str:
        return self.fields.get(name.encode(), b"").decode()

    def number(self, name: str) -> int:
        return int(self.fields.get(name.encode(), 0))

    @property
    def profile(self) -> int:
        return self.number("p")

    @property
    def named(self) -> bool:
        """Its campaign named the sender."""
        return bool(self.field("sd"))

    @property
    def head(self) -> bytes:
        """The bytes of a ref that name the message: chunk and offset."""
        return REF.pack(self.place.chunk, self.place.offset, 0, 0, 0, 0, 0)[:6]


@dataclass(frozen=True, slots=True)
class Lane:
    """`name`: a number or a class, `words` the same for people. `exact`: `ahead` was counted, else it is the most.

    `buckets`: what may rest here, with its name in words. `senders` in the pool may serve it, the first from `free_us` on.
    """

    name: str
    words: str
    ahead: int
    exact: bool
    buckets: tuple[tuple[str, str], ...]
    senders: int
    free_us: int


async def find(outbox: Outbox, message: Waiting) -> Lane | None:
    """None: it is in none of the lanes that its pin and its class lead to."""
    longest: tuple[str, int] = ("", 0)
    for owner in await _owners(outbox, message):
        key = outbox.keys.of("lane", message.place.campaign, owner)
        refs: list[bytes] = await outbox.redis.execute_command("LRANGE", key, 0, _LOOK - 1)
        for ahead, ref in enumerate(refs):
            if ref.startswith(message.head):
                return await _lane(outbox, message, owner, ahead, exact=True)
        length = int(await outbox.redis.execute_command("LLEN", key))
        if length > _LOOK and not longest[0]:
            longest = (owner, length)
    owner, length = longest
    return await _lane(outbox, message, owner, length - 1, exact=False) if owner else None


async def pin(outbox: Outbox, profile: int, recipient: int, today: int) -> int | None:
    """The index of the sender that a person is pinned to, whether it may send now or not; None: no pin that still holds."""
    held = await outbox.redis.hget(outbox.keys.pin(profile, recipient), recipient.to_bytes(8, "big"))
    if held is None:
        return None
    index, day = divmod(int(held), _PIN_DAYS)
    return index if today - day <= outbox.dispatch.pin_days else None


async def number(outbox: Outbox, index: str) -> str:
    held = await outbox.redis.hget(outbox.keys.of("numbers"), index)
    return held.decode() if held else f"sender {index}"


async def _owners(outbox: Outbox, message: Waiting) -> list[str]:
    """Likeliest first: a person may have been pinned after the message was put into its class's lane."""
    if message.named:
        return ["s" + named_for(message)]
    index = await pin(outbox, message.profile, message.recipient, message.now_us // DAY_US)
    pinned = [] if index is None else [f"s{index}"]
    classes = await outbox.redis.hget(outbox.keys.of("classes"), str(message.profile)) or b"any 1"
    routes = await outbox.redis.hget(outbox.keys.of("routes"), str(message.profile)) or b""
    name = class_of(classes.decode(), message.recipient, message.place.chunk, routes.decode())
    return [*pinned, f"c{message.profile}.{name}"]


def named_for(message: Waiting) -> str:
    """As lua/lanes.lua's named_for: the index of the sender that its campaign names, or of its fallback."""
    index, _, table = message.field("fb").partition(" ")
    held = dict(entry.split("=") for entry in table.split())
    return index if Prefixes(held, "0").find(str(message.recipient)) == "1" else message.field("sd")


def class_of(classes: str, recipient: int, chunk: int, routes: str = "") -> str:
    """As lua/lanes.lua's class_of, in the doubles that Lua counts in."""
    dealt = Dealt(classes, routes)
    shared = dealt.shared(recipient)
    mixed = float(recipient) * 7919 + chunk * 104729
    place = (mixed - float(floor(mixed / 1000003)) * 1000003) % max(sum(shared.values()), 1)
    for class_, weight in shared.items():
        if place < weight:
            return class_
        place -= weight
    return dealt.nobody


def _said(class_: str) -> str:
    if class_.startswith(NOBODY):
        return "nobody: no sender of the pool may send to its country"
    return "the whole pool" if class_ == ANY else f"the class {class_}"


async def _lane(outbox: Outbox, message: Waiting, owner: str, ahead: int, *, exact: bool) -> Lane:
    if owner.startswith("c"):
        class_ = owner.split(".", 1)[1]
        senders, free_us = await _class_pool(outbox, owner)
        return Lane(class_, _said(class_), ahead, exact, (), senders, free_us)
    name = await number(outbox, owner[1:])
    group, free = await _sender(outbox, message, owner[1:])
    buckets = ((owner, f"the sender {name}"), *(((f"g{group}", f"the registered campaign {group}"),) if group else ()))
    words = f"the sender {name}, {'named by its campaign' if message.named else 'whom its person is pinned to'}"
    return Lane(name, words, ahead, exact, buckets, 0 if free is None else 1, free or 0)


async def _class_pool(outbox: Outbox, owner: str) -> tuple[int, int]:
    """How many senders serve a class, and when the first is free, µs."""
    key = outbox.keys.of("pool", owner)
    first = await outbox.redis.zrange(key, 0, 0)
    score = await outbox.redis.zscore(key, first[0]) if first else None
    return int(await outbox.redis.execute_command("ZCARD", key)), int(score or 0)


async def _sender(outbox: Outbox, message: Waiting, index: str) -> tuple[str, int | None]:
    """A sender's registered campaign ('' for none), and when it is free, µs; None where it may not send for this profile."""
    record = await outbox.redis.hget(outbox.keys.of("sender"), index)
    if record is None:
        return "", None
    _rate, profile, class_, state, *group = record.decode().split(" ", 4)
    if state[0] != "a" or int(profile) != message.profile:
        return "".join(group), None
    score = await outbox.redis.zscore(outbox.keys.of("pool", f"c{profile}.{class_}"), index)
    return "".join(group), None if score is None else int(score)
