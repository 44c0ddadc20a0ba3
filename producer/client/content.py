"""What a push sends: bytes that come out the same however often they are read, in constant memory.

A file is read again for each try, and refused if it has changed between two; rows, and streams that go only forward, are put into a
temporary file first.
"""

import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Literal, Self, cast
from uuid import UUID

from .problems import UnusableRows

Row = Mapping[str, Any]
Kind = Literal["csv", "ndjson"]
Packing = Literal["gzip", "zstd"]

MEDIA: Mapping[Kind, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
_BLOCK = 256 << 10
_IN_MEMORY = 4 << 20
_KINDS: Mapping[str, Kind] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_PACKED: Mapping[str, Packing] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Content:
    """A body. `blocks` begins it anew each time; `size` None: as long as it comes out."""

    media: str
    encoding: Packing | None
    size: int | None
    blocks: Callable[[], Iterator[bytes]]

    def headers(self) -> dict[str, str]:
        own = {"Content-Type": self.media}
        if self.encoding:
            own["Content-Encoding"] = self.encoding
        if self.size is not None:
            own["Content-Length"] = str(self.size)
        return own


class Spool:
    """Rows as JSON lines in a temporary file: in memory as long as they are few. It is gone with the `with` that it is made in."""

    def __init__(self, packing: Packing | None = None) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._packing = packing
        self._packer = None if packing is None else _packer(packing)
        self._rows = 0

    def add(self, row: Row) -> None:
        """Raises UnusableRows for what no JSON can say."""
        self._rows += 1
        if not isinstance(row, Mapping):
            raise UnusableRows(f"row {self._rows} is a {type(row).__name__}: give mappings with a key `to`")
        try:
            line = json.dumps(dict(row), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
            self._write(line.encode() + b"\n")
        except (TypeError, ValueError) as error:
            raise UnusableRows(f"row {self._rows} cannot be written as JSON: {_why(error)}") from None

    def add_all(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.add(row)

    def copy(self, file: IO[Any]) -> None:
        """The rest of a file, which need not be able to go back; text becomes UTF-8."""
        while block := file.read(_BLOCK):
            self._write(block.encode() if isinstance(block, str) else block)

    def content(self, media: str = MEDIA["ndjson"]) -> Content:
        """What was put in, complete."""
        if self._packer is not None:
            self._file.write(self._packer.flush())
            self._packer = None
        size = self._file.seek(0, os.SEEK_END)
        return Content(media, self._packing, size, lambda: _from(cast("IO[bytes]", self._file), 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _write(self, data: bytes) -> None:
        self._file.write(data if self._packer is None else self._packer.compress(data))


@contextmanager
def opened(file: str | Path | IO[Any], kind: Kind | None, packing: Packing | None) -> Iterator[Content]:
    """A file by its name or as it is open. Raises UnusableRows where it cannot be read or nobody says what it is."""
    if isinstance(file, str | Path):
        with of_path(Path(file), kind, packing) as content:
            yield content
        return
    if kind is None:
        raise UnusableRows("say what the file holds: kind='csv' or kind='ndjson'")
    with of_file(file, kind, packing) as content:
        yield content


@contextmanager
def of_path(path: Path, kind: Kind | None = None, packing: Packing | None = None) -> Iterator[Content]:
    """A file by its name: `.csv`, `.ndjson` or `.jsonl`, perhaps packed already (`.gz`, `.zst`)."""
    suffixes = [each.lower() for each in path.suffixes]
    already = _PACKED.get(suffixes[-1]) if suffixes else None
    found = kind or next((_KINDS[each] for each in reversed(suffixes) if each in _KINDS), None)
    if found is None:
        raise UnusableRows(f"{path.name}: say what it is, kind='csv' or kind='ndjson'")
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnusableRows(f"{path.name} cannot be read: {error.strerror}") from error
    with file:
        yield _of_file(file, MEDIA[found], already, None if already else packing)


@contextmanager
def of_file(file: IO[Any], kind: Kind, packing: Packing | None = None) -> Iterator[Content]:
    """An open file from where it stands. One that cannot go back, or gives text, is copied first."""
    if isinstance(file, io.BufferedReader | io.BytesIO) and file.seekable():
        yield _of_file(file, MEDIA[kind], None, packing)
        return
    with Spool(packing) as spool:
        spool.copy(file)
        yield spool.content(MEDIA[kind])


def _of_file(file: IO[bytes], media: str, encoding: Packing | None, packing: Packing | None) -> Content:
    begin = file.tell()
    was = _state(file)

    def blocks() -> Iterator[bytes]:
        if _state(file) != was:
            raise UnusableRows("the file has changed since the first try: a push is made again with the same bytes")
        plain = _from(file, begin)
        return plain if packing is None else _packed(plain, packing)

    size = None if packing is not None else file.seek(0, os.SEEK_END) - begin
    return Content(media, encoding or packing, size, blocks)


def _state(file: IO[bytes]) -> tuple[int, int] | None:
    """Of a file on a disk: its size and when it was last written."""
    if isinstance(file, io.BytesIO):
        return None
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _from(file: IO[bytes], begin: int) -> Iterator[bytes]:
    file.seek(begin)
    while block := file.read(_BLOCK):
        yield block


class _Packer:
    """zlib's and zstd's compressors, called alike."""

    def __init__(self, compress: Callable[[bytes], bytes], flush: Callable[[], bytes]) -> None:
        self.compress = compress
        self.flush = flush


def _packer(packing: Packing) -> _Packer:
    """The same bytes each time: gzip's header, as zlib writes it, holds no time and no name."""
    if packing == "gzip":
        gzip = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        return _Packer(gzip.compress, gzip.flush)
    zstd = _zstd().ZstdCompressor(level=3)
    return _Packer(zstd.compress, zstd.flush)


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UnusableRows("zstd needs the package backports.zstd (pip install 'volley-client[zstd]'); or use gzip")


def _packed(blocks: Iterator[bytes], packing: Packing) -> Iterator[bytes]:
    packer = _packer(packing)
    for block in blocks:
        if out := packer.compress(block):
            yield out
    yield packer.flush()


def _plain(value: object) -> str:
    if isinstance(value, date):  # and a datetime is one
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"it holds a {type(value).__name__}")


def _why(error: Exception) -> str:
    """Not the error's own words where they hold the value."""
    return str(error) if isinstance(error, TypeError) else type(error).__name__
