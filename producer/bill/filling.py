"""What did not come by webhook on its way into hot state and ledger: through the same door as receipts, no faster than
the recorder keeps up.
"""

import asyncio

from volley.errors import TryAgainLater
from volley.ledger.paging import pages
from volley.outbox.events import ReceiptRecord
from volley.outbox.outbox import Outbox

_BATCH = 500
_MOST_ENTRIES = 500
"""Of the ledger stream: each of ours is some 150 KB, and workers need room in it too."""
_PATIENCE_S = 60.0
_LOOK_S = 0.2


class Filling:
    """Merges receipts that we made ourselves. `patience_s`: how long the recorder may stand still."""

    def __init__(self, outbox: Outbox, *, patience_s: float = _PATIENCE_S) -> None:
        self._outbox = outbox
        self._patience_s = patience_s

    async def add(self, records: list[ReceiptRecord]) -> None:
        """Returns once they are on Redis' disk.

        Raises:
            TryAgainLater: Redis is away, or the ledger is behind and does not catch up.
        """
        for batch in pages(records, _BATCH):
            if not await self.recorded(_MOST_ENTRIES):
                raise TryAgainLater(
                    "the ledger is behind: see that volley serve runs and its database is there, then do this again"
                )
            await self._outbox.apply_receipts(batch)

    async def recorded(self, left: int = 0) -> bool:
        """Whether the recorder has come so far that at most `left` entries wait, within our patience."""
        end = asyncio.get_running_loop().time() + self._patience_s
        while await self._outbox.ledger_length() > left:
            if asyncio.get_running_loop().time() >= end:
                return False
            await asyncio.sleep(_LOOK_S)
        return True
