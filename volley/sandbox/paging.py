"""Lists, page by page, in each of the three shapes that Telnyx has. Rows are made for the page that is asked for and no other."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from volley.sandbox.replies import Refusal, http_reply, ok

Query = dict[str, str]
Row = dict[str, object]
T = TypeVar("T")

_MOST = 250
_MOST_PAGES = 1_000_000


def page(items: Sequence[T], row: Callable[[T], Row], query: Query) -> bytes:
    """`{"data", "meta"}` by `page[number]` (from 1) and `page[size]` (20, at most 250). Raises Refusal 10033."""
    number, size = page_bounds(query, _MOST)
    pages = -(-len(items) // size)
    meta = {"page_number": number, "page_size": size, "total_pages": pages, "total_results": len(items)}
    return ok(orjson.dumps({"data": _rows(items, row, number, size), "meta": meta}))


def page_bounds(query: Query, most: int) -> tuple[int, int]:
    """Number (from 1) and size of the page that is asked for. Raises Refusal 10033."""
    return _whole(query, "page[number]", 1, _MOST_PAGES), _whole(query, "page[size]", 20, most)


def campaign_page(items: Sequence[T], row: Callable[[T], Row], query: Query) -> bytes:
    """PhoneNumberCampaignPaginated, by `page` and `recordsPerPage`. Raises Refusal 10033."""
    number, size = _whole(query, "page", 1, _MOST_PAGES), _whole(query, "recordsPerPage", 20, 500)
    return ok(orjson.dumps({"records": _rows(items, row, number, size), "page": number, "totalRecords": len(items)}))


def record_page(items: Sequence[T], row: Callable[[T], Row], query: Query, *, names: tuple[str, str]) -> bytes:
    """`{"records", "total_records"}` by the two named parameters; a size that is too large is made smaller."""
    number, size = _whole(query, names[0], 1, _MOST_PAGES), _whole(query, names[1], 20, _MOST_PAGES)
    return ok(orjson.dumps({"records": _rows(items, row, number, min(size, _MOST)), "total_records": len(items)}))


def one(row: Row, status: int = 200) -> bytes:
    """`{"data": row}`."""
    body = orjson.dumps({"data": row})
    return ok(body) if status == 200 else http_reply(status, body)


def _rows(items: Sequence[T], row: Callable[[T], Row], number: int, size: int) -> list[Row]:
    return [row(each) for each in items[(number - 1) * size : number * size]]


def _whole(query: Query, name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Refusal("10033", f"{name} must be between 1 and {most}.", parameter=name)
    return int(text)
