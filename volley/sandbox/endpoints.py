"""The send endpoints: what each wants in a body, and which senders it sends from."""

from collections.abc import Mapping
from typing import NamedTuple

from volley.sandbox.replies import Refusal
from volley.sender import SenderType

_NUMBERS: frozenset[SenderType] = frozenset({"long_code", "toll_free"})


class Endpoint(NamedTuple):
    """`pooled`: the profile's pool chooses the sender. `types`: only these may send here; empty: any.

    `schedules`: `send_at` counts. `needs`: what must be there beside the recipient, in the order in which it is missed.
    """

    pooled: bool = False
    types: frozenset[SenderType] = frozenset()
    schedules: bool = False
    needs: tuple[str, ...] = ()

    def check(self, body: Mapping[str, object]) -> None:
        """Raises Refusal 10004 for what is missing, 10015 for a `send_at` that this endpoint does not know."""
        for name in self.needs:
            if not body.get(name):
                raise Refusal("10004", f"{name} is required.", pointer=f"/{name}")
        if not self.schedules and body.get("send_at") is not None:
            raise Refusal("10015", "This endpoint does not schedule; POST /v2/messages does.", pointer="/send_at")


MESSAGES = Endpoint(schedules=True)

ENDPOINTS = {
    b"POST /v2/messages": MESSAGES,
    b"POST /v2/messages/schedule": MESSAGES,
    b"POST /v2/messages/number_pool": Endpoint(pooled=True, needs=("messaging_profile_id",)),
    b"POST /v2/messages/long_code": Endpoint(types=_NUMBERS, needs=("from",)),
    b"POST /v2/messages/short_code": Endpoint(types=frozenset({"short_code"}), needs=("from",)),
    b"POST /v2/messages/alphanumeric_sender_id": Endpoint(
        types=frozenset({"alphanumeric"}), needs=("from", "text", "messaging_profile_id")
    ),
}
"""By request line. What is missing from `to` is the same everywhere (draft.py)."""
