"""An export is made beside all else that its process does."""

import io
import threading
from collections.abc import AsyncIterator
from typing import Any

import pyarrow.parquet

from volley.ledger.export import FIELDS, write

ROWS = 12_000


def name(n: int) -> str:
    """Nothing that could be packed well."""
    return f"{n * 2654435761 % 2**32:08x}{n * 40503 % 2**32:08x}"


async def documents() -> AsyncIterator[dict[str, Any]]:
    for n in range(ROWS):
        yield dict.fromkeys(FIELDS) | {"message_id": name(n), "parts": 1, "cost": "0.004"}


class Out(io.BytesIO):
    """Remembers which threads write its rows to it; its index is small."""

    def __init__(self) -> None:
        super().__init__()
        self.by: set[int] = set()

    def write(self, data: Any) -> int:
        if len(data) > 20_000:
            self.by.add(threading.get_ident())
        return super().write(data)


async def test_row_groups_of_a_parquet_export_are_packed_in_another_thread_than_the_loops() -> None:
    out = Out()
    assert await write(documents(), "parquet", out) == ROWS
    assert out.by
    assert threading.get_ident() not in out.by
    table = pyarrow.parquet.read_table(io.BytesIO(out.getvalue()))
    assert table["message_id"].to_pylist() == [name(n) for n in range(ROWS)]
