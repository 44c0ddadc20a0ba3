"""The log of what reached a sandbox, accepted or not: a JSONL file, written in batches, and a reader for it.

A run begins with a header line that names the fields; every send is then one array. Times are microseconds: `at_us` of the
monotonic clock (the same for all processes since the machine started), `wall_us` of the wall clock.
"""

import contextlib
import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

import orjson

from volley.sandbox.columns import Arrival, Columns, Row

__all__ = ["Arrival", "ArrivalLog", "Entry", "read"]


class Entry:
    """An Arrival in the making; what the send path fills in as it goes."""

    __slots__ = Arrival._fields

    def __init__(self, at_us: int, wall_us: int) -> None:
        self.at_us = at_us
        self.wall_us = wall_us
        self.sender = self.to = self.id = self.key = self.reference = self.code = self.fault = ""
        self.parts = self.text_crc = 0
        self.status = 200
        self.result = "refused"
        self.type = "SMS"


_ROW: Callable[[Entry], Row] = attrgetter(*Arrival._fields)


class ArrivalLog:
    """Appends entries to the file and to the columns that answer questions. `add` takes what `flush` writes later.

    `keep`: so many of the newest at most are kept, half as many at least once there were more; None: all of them.
    """

    def __init__(self, path: Path, *, fsync: bool = False, keep: int | None = None) -> None:
        self.path = path
        self.columns = Columns()
        self._fsync = fsync
        self._keep = keep
        self._batch: list[Entry] = []
        self.add: Callable[[Entry], None] = self._batch.append
        self._rows = 0
        self._marks = [(0, 0)]
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._start()

    @property
    def _first(self) -> int:
        """Of this run, which is the first that is kept."""
        return self._marks[0][0]

    def _start(self) -> None:
        end = os.fstat(self._file).st_size
        if end and os.pread(self._file, 1, end - 1) != b"\n":
            os.write(self._file, b"\n")  # a run that was killed left half a line; readers pass over it
        self._head()

    def _head(self) -> None:
        os.write(self._file, orjson.dumps({"sandbox": 1, "pid": os.getpid(), "fields": Arrival._fields}) + b"\n")
        self._marks = [(self._rows, os.fstat(self._file).st_size)]

    def flush(self) -> None:
        """Writes what was added; on the disk when it returns, if the log was opened with fsync."""
        if not self._batch:
            return
        rows: list[Row] = list(map(_ROW, self._batch))
        self._batch.clear()
        self._append(rows)
        if self._keep is not None and self._rows - self._first > self._keep:
            self._forget(self._keep // 2)
        if self._fsync:
            os.fsync(self._file)

    def _append(self, rows: list[Row]) -> None:
        self.columns.extend(rows)
        lines = b"\n".join(map(orjson.dumps, rows)) + b"\n"
        _write_all(self._file, lines)
        self._rows += len(rows)
        self._marks.append((self._rows, self._marks[-1][1] + len(lines)))

    def _forget(self, kept: int) -> None:
        """All but so many of the newest, in the file and in the columns."""
        rows: list[Row] = [(*row,) for row in self.page(self._rows - kept, kept)]
        os.ftruncate(self._file, 0)
        self._rows -= len(rows)
        self.columns = Columns()
        self._head()
        self._append(rows)

    def page(self, after: int, limit: int) -> list[Arrival]:
        """Arrivals of this run: at most `limit`, from the `after`-th on (0 is the first), or from the first that is kept."""
        self.flush()
        after = max(after, self._first)
        mark = self._marks[bisect_right(self._marks, (after, 1 << 62)) - 1]
        wanted = after - mark[0] + limit
        with self.path.open("rb") as file:
            file.seek(mark[1])
            rows = [Arrival(*orjson.loads(line)) for line, _ in zip(file, range(wanted), strict=False)]
        return rows[after - mark[0] :]

    def close(self) -> None:
        self.flush()
        os.close(self._file)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def read(path: Path) -> Iterator[Arrival]:
    """Every arrival of a log, over all runs that wrote to it, in order. A last line that a kill cut short is left out.

    Raises:
        ValueError: a line in the middle of a run that is no arrival.
    """
    broken = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            row: object = None
            with contextlib.suppress(json.JSONDecodeError):
                row = orjson.loads(line)
            if broken and not isinstance(row, dict):
                raise ValueError(f"{path}: line {broken} is no arrival")
            broken = 0
            if isinstance(row, list):
                yield Arrival(*row)
            elif not isinstance(row, dict):
                broken = number
