"""Single messages at the carrier: look at one, cancel one that is scheduled. Sending is not here (telnyx.py)."""

from typing import Any, NamedTuple

from volley.carrier.api import CarrierRefused, Missing, TelnyxApi, segment
from volley.carrier.payload import money, whole, word

CANCELLED = "cancelled"


class CarrierMessage(NamedTuple):
    """What the carrier says of one message. `status` is that of its recipient, "" where nothing readable came back."""

    status: str = ""
    parts: int = 0
    cost_micros: int | None = None
    currency: str = ""


async def retrieve(api: TelnyxApi, carrier_id: str) -> CarrierMessage:
    """Raises Missing for a message that the carrier does not know, or no longer (10 days)."""
    return _message(await api.get(f"messages/{segment(carrier_id)}"))


async def withdraw(api: TelnyxApi, carrier_id: str) -> CarrierMessage | None:
    """Cancels a scheduled message; None where it is too late, or was never scheduled.

    A message that is cancelled already, by an earlier call whose answer was lost perhaps, is as good as cancelled now.
    """
    try:
        found = _message(await api.delete(f"messages/{segment(carrier_id)}"))
        if found.status != CANCELLED:
            found = await retrieve(api, carrier_id)
    except (Missing, CarrierRefused):
        try:
            found = await retrieve(api, carrier_id)
        except Missing:
            return None
    return found if found.status == CANCELLED else None


def _message(document: dict[str, Any]) -> CarrierMessage:
    """Wrapped in `data` or not: the schema of a cancelled message is not, that of every other one is."""
    data = document.get("data")
    message = data if isinstance(data, dict) else document
    to = message.get("to")
    first = to[0] if isinstance(to, list) and to and isinstance(to[0], dict) else {}
    cost = money(message)
    return CarrierMessage(word(first.get("status")), whole(message.get("parts")), cost.cost_micros, cost.currency)
