"""The rows that could not be sent, as a CSV file: row number, reason, the original row. Appears whole or not at all.

People open it in a spreadsheet: cells that would be formulas there, titles too, have an apostrophe before them.
"""

import csv
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from volley.errors import UnusableInput
from volley.text.cells import defused


class Rejects:
    """Written beside its final place, made at the first rejected row, renamed by `keep`, dropped by `drop`."""

    def __init__(self, path: Path | None, columns: Sequence[str]) -> None:
        self.path = path
        self._columns = columns
        self._file: TextIO | None = None
        self._part = path and path.with_name(f".{path.name}.{os.getpid()}.part")
        self._turn = threading.Lock()

    def add(self, row: int, reason: str, original: Sequence[str | None]) -> None:
        with self._turn:
            if self._part is None:
                return
            if self._file is None:
                self._file = self._open(self._part)
            csv.writer(self._file).writerow((row, *(defused(cell or "") for cell in (reason, *original))))

    def _open(self, part: Path) -> TextIO:
        try:
            file = part.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise UnusableInput(
                f"rejected rows cannot be written to {self.path}: {error.strerror}; name another file for them"
            ) from None
        csv.writer(file).writerow(("row", "reason", *map(defused, self._columns)))
        return file

    def keep(self) -> Path | None:
        """Puts the file in its place; None where no row was rejected (or none was to be kept)."""
        if self._file is None or self._part is None or self.path is None:
            return None
        self._file.close()
        self._file = None
        self._part.replace(self.path)
        return self.path

    def drop(self) -> None:
        """Leaves nothing behind, whatever a thread that still reads for a push that was given up adds; harmless after `keep`."""
        with self._turn:
            part, self._part = self._part, None
            if self._file is None or part is None:
                return
            self._file.close()
            self._file = None
            part.unlink(missing_ok=True)
