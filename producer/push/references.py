"""Which references of a push there have been: each is one message's. Ten bytes a row, as a push may have a million."""

import os
from collections import defaultdict
from hashlib import blake2b

_BYTES = 8
_BUCKETS = 4096


class References:
    """Remembers 64 bits of a keyed hash of each. Two of a million meet by chance once in thirty million pushes."""

    def __init__(self) -> None:
        self._secret = os.urandom(16)
        # made when they are needed: a push may have one row, and there may be a hundred such a second
        self._buckets: defaultdict[int, bytearray] = defaultdict(bytearray)

    def add(self, reference: str) -> bool:
        """False where it was there already."""
        mark = blake2b(reference.encode(), digest_size=_BYTES, key=self._secret).digest()
        bucket = self._buckets[(mark[0] << 8 | mark[1]) % _BUCKETS]
        at = bucket.find(mark)
        while at % _BYTES and at >= 0:  # it lies across two others
            at = bucket.find(mark, at + 1)
        if at >= 0:
            return False
        bucket += mark
        return True
