"""GET /v2/detail_records and /v2/reports/mdrs; below /_sandbox/, PUT records forges them."""

import time
from collections.abc import Mapping
from decimal import Decimal

import orjson
from pydantic import ValidationError

from volley.sandbox.paging import page_bounds
from volley.sandbox.record_book import Forgery, Line, RecordBook
from volley.sandbox.record_search import filters, find, value
from volley.sandbox.records import ATTRIBUTES, Record, row
from volley.sandbox.replies import Refusal, ok

_MOST = 50
_SNAPSHOTS = 8
_SNAPSHOT_US = 30_000_000
_REPORT = ("id", "direction", "profile", "cld", "cli", "status", "message_type")
_NAMES = {"id": "uuid", "profile": "profile_name"}

Query = dict[str, str]


class RecordRoom:
    """A room of App (app.py). Pages after the first show the list as it was when the first was asked for."""

    def __init__(self, book: RecordBook) -> None:
        self._book = book
        self._snapshots: dict[str, tuple[int, list[Line]]] = {}

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        ask = {"detail_records": self._search, "reports/mdrs": self._report}.get("/".join(steps))
        if ask is None or method != b"GET":
            return None
        try:
            return ask(query)
        except Refusal as refusal:
            return refusal.plain()

    def _search(self, query: Query) -> bytes:
        kind = query.get("filter[record_type]")
        if not kind:
            raise Refusal("10004", "filter[record_type] is required.", parameter="filter[record_type]")
        number, size = page_bounds(query, _MOST)
        now_us = time.time_ns() // 1000
        order = query.get("sort", query.get("sort[]", "-created_at")).split(",")[0]
        found = self._snapshot(query, order, number, now_us) if kind == "messaging" else []
        return _page([_shown(each, now_us) for each in found[(number - 1) * size : number * size]], found, number, size)

    def _snapshot(self, query: Query, order: str, number: int, now_us: int) -> list[Line]:
        name = orjson.dumps({key: text for key, text in query.items() if not key.startswith("page")}).decode()
        at_us, found = self._snapshots.get(name, (0, []))
        if number == 1 or now_us - at_us > _SNAPSHOT_US:
            found = find(self._book.lines(now_us), filters(query, now_us), order, now_us)
            self._snapshots.pop(name, None)
            self._snapshots[name] = now_us, found
            if len(self._snapshots) > _SNAPSHOTS:
                del self._snapshots[next(iter(self._snapshots))]
        return found

    def _report(self, query: Query) -> bytes:
        now_us = time.time_ns() // 1000
        number, size = page_bounds(query, 250)
        found = find(self._book.lines(now_us), filters(_report_filters(query), now_us), "-created_at", now_us)
        return _page(
            [_report_row(each, now_us) for each in found[(number - 1) * size : number * size]], found, number, size
        )


class RecordControl:
    """A control of App: PUT /_sandbox/records takes a Forgery, DELETE ends it."""

    def __init__(self, book: RecordBook) -> None:
        self._book = book

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        if steps != ["records"] or method not in (b"PUT", b"DELETE"):
            return None
        try:
            forgery = Forgery.model_validate_json(body) if method == b"PUT" else Forgery()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise Refusal("10015", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        unknown = {name for each in (*forgery.change.values(), *forgery.add) for name in each} - {*ATTRIBUTES}
        if unknown:
            raise Refusal("10015", f"a record has no {', '.join(sorted(unknown))}")
        self._book.forgery = forgery
        counts = {name: len(getattr(forgery, name)) for name in Forgery.model_fields}
        return ok(orjson.dumps(counts))


def _page(rows: list[dict[str, object]], found: list[Line], number: int, size: int) -> bytes:
    pages = -(-len(found) // size)
    meta = {"page_number": number, "page_size": size, "total_pages": pages, "total_results": len(found)}
    return ok(orjson.dumps({"data": rows, "meta": meta}))


def _shown(line: Line, now_us: int) -> dict[str, object]:
    return row(line, now_us) if isinstance(line, Record) else {"record_type": "message_detail_record"} | line


def _report_filters(query: Mapping[str, str]) -> Query:
    """The parameters of a report as the filters of a search."""
    asked = {f"filter[{_NAMES.get(name, name)}]": query[name] for name in _REPORT if query.get(name)}
    for name in ("filter[direction]", "filter[status]"):
        if name in asked:
            asked[name] = asked[name].lower()
    for name, operator in (("start_date", "gte"), ("end_date", "lt")):
        if query.get(name):
            asked[f"filter[created_at][{operator}]"] = query[name]
    return asked


def _report_row(line: Line, now_us: int) -> dict[str, object]:
    """MdrDetailResponse: its cost is its rate × its parts, so the carrier's fee is in the rate."""
    shown = _shown(line, now_us)
    rate = Decimal(str(shown.get("rate", "0"))) + Decimal(str(shown.get("carrier_fee", "0")))
    same = ("cld", "cli", "cost", "created_at", "currency", "message_type", "parts", "profile_name")
    return {
        "record_type": "mdr",
        "id": value(line, "uuid", now_us),
        "direction": str(shown.get("direction", "")).upper(),
        "status": str(shown.get("status", "")).upper(),
        "rate": str(rate),
    } | {name: shown[name] for name in same if name in shown}
