"""Messages that were accepted, shown again: for GET /v2/messages/{id}, replayed answers, webhooks and detail records."""

from dataclasses import replace
from decimal import Decimal

import orjson

from volley.numbers import country
from volley.sandbox.accepted import Accepted, Taken
from volley.sandbox.config import SandboxConfig
from volley.sandbox.draft import Desk, Draft
from volley.sandbox.life import Life, life, odd_life, payload_at
from volley.sandbox.numbers import Numbers
from volley.sandbox.payload import Payloads
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal


class Archive:
    """Nothing but the request's body is stored: the answer is made from it again, and the same comes out."""

    def __init__(self, config: SandboxConfig, numbers: Numbers) -> None:
        self.accepted = Accepted(max(config.keep, config.keep_records), compares=config.remember > 0)
        self.desk = Desk(config, numbers)
        self.payloads = Payloads(config)
        self._keep = config.keep
        self._numbers = numbers
        self._receipts = config.receipts
        self._seed = config.seed
        self._registered_only = config.registered_only
        self._homes: dict[int, list[tuple[int, SandboxProfile]]] = {}

    def add(self, draft: Draft, wall_us: int, wait_us: int, body: bytes) -> tuple[Taken, bytes]:
        """The message and the JSON that its POST answers."""
        number = draft.number
        taken = self.accepted.add(wall_us, wait_us, number.index, draft.content.parts, body, draft.odd)
        if not number.template:  # its first message, or the first since its profile or its settings changed
            self._homes.setdefault(number.index, []).append((taken.place, draft.profile))
        return taken, self.payloads.render(draft, taken.id, wall_us, wait_us)

    def posted(self, taken: Taken) -> bytes:
        """What the POST answered, or would have."""
        return self.payloads.render(self.draft(taken), taken.id, taken.wall_us, taken.wait_us)

    def draft(self, taken: Taken) -> Draft:
        """The send as it was taken, whatever has become of its number and its profile since."""
        body: dict[str, object] = orjson.loads(taken.body)
        return self.desk.again(body, self.number(taken), self.profile(taken), taken.parts, taken.odd)

    def number(self, taken: Taken) -> SandboxNumber:
        return self._numbers.all[taken.sender]

    def profile(self, taken: Taken) -> SandboxProfile:
        """The one that its number belonged to then."""
        homes = self._homes[taken.sender]
        return next(profile for since, profile in reversed(homes) if since <= taken.place)

    def sender(self, taken: Taken) -> str:
        return self.number(taken).number

    def cost(self, taken: Taken) -> Decimal:
        """What it costs in the end."""
        odd = taken.odd
        price = self.payloads.prices.price(str(orjson.loads(taken.body)["to"]), odd is not None and odd.mms)
        return (Decimal(price.rate) + Decimal(price.carrier_fee)) * taken.parts

    def life(self, taken: Taken) -> Life:
        found = self._life(taken)
        if self._registered_only and found.sent_us is not None and self._unregistered(taken):
            return replace(found, done_us=found.done_us or found.sent_us, end="delivery_failed", code="40010")
        return found

    def _unregistered(self, taken: Taken) -> bool:
        """Whether it went to the US from a long code in no campaign."""
        to = str(orjson.loads(taken.body)["to"])
        return not self.number(taken).registered and to.startswith("+1") and country(int(to)) == "US"

    def _life(self, taken: Taken) -> Life:
        odd = taken.odd
        if odd is None or not odd.send_at_us:
            return life(self._receipts, self._seed, taken.place, taken.wall_us, taken.wait_us)
        return odd_life(odd, life(self._receipts, self._seed, taken.place, odd.left_us, odd.wait_us))

    def show(self, taken: Taken, fate: Life, now_us: int) -> dict[str, object]:
        """Its payload at a wall-clock moment (µs)."""
        return payload_at(self.posted(taken), fate, self.payloads.prices, now_us)

    def find(self, message_id: str) -> Taken | None:
        """A message that is still known."""
        index = self.accepted.find(message_id)
        if index is None or index < len(self.accepted) - self._keep:
            return None
        return self.accepted.get(index)

    def get(self, message_id: str, now_us: int) -> bytes:
        """`{"data": payload}` of a message whose body is still kept. Raises Refusal 40303."""
        taken = self.find(message_id)
        if taken is None:
            raise Refusal("40303")
        return orjson.dumps({"data": self.show(taken, self.life(taken), now_us)})
