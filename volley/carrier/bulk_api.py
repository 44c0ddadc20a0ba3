"""Many numbers into a profile, or out of one, at once: an order at Telnyx, which is followed to its end."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from volley.carrier.api import TelnyxApi, read, segment
from volley.carrier.edge import Plain, Wire

AT_ONCE = 500
"""Numbers in one order. The carrier publishes no bound."""

_PATH = "messaging_numbers_bulk_updates"
_LONGEST_WAIT_S = 5.0


def _names(value: Any) -> Any:
    """Numbers, which the carrier may one day wrap into objects."""
    entries = value if isinstance(value, list) else []
    return [each.get("phone_number", "") if isinstance(each, Mapping) else each for each in entries]


_Numbers = Annotated[list[str], BeforeValidator(_names), Field(default_factory=list)]


class Order(Wire):
    """What became of each number (+E.164) so far."""

    order_id: Plain
    success: _Numbers
    failed: _Numbers
    pending: _Numbers


def pieces(numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many numbers as one order takes."""
    yield from (numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE))


async def begin(api: TelnyxApi, numbers: Sequence[str], profile_id: str) -> Order:
    """Orders that these are assigned to a profile, or with "" to none."""
    body = {"messaging_profile_id": profile_id, "numbers": list(numbers)}
    return read(Order, (await api.post(_PATH, body)).get("data"))


async def order(api: TelnyxApi, order_id: str) -> Order:
    """Raises Missing where there is none."""
    return read(Order, (await api.get(f"{_PATH}/{segment(order_id)}")).get("data"))


async def follow(
    api: TelnyxApi,
    begun: Order,
    *,
    limit_s: float,
    first_wait_s: float = 0.25,
    tell: Callable[[Order], None] = lambda _: None,
) -> Order:
    """Asks again and again, ever more rarely, until nothing is pending or `limit_s` has passed."""
    end, wait_s = time.monotonic() + limit_s, first_wait_s
    while begun.pending and time.monotonic() + wait_s <= end:
        tell(begun)
        await asyncio.sleep(wait_s)
        begun = await order(api, begun.order_id)
        wait_s = min(wait_s * 1.5, _LONGEST_WAIT_S)
    return begun
