"""Export lines into a file or a pipe: JSON lines, CSV, Parquet. Row by row, or a row group at a time; never all at once."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from typing import BinaryIO, Final, Literal, Protocol

import orjson

from volley.ledger.documents import Document
from volley.text.cells import defused

Format = Literal["jsonl", "csv", "parquet"]

Kind = Literal["text", "int32", "int64", "money", "bool"]
FIELDS: Final[dict[str, Kind]] = {
    "message_id": "text",
    "reference": "text",
    "to": "text",
    "from": "text",
    "status": "text",
    "encoding": "text",
    "parts": "int32",
    "estimated_cost": "money",
    "cost": "money",
    "currency": "text",
    "carrier_id": "text",
    "attempts": "int32",
    "error_code": "text",
    "error_text": "text",
    "campaign_id": "text",
    "profile": "text",
    "country": "text",
    "carrier_encoding": "text",
    "carrier_parts": "int32",
    "rate": "money",
    "carrier_fee": "money",
    "cost_is_final": "bool",
    "sent_us": "int64",
    "submitted_us": "int64",
    "completed_us": "int64",
}
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


class Table(Protocol):
    """A Parquet file that is being written (parquet.py)."""

    def add(self, group: list[Document]) -> None: ...

    def close(self) -> None: ...


async def _parquet(documents: AsyncIterator[Document], out: BinaryIO) -> int:
    """In a thread: a group takes a tenth of a second, in which a loop would hear of nothing else. So does the library, when it is
    first asked for: 40 MB that a process does without until then.
    """
    count = 0
    group: list[Document] = []
    table: Table = await asyncio.to_thread(lambda: import_module("volley.ledger.parquet").Parquet(out))
    try:
        async for document in documents:
            group.append(document)
            count += 1
            if len(group) == _ROW_GROUP:
                await asyncio.to_thread(table.add, group)
                group = []
        await asyncio.to_thread(table.add, group)
    finally:
        table.close()
    return count


_WRITERS: dict[Format, Callable[[AsyncIterator[Document], BinaryIO], Awaitable[int]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
}
