"""Export lines as a Parquet file, a row group at a time. Money is decimal there: a column of decimals can be summed, one of strings
cannot.
"""

from decimal import Decimal
from typing import BinaryIO, Final

import pyarrow
import pyarrow.parquet

from volley.ledger.documents import Document
from volley.ledger.export import FIELDS, Kind

_TYPES: Final[dict[Kind, pyarrow.DataType]] = {
    "text": pyarrow.string(),
    "int32": pyarrow.int32(),
    "int64": pyarrow.int64(),
    "money": pyarrow.decimal128(18, 6),
    "bool": pyarrow.bool_(),
}
_SCHEMA = pyarrow.schema([(name, _TYPES[kind]) for name, kind in FIELDS.items()])


class Parquet:
    """Closed it is whole; what it is written to stays open."""

    def __init__(self, out: BinaryIO) -> None:
        self._writer = pyarrow.parquet.ParquetWriter(out, _SCHEMA, compression="zstd")

    def add(self, group: list[Document]) -> None:
        columns = [
            pyarrow.array([_decimal(each[name]) if kind == "money" else each[name] for each in group], _TYPES[kind])
            for name, kind in FIELDS.items()
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(columns, schema=_SCHEMA))

    def close(self) -> None:
        self._writer.close()


def _decimal(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)
