"""What each profile has spent on a UTC day, and its daily limit: 429 with 40333, and one webhook."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from volley.sandbox.archive import Archive
from volley.sandbox.deliveries import Event
from volley.sandbox.moments import midnight_us, moment
from volley.sandbox.pool import SandboxProfile
from volley.sandbox.replies import Refusal, ok
from volley.sandbox.webhooks import Courier, event_data

_NOTHING = Decimal(0)


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    profile_id: str = ""
    amount: Decimal | None = None
    day: date | None = None


class Spend:
    """A control of App (app.py). Costs are added up when somebody asks, so that nobody else's send pays for it."""

    def __init__(self, archive: Archive, courier: Courier) -> None:
        self._archive = archive
        self._courier = courier
        self._ahead_us = 0
        self._day_us = 0
        self._counted = 0
        self._sums: dict[str, Decimal] = {}
        self._told: set[str] = set()

    def check(self, profile: SandboxProfile, wall_us: int) -> None:
        """Raises Refusal 40333 once the limit of a profile is reached."""
        spec = profile.spec
        self._count(wall_us)
        spent = self._sums.get(spec.id, _NOTHING)
        if spent < Decimal(spec.daily_spend_limit):
            return
        if spec.id not in self._told:
            self._told.add(spec.id)
            self._tell(profile, spent, wall_us)
        raise Refusal("40333")

    def _count(self, wall_us: int) -> None:
        """Adds what was accepted since the last time; a new day begins with nothing."""
        day_us = midnight_us(wall_us + self._ahead_us)
        if day_us != self._day_us:
            self._day_us = day_us
            self._sums.clear()
            self._told.clear()
        accepted = self._archive.accepted
        for place in range(self._counted, len(accepted)):
            taken = accepted.get(place)
            if taken is not None and midnight_us(taken.wall_us + self._ahead_us) == day_us:
                name = self._archive.profile(taken).spec.id
                self._sums[name] = self._sums.get(name, _NOTHING) + self._archive.cost(taken)
        self._counted = len(accepted)

    def _tell(self, profile: SandboxProfile, spent: Decimal, wall_us: int) -> None:
        spec = profile.spec
        urls = tuple(url for url in (spec.webhook_url, spec.webhook_failover_url) if url)
        if urls:
            payload = {"configured_limit": spec.daily_spend_limit, "current_cost": str(spent), "profile_id": spec.id}
            kind, subject = "messaging-profile.spend-limit-reached", f"{spec.id}:{self._day_us}"
            self._courier.post(Event(event_data(kind, subject, moment(wall_us), payload), urls))

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        if steps != ["spend"] or method not in (b"GET", b"POST"):
            return None
        if method == b"POST":
            self._set(_parse(body))
        self._count(time.time_ns() // 1000)
        day = datetime.fromtimestamp(self._day_us / 1e6, UTC).date()
        sums = {name: str(spent) for name, spent in self._sums.items()}
        return ok(orjson.dumps({"day": day.isoformat(), "spent": sums}))

    def _set(self, order: _Order) -> None:
        """`day` moves the clock of the limits there; what was sent until now belongs to the day before."""
        now_us = time.time_ns() // 1000
        self._count(now_us)
        if order.day is not None:
            midnight = datetime(order.day.year, order.day.month, order.day.day, tzinfo=UTC)
            self._ahead_us = round(midnight.timestamp() * 1e6) - midnight_us(now_us)
            self._count(now_us)
        if order.amount is not None:
            self._sums[order.profile_id] = order.amount


def _parse(body: bytes) -> _Order:
    try:
        order = _Order.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Refusal("10015", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if order.amount is not None and not order.profile_id:
        raise Refusal("10004", "profile_id is required with amount.")
    return order
