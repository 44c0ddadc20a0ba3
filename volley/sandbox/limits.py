"""How fast a sandbox takes messages: queues in parts per second, and a limit of HTTP requests."""

import math

from volley.sandbox.replies import Refusal


class Bucket:
    """One queue of Telnyx: what comes faster than `rate` parts/s waits, up to `cap_s` seconds of work; then 40318."""

    __slots__ = ("cap_us", "cost_us", "free_us")

    def __init__(self, rate: float, cap_s: float) -> None:
        self.cost_us = 1e6 / rate
        self.cap_us = int(cap_s * 1e6)
        self.free_us = 0.0

    def wait_us(self, now_us: int, parts: int) -> int:
        """How long a message that comes now waits. Raises Refusal 40318 when it finds no room; charges nothing."""
        wait = int(self.free_us) - now_us
        if wait + parts * self.cost_us > self.cap_us + self.cost_us:
            raise Refusal("40318")
        return max(wait, 0)

    def charge(self, now_us: int, parts: int) -> None:
        self.free_us = (now_us if now_us > self.free_us else self.free_us) + parts * self.cost_us


class Queues:
    """The account's bucket and the sender's, as one; an account and each sender have another pair for MMS."""

    def __init__(self, account_rate: float, cap_s: float, account_mms_rate: float = 0.0) -> None:
        self._account = Bucket(account_rate, cap_s) if account_rate > 0 else None
        self._account_mms = Bucket(account_mms_rate, cap_s) if account_mms_rate > 0 else None
        self._mms: dict[int, Bucket] = {}

    def enter(self, sender: Bucket | None, now_us: int, parts: int) -> int:
        """Microseconds that the message waits: the longer of both queues. Both or neither are charged. Raises Refusal 40318."""
        if sender is None and self._account is None:
            return 0
        return _enter(self._account, sender, now_us, parts)

    def enter_mms(self, index: int, sender: Bucket | None, now_us: int) -> int:
        """The same for an MMS of the sender with this index; it is as fast as `sender`, its bucket for SMS."""
        if sender is None:
            return _enter(self._account_mms, None, now_us, 1)
        bucket = self._mms.get(index)
        if bucket is None or bucket.cost_us != sender.cost_us:
            bucket = self._mms[index] = Bucket(1e6 / sender.cost_us, sender.cap_us / 1e6)
        return _enter(self._account_mms, bucket, now_us, 1)


def _enter(account: Bucket | None, sender: Bucket | None, now_us: int, parts: int) -> int:
    wait = 0
    if account is not None:
        wait = account.wait_us(now_us, parts)
    if sender is not None:
        wait = max(wait, sender.wait_us(now_us, parts))
        sender.charge(now_us, parts)
    if account is not None:
        account.charge(now_us, parts)
    return wait


class RequestLimit:
    """At most `limit` requests in each window; every answer tells how many are left."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._window_us = int(window_s * 1e6)
        self._ends_us = 0
        self._used = 0

    def enter(self, now_us: int) -> tuple[bool, bytes]:
        """Whether the request may pass, and the header lines of its answer."""
        if now_us >= self._ends_us:
            self._ends_us = now_us + self._window_us
            self._used = 0
        self._used += 1
        reset = max(1, math.ceil((self._ends_us - now_us) / 1e6))
        left = max(0, self.limit - self._used)
        lines = f"x-ratelimit-limit: {self.limit}\r\nx-ratelimit-remaining: {left}\r\nx-ratelimit-reset: {reset}\r\n"
        passes = self._used <= self.limit
        return passes, (lines if passes else f"{lines}retry-after: {reset}\r\n").encode()
