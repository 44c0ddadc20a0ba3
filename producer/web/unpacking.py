"""Bodies that come packed, unpacked block by block, and never to more than was allowed."""

import gzip
import io
import sys
import zlib
from typing import BinaryIO, cast

from typing_extensions import Buffer

from producer.web.problems import BAD_REQUEST, TOO_LARGE, WRONG_TYPE, Problem
from producer.web.stream import BLOCK, Body

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODINGS = ("identity", "gzip", "zstd")
MOST_TIMES = 200
"""How many times as large as it came a body may become; lists of people are packed to a fifth or a tenth."""
_FREE = 1 << 20
_WINDOW_LOG = 23
"""zstd's window is 8 MB at most: what every decoder should offer (RFC 8878, 3.1.1.1.2)."""


def opened(body: Body, encoding: str, most: int) -> BinaryIO:
    """The body's own bytes, to be read in a thread; `encoding` is its Content-Encoding.

    Raises:
        Problem: 415 for another encoding. While reading, in the thread: 400 damaged, 413 too large.
    """
    raw = io.BufferedReader(body, BLOCK)
    if encoding in ("", "identity"):
        return raw
    if encoding == "gzip":
        return io.BufferedReader(_Unpacked(cast("BinaryIO", gzip.GzipFile(fileobj=raw)), body, most), BLOCK)
    if encoding == "zstd":
        file = zstd.ZstdFile(raw, options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
        return io.BufferedReader(_Unpacked(cast("BinaryIO", file), body, most), BLOCK)
    raise Problem(WRONG_TYPE, f"Content-Encoding: use one of {', '.join(ENCODINGS)}")


class _Unpacked(io.RawIOBase):
    """Counts what comes out."""

    def __init__(self, inner: BinaryIO, body: Body, most: int) -> None:
        super().__init__()
        self._inner = inner
        self._body = body
        self._most = most
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        try:
            data = self._inner.read(len(view))
        except (OSError, EOFError, zlib.error, zstd.ZstdError):
            raise Problem(BAD_REQUEST, "the body is damaged, or not packed as its Content-Encoding says") from None
        self._size += len(data)
        if self._size > self._most:
            raise Problem(TOO_LARGE, f"unpacked the body is larger than {self._most:,} bytes: send several pushes")
        if self._size > _FREE + MOST_TIMES * self._body.size:
            raise Problem(TOO_LARGE, f"unpacked the body is more than {MOST_TIMES} times as large as it came")
        view[: len(data)] = data
        return len(data)
