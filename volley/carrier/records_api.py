"""Telnyx's detail records of messages: the bill, line by line. GET /detail_records, which knows no reference of ours.

Page numbers of a list that grows may skip or repeat rows, so a period is read in closed slices, each until what came
is as many as the carrier says there are.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from volley.carrier.api import TelnyxApi, read
from volley.carrier.payload import whole, word
from volley.carrier.webhook import micros_of
from volley.errors import TryAgainLater, UnusableInput
from volley.money import micros

PAGE = 50
"""The most that Telnyx gives of detail records."""

_AT_ONCE = 4
_READINGS = 4
_SECOND_US = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

STATUSES: dict[str, str] = {
    "delivered": "delivered",
    "failed": "delivery_failed",
    "gw_reject": "sending_failed",
    # a timeout of theirs proves nothing about the phone, so it says the least
    "gw_timeout": "delivery_unconfirmed",
    "dlr_timeout": "delivery_unconfirmed",
    "dlr_unconfirmed": "delivery_unconfirmed",
    "received": "sent",
}
"""MessageDetailRecord.status → `to[].status` of the messaging API. Any other word only says that the carrier had it."""


@dataclass(frozen=True, slots=True)
class DetailRecord:
    """One message as it is billed. Times µs, money micro-units; -1 or "" where the carrier is silent.

    `said` is the record's own status, `status` the same in the words of the messaging API.
    """

    uuid: str
    direction: str
    profile: str
    sender: str
    to: str
    said: str
    status: str
    parts: int
    cost_micros: int
    rate_micros: int
    fee_micros: int
    currency: str
    created_us: int
    sent_us: int
    completed_us: int
    updated_us: int
    error_code: str

    @property
    def last_us(self) -> int:
        """When its last word was spoken."""
        known = (self.completed_us, self.updated_us, self.sent_us, self.created_us)
        return next((moment for moment in known if moment >= 0), 0)


class Record(BaseModel):
    uuid: str = Field(min_length=1, max_length=128)
    direction: Any = ""
    profile_id: Any = ""
    cli: Any = ""
    cld: Any = ""
    status: Any = ""
    parts: Any = None
    cost: Any = None
    rate: Any = None
    carrier_fee: Any = None
    currency: Any = ""
    created_at: Any = None
    sent_at: Any = None
    completed_at: Any = None
    updated_at: Any = None
    errors: Any = None

    def record(self) -> DetailRecord:
        first = next(iter(self.errors), "") if isinstance(self.errors, list) else ""
        return DetailRecord(
            uuid=self.uuid,
            direction=word(self.direction),
            profile=word(self.profile_id),
            sender=word(self.cli),
            to=word(self.cld),
            said=word(self.status),
            status=STATUSES.get(word(self.status), "sent"),
            parts=whole(self.parts) or -1,
            cost_micros=_money(self.cost),
            rate_micros=_money(self.rate),
            fee_micros=_money(self.carrier_fee),
            currency=word(self.currency)[:3],
            created_us=micros_of(self.created_at),
            sent_us=micros_of(self.sent_at),
            completed_us=micros_of(self.completed_at),
            updated_us=micros_of(self.updated_at),
            error_code=word(str(first), 16) if isinstance(first, (str, int)) else "",
        )


class DetailRecords:
    """One account's records, or one profile's. Times are µs since 1970, on whole seconds."""

    def __init__(self, api: TelnyxApi, profile: str | None = None) -> None:
        self._api = api
        self._profile = profile

    async def slice(self, since_us: int, until_us: int, largest: int) -> list[DetailRecord] | int:
        """All records made from `since_us` on and before `until_us`; how many there are, where that is above `largest`.

        Raises:
            TryAgainLater: the carrier is away, or the list would not hold still.
            UnusableInput: the key is refused, or the carrier heeds no time of day.
        """
        for _ in range(_READINGS):
            found, total = await self._page(since_us, until_us, 1)
            if total > largest:
                return total
            records = {record.uuid: record for record in found}
            for numbers in _in_turn(2, -(-total // PAGE)):
                for page, _total in await asyncio.gather(*(self._page(since_us, until_us, n) for n in numbers)):
                    records |= {record.uuid: record for record in page}
            if len(records) >= total:
                return _inside(list(records.values()), since_us, until_us)
        raise TryAgainLater("the carrier's list of records changes while it is read: reconcile an older period")

    async def find(self, uuid: str) -> DetailRecord | None:
        """The record of one message, whenever it was made."""
        document = await self._api.get(
            "detail_records", {"filter[record_type]": "messaging", "filter[uuid]": uuid, "page[size]": "1"}
        )
        rows = document.get("data")
        found = [read(Record, row).record() for row in rows] if isinstance(rows, list) else []
        return next((record for record in found if record.uuid == uuid), None)

    async def to(self, number: str, since_us: int, until_us: int) -> list[DetailRecord] | None:
        """Records of messages to one person (E.164) made in this time; None where there are more than a page, which tells nothing."""
        found, total = await self._page(since_us, until_us, 1, {"filter[cld]": number})
        mine = [record for record in found if record.to == number and since_us <= record.created_us <= until_us]
        return mine if total == len(found) else None

    async def _page(
        self, since_us: int, until_us: int, number: int, more: Mapping[str, str] | None = None
    ) -> tuple[list[DetailRecord], int]:
        query = {
            **(more or {}),
            "filter[record_type]": "messaging",
            "filter[created_at][gte]": _iso(since_us),
            "filter[created_at][lt]": _iso(until_us),
            "sort": "created_at",
            "page[number]": str(number),
            "page[size]": str(PAGE),
        }
        if self._profile:
            query["filter[profile_id]"] = self._profile
        document = await self._api.get("detail_records", query)
        rows, meta = document.get("data"), document.get("meta")
        total = meta.get("total_results") if isinstance(meta, dict) else None
        if not isinstance(rows, list) or not isinstance(total, int):
            raise UnusableInput("the carrier's list of detail records has an unexpected shape: update Volley")
        return [read(Record, row).record() for row in rows], total


def _inside(records: list[DetailRecord], since_us: int, until_us: int) -> list[DetailRecord]:
    """Those of the slice, give or take the second that a rounded time may be off.

    The API description shows filters by day only; were the time of day passed over, each slice would bring the whole day.
    """
    low, high = since_us - _SECOND_US, until_us + _SECOND_US
    inside = [record for record in records if low <= record.created_us <= high]
    if 2 * len(inside) < len(records):
        raise UnusableInput("the carrier's records do not keep to the period asked for: nothing was compared")
    return inside


def _in_turn(first: int, last: int) -> Iterator[range]:
    for start in range(first, last + 1, _AT_ONCE):
        yield range(start, min(start + _AT_ONCE, last + 1))


def _iso(moment_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=moment_us)).isoformat().replace("+00:00", "Z")


def _money(value: Any) -> int:
    if not isinstance(value, (str, int, float)) or len(str(value)) > 32:
        return -1
    try:
        found = Decimal(str(value))
        return micros(found) if 0 <= found < 10**9 else -1
    except ArithmeticError:
        return -1
