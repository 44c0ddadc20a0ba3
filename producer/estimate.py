"""What a message will cost, before anybody has chosen its sender: the price of each type of the pool, by its share."""

from collections import Counter
from collections.abc import Sequence

from volley.numbers import country
from volley.prices import Prices
from volley.sender import Sender, SenderType

UNKNOWN = -1


class Estimate:
    """Prices of one part, in micro-units. Types share the traffic as their rates do: whoever is free first sends.

    A country whose price is not known for each type of the pool is UNKNOWN: never zero, never a guess.
    """

    def __init__(self, prices: Prices, senders: Sequence[Sender]) -> None:
        self.currency = prices.currency
        self._prices = prices
        self._shares: Counter[SenderType] = Counter()
        for sender in senders:
            self._shares[sender.type] += sender.rate_milli
        self._by_country: dict[str, int] = {}

    def per_part(self, number: int) -> int:
        home = country(number)
        found = self._by_country.get(home)
        if found is None:
            found = self._by_country[home] = self._mixed(home)
        return found

    def _mixed(self, home: str) -> int:
        total = 0
        for kind, share in self._shares.items():
            price = self._prices.per_part(home, kind)
            if price is None:
                return UNKNOWN
            total += price * share
        whole = self._shares.total()
        return (total + whole // 2) // whole
