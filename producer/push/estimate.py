"""What a message will cost, before anybody has chosen its sender: the price of each type that may send it, by its share."""

from collections import Counter
from collections.abc import Callable, Sequence

from volley.numbers import country
from volley.prices import Prices
from volley.sender import Sender, SenderType

UNKNOWN = -1


class Estimate:
    """Prices of one part, in micro-units. Types share the traffic as their rates do: whoever is free first sends.

    `serving` says who may send to a country, where not all `senders` may. A country whose price is not known for each of
    their types is UNKNOWN: never zero, never a guess.
    """

    def __init__(
        self, prices: Prices, senders: Sequence[Sender], serving: Callable[[str], Sequence[Sender]] | None = None
    ) -> None:
        self.currency = prices.currency
        self._prices = prices
        self._serving = serving or (lambda _home: senders)
        self._texts: dict[str, int] = {}
        self._mms: dict[str, int] = {}

    @property
    def known(self) -> dict[str, int]:
        """By country, of all that were asked for: the price of a part, where MMS go that of one."""
        return {home: price for home, price in (self._texts | self._mms).items() if price != UNKNOWN}

    def per_part(self, number: int) -> int:
        """Of a text."""
        home = country(number)
        found = self._texts.get(home)
        if found is None:
            found = self._texts[home] = self._mixed(home, self._prices.per_part)
        return found

    def per_mms(self, number: int) -> int:
        """Of a whole MMS."""
        home = country(number)
        found = self._mms.get(home)
        if found is None:
            found = self._mms[home] = self._mixed(home, self._prices.per_mms)
        return found

    def _mixed(self, home: str, price_of: Callable[[str, SenderType], int | None]) -> int:
        shares: Counter[SenderType] = Counter()
        for sender in self._serving(home):
            shares[sender.type] += sender.rate_milli
        total, whole = 0, shares.total()
        for kind, share in shares.items():
            price = price_of(home, kind)
            if price is None:
                return UNKNOWN
            total += price * share
        return (total + whole // 2) // whole if whole else UNKNOWN
