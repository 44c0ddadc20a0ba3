"""Messages that were accepted, shown again: for GET /v2/messages/{id}, replayed answers and webhooks."""

import orjson

from volley.sandbox.accepted import Accepted, Taken
from volley.sandbox.config import SandboxConfig
from volley.sandbox.draft import Desk, Draft
from volley.sandbox.life import Life, life, payload_at
from volley.sandbox.payload import Payloads
from volley.sandbox.pool import Numbers
from volley.sandbox.replies import Refusal


class Archive:
    """Nothing but the request's body is stored: the answer is made from it again, and the same comes out."""

    def __init__(self, config: SandboxConfig, numbers: Numbers) -> None:
        self.accepted = Accepted(config.keep)
        self.desk = Desk(config, numbers)
        self._numbers = numbers
        self._payloads = Payloads(config)
        self._receipts = config.receipts
        self._seed = config.seed

    def add(self, draft: Draft, wall_us: int, wait_us: int, pooled: bool, body: bytes) -> tuple[Taken, bytes]:
        """The message and the JSON that its POST answers."""
        taken = self.accepted.add(wall_us, wait_us, draft.number.index, pooled, body)
        return taken, self._payloads.render(draft, taken.id, wall_us, wait_us)

    def posted(self, taken: Taken) -> bytes:
        """What the POST answered, or would have."""
        body: dict[str, object] = orjson.loads(taken.body)
        draft = self.desk.check(body, taken.pooled, self._numbers.all[taken.sender])
        return self._payloads.render(draft, taken.id, taken.wall_us, taken.wait_us)

    def sender(self, taken: Taken) -> str:
        return self._numbers.all[taken.sender].number

    def life(self, taken: Taken) -> Life:
        return life(self._receipts, self._seed, taken.place, taken.wall_us, taken.wait_us)

    def show(self, taken: Taken, fate: Life, now_us: int) -> dict[str, object]:
        """Its payload at a wall-clock moment (µs)."""
        return payload_at(self.posted(taken), fate, self._payloads.prices, now_us)

    def get(self, message_id: str, now_us: int) -> bytes:
        """`{"data": payload}` of a message whose body is still kept. Raises Refusal 40303."""
        index = self.accepted.find(message_id)
        taken = None if index is None else self.accepted.get(index)
        if taken is None:
            raise Refusal("40303")
        return orjson.dumps({"data": self.show(taken, self.life(taken), now_us)})
