"""What became of each webhook: the last of them, for GET /v2/webhook_deliveries."""

import uuid
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from volley.sandbox.config import ORGANIZATION_ID
from volley.sandbox.moments import moment, read_moment
from volley.sandbox.paging import page
from volley.sandbox.replies import Refusal, ok


class Attempt(NamedTuple):
    """One POST of a webhook. `status` 0: there was no answer in time."""

    url: str
    began_us: int
    ended_us: int
    status: int
    said: str

    @property
    def delivered(self) -> bool:
        return 200 <= self.status < 300


class Event(NamedTuple):
    """`data` is the event as it will be sent; `urls` are tried in order; `attempts` are those so far, over all of them."""

    data: dict[str, object]
    urls: tuple[str, ...]
    attempts: tuple[Attempt, ...] = ()


class Deliveries:
    """A room of App (app.py). Holds the newest `keep`."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._ended: dict[str, tuple[Event, bool]] = {}

    def add(self, event: Event, delivered: bool) -> None:
        if self._keep:
            self._ended[str(uuid.uuid4())] = event, delivered
            if len(self._ended) > self._keep:
                del self._ended[next(iter(self._ended))]

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["webhook_deliveries"]:
                found = [each for each in reversed(self._ended.items()) if _wanted(*each[1], query)]
                return page(found, lambda each: _row(each[0], *each[1]), query)
            case b"GET", ["webhook_deliveries", name]:
                if name not in self._ended:
                    raise Refusal("10005")
                return ok(orjson.dumps({"data": _row(name, *self._ended[name])}))
        return None


def _wanted(event: Event, delivered: bool, query: Mapping[str, str]) -> bool:
    status = query.get("filter[status][eq]")
    kinds = query.get("filter[event_type]")
    return (
        (status is None or status == _status(delivered))
        and (kinds is None or str(event.data.get("event_type", "link_clicked")) in kinds.split(","))
        and query.get("filter[webhook][contains]", "") in orjson.dumps(event.data).decode()
        and query.get("filter[attempts][contains]", "") in orjson.dumps([each.url for each in event.attempts]).decode()
        and _between(event.attempts[0].began_us, "started_at", query)
        and _between(event.attempts[-1].ended_us, "finished_at", query)
    )


def _between(at_us: int, name: str, query: Mapping[str, str]) -> bool:
    since, until = (query.get(f"filter[{name}][{word}]") for word in ("gte", "lte"))
    return (not since or at_us >= read_moment(since)) and (not until or at_us <= read_moment(until))


def _status(delivered: bool) -> str:
    return "delivered" if delivered else "failed"


def _row(name: str, event: Event, delivered: bool) -> dict[str, object]:
    """webhook_delivery."""
    return {
        "id": name,
        "user_id": ORGANIZATION_ID,
        "record_type": "webhook_delivery",
        "status": _status(delivered),
        "webhook": _webhook(event.data),
        "started_at": moment(event.attempts[0].began_us),
        "finished_at": moment(event.attempts[-1].ended_us),
        "attempts": [_attempt(each) for each in event.attempts],
    }


def _webhook(data: dict[str, object]) -> dict[str, object]:
    """An event as it was; a clicked link, which comes bare, as an event."""
    if data["record_type"] == "event":
        return data
    return {"record_type": "event", "event_type": str(data["record_type"]), "payload": data}


def _attempt(each: Attempt) -> dict[str, object]:
    response = {"status": each.status, "headers": [], "body": each.said} if each.status else {}
    return {
        "status": _status(each.delivered),
        "started_at": moment(each.began_us),
        "finished_at": moment(each.ended_us),
        "http": {
            "request": {"url": each.url, "headers": [["content-type", "application/json"]]},
            "response": response,
        },
        "errors": [],
    }
