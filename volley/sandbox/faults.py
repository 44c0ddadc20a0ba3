"""Faults on command: which of the sends are hit, and what is then done to the answer."""

import random
from collections.abc import Sequence

from volley.sandbox.fault_rule import FaultRule
from volley.sandbox.http import End, Reply
from volley.sandbox.replies import ERRORS, error_body, http_reply

_HTML = b"<html><body><h1>It works!</h1></body></html>"
_HTML_TYPE = b"content-type: text/html\r\n"


class _Armed:
    """A rule with what it has counted so far. The same seed and the same order of sends hit the same sends."""

    __slots__ = ("_random", "fired", "rule", "seen")

    def __init__(self, rule: FaultRule, seed: str) -> None:
        self.rule = rule
        self.seen = 0
        self.fired = 0
        self._random = random.Random(seed)

    def fires(self, sender: str, to: str) -> bool:
        rule = self.rule
        if not (_matches(rule.match_from, sender) and _matches(rule.match_to, to)):
            return False
        self.seen += 1
        counted = self.seen - rule.skip
        if counted <= 0 or (rule.first and self.fired >= rule.first):
            return False
        if counted % rule.every or (rule.share < 1 and self._random.random() >= rule.share):
            return False
        self.fired += 1
        return True

    def delay_us(self) -> int:
        low, high = self.rule.ms
        return int(1000 * (low if high <= low else self._random.uniform(low, high)))


def _matches(pattern: str, value: str) -> bool:
    return pattern == "*" or (value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern)


class Fault:
    """What one send has to suffer."""

    __slots__ = ("delay_us", "rule")

    def __init__(self, rule: FaultRule, delay_us: int) -> None:
        self.rule = rule
        self.delay_us = delay_us

    def answer(self, raw: bytes) -> Reply:
        """The harmed answer; `raw` is the one that an unharmed send would get (empty where it was not accepted)."""
        rule = self.rule
        if rule.kind in ("lost", "cut"):
            return Reply(b"", self.delay_us, "reset" if rule.reset else "close")
        if rule.kind == "black_hole":
            return Reply(b"", self.delay_us, "never")
        if rule.kind == "cut_body":
            body = raw.find(b"\r\n\r\n") + 4
            end: End = "reset" if rule.reset else "close"
            return Reply(raw[: (body + len(raw)) // 2], self.delay_us, end)
        return Reply(self._framed(raw), self.delay_us)

    def _framed(self, raw: bytes) -> bytes:
        rule = self.rule
        if rule.kind == "status":
            return _refusal(rule)
        if rule.kind == "not_json":
            return http_reply(200, _HTML, kind=_HTML_TYPE)
        if rule.kind == "truncated":
            body = raw[raw.find(b"\r\n\r\n") + 4 :]
            return http_reply(200, body[: len(body) // 2])
        return raw


def _refusal(rule: FaultRule) -> bytes:
    known = ERRORS.get(rule.code)
    title = rule.title or (known.title if known else "Error")
    detail = rule.detail or (known.detail if known else title)
    headers = b"" if rule.retry_after is None else b"retry-after: %g\r\n" % rule.retry_after
    return http_reply(rule.status, error_body(rule.code, title, detail), headers)


class Faults:
    """The rules in force. Empty is the normal state and costs one test."""

    def __init__(self, rules: Sequence[FaultRule], seed: int) -> None:
        self._seed = seed
        self.replace(rules)

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """Puts new rules in force; their counts begin at nothing."""
        armed = [_Armed(rule, f"{self._seed}:{place}") for place, rule in enumerate(rules)]
        self._all = armed
        self.sends = [each for each in armed if each.rule.kind != "hangup"]
        self._greetings = [each for each in armed if each.rule.kind == "hangup"]

    @property
    def rules(self) -> list[FaultRule]:
        return [each.rule for each in self._all]

    @property
    def fired(self) -> list[int]:
        """How often each rule has struck, in the order of the rules."""
        return [each.fired for each in self._all]

    def pick(self, sender: str, to: str) -> Fault | None:
        """The first rule that fires for this send."""
        for armed in self.sends:
            if armed.fires(sender, to):
                return Fault(armed.rule, armed.delay_us())
        return None

    def greets(self) -> bool:
        """False when a new connection is to be reset."""
        return not any(armed.fires("", "") for armed in self._greetings)
