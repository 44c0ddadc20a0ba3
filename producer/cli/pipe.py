"""Rows out of a terminal or a pipe: nobody knows when they come, and no Ctrl-C ends a thread that waits for them."""

import os
import select

_LOOK_S = 0.1


class Pipe:
    """The bytes of a descriptor. After `leave`, which may be called from another thread, reads fail, also one that waits: an end of
    the file would be taken for the last of the rows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._left = False

    def leave(self) -> None:
        self._left = True

    def read(self, size: int, /) -> bytes:
        """So many; fewer before the end only. InterruptedError once it was left."""
        data = b""
        while len(data) < size and (more := self._next(size - len(data))):
            data += more
        return data

    def _next(self, size: int) -> bytes:
        while not self._left:
            if select.select([self._descriptor], [], [], _LOOK_S)[0]:
                return os.read(self._descriptor, size)
        raise InterruptedError
