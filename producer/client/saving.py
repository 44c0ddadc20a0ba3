"""Files that come from the server: whole, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def saving(path: str | Path) -> Iterator[BinaryIO]:
    """Written beside its place, put there at the end, dropped where that does not come."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
