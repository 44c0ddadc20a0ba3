"""How fast each key may ask. One moment a key is remembered, of keys that exist: guesses take no memory."""

import time

from producer.access.keys import ApiKey

_BURST_S = 1.0


class Pace:
    """GCRA over requests, in this process: with several `volley serve` a key may ask each of them as fast."""

    def __init__(self, default_rate: float) -> None:
        self._default = default_rate
        self._free_s: dict[str, float] = {}

    def wait_s(self, key: ApiKey) -> float:
        """0 where the request may go on, and is counted; else the seconds to wait before it is made again."""
        now_s = time.monotonic()
        rate = self._default if key.rate_milli is None else key.rate_milli / 1000
        free_s = max(self._free_s.get(key.id, 0.0), now_s)
        burst_s = max(_BURST_S, 1 / rate) - 1 / rate
        if free_s - now_s > burst_s:
            return free_s - now_s - burst_s
        self._free_s[key.id] = free_s + 1 / rate
        return 0.0
