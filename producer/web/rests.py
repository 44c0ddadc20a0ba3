"""What a receipt or a spend limit makes rest: a sender, its registered campaign, a profile or the account; once a code, not
once a receipt."""

import logging
import time
from collections import Counter
from dataclasses import dataclass

from volley.carrier.codes import SPEND_LIMIT_CODE, policy
from volley.carrier.events import ReceiptEvent, SpendLimit
from volley.carrier.outcome import Scope
from volley.errors import TryAgainLater
from volley.outbox.outbox import Outbox

log = logging.getLogger(__name__)

LONGEST_S = {"sender": 86_400.0, "group": 90_000.0, "profile": 90_000.0, "account": 60.0}
"""What only a person can mend is tried again after this long."""

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Who:
    scope: Scope
    profile: str = ""
    sender: str = ""

    @property
    def known(self) -> bool:
        return bool({"sender": self.sender, "group": self.sender, "profile": self.profile}.get(self.scope, True))

    @property
    def names(self) -> tuple[str | None, str | None]:
        """Profile and sender. A sender's profile counts too: an alphanumeric ID may be on several."""
        match self.scope:
            case "sender" | "group":
                return self.profile, self.sender
            case "profile":
                return self.profile, None
            case "account":
                return None, None


class Rests:
    """Remembers what rests, so that an ordinary receipt, and the second of the same kind, cost no command."""

    def __init__(self, outbox: Outbox, counts: Counter[str]) -> None:
        self._outbox = outbox
        self._counts = counts
        self._until: dict[tuple[_Who, str], float] = {}

    async def told(self, event: ReceiptEvent) -> None:
        """A receipt with an error: whatever its code stops, rests from the moment of the error on. Never raises TryAgainLater."""
        rule = policy(event.error_code, 0)
        if not rule.known or rule.stops is None:
            return
        who = _Who(rule.stops, event.profile, event.sender)
        since_s = _seconds(event.occurred_us)
        until_s = since_s + min(rule.stop_s(since_s), LONGEST_S[rule.stops])
        try:
            await self._rest(who, rule.code, until_s, f"{rule.code} {rule.meaning}")
        except TryAgainLater as error:
            # the receipt itself is durable; the next one of this kind, or the next POST, says the same
            log.warning("%s was told by a receipt and makes nothing rest: %s", rule.code, error)

    async def spent(self, event: SpendLimit) -> None:
        """The profile rests until its next day begins.

        Raises:
            TryAgainLater: Redis is away.
        """
        rule, since_s = policy(SPEND_LIMIT_CODE, 0), _seconds(event.occurred_us)
        figures = f": {event.cost} of {event.limit}" if event.limit else ""
        reason = f"{rule.code} {rule.meaning}{figures}"
        await self._rest(_Who("profile", event.profile), rule.code, since_s + rule.stop_s(since_s), reason)

    async def _rest(self, who: _Who, code: str, until_s: float, reason: str) -> None:
        now_s, key = time.time(), (who, code)
        if not who.known or until_s <= now_s or self._until.get(key, 0) > now_s:
            return
        self._remember(key, until_s, now_s)
        try:
            profile, number = who.names
            group = who.scope == "group"
            changed = await self._outbox.rest(until_s - now_s, reason, profile=profile, number=number, group=group)
        except TryAgainLater:
            del self._until[key]
            raise
        self._counts["rests"] += changed

    def _remember(self, key: tuple[_Who, str], until_s: float, now_s: float) -> None:
        if len(self._until) >= _MOST:
            self._until = {each: until for each, until in self._until.items() if until > now_s}
        if len(self._until) >= _MOST:
            self._until.clear()
        self._until[key] = until_s


def _seconds(moment_us: int) -> float:
    return moment_us / 1e6 if moment_us > 0 else time.time()
