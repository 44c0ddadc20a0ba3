"""Filters and sorting of GET /v2/detail_records: any attribute, its operators, and ranges in words."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from volley.sandbox.moments import read_moment
from volley.sandbox.record_book import Line
from volley.sandbox.records import ATTRIBUTES, MOMENTS, Record
from volley.sandbox.replies import Refusal

_FILTER = re.compile(r"filter\[(\w+)\](?:\[(\w+)\])?").fullmatch
_LAST_DAYS = re.compile(r"last_([0-9]{1,4})_days").fullmatch
_NUMBERS = frozenset({"parts", "rate", "cost", "carrier_fee"})
_OPERATORS = frozenset({"eq", "gte", "gt", "lte", "lt", "contains", "starts_with", "ends_with"})

Test = Callable[[Line, int], bool]


def filters(query: Mapping[str, str], now_us: int) -> list[Test]:
    """One for each filter of the query. Raises Refusal for an attribute, an operator or a range that there is not."""
    return [_test(name, now_us, found[1], found[2], query[name]) for name in query if (found := _FILTER(name))]


def find(lines: Iterable[Line], wanted: list[Test], order: str, now_us: int) -> list[Line]:
    """Those that pass every test, by an attribute; a minus sign turns the order round."""
    name = order.removeprefix("-")
    if name not in ATTRIBUTES:
        raise Refusal("10015", f"Records cannot be sorted by {name}.", parameter="sort")
    found = [each for each in lines if all(test(each, now_us) for test in wanted)]
    return sorted(found, key=lambda each: _key(value(each, name, now_us)), reverse=order.startswith("-"))


def value(line: Line, name: str, now_us: int) -> object:
    """An attribute of a record; moments in µs to the millisecond, as they are shown."""
    if isinstance(line, Record):
        found = ATTRIBUTES[name](line, now_us)
    else:
        found = line.get(name)
        if name in MOMENTS and isinstance(found, str):
            found = read_moment(found)
    return found // 1000 * 1000 if name in MOMENTS and isinstance(found, int) else found


def _key(found: object) -> tuple[bool, int, str]:
    return (found is not None, found, "") if isinstance(found, int) else (found is not None, 0, str(found))


def _test(parameter: str, now_us: int, name: str, operator: str | None, given: str) -> Test:
    if name == "record_type":
        return lambda *_: given in ("messaging", "message_detail_record")
    if name == "date_range":
        since_us, until_us = _range(given, now_us)
        return lambda line, at_us: _within(since_us, value(line, "created_at", at_us), until_us)
    if name not in ATTRIBUTES or (operator or "eq") not in _OPERATORS:
        raise Refusal("10015", f"Records cannot be filtered by {parameter}.", parameter=parameter)
    bound = _bound(name, given, parameter)
    judge = _judge(operator or "eq", bound)
    return lambda line, at_us: judge(_comparable(name, value(line, name, at_us)))


def _within(since_us: int, found: object, until_us: int) -> bool:
    return isinstance(found, int) and since_us <= found < until_us


def _bound(name: str, given: str, parameter: str) -> object:
    if name in MOMENTS:
        return read_moment(given, parameter=parameter)
    if name in _NUMBERS:
        try:
            return Decimal(given)
        except InvalidOperation:
            raise Refusal("10026", f"{parameter} must be a number.", parameter=parameter) from None
    return given.replace(" ", "+") if name in ("cli", "cld") and given.startswith(" ") else given


def _comparable(name: str, found: object) -> object:
    if name in _NUMBERS and found is not None:
        return Decimal(str(found))
    if isinstance(found, bool):
        return str(found).lower()
    return ",".join(map(str, found)) if isinstance(found, list) else found


def _judge(operator: str, bound: object) -> Callable[[object], bool]:
    """What is not known passes no test."""
    match operator:
        case "eq":
            return lambda found: found == bound
        case "contains":
            return lambda found: found is not None and str(bound) in str(found)
        case "starts_with":
            return lambda found: found is not None and str(found).startswith(str(bound))
        case "ends_with":
            return lambda found: found is not None and str(found).endswith(str(bound))
        case "gte":
            return lambda found: _less(bound, found, equal=True)
        case "gt":
            return lambda found: _less(bound, found, equal=False)
        case "lte":
            return lambda found: _less(found, bound, equal=True)
    return lambda found: _less(found, bound, equal=False)


def _less(low: object, high: object, *, equal: bool) -> bool:
    if isinstance(low, int | Decimal) and isinstance(high, int | Decimal):
        return low < high or (equal and low == high)
    return isinstance(low, str) and isinstance(high, str) and (low < high or (equal and low == high))


def _range(word: str, now_us: int) -> tuple[int, int]:
    """Since and until (µs): days begin at 00:00 UTC, weeks on Monday. Raises Refusal for another word."""
    today = datetime.fromtimestamp(now_us / 1e6, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    week, month = today - timedelta(days=today.weekday()), today.replace(day=1)
    one, seven = timedelta(days=1), timedelta(days=7)
    next_month = (month + timedelta(days=32)).replace(day=1)
    last_days = _LAST_DAYS(word)
    spans = {
        "yesterday": (today - one, today),
        "today": (today, today + one),
        "tomorrow": (today + one, today + 2 * one),
        "last_week": (week - seven, week),
        "this_week": (week, week + seven),
        "next_week": (week + seven, week + 2 * seven),
        "last_month": ((month - one).replace(day=1), month),
        "this_month": (month, next_month),
        "next_month": (next_month, (next_month + timedelta(days=32)).replace(day=1)),
    }
    if last_days:
        spans[word] = (today - int(last_days[1]) * one, today + one)
    if word not in spans:
        raise Refusal("10032", f"There is no date range {word}.", parameter="filter[date_range]")
    since, until = spans[word]
    return round(since.timestamp() * 1e6), round(until.timestamp() * 1e6)
