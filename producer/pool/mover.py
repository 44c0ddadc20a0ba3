"""Moves senders at the carrier and remembers what became of each. One number is a request, several are an order."""

from collections.abc import Callable, Sequence

from producer.pool.moves import Move, absent
from producer.pool.named import Named
from volley.carrier import alphanumeric_api, bulk_api, numbers_api, short_codes_api
from volley.carrier.api import TelnyxApi
from volley.carrier.bulk_api import Order
from volley.carrier.edge import Number
from volley.errors import TryAgainLater, VolleyError

LIMIT_S = 600.0
"""How long an order is followed."""


class Mover:
    """`target` is a profile, or "" for none. `done` and `failed` (with the reason) are what has become of senders so far.

    `tell` hears of an order that is not over yet.
    """

    def __init__(
        self,
        api: TelnyxApi,
        target: str,
        *,
        fallback: str = "",
        limit_s: float = LIMIT_S,
        tell: Callable[[Order], None] = lambda _: None,
    ) -> None:
        self._api = api
        self._target = target
        self._fallback = fallback
        self._limit_s = limit_s
        self._tell = tell
        self._away = ""
        self.done: list[str] = []
        self.failed: dict[str, str] = {}
        self.orders: list[str] = []

    async def carry_out(self, moves: Sequence[Move]) -> None:
        """Raises nothing that the carrier can cause: what did not work stands in `failed`."""
        self.failed |= {move.sender.name: move.problem for move in moves if move.problem}
        self.done += [move.sender.name for move in moves if move.settled]
        numbers = [move for move in moves if move.open and move.sender.shape == "number"]
        if len(numbers) > 1:
            await self._in_bulk({move.sender.name: move for move in numbers})
        for move in moves:
            if move.open and (move.sender.shape != "number" or len(numbers) == 1):
                await self._alone(move)

    async def _alone(self, move: Move) -> None:
        try:
            if self._away:
                raise TryAgainLater(self._away)
            await self._request(move)
        except TryAgainLater as error:
            self._away = self._away or f"not asked: {error}"
            self.failed[move.sender.name] = str(error)
        except VolleyError as error:
            self.failed[move.sender.name] = str(error)
        else:
            self.done.append(move.sender.name)

    async def _request(self, move: Move) -> None:
        match move.sender.shape:
            case "number":
                await numbers_api.place(self._api, move.id, self._target)
            case "short_code":
                await short_codes_api.place(self._api, move.id, self._target)
            case "alphanumeric" if self._target:
                name = move.sender.name
                await alphanumeric_api.create(self._api, name, self._target, us_long_code_fallback=self._fallback)
            case "alphanumeric":
                await alphanumeric_api.delete(self._api, move.id)

    async def _in_bulk(self, moves: dict[str, Move]) -> None:
        for piece in bulk_api.pieces(list(moves)):
            try:
                if self._away:
                    raise TryAgainLater(self._away)
                await self._order(piece)
            except VolleyError as error:
                if isinstance(error, TryAgainLater):
                    self._away = self._away or f"not asked: {error}"
                await self._after(piece, str(error))

    async def _order(self, piece: Sequence[str]) -> None:
        order = await bulk_api.begin(self._api, piece, self._target)
        self.orders.append(order.order_id)
        self._tell(order)
        try:
            order = await bulk_api.follow(self._api, order, limit_s=self._limit_s, tell=self._tell)
        except VolleyError as error:
            await self._after(piece, f"{error} (volley numbers order {order.order_id})")
            return
        named = dict.fromkeys((*order.success, *order.failed, *order.pending))
        self.done += [number for number in order.success if number in piece]
        late = f"still pending at the carrier: ask again with volley numbers order {order.order_id}"
        self.failed |= {number: late for number in order.pending if number in piece}
        await self._explain([number for number in order.failed if number in piece])
        await self._after([number for number in piece if number not in named], "the carrier's order does not name it")

    async def _after(self, numbers: Sequence[str], reason: str) -> None:
        """Numbers of which the carrier did not say what became of them: those that are at the target are done."""
        found = await self._look(numbers)
        for number in numbers:
            row = found.get(number)
            if row is not None and (row.messaging_profile_id or "") == self._target:
                self.done.append(number)
            else:
                self.failed[number] = reason

    async def _explain(self, numbers: Sequence[str]) -> None:
        """Numbers that an order failed on; the carrier gives no reasons, so that we look for one."""
        found = await self._look(numbers)
        for number in numbers:
            self.failed[number] = _why(number, found.get(number))

    async def _look(self, numbers: Sequence[str]) -> dict[str, Number]:
        try:
            return await numbers_api.find(self._api, numbers)
        except VolleyError:
            return {}


def _why(number: str, row: Number | None) -> str:
    if row is None:
        return absent(Named(number, "number"))
    products = row.eligible_messaging_products
    if not products and "eligible_messaging_products" in row.model_fields_set:
        return "another product that messaging conflicts with uses it: free it there first"
    where = f"profile {row.messaging_profile_id}" if row.messaging_profile_id else "no profile"
    return f"the carrier refused it and gives no reason; it is in {where}: see volley numbers doctor {number}"
