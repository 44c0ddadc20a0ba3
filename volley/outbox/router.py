"""Where a pool can send, and with what: the same classes and routes that Lua deals by, for those who decide before."""

from volley.outbox.client import Redis
from volley.outbox.keys import Keys
from volley.sender import SenderType


class Router:
    """The shared pool of one profile: what a message that names no sender may go by."""

    def serves(self, country: str) -> bool:
        """Whether any sender of the pool may send to an ISO 3166-1 alpha-2 country."""
        return True

    def reachable(self, number: int) -> bool:
        """Whether any sender of the pool may send to this person."""
        return True

    def types(self, number: int) -> tuple[SenderType, ...]:
        """The types of the senders that may send to this person."""
        return ("long_code",)


async def load(client: Redis, keys: Keys, profile_index: int | None, profile: str) -> Router:
    """As the last sync has stored it."""
    return Router()
