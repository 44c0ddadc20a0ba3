"""Export lines into a file or a pipe: JSON lines, CSV, Parquet. Row by row, or a row group at a time; never all at once."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import BinaryIO, Literal

import orjson
import pyarrow
import pyarrow.parquet

from volley.ledger.documents import Document
from volley.text.cells import defused

Format = Literal["jsonl", "csv", "parquet"]

_MONEY = pyarrow.decimal128(18, 6)
FIELDS: dict[str, pyarrow.DataType] = {
    "message_id": pyarrow.string(),
    "reference": pyarrow.string(),
    "to": pyarrow.string(),
    "from": pyarrow.string(),
    "status": pyarrow.string(),
    "encoding": pyarrow.string(),
    "parts": pyarrow.int32(),
    "estimated_cost": _MONEY,
    "cost": _MONEY,
    "currency": pyarrow.string(),
    "carrier_id": pyarrow.string(),
    "attempts": pyarrow.int32(),
    "error_code": pyarrow.string(),
    "error_text": pyarrow.string(),
    "campaign_id": pyarrow.string(),
    "profile": pyarrow.string(),
    "country": pyarrow.string(),
    "carrier_encoding": pyarrow.string(),
    "carrier_parts": pyarrow.int32(),
    "rate": _MONEY,
    "carrier_fee": _MONEY,
    "cost_is_final": pyarrow.bool_(),
    "sent_us": pyarrow.int64(),
    "submitted_us": pyarrow.int64(),
    "completed_us": pyarrow.int64(),
}
_SCHEMA = pyarrow.schema(list(FIELDS.items()))
_ROW_GROUP = 10_000
_PIECE = 64 << 10


async def write(documents: AsyncIterator[Document], form: Format, out: BinaryIO) -> int:
    """Writes all documents and flushes; leaves `out` open. Returns how many there were."""
    count = await _WRITERS[form](documents, out)
    out.flush()
    return count


async def _jsonl(documents: AsyncIterator[Document], out: BinaryIO) -> int:
    count = 0
    async for document in documents:
        out.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        count += 1
    return count


async def _csv(documents: AsyncIterator[Document], out: BinaryIO) -> int:
    count = 0
    text = io.TextIOWrapper(out, "utf-8", newline="")
    writer = csv.DictWriter(text, FIELDS)
    writer.writeheader()
    async for document in documents:
        writer.writerow(_defused(document))
        count += 1
    text.detach()
    return count


def _defused(document: Document) -> Document:
    return {name: defused(value) if isinstance(value, str) else value for name, value in document.items()}


async def lines(documents: AsyncIterator[Document], form: Literal["jsonl", "csv"]) -> AsyncIterator[bytes]:
    """The same in pieces, for whoever sends them on: each waits until the one before has gone."""
    piece = io.BytesIO()
    text = io.TextIOWrapper(piece, "utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, FIELDS)
    if form == "csv":
        writer.writeheader()
    async for document in documents:
        if form == "csv":
            writer.writerow(_defused(document))
        else:
            piece.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        if piece.tell() >= _PIECE:
            yield piece.getvalue()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue()


async def _parquet(documents: AsyncIterator[Document], out: BinaryIO) -> int:
    count = 0
    group: list[Document] = []
    with pyarrow.parquet.ParquetWriter(out, _SCHEMA, compression="zstd") as writer:
        async for document in documents:
            group.append(document)
            count += 1
            if len(group) == _ROW_GROUP:
                await asyncio.to_thread(_add, writer, group)
                group = []
        await asyncio.to_thread(_add, writer, group)
    return count


def _add(writer: pyarrow.parquet.ParquetWriter, group: list[Document]) -> None:
    """In a thread: it takes a tenth of a second, in which a loop would hear of nothing else."""
    writer.write_table(_table(group))


def _table(group: list[Document]) -> pyarrow.Table:
    """Money is decimal there: a column of decimals can be summed, one of strings cannot."""
    columns = [
        pyarrow.array([_decimal(document[name]) if kind == _MONEY else document[name] for document in group], kind)
        for name, kind in FIELDS.items()
    ]
    return pyarrow.Table.from_arrays(columns, schema=_SCHEMA)


def _decimal(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)


_WRITERS: dict[Format, Callable[[AsyncIterator[Document], BinaryIO], Awaitable[int]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
}
