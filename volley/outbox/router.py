"""Where a pool can send, and with what: the same classes and routes that Lua deals by, for those who decide before."""

from collections import Counter
from collections.abc import Iterable, Mapping

import orjson

from volley.outbox.classes import Dealt
from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.prefixes import first_prefix
from volley.sender import SenderType


class Router:
    """The shared pool of one profile: what a message that names no sender may go by.

    `members`: each class's types, `rates` its parts per 1,000 s, of those senders that were usable at the last sync. A sender
    that rests counts.
    """

    def __init__(
        self, classes: str, routes: str, members: Mapping[str, frozenset[SenderType]], rates: Mapping[str, int]
    ) -> None:
        self._dealt = Dealt(classes, routes)
        self._members = members
        self._rates = rates
        self._plain = None if routes else self._types(self._dealt.shared(0))

    @property
    def routed(self) -> bool:
        """Whether it depends on the country who may send."""
        return self._plain is None

    def serves(self, country: str) -> bool:
        """Whether any sender of the pool may send to an ISO 3166-1 alpha-2 country."""
        if self._plain is not None:
            return bool(self._plain)
        prefix = first_prefix(country)
        return bool(prefix) and self.reachable(int(prefix))

    def reachable(self, number: int) -> bool:
        """Whether any sender of the pool may send to this person."""
        return bool(self.types(number))

    def types(self, number: int) -> tuple[SenderType, ...]:
        """The types of the senders that may send to this person."""
        return self._types(self._dealt.shared(number)) if self._plain is None else self._plain

    def shares(self, number: int) -> dict[str, float]:
        """The classes that people like this one are dealt to, each with its share of them."""
        shared = self._dealt.shared(number)
        return {name: weight / sum(shared.values()) for name, weight in shared.items()}

    def rate(self, name: str) -> float:
        """Parts per second that a class makes."""
        return self._rates.get(name, 0) / 1000

    def _types(self, classes: Iterable[str]) -> tuple[SenderType, ...]:
        return tuple(sorted({kind for name in classes for kind in self._members.get(name, ())}))


async def load(client: Redis, keys: Keys, profile_index: int | None, profile: str) -> Router:
    """As the last sync has stored it."""
    if profile_index is None:
        return Router("", "", {}, {})
    classes = await client.hget(keys.of("classes"), str(profile_index)) or b""
    routes = await client.hget(keys.of("routes"), str(profile_index)) or b""
    records = await client.hgetall(keys.of("sender"))
    members: dict[str, set[SenderType]] = {}
    rates: Counter[str] = Counter()
    for value in (await client.hgetall(keys.of("senderinfo"))).values():
        info = orjson.loads(value)
        if info["profile"] == profile and info["active"]:
            name = records[b"%d" % info["index"]].split(b" ")[2].decode()
            members.setdefault(name, set()).add(info["type"])
            rates[name] += info["rate_milli"]
    types = {name: frozenset(found) for name, found in members.items()}
    return Router(classes.decode(), routes.decode(), types, rates)
